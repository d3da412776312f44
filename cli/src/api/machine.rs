//! Machines reached over SSH.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MachineList {
    pub(crate) machines: Vec<Machine>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) ip_address: String,
    pub(crate) internal_address: String,
    pub(crate) user: String,
    pub(crate) role: String,
    pub(crate) status: MachineStatus,
    pub(crate) message: String,
    pub(crate) artifact_path: String,
    pub(crate) image_repo: String,
    pub(crate) registry_address: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) ssh_port: u16,
    pub(crate) host_key: String,
    pub(crate) has_password: bool,
    pub(crate) has_private_key: bool,
    pub(crate) last_checked_at: Option<Timestamp>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) updated_at: Option<Timestamp>,
}

/// Where a machine stands, in the server's word.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct MachineStatus(pub(crate) String);

impl MachineStatus {
    pub(crate) fn is_unavailable(&self) -> bool {
        self.0 == "unavailable"
    }
}
