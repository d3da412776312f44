//! Things that happened, as the log of events has them.

mod types;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::types::{Members, TYPES, Type, is_declared};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place in the log, ascending.
    pub sequence: i64,
    /// A UUID.
    pub id: String,
    /// What, e.g. `claim.running`: the kind of resource, and what became of it.
    pub kind: String,
    /// To which thing.
    pub resource_id: String,
    /// Whose it is; none for what everybody may see.
    pub owner_id: Option<i64>,
    /// When.
    pub at: Timestamp,
    /// What it was like then.
    pub data: Map<String, Value>,
}

impl Event {
    /// The kind of resource, e.g. `claim`.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.kind.split_once('.').map_or(&*self.kind, |(resource, _)| resource)
    }
}

/// How types of events of the audit log begin.
pub const AUDIT: &str = "audit.";

/// Types of events that somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds(Vec<String>);

impl Kinds {
    /// Each is a type, or `claim.*` for all types of claims, or `*` for all; none is all as well.
    #[must_use]
    pub fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// Whether this could name types at all: words of letters and `_` between dots, the last of them perhaps `*`.
    #[must_use]
    pub fn is_pattern(pattern: &str) -> bool {
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let words = match pattern.strip_suffix('*') {
            Some("") => return true,
            Some(words) => words.strip_suffix('.'),
            None => Some(pattern),
        };
        pattern.len() <= 64 && words.is_some_and(|words| words.split('.').all(is_word))
    }

    /// Whether this type is among them.
    #[must_use]
    pub fn contain(&self, kind: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| matches(pattern, kind))
    }

    /// Those of the audit log, which have to be named as such; none where none is.
    #[must_use]
    pub fn of_audit(&self) -> Option<Self> {
        let patterns: Vec<_> = self.0.iter().filter(|pattern| pattern.starts_with(AUDIT)).cloned().collect();
        (!patterns.is_empty()).then_some(Self(patterns))
    }
}

/// Whether a pattern names this type.
#[must_use]
pub fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => kind.starts_with(beginning),
        None => kind == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_alone_or_by_their_beginning() {
        let kinds = |patterns: &[&str]| Kinds::new(patterns.iter().map(ToString::to_string).collect());
        assert!(kinds(&[]).contain("claim.running"));
        assert!(kinds(&["*"]).contain("claim.running"));
        assert!(kinds(&["node.down", "claim.*"]).contain("claim.running"));
        assert!(kinds(&["claim.running"]).contain("claim.running"));
        assert!(!kinds(&["claim.running"]).contain("claim.running.twice"));
        assert!(!kinds(&["node.*"]).contain("claim.running"));
    }

    #[test]
    fn what_cannot_be_a_type_is_told_apart() {
        for pattern in ["*", "claim.*", "claim.running", "host.maintenance_started", "bookmark"] {
            assert!(Kinds::is_pattern(pattern), "{pattern}");
        }
        for pattern in
            ["", ".", "claim.", "claim*", ".running", "claim..running", "*.running", "Claim.running", "a b", "1e3", "**"]
        {
            assert!(!Kinds::is_pattern(pattern), "{pattern}");
        }
        assert!(!Kinds::is_pattern(&"a".repeat(65)));
    }
}
