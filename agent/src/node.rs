//! The node as the control plane sees it: what the session tells of it, and commands carried out on it.
//!
//! It joins containers and readings and has no state of its own. A command that names another node is refused.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::StreamExt as _;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use utopia_proto::{
    link::v1::{ContainerState, GpuFacts, Heartbeat, Hello, MachineFacts, command::Action, command_result::Outcome},
    node::v1::{ListContainersResponse, StreamContainerLogsRequest},
};

use crate::{
    api::NodeApi,
    containers::Containers,
    error::{Error, Result},
    gpu::{GpuInfo, GpuSource},
    host::Host,
    metrics::CommandCounts,
    readings::{FRESH, Readings},
    session::{Link, PROTOCOL, Parts},
};

/// The label by which a machine says that its GPUs are invented.
const SIMULATED_GPUS: &str = "utopia.dev/simulated-gpus";

/// How many entries of logs are taken together, when so many are there.
const LOG_ENTRIES_AT_ONCE: usize = 64;

/// One machine with its containers and readings.
pub(crate) struct Node {
    pub(crate) containers: Arc<Containers>,
    pub(crate) api: NodeApi,
    pub(crate) readings: Arc<Readings>,
    pub(crate) host: Arc<Host>,
    pub(crate) gpus: Arc<dyn GpuSource>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) commands: CommandCounts,
}

impl Node {
    /// What the machine is.
    pub(crate) async fn facts(&self) -> MachineFacts {
        let facts = self.host.facts();
        let mut labels = self.labels.clone();
        if self.gpus().iter().any(|gpu| gpu.simulated) {
            labels.insert(SIMULATED_GPUS.to_owned(), "true".to_owned());
        }
        MachineFacts {
            hostname: facts.hostname,
            os: facts.os,
            kernel: facts.kernel,
            cpu_count: facts.cpu_count,
            memory_bytes: facts.memory_bytes,
            disk_bytes: facts.disk_bytes,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            runtime: self.containers.runtime_version().await.unwrap_or_default(),
            labels: labels.into_iter().collect(),
        }
    }

    /// From the last reading: the source may be waiting for a driver that hangs.
    fn gpus(&self) -> Vec<GpuInfo> {
        match self.readings.last() {
            Some(reading) => reading.gpus.iter().map(|gpu| gpu.info.clone()).collect(),
            None => self.gpus.inventory(),
        }
    }

    async fn carry_out(&self, action: Action, parts: Parts, cancel: CancellationToken) -> Result<Outcome> {
        match action {
            Action::EnsureClaim(wanted) => Ok(Outcome::Claim(self.containers.ensure_claim(wanted).await?)),
            Action::ReleaseClaim(release) => {
                self.containers.release_claim(&release.claim_id, release.epoch).await?;
                Ok(Outcome::Done(()))
            }
            Action::CreateContainer(request) => {
                self.api.check_node(&request.node_id)?;
                Ok(Outcome::Created(self.containers.create(request, cancel).await?))
            }
            Action::DeleteContainer(request) => {
                self.api.check_node(&request.node_id)?;
                self.containers.delete(&request.id).await?;
                Ok(Outcome::Done(()))
            }
            Action::ListContainers(request) => {
                self.api.check_node(&request.node_id)?;
                Ok(Outcome::Containers(ListContainersResponse { containers: self.containers.list().await? }))
            }
            Action::GetContainer(request) => {
                self.api.check_node(&request.node_id)?;
                Ok(Outcome::Container(self.containers.get(&request.id).await?))
            }
            Action::GetMetrics(request) => {
                self.api.check_node(&request.node_id)?;
                Ok(Outcome::Metrics(self.api.node_metrics().await))
            }
            Action::GetHealth(request) => {
                self.api.check_node(&request.node_id)?;
                Ok(Outcome::Health(self.api.health().await?))
            }
            Action::StreamContainerLogs(request) => {
                self.api.check_node(&request.node_id)?;
                let sent = cancel.run_until_cancelled(self.send_logs(&request, &parts)).await;
                sent.unwrap_or(Err(Error::Cancelled)).map(Outcome::Done)
            }
        }
    }

    async fn send_logs(&self, request: &StreamContainerLogsRequest, parts: &Parts) -> Result<()> {
        let mut entries = self.containers.logs(request).await?.ready_chunks(LOG_ENTRIES_AT_ONCE);
        parts.send_logs(Vec::new()).await?;
        while let Some(batch) = entries.next().await {
            let mut written = Vec::with_capacity(batch.len());
            let mut failed = None;
            for entry in batch {
                match entry {
                    Ok(entry) => written.push(entry),
                    Err(error) => failed = Some(error),
                }
            }
            parts.send_logs(written).await?;
            failed.map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

impl Link for Node {
    async fn hello(&self) -> Hello {
        // Taken anew, so that GPUs and heartbeats of the session have the same order.
        self.readings.get(FRESH).await;
        let gpu_facts =
            |gpu: GpuInfo| GpuFacts { uuid: gpu.uuid, index: gpu.index, name: gpu.name, memory_bytes: gpu.memory_bytes };
        Hello {
            node_id: self.containers.node_id().map(|id| id.to_string()).unwrap_or_default(),
            protocol: PROTOCOL,
            facts: Some(self.facts().await),
            gpus: self.gpus().into_iter().map(gpu_facts).collect(),
        }
    }

    async fn inventory(&self) -> Vec<ContainerState> {
        self.containers.inventory().await
    }

    async fn heartbeat(&self) -> Heartbeat {
        let (reading, runtime_ready) = tokio::join!(self.readings.get(FRESH), self.containers.runtime_ready());
        reading.heartbeat(runtime_ready)
    }

    async fn execute(&self, action: Action, parts: Parts, cancel: CancellationToken) -> Result<Outcome> {
        let kind = action.kind();
        let span = tracing::info_span!("claim", claim = claim(&action));
        let outcome = self.carry_out(action, parts, cancel).instrument(span).await;
        self.commands.count(kind, outcome.as_ref().err());
        outcome
    }

    fn events(&self) -> broadcast::Receiver<ContainerState> {
        self.containers.events()
    }
}

/// The claim a command is about; absent when it is about none.
fn claim(action: &Action) -> Option<&str> {
    match action {
        Action::EnsureClaim(wanted) => Some(&wanted.claim_id),
        Action::ReleaseClaim(release) => Some(&release.claim_id),
        Action::CreateContainer(request) => Some(&request.claim_id),
        Action::DeleteContainer(_)
        | Action::ListContainers(_)
        | Action::GetContainer(_)
        | Action::GetMetrics(_)
        | Action::GetHealth(_)
        | Action::StreamContainerLogs(_) => None,
    }
}
