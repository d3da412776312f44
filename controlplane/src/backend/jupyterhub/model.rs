//! The hub's users and servers, as it writes them and as we know them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// A user of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// Whether they administrate the hub.
    pub admin: bool,
    /// Their groups.
    pub groups: Vec<String>,
    /// Their servers by name; that without one is first.
    pub servers: Vec<Server>,
    /// When they were added.
    pub created_at: Option<Timestamp>,
    /// When they were last seen.
    pub last_activity: Option<Timestamp>,
}

/// A server of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name; empty for the first.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// Its path at the hub's public address; empty when it is stopped.
    pub url: String,
    /// When it was started; none when it is stopped.
    pub started_at: Option<Timestamp>,
    /// When it was last used.
    pub last_activity: Option<Timestamp>,
}

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does not run.
    Stopped,
    /// It starts.
    Starting,
    /// It can be used.
    Ready,
    /// It stops.
    Stopping,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireUser {
    name: String,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    servers: BTreeMap<String, WireServer>,
    #[serde(default)]
    created: Option<Timestamp>,
    #[serde(default)]
    last_activity: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireServer {
    #[serde(default)]
    ready: bool,
    #[serde(default)]
    pending: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    started: Option<Timestamp>,
    #[serde(default)]
    last_activity: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(super) struct UserPage {
    pub(super) items: Vec<WireUser>,
    #[serde(rename = "_pagination")]
    pub(super) pagination: Pagination,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pagination {
    pub(super) total: i64,
    pub(super) next: Option<Next>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Next {
    pub(super) offset: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) message: Option<String>,
}

impl From<WireUser> for User {
    fn from(user: WireUser) -> Self {
        let WireUser { name, admin, groups, servers, created, last_activity } = user;
        let servers = servers.into_iter().map(|(name, server)| server.named(name)).collect();
        Self { name, admin, groups, servers, created_at: created, last_activity }
    }
}

impl WireServer {
    fn named(self, name: String) -> Server {
        let Self { ready, pending, url, started, last_activity } = self;
        let state = match pending.as_deref() {
            Some("spawn") => State::Starting,
            Some("stop") => State::Stopping,
            Some(_) | None if ready => State::Ready,
            Some(_) | None => State::Stopped,
        };
        let runs = state != State::Stopped;
        let (url, started_at) = if runs { (url.unwrap_or_default(), started) } else { (String::new(), None) };
        Server { name, state, url, started_at, last_activity }
    }
}
