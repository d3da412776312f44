//! The server's answers, as far as tables show them. Fields that are missing have their default, unknown ones are skipped:
//! a newer server is no reason to fail. `-o json` does not pass through here.

mod audit;
mod backend;
mod container;
mod event;
mod host;
mod iam;
mod jupyter;
mod machine;
mod monitoring;
mod role;
mod salt;
mod slurm;
mod storage;
mod webhook;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

pub(crate) use audit::{Event, EventList, Link, Payload};
pub(crate) use backend::{Backend, BackendList};
pub(crate) use container::{Container, LogEntry, NodeHealth};
pub(crate) use event::LogEvent;
pub(crate) use host::{Host, HostGpu, HostGpuList, HostList, HostToken, Maintenance};
pub(crate) use iam::{Account, AccountList, ApiToken, ApiTokenList};
pub(crate) use jupyter::{HubServer, HubUser, HubUserList, Progress};
pub(crate) use machine::{Machine, MachineList};
pub(crate) use monitoring::{History, MetricList, Readings};
pub(crate) use role::{Role, RoleList};
pub(crate) use salt::{Deployment, Minion, MinionList, MinionResult, SaltJob, StateResult};
pub(crate) use slurm::{Cluster, ClusterList, FleetGpu, FleetGpuList, Job, JobList, SlurmGpus, SlurmNode, SlurmNodeList};
pub(crate) use storage::{AccessKey, AccessKeyList, BucketList};
pub(crate) use webhook::{Delivery, DeliveryList, Webhook, WebhookList};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) username: String,
    pub(crate) role: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Login {
    pub(crate) token: String,
    #[serde(default)]
    pub(crate) user: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimList {
    pub(crate) claims: Vec<Claim>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Claim {
    pub(crate) id: String,
    pub(crate) user_id: i64,
    pub(crate) spec: ClaimSpec,
    pub(crate) status: ClaimStatus,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) updated_at: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimSpec {
    pub(crate) image: String,
    pub(crate) resources: Resources,
    pub(crate) command: Vec<String>,
    #[serde(rename = "onNodeLoss")]
    pub(crate) on_node_loss: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Resources {
    pub(crate) gpu_count: i64,
    pub(crate) gpu_model: String,
    pub(crate) gpu_memory_mb: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimStatus {
    pub(crate) phase: Phase,
    #[serde(rename = "nodeName")]
    pub(crate) node_name: String,
    #[serde(rename = "containerID")]
    pub(crate) container_id: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    #[serde(rename = "gpuUUIDs")]
    pub(crate) gpu_uuids: Vec<String>,
}

/// Where a claim stands, in the server's word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Phase(pub(crate) String);

impl Phase {
    pub(crate) fn has_ended(&self) -> bool {
        self.has_failed() || self.0 == "Completed"
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.0 == "Failed"
    }

    pub(crate) fn is_running(&self) -> bool {
        self.0 == "Running"
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Explanation {
    pub(crate) phase: Phase,
    pub(crate) queue_position: i64,
    pub(crate) summary: String,
    pub(crate) nodes: Vec<NodeExplanation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeExplanation {
    pub(crate) node_name: String,
    pub(crate) fits: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) gpus: Vec<GpuExplanation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GpuExplanation {
    pub(crate) uuid: String,
    pub(crate) index: u32,
    pub(crate) fits: bool,
    pub(crate) reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeList {
    pub(crate) nodes: Vec<Node>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) hostname: String,
    pub(crate) status: String,
    pub(crate) gpus: Vec<NodeGpu>,
    pub(crate) cpu_count: i64,
    pub(crate) memory_mb: i64,
    pub(crate) os: String,
    pub(crate) kernel: String,
    pub(crate) agent_version: String,
    pub(crate) runtime: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) last_seen_at: Option<Timestamp>,
    pub(crate) created_at: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeGpu {
    pub(crate) uuid: String,
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) memory_mb: i64,
    pub(crate) claim_id: String,
    pub(crate) unavailable: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeMetrics {
    pub(crate) gpus: Vec<GpuMetrics>,
    pub(crate) system: SystemMetrics,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GpuMetrics {
    pub(crate) id: u32,
    pub(crate) temperature_c: i64,
    pub(crate) memory_total_mb: i64,
    pub(crate) memory_used_mb: i64,
    pub(crate) name: String,
    pub(crate) busy: bool,
    pub(crate) usage_percent: f64,
    pub(crate) error: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SystemMetrics {
    pub(crate) cpu_usage_percent: f64,
    pub(crate) memory_usage_percent: f64,
    pub(crate) memory_total_mb: i64,
    pub(crate) memory_used_mb: i64,
    pub(crate) disk_usage_percent: f64,
    pub(crate) load_average: f64,
    /// Seconds.
    pub(crate) uptime: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JoinTokenList {
    pub(crate) join_tokens: Vec<JoinToken>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JoinToken {
    pub(crate) id: String,
    pub(crate) command: String,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) max_uses: i64,
    pub(crate) uses: i64,
    pub(crate) node_id: String,
    pub(crate) description: String,
}

/// Which part of a list an answer is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PageInfo {
    pub(crate) total: u64,
    pub(crate) page: u64,
}
