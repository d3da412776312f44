//! Parameters of paths and queries: every field that plain text can reach and the body does not hold.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::{
    Path, example,
    json::{Json, Object},
    schema::{Direction, Schemas},
};
use crate::transcode::table::{
    Shape,
    options::{is_inline, is_required, key_of},
    shape,
};

/// Messages within messages that a query reaches.
const MAX_DEPTH: u32 = 4;

/// The parameters of a path.
pub(super) fn of_path(path: &Path, message: &MessageDescriptor, schemas: &mut Schemas) -> Result<Vec<Json>, String> {
    let parameter = |(name, field): &(String, Option<String>)| {
        let parameter = Object::default().with("name", name.as_str()).with("in", "path").with("required", true);
        let Some(field) = field else {
            return Ok(parameter.with("schema", segment(Object::default().with("type", "string"))).into());
        };
        let descriptor = find(message, field).ok_or_else(|| format!("there is no field {field}"))?;
        let schema = segment(schemas.value(&descriptor, Direction::Request));
        Ok(described(parameter, &descriptor, schema, schemas).into())
    };
    path.parameters.iter().map(parameter).collect()
}

/// The parameters of a query: the fields that are neither in the path nor in the body.
pub(super) fn of_query(message: &MessageDescriptor, without: &[String], schemas: &mut Schemas) -> Vec<Json> {
    let mut parameters = Vec::new();
    collect("", message, without, schemas, &mut parameters, MAX_DEPTH);
    parameters
}

fn collect(
    prefix: &str,
    message: &MessageDescriptor,
    without: &[String],
    schemas: &mut Schemas,
    parameters: &mut Vec<Json>,
    depth: u32,
) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let mut fields = message.fields().collect::<Vec<_>>();
    fields.sort_by_key(FieldDescriptor::number);
    for field in fields {
        let is_elsewhere = prefix.is_empty() && without.iter().any(|name| name == field.name());
        if is_elsewhere || field.is_map() {
            continue;
        }
        let name = format!("{prefix}{}", key_of(&field));
        let inner = if let Kind::Message(inner) = field.kind() { Some(inner) } else { None };
        match inner.map(|inner| (shape(&inner), inner)) {
            Some((Shape::Object, inner)) => {
                if !field.is_list() {
                    let prefix = if is_inline(&field) { prefix.to_owned() } else { format!("{name}.") };
                    collect(&prefix, &inner, &[], schemas, parameters, depth);
                }
            }
            Some((Shape::Struct | Shape::Value | Shape::ListValue, _)) => {}
            Some((Shape::Timestamp | Shape::Duration | Shape::FieldMask | Shape::Wrapper, _)) | None => {
                let parameter = Object::default().with("name", name).with("in", "query");
                let parameter =
                    if is_required(&field) && prefix.is_empty() { parameter.with("required", true) } else { parameter };
                let schema = schemas.value(&field, Direction::Request);
                parameters.push(described(parameter, &field, schema, schemas).into());
            }
        }
    }
}

fn described(parameter: Object, field: &FieldDescriptor, schema: Object, schemas: &Schemas) -> Object {
    let comment = schemas.comments.at(&field.parent_file(), field.path());
    parameter.with_text("description", comment).with("schema", schema).with_some("example", example::of_field(field))
}

/// A text in a path has at least one character, else it is another path.
fn segment(mut schema: Object) -> Object {
    let is_text = schema.get_mut("type").is_some_and(|kind| *kind == Json::from("string"));
    if is_text { schema.with("minLength", 1) } else { schema }
}

/// The field of a dotted path.
fn find(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let named = |field: &FieldDescriptor| field.name() == first || field.json_name() == first || key_of(field) == first;
    let field = message.fields().find(named)?;
    match (rest, field.kind()) {
        (None, _) => Some(field),
        (Some(rest), Kind::Message(inner)) => find(&inner, rest),
        (Some(_), _) => None,
    }
}

/// The header with which a client of server-sent events goes on.
pub(super) fn last_event_id() -> Json {
    Object::default()
        .with("name", "Last-Event-ID")
        .with("in", "header")
        .with("description", "The `id` of the last event that was seen; it wins over the parameter.")
        .with("schema", Object::default().with("type", "string"))
        .into()
}

/// The header with which a client asks for a body where there is none by default.
pub(super) fn prefer() -> Json {
    let words = Object::default().with("type", "string").with("enum", vec!["return=minimal", "return=representation"]);
    Object::default()
        .with("name", "Prefer")
        .with("in", "header")
        .with("description", "With `return=representation` the answer is 200 with a body.")
        .with("schema", words)
        .into()
}
