//! Clusters, jobs and nodes of Slurm, and the GPUs of all.

use jiff::Timestamp;
use serde::Deserialize;

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClusterList {
    pub(crate) clusters: Vec<Cluster>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) nodes: i64,
    pub(crate) total_cpus: i64,
    pub(crate) total_memory: String,
    pub(crate) total_gpus: i64,
    pub(crate) slurm_version: String,
    pub(crate) api_version: String,
    pub(crate) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JobList {
    pub(crate) jobs: Vec<Job>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Job {
    pub(crate) job_id: i64,
    pub(crate) status: String,
    pub(crate) partition: String,
    pub(crate) nodes: Vec<String>,
    pub(crate) start_time: Option<Timestamp>,
    pub(crate) elapsed_time: String,
    pub(crate) job_name: String,
    pub(crate) cluster: String,
    pub(crate) user: String,
    pub(crate) submit_time: Option<Timestamp>,
    pub(crate) end_time: Option<Timestamp>,
    pub(crate) slurm_state: String,
    pub(crate) reason: String,
    pub(crate) exit_code: i64,
    pub(crate) cpus: i64,
    pub(crate) gpus: i64,
    pub(crate) time_limit_minutes: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SlurmNodeList {
    pub(crate) nodes: Vec<SlurmNode>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SlurmNode {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) cpus: i64,
    pub(crate) allocated_cpus: i64,
    pub(crate) memory: String,
    pub(crate) jobs: Vec<i64>,
    pub(crate) gpus: Vec<SlurmGpus>,
    pub(crate) reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SlurmGpus {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) count: i64,
    pub(crate) used: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FleetGpuList {
    pub(crate) gpus: Vec<FleetGpu>,
    pub(crate) warnings: Vec<String>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FleetGpu {
    pub(crate) uuid: String,
    pub(crate) index: i64,
    pub(crate) model: String,
    pub(crate) memory_mb: i64,
    pub(crate) source: String,
    pub(crate) status: String,
    pub(crate) node_name: String,
    pub(crate) cluster: String,
    pub(crate) claim_id: String,
}
