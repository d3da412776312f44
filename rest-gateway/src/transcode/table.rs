//! The tables: what a descriptor says, laid out for the two transcoders.
//!
//! Messages and enums refer to each other by index, so that recursion needs no pointers. Everything that does not
//! depend on a value, such as `,"key":null`, is written here once.

pub(crate) mod options;

use std::collections::HashMap;

use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor};

use super::response::write_string;
use options::{enum_table, key_of, keys};

/// A contract that cannot be transcoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    /// Groups nest without a length, so that skipping one needs unbounded recursion.
    #[error("field {0} is a group, which is not supported")]
    Group(String),
    /// Two fields of a message would have the same key.
    #[error("message {message} has two fields with the JSON key `{key}`")]
    DuplicateKey {
        /// The message.
        message: String,
        /// The key.
        key: String,
    },
    /// More fields than an index holds.
    #[error("message {0} has too many fields")]
    TooManyFields(String),
}

/// Index of a message in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageId(u32);

/// Index of an enum in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EnumId(u32);

/// All messages and enums that were asked for, with what they refer to.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    messages: Vec<Message>,
    enums: Vec<Enum>,
    message_ids: HashMap<String, MessageId>,
    enum_ids: HashMap<String, EnumId>,
}

/// The JSON shape of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An object with a member per field.
    Object,
    /// `google.protobuf.Timestamp`: RFC 3339.
    Timestamp,
    /// `google.protobuf.Duration`: seconds with an `s`.
    Duration,
    /// `google.protobuf.FieldMask`: paths, separated by commas.
    FieldMask,
    /// `google.protobuf.Struct`: any object.
    Struct,
    /// `google.protobuf.Value`: any JSON.
    Value,
    /// `google.protobuf.ListValue`: any array.
    ListValue,
    /// A wrapper: the value itself.
    Wrapper,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) shape: Shape,
    /// By number. The order is that of the wire and of the JSON text.
    pub(crate) fields: Vec<Field>,
    /// Field index plus one by number, for the numbers below its length.
    dense: Vec<u16>,
    /// What a key means, sorted by key.
    keys: Vec<(Box<str>, Key)>,
}

/// What a key of a JSON object stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// The field.
    pub(crate) field: u16,
    /// The field of the inlined message, if the key is one of its keys.
    pub(crate) inner: Option<u16>,
}

impl Message {
    /// The index of the field with a number.
    pub(crate) fn index_of(&self, number: u32) -> Option<usize> {
        if let Some(&slot) = usize::try_from(number).ok().and_then(|number| self.dense.get(number)) {
            return usize::from(slot).checked_sub(1);
        }
        self.fields.binary_search_by_key(&number, |field| field.number).ok()
    }

    /// What a key stands for; none for an unknown one.
    pub(crate) fn key(&self, key: &str) -> Option<Key> {
        let index = self.keys.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        self.keys.get(index).map(|(_, key)| *key)
    }
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// `,"key":`.
    pub(crate) prefix: Box<str>,
    /// `,"key":<default>`, or nothing for a member of a oneof.
    pub(crate) absent: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) form: Form,
}

/// How often a field occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// At most once.
    Singular,
    /// At most once among the members of the oneof with this index.
    Oneof(u16),
    /// Any number of times.
    List,
    /// Any number of times, as entries with these fields.
    Map {
        /// Kind of the keys.
        key: Kind,
        /// Kind of the values.
        value: Kind,
    },
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    String,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
}

/// One enum.
#[derive(Debug)]
pub(crate) struct Enum {
    /// Number and JSON text (a quoted word), sorted by number.
    texts: Vec<(i32, Box<str>)>,
    /// Accepted spellings in lower case, sorted.
    spellings: Vec<(Box<str>, i32)>,
    /// The words, for error messages.
    pub(crate) words: Box<str>,
}

impl Enum {
    /// The JSON text of a number; none for an unknown one.
    pub(crate) fn text(&self, number: i32) -> Option<&str> {
        let index = self.texts.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.texts.get(index).map(|(_, text)| &**text)
    }

