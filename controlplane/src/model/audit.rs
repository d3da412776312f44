//! What the audit log says of a change: who made it and from where, what it was, and what became of it.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

/// Who did something, from where, and by which operation. The guard makes it for every call that is audited; services hand it to
/// the store, which writes it down in the transaction of the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// A user name, `system`, `host:<id>`, `node:<id>`, `join_token:<id>`, `agent_token:<id>`, or empty for nobody known.
    pub user: String,
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
    /// The kind of resource, e.g. `claim`.
    pub resource: Box<str>,
    /// What was done to it, e.g. `CreateClaim`.
    pub action: Box<str>,
    /// The gRPC method; empty for what the system does by itself.
    pub method: Box<str>,
    /// The request's id; may be empty.
    pub request_id: String,
}

impl Trail {
    /// Something that the system does by itself.
    #[must_use]
    pub fn system(resource: &str, action: &str) -> Self {
        Self {
            user: "system".to_owned(),
            address: None,
            resource: resource.into(),
            action: action.into(),
            method: Box::default(),
            request_id: String::new(),
        }
    }
}

/// What became of what was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditResult {
    /// It was done.
    Success,
    /// It failed, with a reason and a sentence.
    Failure(String, String),
    /// The caller may not, with a reason and a sentence.
    Denied(String, String),
}

/// The difference that something made: JSON objects with secrets masked. Without an old value it is new, without a new one gone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// The one resource; empty when it is not known.
    pub resource_id: String,
    /// Before.
    pub old: Option<Value>,
    /// After.
    pub new: Option<Value>,
}

impl Change {
    /// Something new.
    pub fn created(id: impl ToString, new: Value) -> Self {
        Self { resource_id: id.to_string(), old: None, new: Some(new) }
    }

    /// Something became something else.
    pub fn updated(id: impl ToString, old: Value, new: Value) -> Self {
        Self { resource_id: id.to_string(), old: Some(old), new: Some(new) }
    }

    /// Something is gone.
    pub fn deleted(id: impl ToString, old: Value) -> Self {
        Self { resource_id: id.to_string(), old: Some(old), new: None }
    }

    /// Something happened to it that has no values.
    pub fn touched(id: impl ToString) -> Self {
        Self { resource_id: id.to_string(), old: None, new: None }
    }
}

/// What the audit log is to know of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Who, from where, and what.
    pub trail: Trail,
    /// To what.
    pub change: Change,
    /// What became of it.
    pub result: AuditResult,
    /// When.
    pub at: Timestamp,
}

/// Environment as the log shows it: what is set, and not to what.
pub fn masked_environment(environment: &[String]) -> Vec<String> {
    let masked = |entry: &String| format!("{}=***", entry.split_once('=').map_or(&**entry, |(name, _)| name));
    environment.iter().map(masked).collect()
}
