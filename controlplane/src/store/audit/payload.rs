//! The text of an event: the JSON that is hashed, kept and shown.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Entry;
use crate::{
    error::{Error, Result},
    model::audit::{AuditResult, Trail},
};

/// An event as JSON; without copies of what it tells of.
#[derive(Serialize)]
struct Payload<'a> {
    id: &'a str,
    sequence: i64,
    timestamp: String,
    resource: &'a str,
    resource_id: &'a str,
    action: &'a str,
    user: &'a str,
    ip_address: String,
    #[serde(serialize_with = "object")]
    old_value: Option<&'a Value>,
    #[serde(serialize_with = "object")]
    new_value: Option<&'a Value>,
    details: Details<'a>,
    result: &'static str,
}

#[derive(Serialize)]
struct Details<'a> {
    method: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// The text of an event at its place in the chain.
pub(super) fn text(id: &str, sequence: i64, entry: &Entry<'_>) -> Result<String> {
    let Entry { trail: Trail { user, address, resource, action, method, request_id }, change, result, at } = entry;
    let (reason, message) = match result {
        AuditResult::Success => (None, None),
        AuditResult::Failure(reason, message) | AuditResult::Denied(reason, message) => (Some(&**reason), Some(&**message)),
    };
    let payload = Payload {
        id,
        sequence,
        timestamp: at.to_string(),
        resource,
        resource_id: &change.resource_id,
        action,
        user,
        ip_address: address.map(|address| address.to_string()).unwrap_or_default(),
        old_value: change.old.as_ref(),
        new_value: change.new.as_ref(),
        details: Details { method, request_id, reason, message },
        result: word(result),
    };
    serde_json::to_string(&payload).map_err(|error| Error::internal(super::CONTEXT, error))
}

/// The word for a result.
pub(super) const fn word(result: &AuditResult) -> &'static str {
    match result {
        AuditResult::Success => "success",
        AuditResult::Failure(..) => "failure",
        AuditResult::Denied(..) => "denied",
    }
}

/// A value that is not there is an object without fields.
fn object<S: Serializer>(value: &Option<&Value>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        None => serializer.collect_map(std::iter::empty::<((), ())>()),
    }
}
