//! What `--watch` shows: on a terminal the same place is written anew, elsewhere what is new or has changed is appended.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;

use serde_json::Value;

/// What was shown last. There is one for the process, as there is one standard output.
#[derive(Debug)]
pub(crate) struct Page {
    last: Mutex<Option<Value>>,
}

static PAGE: Page = Page { last: Mutex::new(None) };

/// What is to be written of an answer.
pub(super) enum Turn {
    /// Everything, in place of what is there.
    Redraw,
    /// This part of it, below what is there.
    Append { part: Value, is_first: bool },
    /// It is as it was.
    Nothing,
}

impl Page {
    pub(crate) fn whole() -> &'static Self {
        &PAGE
    }

    /// Takes note of an answer, and says what to write.
    pub(super) fn turn(&self, answer: &Value, is_for_people: bool) -> Turn {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = last.replace(answer.clone());
        if is_for_people && io::stdout().is_terminal() {
            return Turn::Redraw;
        }
        match before {
            None => Turn::Append { part: answer.clone(), is_first: true },
            Some(before) if before == *answer => Turn::Nothing,
            Some(before) => changed(&before, answer).map_or(Turn::Nothing, |part| Turn::Append { part, is_first: false }),
        }
    }
}

/// Writes a text where the last one was.
pub(super) fn redraw(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let is_plain = anstream::AutoStream::choice(&out) == anstream::ColorChoice::Never;
    // Only colours are unwanted then, not that the place is found again.
    let text = if is_plain { anstream::adapter::strip_str(text).to_string() } else { text.to_owned() };
    write!(out, "\u{1b}[H")?;
    for line in text.lines() {
        writeln!(out, "{line}\u{1b}[K")?;
    }
    write!(out, "\u{1b}[J")?;
    out.flush()
}

/// The answer with only what is new or has changed of its list; all of one that is no list.
fn changed(before: &Value, now: &Value) -> Option<Value> {
    let Some((items, list)) = list(now) else { return Some(now.clone()) };
    let known = before.get(items).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let new: Vec<_> = list.iter().filter(|thing| !known.contains(thing)).cloned().collect();
    if new.is_empty() {
        return None;
    }
    let mut part = now.clone();
    part[items] = new.into();
    Some(part)
}

/// The list that an answer is about: what is one thing has a name of its own.
pub(super) fn list(answer: &Value) -> Option<(&str, &Vec<Value>)> {
    let members = answer.as_object().filter(|_| super::names::name(answer).is_none())?;
    members.iter().find_map(|(key, value)| Some((key.as_str(), value.as_array()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_new_or_has_changed_is_shown() {
        let claims = |claims: Value| json!({"claims": claims, "total": 2});
        let (a, b) = (json!({"id": "a", "phase": "Pending"}), json!({"id": "b", "phase": "Running"}));
        let a_runs = json!({"id": "a", "phase": "Running"});
        let before = claims(json!([a, b]));
        assert_eq!(changed(&before, &claims(json!([a_runs, b]))), Some(claims(json!([a_runs]))));
        assert_eq!(changed(&before, &claims(json!([b]))), None);
        let node = json!({"id": "n", "gpus": [1], "status": "online"});
        assert_eq!(changed(&json!({"id": "n", "gpus": [1]}), &node), Some(node.clone()));
    }
}