    /// The number of a spelling, without regard to case.
    pub(crate) fn number(&self, spelling: &str) -> Option<i32> {
        let spelling = spelling.to_lowercase();
        let index = self.spellings.binary_search_by(|(known, _)| (**known).cmp(&spelling)).ok()?;
        self.spellings.get(index).map(|(_, number)| *number)
    }
}

impl std::ops::Index<MessageId> for Tables {
    type Output = Message;

    fn index(&self, id: MessageId) -> &Message {
        &self.messages[id.0 as usize]
    }
}

impl std::ops::Index<EnumId> for Tables {
    type Output = Enum;

    fn index(&self, id: EnumId) -> &Enum {
        &self.enums[id.0 as usize]
    }
}

impl Tables {
    /// The table of a message, made with all it refers to unless it is there already.
    pub(crate) fn add(&mut self, descriptor: &MessageDescriptor) -> Result<MessageId, TableError> {
        if let Some(id) = self.message_ids.get(descriptor.full_name()) {
            return Ok(*id);
        }
        let id = MessageId(index(self.messages.len()));
        self.message_ids.insert(descriptor.full_name().to_owned(), id);
        // The place is taken first: a field may refer back to this message.
        self.messages.push(Message { shape: shape(descriptor), fields: Vec::new(), dense: Vec::new(), keys: Vec::new() });

        let mut descriptors = descriptor.fields().collect::<Vec<_>>();
        descriptors.sort_by_key(FieldDescriptor::number);
        if descriptors.len() >= usize::from(u16::MAX) {
            return Err(TableError::TooManyFields(descriptor.full_name().to_owned()));
        }
        let fields = descriptors.iter().map(|field| self.field(field)).collect::<Result<Vec<_>, _>>()?;
        let keys = keys(descriptor, &descriptors)?;
        let message = &mut self.messages[id.0 as usize];
        message.dense = dense(&fields);
        message.fields = fields;
        message.keys = keys;
        Ok(id)
    }

    fn field(&mut self, descriptor: &FieldDescriptor) -> Result<Field, TableError> {
        if descriptor.is_group() {
            return Err(TableError::Group(descriptor.full_name().to_owned()));
        }
        let name = key_of(descriptor);
        let mut prefix = ",".to_owned();
        write_string(&mut prefix, &name);
        prefix.push(':');
        let (form, kind) = self.form_and_kind(descriptor)?;
        let absent = match absent(descriptor, form) {
            Some(AbsentText::Text(text)) => format!("{prefix}{text}"),
            Some(AbsentText::EnumZero) => format!("{prefix}{}", self.enum_zero(kind)),
            None => String::new(),
        };
        Ok(Field { number: descriptor.number(), prefix: prefix.into(), absent: absent.into(), kind, form })
    }

    fn form_and_kind(&mut self, descriptor: &FieldDescriptor) -> Result<(Form, Kind), TableError> {
        if descriptor.is_map()
            && let ProtoKind::Message(entry) = descriptor.kind()
        {
            let key = self.kind(&entry.map_entry_key_field().kind())?;
            let value = self.kind(&entry.map_entry_value_field().kind())?;
            return Ok((Form::Map { key, value }, value));
        }
        let kind = self.kind(&descriptor.kind())?;
        let form = match descriptor.containing_oneof() {
            _ if descriptor.cardinality() == Cardinality::Repeated => Form::List,
            Some(oneof) if !oneof.is_synthetic() => Form::Oneof(oneof_index(descriptor, oneof.name())),
            Some(_) | None => Form::Singular,
        };
        Ok((form, kind))
    }

