//! Values that come as plain text: path segments, query parameters, map keys, and what a JSON string holds.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    super::{
        calendar,
        table::{Enum, Field, Form, Key, Kind, MessageId, Shape, Tables},
        wire::{FIXED32, FIXED64, LENGTH, VARINT, begin_length, end_length, put_tag, put_varint, zigzag},
    },
    RequestError, Result,
};

const BASE64: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BASE64);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BASE64);

/// A field that plain text can reach: the numbers of the messages around it, and its own number and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    around: Vec<u32>,
    number: u32,
    kind: Kind,
}

/// Finds the field of a dotted path; none where there is none that takes text.
pub(crate) fn resolve(tables: &Tables, root: MessageId, path: &str) -> Option<Target> {
    let mut around = Vec::new();
    let mut message = root;
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let Key { field, inner } = tables[message].key(name)?;
        let mut field = &tables[message].fields[usize::from(field)];
        if let (Some(inner), Kind::Message(inlined)) = (inner, field.kind) {
            around.push(field.number);
            field = &tables[inlined].fields[usize::from(inner)];
        }
        if names.peek().is_none() {
            return takes_text(tables, field).then_some(Target { around, number: field.number, kind: field.kind });
        }
        let (Kind::Message(next), Form::Singular | Form::Oneof(_)) = (field.kind, field.form) else { return None };
        around.push(field.number);
        message = next;
    }
    None
}

fn takes_text(tables: &Tables, field: &Field) -> bool {
    let message_does = if let Kind::Message(id) = field.kind {
        matches!(tables[id].shape, Shape::Timestamp | Shape::Duration | Shape::FieldMask | Shape::Wrapper)
    } else {
        true
    };
    message_does && !matches!(field.form, Form::Map { .. })
}

/// Appends a field whose value is plain text.
pub(crate) fn text_value(tables: &Tables, target: &Target, text: &str, out: &mut Vec<u8>) -> Result<()> {
    let mut open = Vec::with_capacity(target.around.len());
    for number in &target.around {
        put_tag(out, *number, LENGTH);
        open.push(begin_length(out));
    }
    put_text(tables, target.number, target.kind, text, out)?;
    for start in open.into_iter().rev() {
        end_length(out, start);
    }
    Ok(())
}

/// Appends a field with its tag.
pub(super) fn put_text(tables: &Tables, number: u32, kind: Kind, text: &str, out: &mut Vec<u8>) -> Result<()> {
    let scalar = match kind {
        Kind::String => {
            put_bytes(out, number, text.as_bytes());
            return Ok(());
        }
        Kind::Bytes => {
            let engine = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
            let bytes = engine.decode(text).map_err(|_| RequestError::value("expected a base64 string"))?;
            put_bytes(out, number, &bytes);
            return Ok(());
        }
        Kind::Message(id) => {
            let table = &tables[id];
            put_tag(out, number, LENGTH);
            let start = begin_length(out);
            match (table.shape, table.fields.first()) {
                (Shape::Wrapper, Some(field)) => put_text(tables, field.number, field.kind, text, out)?,
                (shape, _) => put_text_shape(shape, text, out)?,
            }
            end_length(out, start);
            return Ok(());
        }
        Kind::Bool => match text {
            "true" | "1" => Scalar::from(true),
            "false" | "0" => Scalar::from(false),
            _ => return Err(RequestError::mismatch("expected true or false")),
        },
        Kind::Enum(id) => match text.parse::<i32>() {
            Ok(value) => Scalar::Varint(i64::from(value).cast_unsigned()),
            Err(_) => enum_word(&tables[id], text)?,
        },
        Kind::Float | Kind::Double => float(kind, text)?,
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Fixed32
        | Kind::Fixed64
        | Kind::Sfixed32
        | Kind::Sfixed64 => integer(kind, text)?,
    };
    put_tag(out, number, scalar.wire_type());
    scalar.put(out);
    Ok(())
}

/// Appends the fields of a message that is a text in JSON.
pub(super) fn put_text_shape(shape: Shape, text: &str, out: &mut Vec<u8>) -> Result<()> {
    let parsed = match shape {
        Shape::Timestamp => calendar::read_timestamp(text),
        Shape::Duration => calendar::read_duration(text),
        Shape::FieldMask => {
            for path in text.split(',').filter(|path| !path.is_empty()) {
                put_bytes(out, 1, path.as_bytes());
            }
            return Ok(());
        }
        Shape::Object | Shape::Struct | Shape::Value | Shape::ListValue | Shape::Wrapper => None,
    };
    let (seconds, nanos) = parsed.ok_or_else(|| RequestError::value(format!("expected {}", expected_text(shape))))?;
    for (number, value) in [(1, seconds), (2, nanos)] {
        if value != 0 {
            put_tag(out, number, VARINT);
            put_varint(out, value.cast_unsigned());
        }
    }
    Ok(())
}

