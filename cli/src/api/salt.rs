//! Minions, what ran on them, and what was applied to them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MinionList {
    pub(crate) minions: Vec<Minion>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Minion {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) os: String,
    pub(crate) os_release: String,
    pub(crate) cpus: u32,
    pub(crate) memory_mb: i64,
    pub(crate) ip_addresses: Vec<String>,
    pub(crate) salt_version: String,
    pub(crate) grains: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SaltJob {
    pub(crate) job_id: String,
    pub(crate) function: String,
    pub(crate) complete: bool,
    pub(crate) success: bool,
    pub(crate) results: Vec<MinionResult>,
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MinionResult {
    pub(crate) minion: String,
    pub(crate) success: bool,
    pub(crate) result: Value,
    pub(crate) return_code: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Deployment {
    pub(crate) job_id: String,
    pub(crate) state: String,
    pub(crate) complete: bool,
    pub(crate) success: bool,
    pub(crate) results: Vec<MinionDeployment>,
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MinionDeployment {
    pub(crate) minion: String,
    pub(crate) states: Vec<StateResult>,
    pub(crate) errors: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StateResult {
    pub(crate) id: String,
    pub(crate) function: String,
    pub(crate) success: bool,
    pub(crate) changed: bool,
    pub(crate) comment: String,
    pub(crate) duration_ms: f64,
}
