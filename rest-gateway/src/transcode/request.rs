//! JSON text to wire bytes.
//!
//! Members are written as they are read. A length is filled in behind its value, and a key that comes twice takes back what
//! its first occurrence wrote, so that the last one wins. Unknown members are skipped, but must be JSON all the same.

mod json;
mod text;

pub(crate) use text::{Target, resolve, text_value};

use json::Cursor;

use super::{
    table::{Field, Form, Key, Kind, MessageId, Shape, Tables},
    wire::{LENGTH, VARINT, begin_length, end_length, put_tag, put_varint},
};

/// Arrays and objects within each other.
const MAX_DEPTH: u32 = 64;
/// On the wire a level of dynamic JSON is three nested messages, and decoders allow a hundred.
const DYNAMIC_LEVEL: u32 = 3;

/// A request that cannot be read. It displays as a sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestError {
    /// The members that lead to the value at fault, innermost first; a list's position stands in brackets.
    path: Vec<String>,
    message: String,
    pub(crate) fault: Fault,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text is no JSON.
    Malformed,
    /// A value is of another type than its field.
    Type,
    /// A value of the right type is none that its field takes.
    Value,
}

impl RequestError {
    /// A value that is not what its field takes.
    fn value(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), message: message.into(), fault: Fault::Value }
    }

    /// A value of another type than its field.
    fn mismatch(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), message: message.into(), fault: Fault::Type }
    }

    fn within(mut self, name: &str) -> Self {
        if self.fault != Fault::Malformed {
            self.path.push(name.to_owned());
        }
        self
    }

    /// The same, with the name of the parameter at fault.
    pub(crate) fn named(self, name: &str) -> Self {
        self.within(name)
    }

    fn at(self, index: usize) -> Self {
        self.within(&format!("[{index}]"))
    }

    /// The path of the value at fault; none where it is the whole.
    pub(crate) fn field(&self) -> Option<String> {
        let mut field = String::new();
        for name in self.path.iter().rev() {
            if !field.is_empty() && !name.starts_with('[') {
                field.push('.');
            }
            field.push_str(name);
        }
        (!field.is_empty()).then_some(field)
    }
}

impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.field() {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

type Result<T, E = RequestError> = std::result::Result<T, E>;

/// Appends the message that a JSON text stands for. An empty text is an empty message.
pub(crate) fn message(tables: &Tables, id: MessageId, json: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let Some(mut parser) = Parser::new(tables, json, out)? else { return Ok(()) };
    if !parser.json.null() {
        parser.message(id, MAX_DEPTH)?;
    }
    parser.json.end()
}

/// Appends one field of a message, whose value is the whole JSON text.
pub(crate) fn field(tables: &Tables, field: &Field, json: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let Some(mut parser) = Parser::new(tables, json, out)? else { return Ok(()) };
    if !parser.json.null() {
        parser.field(field, MAX_DEPTH)?;
    }
    parser.json.end()
}

struct Parser<'t, 'j, 'o> {
    tables: &'t Tables,
    json: Cursor<'j>,
    out: &'o mut Vec<u8>,
    /// What the members of the objects that are open have written.
    seen: Vec<Seen>,
}

struct Seen {
    key: Key,
    start: usize,
    end: usize,
}

impl<'t, 'j, 'o> Parser<'t, 'j, 'o> {
    fn new(tables: &'t Tables, json: &'j [u8], out: &'o mut Vec<u8>) -> Result<Option<Self>> {
        let mut json = Cursor::new(json)?;
        Ok((!json.is_blank()).then(|| Self { tables, json, out, seen: Vec::new() }))
    }

