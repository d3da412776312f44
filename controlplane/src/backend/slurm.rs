//! Slurm, through its REST servers (slurmrestd): one client for each cluster of the settings.
//!
//! A client speaks the newest version of the API that both sides know, and each call is made as a Slurm user. What callers send ends up as
//! values of JSON only; nothing here builds a command line. Jobs and nodes come in the form of the contract.

mod cluster;
mod gres;
mod hostlist;
mod refusal;
mod shape;
mod state;
mod submission;
mod token;
mod users;

use std::sync::Arc;

use anyhow::Context as _;

pub use self::{
    cluster::{ApiVersion, Cluster},
    shape::{FoundJob, FoundNode},
    submission::{MARKER, Submission},
    users::Users,
};
use super::client::not_configured;
use crate::{
    clock::Clock,
    config::backends::Settings,
    error::{Error, Result},
};

/// The setting that names the clusters.
pub const SETTING: &str = "UTOPIA_SLURM";

/// The clusters. Clones are the same.
#[derive(Debug, Clone)]
pub struct Slurm {
    clusters: Arc<[Cluster]>,
    users: Users,
}

impl Slurm {
    /// Clients of the clusters that the settings name.
    ///
    /// # Errors
    /// When two have one name, or a key or token cannot be read.
    pub fn open(settings: &Settings, http: &reqwest::Client, clock: &Clock) -> anyhow::Result<Self> {
        let mut clusters: Vec<Cluster> = Vec::with_capacity(settings.slurm.len());
        for server in &settings.slurm {
            let is_taken = clusters.iter().any(|cluster| cluster.name() == server.name);
            anyhow::ensure!(!is_taken, "{SETTING} names two clusters {}", server.name);
            let cluster = Cluster::open(server, http.clone(), clock.clone());
            clusters.push(cluster.with_context(|| format!("{SETTING}: cluster {}", server.name))?);
        }
        Ok(Self { clusters: clusters.into(), users: Users::new(&settings.slurm_users)? })
    }

    /// The clusters, in the order of the settings.
    #[must_use]
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// Who people are in Slurm.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// The cluster with this name, or the first one for an empty name.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unavailable`] (`SlurmNotConfigured`) when there is none at all.
    pub fn cluster(&self, name: &str) -> Result<&Cluster> {
        let first = self.clusters.first().ok_or_else(|| not_configured("Slurm", SETTING))?;
        if name.is_empty() {
            return Ok(first);
        }
        let named = self.clusters.iter().find(|cluster| cluster.name() == name);
        named.ok_or_else(|| Error::not_found("cluster", name.chars().filter(|c| !c.is_control()).take(64).collect::<String>()))
    }
}
