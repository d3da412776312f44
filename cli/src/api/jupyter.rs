//! JupyterHub.

use jiff::Timestamp;
use serde::Deserialize;

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HubUserList {
    pub(crate) users: Vec<HubUser>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HubUser {
    pub(crate) username: String,
    pub(crate) admin: bool,
    pub(crate) groups: Vec<String>,
    pub(crate) servers: Vec<HubServer>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) last_activity: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HubServer {
    pub(crate) username: String,
    pub(crate) server_name: String,
    pub(crate) status: String,
    pub(crate) url: String,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) last_activity: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) progress: i64,
    pub(crate) message: String,
    pub(crate) ready: bool,
    pub(crate) failed: bool,
    pub(crate) url: String,
}
