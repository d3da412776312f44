//! The servers of others.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BackendList {
    pub(crate) backends: Vec<Backend>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Backend {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) status: String,
    pub(crate) version: String,
    pub(crate) latency_ms: f64,
    pub(crate) last_error: String,
    pub(crate) setting: String,
}
