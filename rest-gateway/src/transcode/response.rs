//! Wire bytes to JSON text.
//!
//! Fields usually stand on the wire in ascending order, and are then written as they are read. A message in which they do
//! not is begun anew from an index of its fields; so is all it contains, which bounds the work to the nesting depth times
//! the size. Strings are checked to be UTF-8, so that the output always is.

mod map;
mod string;

use std::collections::HashMap;

use base64::{display::Base64Display, engine::general_purpose::STANDARD};

pub(crate) use string::write_string;

use map::{Entry, MapKey, Value, entry, zero};

use super::{
    calendar,
    table::{Field, Form, Kind, Message, MessageId, Shape, Tables},
    wire::{Raw, Reader, WireError, unzigzag},
};

/// Messages within messages. The default limit of decoders is 100; dynamic values count twice per level here.
const MAX_DEPTH: u32 = 200;

/// Appends a message.
pub(crate) fn message(tables: &Tables, id: MessageId, wire: &[u8], out: &mut String) -> Result<(), WireError> {
    Writer { tables, out, by_index: false }.message(id, wire, MAX_DEPTH)
}

/// Appends the value of one field of a message.
pub(crate) fn member(tables: &Tables, id: MessageId, index: usize, wire: &[u8], out: &mut String) -> Result<(), WireError> {
    Writer { tables, out, by_index: false }.member(&tables[id], index, wire, MAX_DEPTH)
}

struct Writer<'t, 'o> {
    tables: &'t Tables,
    out: &'o mut String,
    /// Messages are written from an index of their fields, without trying the order of the wire first.
    by_index: bool,
}

/// One field on the wire, by its index in the table.
struct Occurrence<'w> {
    index: usize,
    raw: Raw<'w>,
}

