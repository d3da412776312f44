//! Random messages through the tables and through an independent reading of the rules over prost-reflect.

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value};
use serde_json::{Map, Value as Json};

use crate::contract::{everything, transcoder};

const MESSAGES: u64 = 200;

#[test]
fn wire_to_json_agrees() {
    let transcoder = transcoder();
    for seed in 1..=MESSAGES {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut wire = message(&mut random, &everything(), 3).encode_to_vec();
        // Some in the order of the encoder, some shuffled, some twice over.
        if seed % 3 > 0 {
            let more = message(&mut random, &everything(), 2).encode_to_vec();
            wire = shuffled(&mut random, &[wire, more].concat());
        }
        let decoded = DynamicMessage::decode(everything(), wire.as_slice()).unwrap();
        let json = transcoder.to_json(&wire).unwrap();
        let json = serde_json::from_str::<Json>(&json).unwrap_or_else(|error| panic!("seed {seed}: {error}: {json}"));
        assert_eq!(difference("", &normal(json), &normal(expected(&decoded))), None, "seed {seed}");
    }
}

#[test]
fn json_to_wire_agrees() {
    let transcoder = transcoder();
    for seed in 1..=MESSAGES {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let sent = expected(&message(&mut random, &everything(), 3));
        let text = if seed % 2 == 0 { sent.to_string() } else { serde_json::to_string_pretty(&sent).unwrap() };
        let wire = transcoder.to_wire(text.as_bytes()).unwrap_or_else(|error| panic!("seed {seed}: {error}: {text}"));
        let decoded = DynamicMessage::decode(everything(), wire.as_slice()).unwrap();
        assert_eq!(difference("", &normal(expected(&decoded)), &normal(sent)), None, "seed {seed}");
    }
}

#[test]
fn mangled_input_is_refused_or_understood() {
    let transcoder = transcoder();
    for seed in 1..=MESSAGES {
        let mut random = Random(seed.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let whole = message(&mut random, &everything(), 2);
        let mut wire = whole.encode_to_vec();
        let mut json = expected(&whole).to_string().into_bytes();
        for _ in 0..20 {
            mangle(&mut random, &mut wire);
            if let Ok(json) = transcoder.to_json(&wire) {
                serde_json::from_str::<Json>(&json).unwrap_or_else(|error| panic!("seed {seed}: {error}: {json}"));
            }
            mangle(&mut random, &mut json);
            if let Ok(wire) = transcoder.to_wire(&json) {
                let decoded = DynamicMessage::decode(everything(), wire.as_slice());
                decoded.unwrap_or_else(|error| panic!("seed {seed}: {error}: {}", String::from_utf8_lossy(&json)));
            }
        }
    }
}

/// Changes, removes or repeats a few bytes.
fn mangle(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len() as u64) as usize;
    let end = (at + random.below(8) as usize).min(bytes.len());
    match random.below(4) {
        0 => bytes[at] = random.next() as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 => drop(bytes.drain(at..end)),
        _ => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

/// xorshift: the same messages in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Numbers of every length, extremes among them.
    fn number(&mut self) -> u64 {
        let shift = self.below(65);
        if shift == 64 { u64::MAX } else { self.next() >> shift }
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 10] = ["a", "xyz 123 abc def", "\"", "\\", "\n", "\u{1}", "é", "🦀", "/", "\u{7f}"];
        (0..self.below(5)).map(|_| PIECES[self.below(10) as usize]).collect()
    }
}

fn message(random: &mut Random, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    let mut set = |name: &str, value| message.set_field_by_name(name, value);
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            set("seconds", Value::I64((random.below(300_000_000_000)).cast_signed() - 60_000_000_000));
            set("nanos", Value::I32(i32::try_from(random.below(3) * 123_456_000).unwrap()));
        }
        "google.protobuf.Duration" => {
            let sign = if random.below(2) == 0 { 1 } else { -1 };
            set("seconds", Value::I64(sign * random.below(1_000_000).cast_signed()));
            set("nanos", Value::I32(sign as i32 * i32::try_from(random.below(3) * 5_000_000).unwrap()));
        }
        "google.protobuf.FieldMask" => {
            set("paths", Value::List(vec![Value::String("a.b_c".to_owned()), Value::String("d".to_owned())]));
        }
        _ => {
            for field in descriptor.fields() {
                let is_deep = matches!(field.kind(), Kind::Message(_));
                if random.below(3) > 0 || is_deep && depth == 0 {
                    continue;
                }
                let value = field_value(random, &field, depth.saturating_sub(1));
                message.set_field(&field, value);
            }
        }
    }
    message
}