/// What a message that is a text in JSON looks like.
pub(super) fn expected_text(shape: Shape) -> &'static str {
    match shape {
        Shape::Timestamp => "a time such as 2026-01-31T12:00:00Z",
        Shape::Duration => "a duration such as 1.5s",
        Shape::FieldMask => "field paths separated by commas",
        Shape::Object | Shape::Struct | Shape::Value | Shape::ListValue | Shape::Wrapper => "a string",
    }
}

pub(super) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, LENGTH);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A value that is not length-delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
}

impl Scalar {
    pub(super) fn wire_type(self) -> u8 {
        match self {
            Self::Varint(_) => VARINT,
            Self::Fixed32(_) => FIXED32,
            Self::Fixed64(_) => FIXED64,
        }
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Varint(value) => put_varint(out, value),
            Self::Fixed32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Fixed64(value) => out.extend_from_slice(&value.to_le_bytes()),
        }
    }
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Varint(value.into())
    }
}

pub(super) fn enum_word(table: &Enum, word: &str) -> Result<Scalar> {
    match table.number(word) {
        Some(number) => Ok(Scalar::Varint(i64::from(number).cast_unsigned())),
        None => Err(RequestError::value(format!("expected one of {}", table.words))),
    }
}

/// An integer in the range of its kind. `1e3` and `5.0` are integers too.
pub(super) fn integer(kind: Kind, text: &str) -> Result<Scalar> {
    let value = whole(text).ok_or_else(|| RequestError::mismatch("expected an integer"))?;
    let out_of_range = |lowest: i128, highest: i128| {
        RequestError::value(format!("out of range: expected an integer from {lowest} to {highest}"))
    };
    let signed32 = || i32::try_from(value).map_err(|_| out_of_range(i32::MIN.into(), i32::MAX.into()));
    let signed64 = || i64::try_from(value).map_err(|_| out_of_range(i64::MIN.into(), i64::MAX.into()));
    let unsigned32 = || u32::try_from(value).map_err(|_| out_of_range(0, u32::MAX.into()));
    let unsigned64 = || u64::try_from(value).map_err(|_| out_of_range(0, u64::MAX.into()));
    Ok(match kind {
        Kind::Int32 | Kind::Enum(_) => Scalar::Varint(i64::from(signed32()?).cast_unsigned()),
        Kind::Sint32 => Scalar::Varint(zigzag(signed32()?.into())),
        Kind::Sfixed32 => Scalar::Fixed32(signed32()?.cast_unsigned()),
        Kind::Int64 => Scalar::Varint(signed64()?.cast_unsigned()),
        Kind::Sint64 => Scalar::Varint(zigzag(signed64()?)),
        Kind::Sfixed64 => Scalar::Fixed64(signed64()?.cast_unsigned()),
        Kind::Uint32 => Scalar::Varint(unsigned32()?.into()),
        Kind::Fixed32 => Scalar::Fixed32(unsigned32()?),
        Kind::Uint64 => Scalar::Varint(unsigned64()?),
        Kind::Fixed64 => Scalar::Fixed64(unsigned64()?),
        Kind::Bool | Kind::Float | Kind::Double | Kind::String | Kind::Bytes | Kind::Message(_) => {
            return Err(RequestError::mismatch("expected an integer"));
        }
    })
}

/// The whole number a text stands for; numbers too large for any kind become ones that are too.
fn whole(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let limit = if text.starts_with('-') { i128::MIN } else { i128::MAX };
        return Some(text.parse().unwrap_or(limit));
    }
    let number = text.parse::<f64>().ok()?;
    // Beyond 2^53 a float may stand for another number than the one that was written.
    (number.fract() == 0.0).then(|| if number.abs() <= 9_007_199_254_740_992.0 { number as i128 } else { i128::MAX })
}

pub(super) fn float(kind: Kind, text: &str) -> Result<Scalar> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = text.parse::<f64>().ok().filter(|_| digits.starts_with(|first: char| first.is_ascii_digit()));
    let number = number.ok_or_else(|| RequestError::mismatch("expected a number"))?;
    let narrow = number as f32;
    if !number.is_finite() || kind == Kind::Float && !narrow.is_finite() {
        return Err(RequestError::value("out of range: the number is too large"));
    }
    Ok(if kind == Kind::Float { Scalar::Fixed32(narrow.to_bits()) } else { Scalar::Fixed64(number.to_bits()) })
}
