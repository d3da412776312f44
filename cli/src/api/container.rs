//! What the agent of a node answers.

use jiff::Timestamp;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) claim_id: String,
    pub(crate) image: String,
    pub(crate) status: String,
    pub(crate) gpu_ids: Vec<i64>,
    /// By the container's port with its protocol.
    pub(crate) ports: std::collections::BTreeMap<String, String>,
    /// Seconds since 1970; 0 for never.
    pub(crate) created: i64,
    pub(crate) started: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogEntry {
    /// `stdout` or `stderr`.
    pub(crate) stream: String,
    pub(crate) time: Option<Timestamp>,
    /// A line with its end, or a part of a long one.
    pub(crate) text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeHealth {
    pub(crate) status: String,
    pub(crate) timestamp: Option<Timestamp>,
}