fn field_value(random: &mut Random, field: &FieldDescriptor, depth: u32) -> Value {
    if field.is_map()
        && let Kind::Message(entry) = field.kind()
    {
        let count = random.below(4);
        let entry = |_| {
            let key = match value(random, &entry.map_entry_key_field().kind(), depth) {
                Value::String(key) => MapKey::String(key),
                Value::Bool(key) => MapKey::Bool(key),
                Value::I32(key) => MapKey::I32(key),
                Value::U64(key) => MapKey::U64(key),
                other => panic!("{other:?} is no key here"),
            };
            (key, value(random, &entry.map_entry_value_field().kind(), depth))
        };
        return Value::Map((0..count).map(entry).collect());
    }
    if field.is_list() {
        return Value::List((0..random.below(4)).map(|_| value(random, &field.kind(), depth)).collect());
    }
    value(random, &field.kind(), depth)
}

fn value(random: &mut Random, kind: &Kind, depth: u32) -> Value {
    let number = random.number();
    match kind {
        Kind::Bool => Value::Bool(number & 1 == 1),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number.cast_signed()),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number),
        // Exact in decimal: of two shortest texts of other floats either is right.
        Kind::Float => Value::F32(f32::from(number as i16) / 8.0),
        Kind::Double => Value::F64(Some(f64::from_bits(number)).filter(|number| number.is_finite()).unwrap_or(0.1)),
        Kind::String => Value::String(random.text()),
        Kind::Bytes => Value::Bytes(random.text().into_bytes().into()),
        Kind::Enum(descriptor) if descriptor.full_name() == "google.protobuf.NullValue" => Value::EnumNumber(0),
        Kind::Enum(_) => Value::EnumNumber([0, 1, 2, -3, 99][random.below(5) as usize]),
        Kind::Message(descriptor) => Value::Message(message(random, descriptor, depth)),
    }
}

/// The same fields in another order.
fn shuffled(random: &mut Random, wire: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    let mut rest = wire;
    while !rest.is_empty() {
        let before = rest;
        let tag = prost::encoding::decode_key(&mut rest).unwrap();
        prost::encoding::skip_field(tag.1, tag.0, &mut rest, prost::encoding::DecodeContext::default()).unwrap();
        fields.push(&before[..before.len() - rest.len()]);
    }
    for index in (1..fields.len()).rev() {
        fields.swap(index, random.below(index as u64 + 1) as usize);
    }
    fields.concat()
}

/// The rules of the mapping, written down a second time.
fn expected(message: &DynamicMessage) -> Json {
    let descriptor = message.descriptor();
    let get = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            let nanos = get("nanos").as_i32().unwrap();
            let time = jiff::Timestamp::new(get("seconds").as_i64().unwrap(), nanos).unwrap();
            return Json::String(time.to_string());
        }
        "google.protobuf.Duration" => {
            let (seconds, nanos) = (get("seconds").as_i64().unwrap(), get("nanos").as_i32().unwrap());
            // Merging can give the two different signs.
            let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
            let sign = if total < 0 { "-" } else { "" };
            let digits = format!("{:010}", total.abs());
            let (seconds, nanos) = digits.split_at(digits.len() - 9);
            let text = format!("{seconds}.{nanos}");
            return Json::String(format!("{sign}{}s", text.trim_end_matches('0').trim_end_matches('.')));
        }
        "google.protobuf.FieldMask" => {
            let paths = get("paths");
            let paths = paths.as_list().unwrap().iter().map(|path| path.as_str().unwrap().to_owned());
            return Json::String(paths.collect::<Vec<_>>().join(","));
        }
        "google.protobuf.Value" => {
            let kind = descriptor.fields().find(|field| message.has_field(field));
            return kind.map_or(Json::Null, |field| match field.name() {
                "null_value" => Json::Null,
                _ => singular(&field.kind(), &message.get_field(&field)),
            });
        }
        "google.protobuf.Struct" => return field_json(&descriptor.get_field(1).unwrap(), message),
        "google.protobuf.ListValue" | "google.protobuf.Int64Value" | "google.protobuf.StringValue" => {
            return field_json(&descriptor.get_field(1).unwrap(), message);
        }
        _ => {}
    }
    let mut object = Map::new();
    for field in descriptor.fields() {
        let in_oneof = field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        if message.has_field(&field) || !in_oneof {
            object.insert(key(&field), field_json(&field, message));
        }
    }
    Json::Object(object)
}

