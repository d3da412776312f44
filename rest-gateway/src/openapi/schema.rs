//! JSON Schemas of messages and enums, as the transcoder reads and writes them.
//!
//! An answer holds all of its members, a request those that are required and those that its sender wants to give. A message
//! that occurs in both has therefore two schemas, of which that of requests ends in `Input`.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::{
    comments::Comments,
    example,
    json::{Json, Object},
};
use crate::transcode::table::{
    Shape,
    options::{is_inline, is_required, is_secret, key_of, words},
    shape,
};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Answer,
}

/// The schemas that the document names.
#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) comments: Comments,
    /// Messages of answers, by full name.
    answered: HashSet<String>,
    /// Which type has a name.
    names: HashMap<String, String>,
    /// All that were named, by name.
    pub(super) components: BTreeMap<String, Json>,
}

impl Schemas {
    /// No schemas yet; `outputs` are the messages that answers consist of.
    pub(super) fn new(pool: &DescriptorPool, outputs: impl Iterator<Item = MessageDescriptor>) -> Self {
        let mut answered = HashSet::new();
        outputs.for_each(|message| reach(&message, &mut answered));
        Self { comments: Comments::of(pool), answered, names: HashMap::new(), components: BTreeMap::new() }
    }

    /// The schema of a message, by reference where it has a name.
    pub(super) fn message(&mut self, message: &MessageDescriptor, direction: Direction) -> Object {
        let text = |format: &str| Object::default().with("type", "string").with_text("format", format);
        match shape(message) {
            Shape::Timestamp => text("date-time"),
            Shape::Duration => text("").with("pattern", r"^-?[0-9]+(\.[0-9]{1,9})?s$"),
            Shape::FieldMask => text(""),
            Shape::Struct => Object::default().with("type", "object").with("additionalProperties", true),
            Shape::Value => Object::default(),
            Shape::ListValue => Object::default().with("type", "array").with("items", Object::default()),
            Shape::Wrapper => message.get_field(1).map_or_else(Object::default, |value| self.single(&value.kind(), direction)),
            Shape::Object => self.named(message, direction),
        }
    }

    /// The schema of a request's message without some fields.
    pub(super) fn body(&mut self, message: &MessageDescriptor, without: &[String], operation: &str) -> Object {
        if without.is_empty() {
            return self.message(message, Direction::Request);
        }
        let name = format!("{operation}_Body");
        let schema = self.object(message, Direction::Request, without);
        self.components.insert(name.clone(), schema.into());
        reference("schemas", &name)
    }

    /// The schema of a field, with all that is known of it.
    pub(super) fn field(&mut self, field: &FieldDescriptor, direction: Direction) -> Object {
        let schema = self.value(field, direction);
        let in_oneof = field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        let is_nullable = match direction {
            Direction::Answer => field.supports_presence() && !in_oneof,
            // Absent and zero are two things.
            Direction::Request => field.containing_oneof().is_some_and(|oneof| oneof.is_synthetic()),
        };
        let schema = if is_nullable { nullable(schema) } else { schema };
        let comment = self.comments.at(&field.parent_file(), field.path());
        let schema = schema.with_text("description", comment);
        let schema = match direction {
            Direction::Request if is_secret(field) => schema.with("writeOnly", true).with("format", "password"),
            Direction::Answer if is_secret(field) => schema.with("format", "password"),
            Direction::Request | Direction::Answer => schema,
        };
        schema.with_some("examples", example::of_field(field).map(|example| vec![example]))
    }

    /// The schema of a field's values, however many.
    pub(super) fn value(&mut self, field: &FieldDescriptor, direction: Direction) -> Object {
        if field.is_map()
            && let Kind::Message(entry) = field.kind()
        {
            let values = self.single(&entry.map_entry_value_field().kind(), direction);
            return Object::default().with("type", "object").with("additionalProperties", values);
        }
        let single = self.single(&field.kind(), direction);
        if field.cardinality() == Cardinality::Repeated {
            return Object::default().with("type", "array").with("items", single);
        }
        single
    }

    fn single(&mut self, kind: &Kind, direction: Direction) -> Object {
        let number = |kind: &str, format: &str| Object::default().with("type", kind).with("format", format);
        match kind {
            Kind::Bool => Object::default().with("type", "boolean"),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => number("integer", "int32"),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => number("integer", "int64"),
            Kind::Uint32 | Kind::Fixed32 => number("integer", "uint32").with("minimum", 0),
            Kind::Uint64 | Kind::Fixed64 => number("integer", "uint64").with("minimum", 0),
            Kind::Float => number("number", "float"),
            Kind::Double => number("number", "double"),
            Kind::String => Object::default().with("type", "string"),
            Kind::Bytes => Object::default().with("type", "string").with("contentEncoding", "base64"),
            Kind::Enum(descriptor) => self.enumeration(descriptor),
            Kind::Message(message) => self.message(message, direction),
        }
    }

