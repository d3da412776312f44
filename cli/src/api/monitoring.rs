//! Metrics.

use jiff::Timestamp;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MetricList {
    pub(crate) metrics: Vec<Metric>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) per_gpu: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    pub(crate) metric: String,
    pub(crate) unit: String,
    /// Seconds.
    pub(crate) step: i64,
    pub(crate) points: Vec<Point>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Point {
    pub(crate) timestamp: Timestamp,
    pub(crate) value: f64,
}

/// What is measured now: of a node, or the mean over all. Shares in percent, traffic in bytes per second.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Readings {
    pub(crate) cpu_usage: f64,
    pub(crate) memory_usage: f64,
    pub(crate) disk_usage: f64,
    pub(crate) network_in: f64,
    pub(crate) network_out: f64,
    pub(crate) gpu_usage: f64,
    pub(crate) gpu_memory_usage: f64,
    pub(crate) nodes: i64,
    pub(crate) gpus: i64,
    pub(crate) timestamp: Option<Timestamp>,
}
