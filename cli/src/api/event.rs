//! The log of events.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogEvent {
    pub(crate) cursor: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) resource_id: String,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) data: Map<String, Value>,
}