fn key(field: &FieldDescriptor) -> String {
    if field.name() == "maybe_int" {
        "maybeINT".to_owned()
    } else if field.name() == "gpu_count" {
        "gpuCount".to_owned()
    } else {
        field.name().to_owned()
    }
}

fn field_json(field: &FieldDescriptor, message: &DynamicMessage) -> Json {
    if field.supports_presence() && !message.has_field(field) {
        return Json::Null;
    }
    match (&*message.get_field(field), field.kind()) {
        (Value::List(items), kind) => items.iter().map(|item| singular(&kind, item)).collect(),
        (Value::Map(entries), Kind::Message(entry)) => {
            let kind = entry.map_entry_value_field().kind();
            let name = |key: &MapKey| match key {
                MapKey::Bool(key) => key.to_string(),
                MapKey::I32(key) => key.to_string(),
                MapKey::I64(key) => key.to_string(),
                MapKey::U32(key) => key.to_string(),
                MapKey::U64(key) => key.to_string(),
                MapKey::String(key) => key.clone(),
            };
            Json::Object(entries.iter().map(|(key, value)| (name(key), singular(&kind, value))).collect())
        }
        (value, kind) => singular(&kind, value),
    }
}

fn singular(kind: &Kind, value: &Value) -> Json {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    match (value, kind) {
        (Value::Bool(value), _) => (*value).into(),
        (Value::I32(value), _) => (*value).into(),
        (Value::I64(value), _) => (*value).into(),
        (Value::U32(value), _) => (*value).into(),
        (Value::U64(value), _) => (*value).into(),
        (Value::F32(value), _) => value.to_string().parse::<f64>().unwrap().into(),
        (Value::F64(value), _) => (*value).into(),
        (Value::String(value), _) => value.as_str().into(),
        (Value::Bytes(value), _) => STANDARD.encode(value).into(),
        (Value::EnumNumber(_), Kind::Enum(descriptor)) if descriptor.full_name() == "google.protobuf.NullValue" => Json::Null,
        (Value::EnumNumber(0), _) => "".into(),
        (Value::EnumNumber(1), _) => "red".into(),
        (Value::EnumNumber(2), _) => "dark-blue".into(),
        (Value::EnumNumber(-3), _) => "COLOUR_PLAIN".into(),
        (Value::EnumNumber(other), _) => (*other).into(),
        (Value::Message(message), _) => expected(message),
        (Value::List(_) | Value::Map(_), _) => panic!("not singular"),
    }
}

/// `1.0` and `1` are the same number, and serde_json reads floats to within an ulp.
fn normal(json: Json) -> Json {
    match json {
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9.0e15 => Json::from(float as i64),
            Some(float) if number.is_f64() => Json::String(format!("{float:.12e}")),
            _ => Json::Number(number),
        },
        Json::Array(items) => items.into_iter().map(normal).collect(),
        Json::Object(members) => members.into_iter().map(|(name, value)| (name, normal(value))).collect(),
        other => other,
    }
}

/// Where two values first differ.
fn difference(path: &str, ours: &Json, theirs: &Json) -> Option<String> {
    match (ours, theirs) {
        (Json::Object(ours), Json::Object(theirs)) if ours.keys().eq(theirs.keys()) => {
            ours.iter().find_map(|(name, value)| difference(&format!("{path}.{name}"), value, &theirs[name]))
        }
        (Json::Array(ours), Json::Array(theirs)) if ours.len() == theirs.len() => {
            ours.iter().zip(theirs).enumerate().find_map(|(index, (a, b))| difference(&format!("{path}[{index}]"), a, b))
        }
        _ => (ours != theirs).then(|| format!("{path}: {ours} is not {theirs}")),
    }
}
