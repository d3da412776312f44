//! What Salt says of jobs: its shapes, and what they mean. Nothing here asks anybody.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

/// Salt joins the parts of a state's key with it: module, id, name, function.
const KEY_SEPARATOR: &str = "_|-";

/// A job, as `jobs.list_job` tells of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawJob {
    /// There is none, or it cannot be read.
    error: Option<String>,
    #[serde(default)]
    function: String,
    #[serde(default)]
    target: Value,
    #[serde(default, rename = "Target-type")]
    target_type: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    minions: BTreeSet<String>,
    #[serde(default)]
    result: BTreeMap<String, RawOutcome>,
}

#[derive(Debug, Deserialize)]
struct RawOutcome {
    #[serde(default)]
    r#return: Value,
    retcode: Option<i32>,
    success: Option<bool>,
}

/// A job with the results that have come so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The function.
    pub function: String,
    /// The target as it was sent; names with commas between.
    pub target: String,
    /// Whose job it is.
    pub user: String,
    /// Who was asked for by name or pattern.
    pub expected: BTreeSet<String>,
    /// When it began by the master's clock.
    pub start_time: String,
    /// What came of it, by minion.
    pub outcomes: BTreeMap<String, MinionOutcome>,
}

/// What a function came to on one minion.
#[derive(Debug, Clone, PartialEq)]
pub struct MinionOutcome {
    /// What it returned.
    pub value: Value,
    /// The return code.
    pub return_code: i32,
    /// It ended with return code 0, and Salt calls it a success.
    pub is_success: bool,
}

/// What a state came to on one minion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateOutcome {
    /// Its parts, in the order in which they ran.
    pub parts: Vec<Part>,
    /// Why none ran.
    pub errors: Vec<String>,
    /// No part failed, and there is no error.
    pub is_success: bool,
}

/// One part of a state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Its id in the state.
    pub id: String,
    /// `module.function`.
    pub function: String,
    /// What it is about.
    pub name: String,
    /// Whether it holds; none where it would be changed, had this been no test.
    pub holds: Option<bool>,
    /// What was done.
    pub comment: String,
    /// What changed.
    pub changes: Map<String, Value>,
    /// Milliseconds.
    pub duration_ms: f64,
}

impl RawJob {
    /// The job; none when Salt knows none.
    pub(super) fn job(self, id: &str) -> Option<Job> {
        if self.error.is_some() || self.function.is_empty() {
            return None;
        }
        let names = names(&self.target);
        let mut expected = self.minions;
        // Names that are no minion's are asked for all the same.
        if self.target_type == "list" {
            expected.extend(names.iter().cloned());
        }
        let outcomes: BTreeMap<_, _> = self.result.into_iter().map(|(minion, raw)| (minion, raw.outcome())).collect();
        expected.extend(outcomes.keys().cloned());
        Some(Job {
            function: self.function,
            target: names.join(","),
            user: self.user,
            expected,
            start_time: start_time(id),
            outcomes,
        })
    }
}

impl RawOutcome {
    fn outcome(self) -> MinionOutcome {
        let is_success = self.success != Some(false) && self.retcode.unwrap_or_default() == 0;
        MinionOutcome { value: self.r#return, return_code: self.retcode.unwrap_or_default(), is_success }
    }
}

impl Job {
    /// A job of which nothing is known but that it began.
    #[must_use]
    pub fn begun(id: &str, function: String, target: String, expected: BTreeSet<String>) -> Self {
        Self { function, target, user: String::new(), expected, start_time: start_time(id), outcomes: BTreeMap::new() }
    }

    /// Who has not answered.
    pub fn missing(&self) -> impl Iterator<Item = &String> {
        self.expected.iter().filter(|minion| !self.outcomes.contains_key(*minion))
    }
}

/// The names of a target that is a list, which Salt keeps as it came; else the target as the one name.
fn names(target: &Value) -> Vec<String> {
    match target {
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// When a job began, from its id; empty for an id of another form.
fn start_time(id: &str) -> String {
    if id.len() != 20 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return String::new();
    }
    let part = |range: std::ops::Range<usize>| &id[range];
    let (date, time) = ((part(0..4), part(4..6), part(6..8)), (part(8..10), part(10..12), part(12..14)));
    format!("{}-{}-{}T{}:{}:{}.{}", date.0, date.1, date.2, time.0, time.1, time.2, &id[14..])
}

/// What `state.apply` came to on a minion.
#[must_use]
pub fn state_outcome(outcome: &MinionOutcome) -> StateOutcome {
    let mut errors = Vec::new();
    let mut parts = Vec::new();
    match &outcome.value {
        Value::Object(states) => {
            for (key, state) in states {
                match part(key, state) {
                    Some(part) => parts.push(part),
                    None => errors.push(format!("{key}: {}", sentence(state))),
                }
            }
        }
        // Why nothing was run: a sentence for each reason.
        Value::Array(reasons) => errors.extend(reasons.iter().map(sentence)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => errors.push(sentence(other)),
    }
    parts.sort_by_key(|(order, _)| *order);
    let parts: Vec<Part> = parts.into_iter().map(|(_, part)| part).collect();
    let failed = parts.iter().any(|part| part.holds == Some(false));
    StateOutcome { is_success: outcome.is_success && errors.is_empty() && !failed, parts, errors }
}

/// A part with its place in the order; none when this is none.
fn part(key: &str, state: &Value) -> Option<(i64, Part)> {
    let state = state.as_object()?;
    let holds = state.get("result")?.as_bool();
    let mut words = key.split(KEY_SEPARATOR);
    let (module, id, name) = (words.next()?, words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let function = words.last().map_or_else(|| module.to_owned(), |function| format!("{module}.{function}"));
    let text = |key: &str| state.get(key).and_then(Value::as_str);
    let part = Part {
        id: text("__id__").unwrap_or(id).to_owned(),
        function,
        name: text("name").unwrap_or(name).to_owned(),
        holds,
        comment: state.get("comment").map(sentence).unwrap_or_default(),
        changes: match state.get("changes") {
            Some(Value::Object(changes)) => changes.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(other) => Map::from_iter([("changes".to_owned(), other.clone())]),
        },
        duration_ms: state.get("duration").and_then(Value::as_f64).unwrap_or_default(),
    };
    Some((state.get("__run_num__").and_then(Value::as_i64).unwrap_or(i64::MAX), part))
}

/// A text as it is, texts with line ends between, and anything else as JSON.
fn sentence(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().map(sentence).collect::<Vec<_>>().join("\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
