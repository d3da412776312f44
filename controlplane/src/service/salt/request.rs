//! Rules for what callers send to minions. Shells read nothing of it, so nothing is refused for its letters but NUL and other control
//! characters, and what Salt itself would take for something else.

use std::time::Duration;

use prost::Message as _;
use prost_types::{Struct, Value as WireValue, value::Kind};
use serde_json::{Map, Number, Value};
use utopia_proto::salt::v1::{DeployRequest, ExecuteRequest, TargetType};

use super::super::validate;
use crate::{
    backend::salt::{Command, Target, is_function, reserved_argument},
    error::{Error, Result},
};

/// The longest target in characters.
const MAX_TARGET: usize = 1024;

/// The most names in a target.
const MAX_NAMES: usize = 256;

/// The most positional arguments, and the most named ones.
const MAX_ARGUMENTS: usize = 64;

/// The size of all arguments together in bytes.
const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

/// How deep arguments are nested.
const MAX_DEPTH: usize = 16;

/// Above it whole numbers are no longer told from their neighbours.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A command, and how long the caller waits for it; not at all for none.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) command: Command,
    pub(super) wait: Option<Duration>,
}

impl Order {
    /// The order to run a function.
    pub(super) fn execute(request: ExecuteRequest) -> Result<Self> {
        let target = target(&request.target, request.target_type())?;
        let function = request.function;
        if function.is_empty() {
            return Err(Error::missing("function"));
        }
        if !is_function(&function) {
            return Err(Error::invalid("function", "must be like `test.ping`, of letters, digits and `_`"));
        }
        if request.args.len() > MAX_ARGUMENTS {
            return Err(Error::invalid("args", format!("must be at most {MAX_ARGUMENTS}")));
        }
        let size: usize = request.args.iter().map(WireValue::encoded_len).sum();
        if size > MAX_ARGUMENT_BYTES {
            return Err(Error::invalid("args", format!("must be at most {MAX_ARGUMENT_BYTES} bytes in all")));
        }
        let args = request.args.into_iter().enumerate().map(|(at, value)| positional(&format!("args[{at}]"), value));
        let args = args.collect::<Result<_>>()?;
        let kwargs = named(&function, request.kwargs.unwrap_or_default())?;
        let wait = wait(request.r#async, request.timeout_seconds, 30, 120)?;
        Ok(Self { command: Command { target, function, args, kwargs }, wait })
    }

    /// The order to apply a state.
    pub(super) fn deploy(request: DeployRequest) -> Result<Self> {
        let target = target(&request.target, request.target_type())?;
        let state = request.state;
        if state.is_empty() {
            return Err(Error::missing("state"));
        }
        if state.len() > 256 || !state.split('.').all(is_state_word) {
            return Err(Error::invalid("state", "must be like `slurm.compute`, at most 256 letters, digits, `_`, `-` and `.`"));
        }
        let mut kwargs = Map::new();
        if request.test {
            kwargs.insert("test".to_owned(), true.into());
        }
        let pillar = request.pillar.unwrap_or_default();
        if !pillar.fields.is_empty() {
            kwargs.insert("pillar".to_owned(), Value::Object(object("pillar", pillar)?));
        }
        let wait = wait(request.r#async, request.timeout_seconds, 300, 600)?;
        let function = "state.apply".to_owned();
        Ok(Self { command: Command { target, function, args: vec![state.into()], kwargs }, wait })
    }
}

/// Whether this can be the name of a minion. Nothing of it is a pattern.
pub(super) fn is_minion(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '@' | '+');
    (1..=255).contains(&name.len()) && name.chars().all(allowed)
}

/// Whether this has the form of a job's id.
pub(super) fn is_job(id: &str) -> bool {
    id.len() == 20 && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// The beginning of what a caller sent, for a message.
pub(super) fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn target(text: &str, kind: TargetType) -> Result<Target> {
    if text.is_empty() {
        return Err(Error::missing("target"));
    }
    validate::characters("target", text, MAX_TARGET)?;
    match kind {
        TargetType::Unspecified | TargetType::Glob => Ok(Target::Glob(text.to_owned())),
        TargetType::List => {
            let names = text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
            if names.len() > MAX_NAMES || !names.iter().all(|name| is_minion(name)) {
                return Err(Error::invalid("target", format!("must be at most {MAX_NAMES} names with commas between")));
            }
            Ok(Target::List(names))
        }
        TargetType::Grain => {
            if text.split_once(':').is_none_or(|(name, pattern)| name.is_empty() || pattern.is_empty()) {
                return Err(Error::invalid("target", "must be like `os:Debian`, a grain and a pattern of its value"));
            }
            Ok(Target::Grain(text.to_owned()))
        }
    }
}

/// How long to wait; not at all for a job that runs on by itself.
fn wait(is_async: bool, seconds: i32, default: i32, most: i32) -> Result<Option<Duration>> {
    if !(0..=most).contains(&seconds) {
        return Err(Error::invalid("timeout_seconds", format!("must be 0 to {most}")));
    }
    let seconds = if seconds == 0 { default } else { seconds };
    Ok((!is_async).then(|| Duration::from_secs(seconds.unsigned_abs().into())))
}

fn positional(path: &str, value: WireValue) -> Result<Value> {
    let value = plain(path, value, 0)?;
    match &value {
        Value::String(text) if is_taken_for_named(text) => Err(Error::invalid(
            path.to_owned(),
            "must not be like `name=value`, which Salt takes for a named argument; see kwargs",
        )),
        Value::Object(members) if members.keys().any(|name| name.starts_with("__")) => {
            Err(Error::invalid(path.to_owned(), "must not have members whose names begin with `__`: Salt reads them itself"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Ok(value),
    }
}

/// Salt makes a named argument of a text that begins with a word and one `=`. What is a word is drawn wider here.
fn is_taken_for_named(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, value)| {
        let is_word = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '_';
        let begins = name.chars().next().is_some_and(|c| is_word(c) && !c.is_ascii_digit());
        begins && name.chars().all(|c| is_word(c) || c == '.' || c == '-') && !value.starts_with('=')
    })
}

fn named(function: &str, kwargs: Struct) -> Result<Map<String, Value>> {
    if kwargs.fields.len() > MAX_ARGUMENTS {
        return Err(Error::invalid("kwargs", format!("must be at most {MAX_ARGUMENTS}")));
    }
    for name in kwargs.fields.keys() {
        let path = || format!("kwargs.{}", shorten(name));
        if name.is_empty() || name.len() > 128 {
            return Err(Error::invalid(path(), "must have a name of at most 128 bytes"));
        }
        if let Some(rule) = reserved_argument(function, name) {
            return Err(Error::invalid(path(), rule));
        }
    }
    object("kwargs", kwargs)
}

fn object(path: &'static str, value: Struct) -> Result<Map<String, Value>> {
    if value.encoded_len() > MAX_ARGUMENT_BYTES {
        return Err(Error::invalid(path, format!("must be at most {MAX_ARGUMENT_BYTES} bytes in all")));
    }
    members(path, value, 0)
}

fn members(path: &str, value: Struct, depth: usize) -> Result<Map<String, Value>> {
    let members = value.fields.into_iter().map(|(name, value)| {
        if name.chars().any(char::is_control) {
            return Err(Error::invalid(path.to_owned(), "must not have names with control characters"));
        }
        let value = plain(&format!("{path}.{}", shorten(&name)), value, depth + 1)?;
        Ok((name, value))
    });
    members.collect()
}

/// An argument as Salt gets it.
fn plain(path: &str, value: WireValue, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(Error::invalid(path.to_owned(), format!("must be nested at most {MAX_DEPTH} deep")));
    }
    match value.kind {
        None | Some(Kind::NullValue(_)) => Ok(Value::Null),
        Some(Kind::BoolValue(value)) => Ok(value.into()),
        Some(Kind::NumberValue(value)) => number(value).ok_or_else(|| Error::invalid(path.to_owned(), "must be a number")),
        Some(Kind::StringValue(text)) if text.contains('\0') => Err(Error::invalid(path.to_owned(), "must not contain NUL")),
        Some(Kind::StringValue(text)) => Ok(text.into()),
        Some(Kind::ListValue(list)) => {
            let values = list.values.into_iter().enumerate();
            values.map(|(at, value)| plain(&format!("{path}[{at}]"), value, depth + 1)).collect()
        }
        Some(Kind::StructValue(object)) => Ok(Value::Object(members(path, object, depth)?)),
    }
}

/// A number; whole where it is, for functions that count.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and within the bounds")]
fn number(value: f64) -> Option<Value> {
    if value.fract() == 0.0 && value.abs() <= MAX_WHOLE {
        return Some((value as i64).into());
    }
    Number::from_f64(value).map(Value::Number)
}

fn is_state_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests;
