//! The servers of others, a client module for each.
//!
//! A client knows the paths and shapes of its server; the services above know neither. Nothing is invented when a server is away.

pub mod client;

use crate::{clock::Clock, config::backends::Settings};

/// The clients of the servers that settings name. Nobody is asked before somebody needs it.
#[derive(Debug, Clone)]
pub struct Backends {}

impl Backends {
    /// Clients of what the settings name.
    ///
    /// # Errors
    /// When a setting makes no sense, or a file that it names cannot be read.
    pub fn open(_settings: &Settings, _clock: &Clock) -> anyhow::Result<Self> {
        let _http = client::http_client()?;
        Ok(Self {})
    }
}
