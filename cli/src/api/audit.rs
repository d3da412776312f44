//! The audit log.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use utopia_proto::audit::v1::AuditLink;

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventList {
    pub(crate) events: Vec<Event>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) resource_id: String,
    pub(crate) user: String,
    pub(crate) ip_address: String,
    pub(crate) old_value: Option<Map<String, Value>>,
    pub(crate) new_value: Option<Map<String, Value>>,
    pub(crate) details: Option<Map<String, Value>>,
    pub(crate) result: String,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) sequence: i64,
    pub(crate) hash: String,
}

/// A link of the chain. What is missing here makes it no link.
#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    sequence: i64,
    previous_hash: String,
    payload: String,
    hash: String,
}

impl From<Link> for AuditLink {
    fn from(Link { sequence, previous_hash, payload, hash }: Link) -> Self {
        Self { sequence, previous_hash, payload, hash }
    }
}

/// What a link's payload says of its own place.
#[derive(Debug, Deserialize)]
pub(crate) struct Payload {
    pub(crate) sequence: i64,
}
