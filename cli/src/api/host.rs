//! Hosts and their GPUs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostList {
    pub(crate) items: Vec<Host>,
    pub(crate) pagination: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Host {
    pub(crate) host_id: String,
    pub(crate) name: String,
    pub(crate) hostname: String,
    pub(crate) ip_address: String,
    pub(crate) os_type: String,
    pub(crate) os_version: String,
    pub(crate) deployment_mode: String,
    pub(crate) status: String,
    pub(crate) health_status: String,
    pub(crate) total_cpu: i64,
    pub(crate) used_cpu: f64,
    /// Bytes.
    pub(crate) total_memory: i64,
    /// Bytes.
    pub(crate) used_memory: i64,
    /// Bytes.
    pub(crate) total_disk: i64,
    pub(crate) total_gpu: i64,
    pub(crate) used_gpu: i64,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) last_heartbeat: Option<Timestamp>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) maintenance: Option<Maintenance>,
    pub(crate) agent_connected: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Maintenance {
    pub(crate) reason: String,
    pub(crate) claims: String,
    pub(crate) since: Option<Timestamp>,
    pub(crate) remaining_claims: i64,
}

/// A host with its agent token.
#[derive(Debug, Deserialize)]
pub(crate) struct HostToken {
    pub(crate) host_id: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) agent_token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostGpuList {
    pub(crate) items: Vec<HostGpu>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostGpu {
    pub(crate) gpu_index: i64,
    pub(crate) name: String,
    /// Bytes.
    pub(crate) memory_total: i64,
    pub(crate) status: String,
    pub(crate) allocated_to: Option<String>,
    pub(crate) temperature: Option<f64>,
    pub(crate) utilization: Option<f64>,
    pub(crate) uuid: String,
    /// Bytes.
    pub(crate) memory_used: Option<i64>,
}
