//! Heartbeats of hosts over REST, in memory: the newest of each host. When a host was last heard of is written by
//! [`liveness`](super::liveness), with that of the nodes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use utopia_proto::host::v1::HostHealth;
use uuid::Uuid;

/// After so long a report is worth nothing, whatever the settings say.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What a host last said of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// How it is.
    pub health: HostHealth,
    /// CPUs in use.
    pub used_cpu: f64,
    /// Bytes in use.
    pub used_memory: i64,
    /// GPUs in use.
    pub used_gpu: i32,
}

/// The newest report of each host. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Reports(Arc<Mutex<HashMap<Uuid, Report>>>);

impl Reports {
    /// Takes note of a report.
    pub fn note(&self, host: Uuid, report: Report) {
        self.lock().insert(host, report);
    }

    /// A host's newest report.
    #[must_use]
    pub fn of(&self, host: Uuid) -> Option<Report> {
        self.lock().get(&host).copied()
    }

    /// Forgets a host.
    pub fn forget(&self, host: Uuid) {
        self.lock().remove(&host);
    }

    /// When hosts were last heard of. Those that were silent for long are forgotten.
    pub(super) fn seen(&self, now: Timestamp) -> Vec<(Uuid, Timestamp)> {
        let mut reports = self.lock();
        reports.retain(|_, report| now.duration_since(report.at) < LIFETIME);
        reports.iter().map(|(host, report)| (*host, report.at)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