    /// The fields of a message, without tag and length.
    fn message(&mut self, id: MessageId, depth: u32) -> Result<()> {
        let table = &self.tables[id];
        match table.shape {
            Shape::Object => self.object(id, depth),
            Shape::Timestamp | Shape::Duration | Shape::FieldMask => {
                let text = self.json.string_value(text::expected_text(table.shape))?;
                text::put_text_shape(table.shape, &text, self.out)
            }
            Shape::Wrapper => match table.fields.first() {
                Some(field) => self.value(field.number, field.kind, depth),
                None => self.json.skip(depth),
            },
            Shape::Struct => self.dynamic_object(depth),
            Shape::ListValue => self.dynamic_list(depth),
            Shape::Value => self.dynamic(depth),
        }
    }

    fn object(&mut self, id: MessageId, depth: u32) -> Result<()> {
        let base = self.seen.len();
        let depth = self.json.open_object(depth)?;
        let mut first = true;
        while let Some(name) = self.json.member(&mut first)? {
            match self.tables[id].key(&name) {
                Some(key) => self.member(id, key, base, depth).map_err(|error| error.within(&name))?,
                None => self.json.skip(depth)?,
            }
        }
        self.seen.truncate(base);
        Ok(())
    }

    fn member(&mut self, id: MessageId, key: Key, base: usize, depth: u32) -> Result<()> {
        self.take_back(key, base);
        if self.json.null() {
            return Ok(());
        }
        let start = self.out.len();
        let tables = self.tables;
        let field = &tables[id].fields[usize::from(key.field)];
        match (key.inner, field.kind) {
            (Some(inner), Kind::Message(inlined)) => {
                put_tag(self.out, field.number, LENGTH);
                let length = begin_length(self.out);
                self.field(&tables[inlined].fields[usize::from(inner)], depth)?;
                end_length(self.out, length);
            }
            _ => self.field(field, depth)?,
        }
        self.seen.push(Seen { key, start, end: self.out.len() });
        Ok(())
    }

    /// Removes what an earlier member of the same object wrote for the key.
    fn take_back(&mut self, key: Key, base: usize) {
        let Some(position) = self.seen[base..].iter().position(|seen| seen.key == key) else { return };
        let gone = self.seen.remove(base + position);
        self.out.drain(gone.start..gone.end);
        let length = gone.end - gone.start;
        for seen in &mut self.seen[base + position..] {
            seen.start -= length;
            seen.end -= length;
        }
    }

    /// A field with its tag, once or as often as its list or map has entries.
    fn field(&mut self, field: &Field, depth: u32) -> Result<()> {
        match field.form {
            Form::Singular | Form::Oneof(_) => self.value(field.number, field.kind, depth),
            Form::List => self.list(field, depth),
            Form::Map { key, value } => self.map(field.number, key, value, depth),
        }
    }

    fn list(&mut self, field: &Field, depth: u32) -> Result<()> {
        let depth = self.json.open_array(depth)?;
        let packed = !matches!(field.kind, Kind::String | Kind::Bytes | Kind::Message(_));
        let before = self.out.len();
        let start = if packed {
            put_tag(self.out, field.number, LENGTH);
            begin_length(self.out)
        } else {
            before
        };
        let mut index = 0;
        while self.json.item(index == 0)? {
            let result = if packed { self.packed_item(field.kind) } else { self.value(field.number, field.kind, depth) };
            result.map_err(|error| error.at(index))?;
            index += 1;
        }
        if packed && index == 0 {
            self.out.truncate(before);
        } else if packed {
            end_length(self.out, start);
        }
        Ok(())
    }

    fn packed_item(&mut self, kind: Kind) -> Result<()> {
        let scalar = self.scalar(kind)?;
        scalar.put(self.out);
        Ok(())
    }

    fn map(&mut self, number: u32, key: Kind, value: Kind, depth: u32) -> Result<()> {
        let depth = self.json.open_object(depth)?;
        let mut first = true;
        while let Some(name) = self.json.member(&mut first)? {
            put_tag(self.out, number, LENGTH);
            let length = begin_length(self.out);
            text::put_text(self.tables, 1, key, &name, self.out)
                .and_then(|()| self.value(2, value, depth))
                .map_err(|error| error.within(&name))?;
            end_length(self.out, length);
        }
        Ok(())
    }