    fn kind(&mut self, kind: &ProtoKind) -> Result<Kind, TableError> {
        Ok(match kind {
            ProtoKind::Bool => Kind::Bool,
            ProtoKind::Int32 => Kind::Int32,
            ProtoKind::Int64 => Kind::Int64,
            ProtoKind::Uint32 => Kind::Uint32,
            ProtoKind::Uint64 => Kind::Uint64,
            ProtoKind::Sint32 => Kind::Sint32,
            ProtoKind::Sint64 => Kind::Sint64,
            ProtoKind::Fixed32 => Kind::Fixed32,
            ProtoKind::Fixed64 => Kind::Fixed64,
            ProtoKind::Sfixed32 => Kind::Sfixed32,
            ProtoKind::Sfixed64 => Kind::Sfixed64,
            ProtoKind::Float => Kind::Float,
            ProtoKind::Double => Kind::Double,
            ProtoKind::String => Kind::String,
            ProtoKind::Bytes => Kind::Bytes,
            ProtoKind::Enum(descriptor) => Kind::Enum(self.add_enum(descriptor)),
            ProtoKind::Message(descriptor) => Kind::Message(self.add(descriptor)?),
        })
    }

    fn add_enum(&mut self, descriptor: &EnumDescriptor) -> EnumId {
        if let Some(id) = self.enum_ids.get(descriptor.full_name()) {
            return *id;
        }
        let id = EnumId(index(self.enums.len()));
        self.enum_ids.insert(descriptor.full_name().to_owned(), id);
        self.enums.push(enum_table(descriptor));
        id
    }

    fn enum_zero(&self, kind: Kind) -> String {
        if let Kind::Enum(id) = kind { self[id].text(0).unwrap_or("0").to_owned() } else { "0".to_owned() }
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a descriptor pool holds fewer than 2^32 types")
}

/// The JSON shape of a message.
pub(crate) fn shape(descriptor: &MessageDescriptor) -> Shape {
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => Shape::Timestamp,
        "google.protobuf.Duration" => Shape::Duration,
        "google.protobuf.FieldMask" => Shape::FieldMask,
        "google.protobuf.Struct" => Shape::Struct,
        "google.protobuf.Value" => Shape::Value,
        "google.protobuf.ListValue" => Shape::ListValue,
        "google.protobuf.BoolValue"
        | "google.protobuf.Int32Value"
        | "google.protobuf.Int64Value"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.UInt64Value"
        | "google.protobuf.FloatValue"
        | "google.protobuf.DoubleValue"
        | "google.protobuf.StringValue"
        | "google.protobuf.BytesValue" => Shape::Wrapper,
        _ => Shape::Object,
    }
}

enum AbsentText {
    Text(&'static str),
    EnumZero,
}

fn absent(descriptor: &FieldDescriptor, form: Form) -> Option<AbsentText> {
    match form {
        Form::Oneof(_) => return None,
        Form::List => return Some(AbsentText::Text("[]")),
        Form::Map { .. } => return Some(AbsentText::Text("{}")),
        Form::Singular => {}
    }
    if descriptor.supports_presence() {
        return Some(AbsentText::Text("null"));
    }
    Some(AbsentText::Text(match descriptor.kind() {
        ProtoKind::Bool => "false",
        ProtoKind::String | ProtoKind::Bytes => "\"\"",
        ProtoKind::Float | ProtoKind::Double => "0.0",
        ProtoKind::Enum(_) => return Some(AbsentText::EnumZero),
        ProtoKind::Message(_) => "null",
        ProtoKind::Int32
        | ProtoKind::Int64
        | ProtoKind::Uint32
        | ProtoKind::Uint64
        | ProtoKind::Sint32
        | ProtoKind::Sint64
        | ProtoKind::Fixed32
        | ProtoKind::Fixed64
        | ProtoKind::Sfixed32
        | ProtoKind::Sfixed64 => "0",
    }))
}

fn oneof_index(descriptor: &FieldDescriptor, name: &str) -> u16 {
    let position = descriptor.parent_message().oneofs().position(|oneof| oneof.name() == name);
    u16::try_from(position.unwrap_or(0)).unwrap_or(u16::MAX)
}

fn dense(fields: &[Field]) -> Vec<u16> {
    const LARGEST: u32 = 512;
    let largest = fields.iter().map(|field| field.number).filter(|number| *number <= LARGEST).max().unwrap_or(0);
    let mut slots = vec![0; largest as usize + 1];
    for (slot, field) in (1..).zip(fields).filter(|(_, field)| field.number <= LARGEST) {
        slots[field.number as usize] = slot;
    }
    slots
}
