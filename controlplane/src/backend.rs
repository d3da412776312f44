//! The servers of others, a client module for each.
//!
//! A client knows the paths and shapes of its server; the services above know neither. Nothing is invented when a server is away.

pub mod client;
pub mod jupyterhub;
pub mod prometheus;
pub mod salt;
pub mod slurm;

use self::{jupyterhub::JupyterHub, prometheus::Prometheus, salt::Salt, slurm::Slurm};
use crate::{clock::Clock, config::backends::Settings, error::Result};

/// The clients of the servers that settings name. Nobody is asked before somebody needs it.
#[derive(Debug, Clone)]
pub struct Backends {
    jupyterhub: Option<JupyterHub>,
    salt: Option<Salt>,
    prometheus: Option<Prometheus>,
    slurm: Slurm,
}

impl Backends {
    /// Clients of what the settings name.
    ///
    /// # Errors
    /// When a setting makes no sense, or a file that it names cannot be read.
    pub fn open(settings: &Settings, clock: &Clock) -> anyhow::Result<Self> {
        let http = client::http_client()?;
        Ok(Self {
            jupyterhub: JupyterHub::open(settings, &http, clock)?,
            prometheus: Prometheus::open(settings, &http, clock),
            slurm: Slurm::open(settings, &http, clock)?,
            salt: Salt::open(settings, &http, clock)?,
        })
    }

    /// The hub.
    ///
    /// # Errors
    /// `Unavailable` (`JupyterHubNotConfigured`) when no setting names one.
    pub fn jupyterhub(&self) -> Result<&JupyterHub> {
        self.jupyterhub.as_ref().ok_or_else(jupyterhub::not_configured)
    }

    /// The Prometheus that keeps the history of metrics, where a setting names one.
    #[must_use]
    pub fn prometheus(&self) -> Option<&Prometheus> {
        self.prometheus.as_ref()
    }

    /// salt-api.
    ///
    /// # Errors
    /// `Unavailable` (`SaltNotConfigured`) when no setting names one.
    pub fn salt(&self) -> Result<&Salt> {
        self.salt.as_ref().ok_or_else(salt::not_configured)
    }

    /// The clusters of Slurm; perhaps none.
    #[must_use]
    pub fn slurm(&self) -> &Slurm {
        &self.slurm
    }
}