impl<'t> Writer<'t, '_> {
    fn message(&mut self, id: MessageId, wire: &[u8], depth: u32) -> Result<(), WireError> {
        let depth = depth.checked_sub(1).ok_or(WireError::Depth)?;
        let table = &self.tables[id];
        match table.shape {
            Shape::Object => self.object(table, wire, depth),
            Shape::Timestamp => self.instant(wire, calendar::write_timestamp),
            Shape::Duration => self.instant(wire, calendar::write_duration),
            Shape::FieldMask => self.field_mask(wire),
            Shape::Value => self.dynamic(table, wire, depth),
            Shape::Struct | Shape::ListValue | Shape::Wrapper => self.member(table, 0, wire, depth),
        }
    }

    fn object(&mut self, table: &'t Message, wire: &[u8], depth: u32) -> Result<(), WireError> {
        if self.by_index {
            return self.object_by_index(table, wire, depth);
        }
        let start = self.out.len();
        if !self.object_in_order(table, wire, depth)? {
            self.out.truncate(start);
            self.by_index = true;
            self.object_by_index(table, wire, depth)?;
            self.by_index = false;
        }
        Ok(())
    }

    /// Writes fields as they are read; false when their order does not allow it.
    fn object_in_order(&mut self, table: &'t Message, wire: &[u8], depth: u32) -> Result<bool, WireError> {
        self.out.push('{');
        let open = self.out.len();
        let mut reader = Reader::new(wire);
        let mut next = 0;
        let mut oneofs = 0u64;
        while !reader.is_empty() {
            let (number, raw) = reader.field()?;
            let Some(index) = table.index_of(number) else { continue };
            if index < next {
                return Ok(false);
            }
            self.absent(&table.fields[next..index], open);
            next = index + 1;
            let field = &table.fields[index];
            self.prefix(&field.prefix, open);
            match field.form {
                Form::Singular => self.value(field, field.kind, raw, depth)?,
                Form::Oneof(group) => {
                    let bit = 1u64.checked_shl(group.into()).unwrap_or(0);
                    if bit == 0 || oneofs & bit != 0 {
                        return Ok(false);
                    }
                    oneofs |= bit;
                    self.value(field, field.kind, raw, depth)?;
                }
                Form::List => self.list(field, raw, &mut reader, depth)?,
                Form::Map { key, value } => {
                    if !self.map(field, (key, value), raw, &mut reader, depth)? {
                        return Ok(false);
                    }
                }
            }
        }
        self.absent(&table.fields[next..], open);
        self.out.push('}');
        Ok(true)
    }

    /// Writes a list from its first occurrence on, as far as further ones follow directly.
    fn list(&mut self, field: &Field, first: Raw<'_>, reader: &mut Reader<'_>, depth: u32) -> Result<(), WireError> {
        self.out.push('[');
        let open = self.out.len();
        self.items(field, first, open, depth)?;
        while let Some(raw) = directly_following(field.number, reader)? {
            self.items(field, raw, open, depth)?;
        }
        self.out.push(']');
        Ok(())
    }

    /// The same for a map; false when its keys do not ascend, since one may then occur twice.
    fn map<'w>(
        &mut self,
        field: &Field,
        kinds: (Kind, Kind),
        first: Raw<'w>,
        reader: &mut Reader<'w>,
        depth: u32,
    ) -> Result<bool, WireError> {
        self.out.push('{');
        let open = self.out.len();
        let mut current = entry(field, kinds, first)?;
        loop {
            let key = current.key;
            self.map_entry(field, kinds.1, &current, open, depth)?;
            let Some(raw) = directly_following(field.number, reader)? else { break };
            current = entry(field, kinds, raw)?;
            if current.key <= key {
                return Ok(false);
            }
        }
        self.out.push('}');
        Ok(true)
    }

    fn object_by_index(&mut self, table: &'t Message, wire: &[u8], depth: u32) -> Result<(), WireError> {
        let mut occurrences = occurrences(table, wire, None)?;
        settle_oneofs(table, &mut occurrences);
        occurrences.sort_by_key(|occurrence| occurrence.index);
        self.out.push('{');
        let open = self.out.len();
        let mut next = 0;
        for group in occurrences.chunk_by(|a, b| a.index == b.index) {
            let index = group[0].index;
            self.absent(&table.fields[next..index], open);
            next = index + 1;
            self.prefix(&table.fields[index].prefix, open);
            self.field(&table.fields[index], group, depth)?;
        }
        self.absent(&table.fields[next..], open);
        self.out.push('}');
        Ok(())
    }

    /// Writes the value of a field from all its occurrences.
    fn field(&mut self, field: &'t Field, occurrences: &[Occurrence<'_>], depth: u32) -> Result<(), WireError> {
        match field.form {
            Form::Singular | Form::Oneof(_) => match occurrences {
                [] => Ok(()),
                [.., _, _] if matches!(field.kind, Kind::Message(_)) => {
                    let merged = merged(field, occurrences)?;
                    self.value(field, field.kind, Raw::Length(&merged), depth)
                }
                [.., last] => self.value(field, field.kind, last.raw, depth),
            },
            Form::List => {
                self.out.push('[');
                let open = self.out.len();
                for occurrence in occurrences {
                    self.items(field, occurrence.raw, open, depth)?;
                }
                self.out.push(']');
                Ok(())
            }
            Form::Map { key, value } => {
                let entries = occurrences.iter().map(|occurrence| entry(field, (key, value), occurrence.raw));
                let entries = entries.collect::<Result<Vec<_>, _>>()?;
                let last = entries.iter().enumerate().map(|(position, entry)| (entry.key, position)).collect::<HashMap<_, _>>();
                self.out.push('{');
                let open = self.out.len();
                for (position, entry) in entries.iter().enumerate() {
                    if last.get(&entry.key) == Some(&position) {
                        self.map_entry(field, value, entry, open, depth)?;
                    }
                }
                self.out.push('}');
                Ok(())
            }
        }
    }

    /// Writes the value of one field of a message, its default when it is absent.
    fn member(&mut self, table: &'t Message, index: usize, wire: &[u8], depth: u32) -> Result<(), WireError> {
        let Some(field) = table.fields.get(index) else { return Err(WireError::Mismatch(0)) };
        let occurrences = occurrences(table, wire, Some(index))?;
        if occurrences.is_empty() {
            self.out.push_str(field.absent.get(field.prefix.len()..).unwrap_or("null"));
            return Ok(());
        }
        self.field(field, &occurrences, depth)
    }

    fn dynamic(&mut self, table: &'t Message, wire: &[u8], depth: u32) -> Result<(), WireError> {
        let mut occurrences = occurrences(table, wire, None)?;
        settle_oneofs(table, &mut occurrences);
        let Some(last) = occurrences.last() else {
            self.out.push_str("null");
            return Ok(());
        };
        let field = &table.fields[last.index];
        match (field.kind, last.raw) {
            (Kind::Enum(_), _) => self.out.push_str("null"),
            // What came from `1` goes back as `1`.
            (Kind::Double, Raw::Fixed64(bits)) => match f64::from_bits(bits) {
                number if number.fract() == 0.0 && number.abs() < 9.0e15 => self.integer(number as i64),
                number => self.double(number),
            },
            _ => self.field(field, &occurrences, depth)?,
        }
        Ok(())
    }

    fn absent(&mut self, fields: &[Field], open: usize) {
        for field in fields {
            self.prefix(&field.absent, open);
        }
    }

    /// Writes what begins with a comma, without it at the beginning of an object.
    fn prefix(&mut self, text: &str, open: usize) {
        let text = if self.out.len() == open { text.get(1..).unwrap_or("") } else { text };
        self.out.push_str(text);
    }

    fn comma(&mut self, open: usize) {
        if self.out.len() != open {
            self.out.push(',');
        }
    }

    /// Writes the items of one occurrence of a list: one, or a packed run of them.
    fn items(&mut self, field: &Field, raw: Raw<'_>, open: usize, depth: u32) -> Result<(), WireError> {
        let Raw::Length(packed) = raw else {
            self.comma(open);
            return self.value(field, field.kind, raw, depth);
        };
        if matches!(field.kind, Kind::String | Kind::Bytes | Kind::Message(_)) {
            self.comma(open);
            return self.value(field, field.kind, raw, depth);
        }
        let mut reader = Reader::new(packed);
        while !reader.is_empty() {
            let raw = match field.kind {
                Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => Raw::Fixed32(reader.fixed32()?),
                Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => Raw::Fixed64(reader.fixed64()?),
                Kind::Bool
                | Kind::Int32
                | Kind::Int64
                | Kind::Uint32
                | Kind::Uint64
                | Kind::Sint32
                | Kind::Sint64
                | Kind::Enum(_) => Raw::Varint(reader.varint()?),
                // These returned above.
                Kind::String | Kind::Bytes | Kind::Message(_) => return Err(WireError::Mismatch(field.number)),
            };
            self.comma(open);
            self.value(field, field.kind, raw, depth)?;
        }
        Ok(())
    }

    fn map_entry(&mut self, field: &Field, kind: Kind, entry: &Entry<'_>, open: usize, depth: u32) -> Result<(), WireError> {
        self.comma(open);
        match entry.key {
            MapKey::Text(text) => write_string(self.out, text),
            MapKey::Bool(value) => self.out.push_str(if value { "\"true\"" } else { "\"false\"" }),
            MapKey::Signed(value) => self.quoted_integer(value),
            MapKey::Unsigned(value) => self.quoted_integer(value),
        }
        self.out.push(':');
        match &entry.value {
            Value::Raw(raw) => self.value(field, kind, *raw, depth),
            Value::Merged(bytes) => self.value(field, kind, Raw::Length(bytes), depth),
            Value::Absent => self.value(field, kind, zero(kind), depth),
        }
    }

    fn value(&mut self, field: &Field, kind: Kind, raw: Raw<'_>, depth: u32) -> Result<(), WireError> {
        match (kind, raw) {
            (Kind::Bool, Raw::Varint(value)) => self.out.push_str(if value == 0 { "false" } else { "true" }),
            (Kind::Int32, Raw::Varint(value)) => self.integer(value as i32),
            (Kind::Int64, Raw::Varint(value)) => self.integer(value.cast_signed()),
            (Kind::Uint32, Raw::Varint(value)) => self.integer(value as u32),
            (Kind::Uint64, Raw::Varint(value)) | (Kind::Fixed64, Raw::Fixed64(value)) => self.integer(value),
            (Kind::Sint32, Raw::Varint(value)) => self.integer(unzigzag(value & 0xffff_ffff) as i32),
            (Kind::Sint64, Raw::Varint(value)) => self.integer(unzigzag(value)),
            (Kind::Fixed32, Raw::Fixed32(value)) => self.integer(value),
            (Kind::Sfixed32, Raw::Fixed32(value)) => self.integer(value.cast_signed()),
            (Kind::Sfixed64, Raw::Fixed64(value)) => self.integer(value.cast_signed()),
            (Kind::Float, Raw::Fixed32(bits)) => self.float(f32::from_bits(bits)),
            (Kind::Double, Raw::Fixed64(bits)) => self.double(f64::from_bits(bits)),
            (Kind::String, Raw::Length(bytes)) => write_string(self.out, utf8(bytes)?),
            (Kind::Bytes, Raw::Length(bytes)) => self.bytes(bytes),
            (Kind::Enum(id), Raw::Varint(value)) => match self.tables[id].text(value as i32) {
                Some(text) => self.out.push_str(text),
                None => self.integer(value as i32),
            },
            (Kind::Message(id), Raw::Length(bytes)) => self.message(id, bytes, depth)?,
            _ => return Err(WireError::Mismatch(field.number)),
        }
        Ok(())
    }

    fn integer(&mut self, value: impl itoa::Integer) {
        self.out.push_str(itoa::Buffer::new().format(value));
    }

    fn quoted_integer(&mut self, value: impl itoa::Integer) {
        self.out.push('"');
        self.integer(value);
        self.out.push('"');
    }

    fn double(&mut self, value: f64) {
        // JSON has no word for what is not a finite number.
        let mut buffer = ryu::Buffer::new();
        self.out.push_str(if value.is_finite() { buffer.format_finite(value) } else { "null" });
    }

    fn float(&mut self, value: f32) {
        // JSON has no word for what is not a finite number.
        let mut buffer = ryu::Buffer::new();
        self.out.push_str(if value.is_finite() { buffer.format_finite(value) } else { "null" });
    }

    fn bytes(&mut self, bytes: &[u8]) {
        use std::fmt::Write as _;
        write!(self.out, "\"{}\"", Base64Display::new(bytes, &STANDARD)).expect("writing to a string does not fail");
    }

    /// Seconds and nanoseconds, in whatever order.
    fn instant(&mut self, wire: &[u8], write: fn(&mut String, i64, i64) -> bool) -> Result<(), WireError> {
        let (mut seconds, mut nanos) = (0, 0);
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            match reader.field()? {
                (1, Raw::Varint(value)) => seconds = value.cast_signed(),
                (2, Raw::Varint(value)) => nanos = i64::from(value as i32),
                (number @ (1 | 2), _) => return Err(WireError::Mismatch(number)),
                _ => {}
            }
        }
        self.out.push('"');
        if !write(self.out, seconds, nanos) {
            return Err(WireError::Time);
        }
        self.out.push('"');
        Ok(())
    }

    fn field_mask(&mut self, wire: &[u8]) -> Result<(), WireError> {
        let mut paths = String::new();
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            match reader.field()? {
                (1, Raw::Length(path)) => {
                    if !paths.is_empty() {
                        paths.push(',');
                    }
                    paths.push_str(utf8(path)?);
                }
                (1, _) => return Err(WireError::Mismatch(1)),
                _ => {}
            }
        }
        write_string(self.out, &paths);
        Ok(())
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(bytes).map_err(|_| WireError::Utf8)
}