    /// One value with its tag.
    fn value(&mut self, number: u32, kind: Kind, depth: u32) -> Result<()> {
        match kind {
            Kind::Message(id) => {
                put_tag(self.out, number, LENGTH);
                let length = begin_length(self.out);
                self.message(id, depth)?;
                end_length(self.out, length);
            }
            Kind::String => {
                let text = self.json.string_value("a string")?;
                text::put_bytes(self.out, number, text.as_bytes());
            }
            Kind::Bytes => {
                let text = self.json.string_value("a base64 string")?;
                text::put_text(self.tables, number, kind, &text, self.out)?;
            }
            Kind::Bool
            | Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64
            | Kind::Float
            | Kind::Double
            | Kind::Enum(_) => {
                let scalar = self.scalar(kind)?;
                put_tag(self.out, number, scalar.wire_type());
                scalar.put(self.out);
            }
        }
        Ok(())
    }

    /// A value of a kind that can be packed.
    fn scalar(&mut self, kind: Kind) -> Result<text::Scalar> {
        match kind {
            Kind::Bool => self.json.bool_value().map(text::Scalar::from),
            Kind::Float | Kind::Double => {
                let number = self.json.number_value("a number")?;
                text::float(kind, number)
            }
            Kind::Enum(id) if self.json.is_string() => {
                let word = self.json.string_value("a word")?;
                text::enum_word(&self.tables[id], &word)
            }
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 if self.json.is_string() => {
                let number = self.json.string_value("an integer")?;
                text::integer(kind, &number)
            }
            Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64
            | Kind::Enum(_)
            | Kind::String
            | Kind::Bytes
            | Kind::Message(_) => {
                let expected = if matches!(kind, Kind::Enum(_)) { "a word or a number" } else { "an integer" };
                let number = self.json.number_value(expected)?;
                text::integer(kind, number)
            }
        }
    }

    fn dynamic(&mut self, depth: u32) -> Result<()> {
        match self.json.peek() {
            Some(b'{') => {
                put_tag(self.out, 5, LENGTH);
                let length = begin_length(self.out);
                self.dynamic_object(depth)?;
                end_length(self.out, length);
            }
            Some(b'[') => {
                put_tag(self.out, 6, LENGTH);
                let length = begin_length(self.out);
                self.dynamic_list(depth)?;
                end_length(self.out, length);
            }
            Some(b'"') => {
                let text = self.json.string_value("a string")?;
                text::put_bytes(self.out, 3, text.as_bytes());
            }
            Some(b't' | b'f') => {
                let value = self.json.bool_value()?;
                put_tag(self.out, 4, VARINT);
                put_varint(self.out, value.into());
            }
            _ if self.json.null() => {
                put_tag(self.out, 1, VARINT);
                put_varint(self.out, 0);
            }
            _ => self.value(2, Kind::Double, depth)?,
        }
        Ok(())
    }

    fn dynamic_object(&mut self, depth: u32) -> Result<()> {
        let depth = self.json.open_object(depth)?.saturating_sub(DYNAMIC_LEVEL - 1);
        let mut first = true;
        while let Some(name) = self.json.member(&mut first)? {
            put_tag(self.out, 1, LENGTH);
            let entry = begin_length(self.out);
            text::put_bytes(self.out, 1, name.as_bytes());
            put_tag(self.out, 2, LENGTH);
            let length = begin_length(self.out);
            self.dynamic(depth).map_err(|error| error.within(&name))?;
            end_length(self.out, length);
            end_length(self.out, entry);
        }
        Ok(())
    }

    fn dynamic_list(&mut self, depth: u32) -> Result<()> {
        let depth = self.json.open_array(depth)?.saturating_sub(DYNAMIC_LEVEL - 1);
        let mut index = 0;
        while self.json.item(index == 0)? {
            put_tag(self.out, 1, LENGTH);
            let length = begin_length(self.out);
            self.dynamic(depth).map_err(|error| error.at(index))?;
            end_length(self.out, length);
            index += 1;
        }
        Ok(())
    }
}
