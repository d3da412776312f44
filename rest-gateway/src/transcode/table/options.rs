//! What the contract's own options say of keys and words.

use std::{collections::HashMap, fmt::Write as _};

use prost_reflect::{
    Cardinality, DynamicMessage, EnumDescriptor, EnumValueDescriptor, ExtensionDescriptor, FieldDescriptor, Kind as ProtoKind,
    MessageDescriptor, ReflectMessage as _, Value,
};

use super::{super::response::write_string, Enum, Key, TableError};

/// Options of `utopia/api/v1/options.proto` by their field numbers.
const INLINE: u32 = 50110;
const KEY: u32 = 50111;
const EXAMPLE: u32 = 50112;
const REQUIRED: u32 = 50113;
const WORD: u32 = 50120;
const ALIAS: u32 = 50121;

/// The keys of a message: its fields' own first, then proto names and canonical names, then what is inlined.
pub(super) fn keys(descriptor: &MessageDescriptor, fields: &[FieldDescriptor]) -> Result<Vec<(Box<str>, Key)>, TableError> {
    let mut keys = HashMap::<String, Key>::new();
    for (field, index) in fields.iter().zip(0..) {
        let key = key_of(field);
        if keys.insert(key.clone(), Key { field: index, inner: None }).is_some() {
            return Err(TableError::DuplicateKey { message: descriptor.full_name().to_owned(), key });
        }
    }
    for (field, index) in fields.iter().zip(0..) {
        for name in [field.name(), field.json_name()] {
            keys.entry(name.to_owned()).or_insert(Key { field: index, inner: None });
        }
    }
    for (field, index) in fields.iter().zip(0..).filter(|(field, _)| is_inline(field)) {
        let ProtoKind::Message(inlined) = field.kind() else { continue };
        let mut inner = inlined.fields().collect::<Vec<_>>();
        inner.sort_by_key(FieldDescriptor::number);
        let names = inner.iter().zip(0..).flat_map(|(field, inner)| {
            [key_of(field), field.name().to_owned(), field.json_name().to_owned()].map(|name| (name, inner))
        });
        for (name, inner) in names.collect::<Vec<_>>() {
            keys.entry(name).or_insert(Key { field: index, inner: Some(inner) });
        }
    }
    let mut keys = keys.into_iter().map(|(name, key)| (name.into_boxed_str(), key)).collect::<Vec<_>>();
    keys.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(keys)
}

/// Whether the keys of the field's message are accepted beside it.
pub(crate) fn is_inline(field: &FieldDescriptor) -> bool {
    let inline = option(&field.options(), INLINE).is_some_and(|value| value.as_bool() == Some(true));
    inline && field.cardinality() != Cardinality::Repeated
}

/// Whether a request without the field is refused.
pub(crate) fn is_required(field: &FieldDescriptor) -> bool {
    option(&field.options(), REQUIRED).is_some_and(|value| value.as_bool() == Some(true))
}

/// The key of a field.
pub(crate) fn key_of(field: &FieldDescriptor) -> String {
    let key = option(&field.options(), KEY).and_then(|value| value.as_str().map(str::to_owned));
    key.unwrap_or_else(|| field.name().to_owned())
}

/// An example of the field's value, as JSON text.
pub(crate) fn example(field: &FieldDescriptor) -> Option<String> {
    option(&field.options(), EXAMPLE).and_then(|value| value.as_str().map(str::to_owned))
}

/// Whether the field holds a secret.
pub(crate) fn is_secret(field: &FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

/// The word of an enum's value in JSON, and further spellings that are accepted.
pub(crate) fn words(value: &EnumValueDescriptor) -> (String, Vec<String>) {
    let options = value.options();
    let word = option(&options, WORD).and_then(|word| word.as_str().map(str::to_owned));
    let aliases = option(&options, ALIAS);
    let aliases = aliases.as_ref().and_then(Value::as_list).unwrap_or_default();
    let aliases = aliases.iter().filter_map(|alias| alias.as_str().map(str::to_owned));
    (word.unwrap_or_else(|| value.name().to_owned()), aliases.collect())
}

/// The value of a custom option; none where it is not set.
fn option(options: &DynamicMessage, number: u32) -> Option<Value> {
    let extension: ExtensionDescriptor = options.descriptor().get_extension(number)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

/// The table of an enum.
pub(super) fn enum_table(descriptor: &EnumDescriptor) -> Enum {
    let mut texts = Vec::<(i32, Box<str>)>::new();
    let mut spellings = Vec::new();
    let mut listed = String::new();
    for value in descriptor.values() {
        let (word, aliases) = words(&value);
        if !word.is_empty() {
            let separator = if listed.is_empty() { "" } else { ", " };
            write!(listed, "{separator}`{word}`").expect("writing to a string does not fail");
        }
        // Of several names of one number, the first is written.
        if texts.iter().all(|(number, _)| *number != value.number()) {
            let mut text = String::new();
            write_string(&mut text, &word);
            texts.push((value.number(), text.into()));
        }
        let aliases = aliases.iter().map(String::as_str);
        let name = crate::graphql::names::word(&word);
        for spelling in [word.as_str(), value.name()].into_iter().chain(aliases).chain(name.as_deref()) {
            spellings.push((spelling.to_lowercase().into_boxed_str(), value.number()));
        }
    }
    texts.sort_by_key(|(number, _)| *number);
    // Stable, so that of one spelling used twice the first stands.
    spellings.sort_by(|a, b| a.0.cmp(&b.0));
    spellings.dedup_by(|a, b| a.0 == b.0);
    Enum { texts, spellings, words: listed.into() }
}
