//! Entries of maps as they stand on the wire.

use super::{
    super::{
        table::{Field, Kind},
        wire::{Raw, Reader, WireError, unzigzag},
    },
    utf8,
};

/// A key of a map, in the order in which maps are usually written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum MapKey<'w> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Text(&'w str),
}

/// A map entry as it stands on the wire.
pub(super) struct Entry<'w> {
    pub(super) key: MapKey<'w>,
    pub(super) value: Value<'w>,
}

pub(super) enum Value<'w> {
    Absent,
    Raw(Raw<'w>),
    /// Parts of one message.
    Merged(Vec<u8>),
}

impl<'w> Value<'w> {
    fn merge(self, more: &'w [u8]) -> Self {
        match self {
            Self::Absent => Self::Raw(Raw::Length(more)),
            Self::Raw(Raw::Length(first)) => Self::Merged([first, more].concat()),
            Self::Raw(_) => Self::Raw(Raw::Length(more)),
            Self::Merged(mut first) => {
                first.extend_from_slice(more);
                Self::Merged(first)
            }
        }
    }
}

/// Reads an entry whose fields stand in any order.
pub(super) fn entry<'w>(field: &Field, (key, value): (Kind, Kind), raw: Raw<'w>) -> Result<Entry<'w>, WireError> {
    let Raw::Length(bytes) = raw else { return Err(WireError::Mismatch(field.number)) };
    let mut entry = Entry { key: default_key(key), value: Value::Absent };
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match reader.field()? {
            (1, raw) => entry.key = map_key(field, key, raw)?,
            (2, Raw::Length(more)) if matches!(value, Kind::Message(_)) => entry.value = entry.value.merge(more),
            (2, raw) => entry.value = Value::Raw(raw),
            _ => {}
        }
    }
    Ok(entry)
}

fn map_key<'w>(field: &Field, kind: Kind, raw: Raw<'w>) -> Result<MapKey<'w>, WireError> {
    Ok(match (kind, raw) {
        (Kind::String, Raw::Length(bytes)) => MapKey::Text(utf8(bytes)?),
        (Kind::Bool, Raw::Varint(value)) => MapKey::Bool(value != 0),
        (Kind::Int32, Raw::Varint(value)) => MapKey::Signed((value as i32).into()),
        (Kind::Int64, Raw::Varint(value)) => MapKey::Signed(value.cast_signed()),
        (Kind::Uint32, Raw::Varint(value)) => MapKey::Unsigned((value as u32).into()),
        (Kind::Uint64, Raw::Varint(value)) | (Kind::Fixed64, Raw::Fixed64(value)) => MapKey::Unsigned(value),
        (Kind::Sint32, Raw::Varint(value)) => MapKey::Signed((unzigzag(value & 0xffff_ffff) as i32).into()),
        (Kind::Sint64, Raw::Varint(value)) => MapKey::Signed(unzigzag(value)),
        (Kind::Fixed32, Raw::Fixed32(value)) => MapKey::Unsigned(value.into()),
        (Kind::Sfixed32, Raw::Fixed32(value)) => MapKey::Signed(value.cast_signed().into()),
        (Kind::Sfixed64, Raw::Fixed64(value)) => MapKey::Signed(value.cast_signed()),
        _ => return Err(WireError::Mismatch(field.number)),
    })
}

fn default_key(kind: Kind) -> MapKey<'static> {
    match kind {
        Kind::Bool => MapKey::Bool(false),
        Kind::Int32 | Kind::Int64 | Kind::Sint32 | Kind::Sint64 | Kind::Sfixed32 | Kind::Sfixed64 => MapKey::Signed(0),
        Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => MapKey::Unsigned(0),
        // The other kinds cannot be keys.
        Kind::String | Kind::Bytes | Kind::Float | Kind::Double | Kind::Enum(_) | Kind::Message(_) => MapKey::Text(""),
    }
}

/// The default of a kind as it would stand on the wire.
pub(super) fn zero(kind: Kind) -> Raw<'static> {
    match kind {
        Kind::String | Kind::Bytes | Kind::Message(_) => Raw::Length(&[]),
        Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => Raw::Fixed32(0),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => Raw::Fixed64(0),
        Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Sint64 | Kind::Enum(_) => {
            Raw::Varint(0)
        }
    }
}
