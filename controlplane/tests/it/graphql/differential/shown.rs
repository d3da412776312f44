//! The rules by which messages are shown as JSON, over prost-reflect: nothing of the gateway's tables is used.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value,
};
use serde_json::{Map, Value as Json};

use super::Given;

/// A message as the JSON API shows it.
pub(super) fn message(message: &DynamicMessage) -> Json {
    let descriptor = message.descriptor();
    let get = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            let (seconds, nanos) = (get("seconds").as_i64().unwrap(), get("nanos").as_i32().unwrap());
            return jiff::Timestamp::new(seconds, nanos).unwrap().to_string().into();
        }
        "google.protobuf.Value" => {
            let kind = descriptor.fields().find(|field| message.has_field(field) && field.name() != "null_value");
            return kind.map_or(Json::Null, |field| value(&field.kind(), &message.get_field(&field)));
        }
        "google.protobuf.Struct" | "google.protobuf.ListValue" => return field(&descriptor.get_field(1).unwrap(), message),
        _ => {}
    }
    let mut members = Map::new();
    for each in descriptor.fields() {
        let in_oneof = each.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        if message.has_field(&each) || !in_oneof {
            members.insert(key(&each), field(&each, message));
        }
    }
    Json::Object(members)
}

/// A request with these fields.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not expected fails the test")]
pub(super) fn request(descriptor: MessageDescriptor, fields: &Map<String, Json>) -> DynamicMessage {
    let mut request = DynamicMessage::new(descriptor.clone());
    for (name, given) in fields {
        let field = descriptor.get_field_by_name(name).unwrap_or_else(|| panic!("{descriptor:?} has no {name}"));
        let text = || given.as_str().unwrap().to_owned();
        let value = match field.kind() {
            Kind::String => Value::String(text()),
            Kind::Int32 => Value::I32(i32::try_from(given.as_i64().unwrap()).unwrap()),
            Kind::Int64 => Value::I64(given.as_i64().unwrap()),
            Kind::Enum(words) => {
                let known = words.values().find(|value| word(&words, value.number()) == *given);
                Value::EnumNumber(known.expect("a word of this contract").number())
            }
            Kind::Message(inner) if inner.full_name() == "google.protobuf.Timestamp" => {
                let time = text().parse::<jiff::Timestamp>().unwrap();
                let mut message = DynamicMessage::new(inner);
                message.set_field_by_name("seconds", Value::I64(time.as_second()));
                message.set_field_by_name("nanos", Value::I32(time.subsec_nanosecond()));
                Value::Message(message)
            }
            other => panic!("no request here has a field of {other:?}"),
        };
        request.set_field(&field, value);
    }
    request
}

/// What gRPC gave, of which REST may show one field only.
pub(super) fn as_rest(grpc: Given, rest: &Given) -> Given {
    match (grpc, rest) {
        (Given::Data(Json::Object(members)), Given::Data(Json::Array(_))) => {
            Given::Data(members.into_iter().map(|(_, value)| value).find(Json::is_array).unwrap_or_default())
        }
        (grpc, _) => grpc,
    }
}

fn key(field: &FieldDescriptor) -> String {
    option(&field.options(), "utopia.api.v1.key").unwrap_or_else(|| field.name().to_owned())
}

fn word(descriptor: &EnumDescriptor, number: i32) -> Json {
    let value = descriptor.get_value(number).expect("a number of this contract");
    option(&value.options(), "utopia.api.v1.word").unwrap_or_else(|| value.name().to_owned()).into()
}

fn option(options: &DynamicMessage, name: &str) -> Option<String> {
    let descriptor = options.descriptor();
    let extension = descriptor.parent_pool().get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).as_str().unwrap().to_owned())
}

fn field(field: &FieldDescriptor, message: &DynamicMessage) -> Json {
    if field.supports_presence() && !message.has_field(field) {
        return Json::Null;
    }
    match (&*message.get_field(field), field.kind()) {
        (Value::List(items), kind) => items.iter().map(|item| value(&kind, item)).collect(),
        (Value::Map(entries), Kind::Message(entry)) => {
            let kind = entry.map_entry_value_field().kind();
            let name = |key: &MapKey| key.as_str().expect("maps of this contract have texts for keys").to_owned();
            Json::Object(entries.iter().map(|(key, entry)| (name(key), value(&kind, entry))).collect())
        }
        (single, kind) => value(&kind, single),
    }
}

fn value(kind: &Kind, single: &Value) -> Json {
    match (single, kind) {
        (Value::Bool(value), _) => (*value).into(),
        (Value::I32(value), _) => (*value).into(),
        (Value::I64(value), _) => (*value).into(),
        (Value::U32(value), _) => (*value).into(),
        (Value::U64(value), _) => (*value).into(),
        // As short as it may be, as a decimal number.
        (Value::F32(value), _) => value.to_string().parse::<f64>().unwrap().into(),
        (Value::F64(value), _) => (*value).into(),
        (Value::String(value), _) => value.as_str().into(),
        (Value::Bytes(value), _) => STANDARD.encode(value).into(),
        (Value::EnumNumber(number), Kind::Enum(descriptor)) => word(descriptor, *number),
        (Value::Message(inner), _) => message(inner),
        (Value::EnumNumber(_) | Value::List(_) | Value::Map(_), _) => panic!("no single value"),
    }
}
