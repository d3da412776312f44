//! The servers of others, a client module for each.
//!
//! A client knows the paths and shapes of its server; the services above know neither. Nothing is invented when a server is away.

pub mod checks;
pub mod client;
pub mod jupyterhub;
mod kind;
pub mod metrics;
pub mod prometheus;
pub mod salt;
pub mod slurm;

use std::time::Duration;

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};

pub use kind::Kind;

use self::{client::Backend, jupyterhub::JupyterHub, prometheus::Prometheus, salt::Salt, slurm::Slurm};
use crate::{
    clock::Clock,
    config::backends::Settings,
    error::{Error, Result},
};

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

    /// All that the settings name, by kind.
    #[must_use]
    pub fn all(&self) -> Vec<(Kind, &Backend)> {
        self.checks().into_iter().map(|(kind, backend, _)| (kind, backend)).collect()
    }

    /// Asks all of them at once how they are, and notes it.
    pub async fn check(&self, deadline: Duration) {
        join_all(self.checks().into_iter().map(|(_, backend, check)| examine(backend, check, deadline))).await;
    }

    /// All backends with what each is asked to see whether it can be used.
    fn checks(&self) -> Vec<(Kind, &Backend, BoxFuture<'_, Result<()>>)> {
        let hub = self.jupyterhub.iter().map(|hub| (Kind::JupyterHub, hub.backend(), hub.check().boxed()));
        let salt = self.salt.iter().map(|salt| (Kind::Salt, salt.backend(), salt.check().boxed()));
        let prometheus = self.prometheus.iter();
        let prometheus = prometheus.map(|server| (Kind::Prometheus, server.backend(), server.check().boxed()));
        let slurm = self.slurm.clusters().iter();
        let slurm = slurm.map(|cluster| (Kind::Slurm, cluster.backend(), cluster.check().boxed()));
        hub.chain(prometheus).chain(salt).chain(slurm).collect()
    }
}

/// Notes what a check finds, where its calls have not.
async fn examine(backend: &Backend, check: impl Future<Output = Result<()>>, deadline: Duration) {
    match tokio::time::timeout(deadline, check).await {
        Ok(Ok(())) => {}
        // Its cause may be that it is known to be away, and is not asked again so soon.
        Ok(Err(_)) if backend.health().is_up == Some(false) => {}
        Ok(Err(error)) => backend.note_failure(&error),
        Err(_) => {
            let message = format!("{} did not answer within {deadline:?}", backend.place());
            backend.note_failure(&Error::DeadlineExceeded { message });
        }
    }
}
