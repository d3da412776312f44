//! Examples from the contract's option of that name.

use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};

use super::json::{Json, Object};
use crate::transcode::table::{
    Shape,
    options::{example, key_of},
    shape,
};

/// Messages within messages.
const MAX_DEPTH: u32 = 8;

/// The example of a field's own.
pub(super) fn of_field(field: &FieldDescriptor) -> Option<Json> {
    example(field).map(Json::Text)
}

/// An example of a message, from those of its fields; none when no field has one.
pub(super) fn of_message(message: &MessageDescriptor, without: &[String]) -> Option<Json> {
    compose(message, without, MAX_DEPTH)
}

fn compose(message: &MessageDescriptor, without: &[String], depth: u32) -> Option<Json> {
    let depth = depth.checked_sub(1)?;
    if shape(message) != Shape::Object {
        return None;
    }
    let mut fields = message.fields().filter(|field| !without.iter().any(|name| name == field.name())).collect::<Vec<_>>();
    fields.sort_by_key(FieldDescriptor::number);
    let member = |field: &FieldDescriptor| Some((key_of(field), value(field, depth)?));
    let members = fields.iter().filter_map(member).collect::<Object>();
    (!members.is_empty()).then_some(Json::Object(members))
}

/// An example of a field's value.
pub(super) fn of_value(field: &FieldDescriptor) -> Option<Json> {
    value(field, MAX_DEPTH)
}

fn value(field: &FieldDescriptor, depth: u32) -> Option<Json> {
    let own = of_field(field);
    if own.is_some() || field.is_map() {
        return own;
    }
    let Kind::Message(message) = field.kind() else { return None };
    let one = compose(&message, &[], depth)?;
    Some(if field.cardinality() == Cardinality::Repeated { Json::Array(vec![one]) } else { one })
}