/// The next field, if it has this number.
fn directly_following<'w>(number: u32, reader: &mut Reader<'w>) -> Result<Option<Raw<'w>>, WireError> {
    if reader.is_empty() {
        return Ok(None);
    }
    let mut ahead = *reader;
    let (found, raw) = ahead.field()?;
    if found != number {
        return Ok(None);
    }
    *reader = ahead;
    Ok(Some(raw))
}

/// All known fields on the wire, or those of one index, in the order of the wire.
fn occurrences<'w>(table: &Message, wire: &'w [u8], only: Option<usize>) -> Result<Vec<Occurrence<'w>>, WireError> {
    let mut found = Vec::new();
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        let (number, raw) = reader.field()?;
        let Some(index) = table.index_of(number) else { continue };
        if only.is_none_or(|only| only == index) {
            found.push(Occurrence { index, raw });
        }
    }
    Ok(found)
}

/// Leaves of each oneof what its last member is made of: setting a member forgets what another one held.
fn settle_oneofs(table: &Message, occurrences: &mut Vec<Occurrence<'_>>) {
    let mut winners = HashMap::<u16, (usize, bool)>::new();
    occurrences.reverse();
    occurrences.retain(|occurrence| {
        let Form::Oneof(group) = table.fields[occurrence.index].form else { return true };
        let (winner, forgotten) = winners.entry(group).or_insert((occurrence.index, false));
        *forgotten |= *winner != occurrence.index;
        !*forgotten
    });
    occurrences.reverse();
}

/// The parts of a message put together: that is what merging means on the wire.
fn merged(field: &Field, occurrences: &[Occurrence<'_>]) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    for occurrence in occurrences {
        let Raw::Length(part) = occurrence.raw else { return Err(WireError::Mismatch(field.number)) };
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}
