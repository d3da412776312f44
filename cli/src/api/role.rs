//! Roles.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RoleList {
    pub(crate) roles: Vec<Role>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) policy: RolePolicy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RolePolicy {
    pub(crate) allow_all: bool,
    pub(crate) max_gpu_count: Option<i64>,
}