    fn named(&mut self, message: &MessageDescriptor, direction: Direction) -> Object {
        let has_both = direction == Direction::Request && self.answered.contains(message.full_name());
        let suffix = if has_both { "Input" } else { "" };
        let (name, is_new) = self.name(message.name(), message.full_name(), suffix);
        if is_new {
            let schema = self.object(message, direction, &[]);
            self.components.insert(name.clone(), schema.into());
        }
        reference("schemas", &name)
    }

    fn object(&mut self, message: &MessageDescriptor, direction: Direction, without: &[String]) -> Object {
        let mut fields = message.fields().filter(|field| !without.iter().any(|name| name == field.name())).collect::<Vec<_>>();
        fields.sort_by_key(FieldDescriptor::number);
        let mut properties = Object::default();
        for field in &fields {
            properties.push(key_of(field), self.field(field, direction));
        }
        let is_required = |field: &FieldDescriptor| match direction {
            Direction::Answer => is_always_written(field),
            Direction::Request => is_required(field),
        };
        let required = properties.keys().zip(&fields).filter(|(_, field)| is_required(field));
        let required = required.map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
        for field in fields.iter().filter(|field| direction == Direction::Request && is_inline(field)) {
            self.inline(field, &mut properties);
        }
        let comment = self.comments.at(&message.parent_file(), message.path());
        let mut schema = Object::default().with("type", "object").with_text("description", comment);
        if !properties.is_empty() {
            schema.push("properties", properties);
        }
        if !required.is_empty() {
            schema.push("required", required);
        }
        let exclusions = exclusions(message);
        if !exclusions.is_empty() {
            schema.push("allOf", exclusions);
        }
        schema
    }

    /// The fields of an inlined message beside it.
    fn inline(&mut self, field: &FieldDescriptor, properties: &mut Object) {
        let Kind::Message(inlined) = field.kind() else { return };
        for inner in inlined.fields() {
            let key = key_of(&inner);
            if !properties.has(&key) {
                properties.push(key, self.field(&inner, Direction::Request));
            }
        }
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> Object {
        let (name, is_new) = self.name(descriptor.name(), descriptor.full_name(), "");
        if is_new {
            let schema = self.words(descriptor);
            self.components.insert(name.clone(), schema.into());
        }
        reference("schemas", &name)
    }

    fn words(&self, descriptor: &EnumDescriptor) -> Object {
        let mut description = self.comments.at(&descriptor.parent_file(), descriptor.path()).to_owned();
        let mut known = Vec::<String>::new();
        for value in descriptor.values() {
            let word = words(&value).0;
            let comment = self.comments.at(&descriptor.parent_file(), value.path());
            let shown = if word.is_empty() { "empty".to_owned() } else { format!("`{word}`") };
            let separator = if known.is_empty() { "\n\n" } else { "\n" };
            description.push_str(&format!("{separator}- {shown}: {comment}"));
            if !known.contains(&word) {
                known.push(word);
            }
        }
        Object::default().with("type", "string").with("enum", known).with_text("description", &description)
    }

    /// The name under which a type stands in the document, and whether it is still to be put there.
    fn name(&mut self, short: &str, full: &str, suffix: &str) -> (String, bool) {
        let mut name = format!("{short}{suffix}");
        if self.names.get(&name).is_some_and(|owner| owner != full) {
            name = format!("{full}{suffix}");
        }
        let is_new = self.names.insert(name.clone(), full.to_owned()).is_none();
        (name, is_new)
    }
}

/// A reference to a component.
pub(super) fn reference(section: &str, name: &str) -> Object {
    Object::default().with("$ref", format!("#/components/{section}/{name}"))
}

fn is_always_written(field: &FieldDescriptor) -> bool {
    field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic())
}

/// The same, or null.
fn nullable(mut schema: Object) -> Object {
    if schema.is_empty() {
        return schema;
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = Json::Array(vec![kind.clone(), "null".into()]);
        return schema;
    }
    Object::default().with("anyOf", vec![schema, Object::default().with("type", "null")])
}

/// No two members of a oneof occur together.
fn exclusions(message: &MessageDescriptor) -> Vec<Object> {
    let mut exclusions = Vec::new();
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let keys = oneof.fields().map(|field| key_of(&field)).collect::<Vec<_>>();
        for (index, first) in keys.iter().enumerate() {
            for second in &keys[index + 1..] {
                let both = Object::default().with("required", vec![first.clone(), second.clone()]);
                exclusions.push(Object::default().with("not", both));
            }
        }
    }
    exclusions
}

fn reach(message: &MessageDescriptor, reached: &mut HashSet<String>) {
    if shape(message) != Shape::Object || !reached.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            reach(&inner, reached);
        }
    }
}
