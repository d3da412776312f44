//! `utopia.gpu.v1.GpuService`: every GPU on one page, whoever gives it away.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::{
    gpu::v1::{FleetGpu, GpuSource, GpuStatus, ListGpusRequest, ListGpusResponse, gpu_service_server::GpuService},
    link::v1::GpuReading,
};
use uuid::Uuid;

use super::validate;
use crate::{
    backend::slurm::{Cluster, FoundNode, Slurm},
    error::{Error, Result},
    link::{Hub, hub::Known},
    model::{Page, PageRequest},
    store::Store,
};

/// The service.
#[derive(Debug, Clone)]
pub struct Gpus {
    /// Knows whose they are.
    pub store: Store,
    /// Knows the agents'.
    pub hub: Hub,
    /// Knows Slurm's.
    pub slurm: Slurm,
}

#[async_trait]
impl GpuService for Gpus {
    async fn list_gpus(&self, request: Request<ListGpusRequest>) -> Result<Response<ListGpusResponse>, Status> {
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, query.page_size);
        let unknown = |field| move |_| Error::invalid(field, "is not among the words for it");
        let source = GpuSource::try_from(query.source).map_err(unknown("source"))?;
        let status = GpuStatus::try_from(query.status).map_err(unknown("status"))?;
        validate::text("node", &query.node, 256)?;
        let mut nodes = Vec::new();
        let mut warnings = Vec::new();
        if source != GpuSource::Slurm {
            nodes.extend(self.hub.nodes().into_iter().map(|(id, known)| Node::of_agent(id, known)));
        }
        if source != GpuSource::Agent {
            let found = join_all(self.slurm.clusters().iter().map(Cluster::nodes)).await;
            for (cluster, found) in self.slurm.clusters().iter().zip(found) {
                match found {
                    Ok(found) => nodes.extend(found.into_iter().map(Node::of_slurm)),
                    Err(error) => warnings.push(format!("the GPUs of Slurm's cluster {} are missing: {error}", cluster.name())),
                }
            }
        }
        nodes.retain(|node| query.node.is_empty() || *node.key == *query.node);
        nodes.sort_by(|a, b| (&a.name, &a.cluster, &a.key).cmp(&(&b.name, &b.cluster, &b.key)));
        let Page { items, total } = self.page(nodes, status, window).await?;
        Ok(Response::new(ListGpusResponse { gpus: items, total, page: window.page, limit: window.limit, warnings }))
    }
}

impl Gpus {
    /// A page of the nodes' GPUs that stand so; the nodes are in order.
    async fn page(&self, nodes: Vec<Node>, status: GpuStatus, window: PageRequest) -> Result<Page<FleetGpu>> {
        let all = nodes.iter().flat_map(|node| (0..node.gpus.len()).map(move |at| (node, at)));
        let page = if status == GpuStatus::Unspecified {
            window.cut(all.collect())
        } else {
            let owners = self.owners(nodes.iter()).await?;
            window.cut(all.filter(|(node, at)| node.status(*at, &owners) == status).collect())
        };
        let owners = self.owners(page.items.iter().map(|(node, _)| *node)).await?;
        let items = page.items.into_iter().map(|(node, at)| node.show(at, &owners)).collect();
        Ok(Page { items, total: page.total })
    }

    /// The claims that have the nodes' GPUs, by the GPUs' keys.
    async fn owners(&self, nodes: impl Iterator<Item = &Node>) -> Result<HashMap<String, Uuid>> {
        let ids = nodes.filter_map(|node| node.agent_id).collect::<BTreeSet<_>>();
        self.store.allocations(&ids.into_iter().collect::<Vec<_>>()).await
    }
}

/// A node with GPUs, by whoever gives them away.
struct Node {
    name: String,
    /// By what it can be asked for.
    key: String,
    /// None for a node of Slurm.
    agent_id: Option<Uuid>,
    /// Empty for a node with an agent.
    cluster: String,
    gpus: Vec<Gpu>,
}

struct Gpu {
    uuid: String,
    index: i32,
    model: String,
    memory_mib: i64,
    /// Apart from claims.
    status: GpuStatus,
}

impl Node {
    fn of_agent(id: Uuid, known: Known) -> Self {
        let readings = known.session.as_ref().map(|session| {
            let view = session.view();
            view.heartbeat.as_ref().map(|heartbeat| heartbeat.gpus.iter().map(status_of).collect::<Vec<_>>()).unwrap_or_default()
        });
        let status = |at: usize| match &readings {
            None => GpuStatus::Offline,
            Some(readings) => readings.get(at).copied().unwrap_or(GpuStatus::Free),
        };
        let gpus = known.gpus.iter().enumerate().map(|(at, gpu)| Gpu {
            uuid: gpu.uuid.to_string(),
            index: i32::try_from(gpu.index).unwrap_or(i32::MAX),
            model: gpu.name.to_string(),
            memory_mib: i64::try_from(gpu.memory_bytes >> 20).unwrap_or(i64::MAX),
            status: status(at),
        });
        Self {
            name: known.hostname.to_string(),
            key: id.to_string(),
            agent_id: Some(id),
            cluster: String::new(),
            gpus: gpus.collect(),
        }
    }

    fn of_slurm(found: FoundNode) -> Self {
        let FoundNode { node, gpus_in_use, is_there, .. } = found;
        let status = |index: i32| match (is_there, gpus_in_use.contains(&index)) {
            (false, _) => GpuStatus::Offline,
            (true, true) => GpuStatus::Allocated,
            (true, false) => GpuStatus::Free,
        };
        let models = node.gpus.iter().flat_map(|gpus| (0..gpus.count).map(|_| gpus.r#type.clone()));
        let gpus = (0..).zip(models).map(|(index, model)| Gpu {
            uuid: String::new(),
            index,
            model,
            memory_mib: 0,
            status: status(index),
        });
        let gpus = gpus.collect();
        Self { key: node.name.clone(), name: node.name, agent_id: None, cluster: node.cluster, gpus }
    }

    /// How a GPU stands, with the claims that have GPUs.
    fn status(&self, at: usize, owners: &HashMap<String, Uuid>) -> GpuStatus {
        let gpu = &self.gpus[at];
        let can_have_claim = matches!(gpu.status, GpuStatus::Free | GpuStatus::Busy);
        if can_have_claim && owners.contains_key(&gpu.uuid) { GpuStatus::Allocated } else { gpu.status }
    }

    fn show(&self, at: usize, owners: &HashMap<String, Uuid>) -> FleetGpu {
        let gpu = &self.gpus[at];
        let source = if self.agent_id.is_some() { GpuSource::Agent } else { GpuSource::Slurm };
        FleetGpu {
            uuid: gpu.uuid.clone(),
            index: gpu.index,
            model: gpu.model.clone(),
            memory_mb: gpu.memory_mib,
            source: source.into(),
            status: self.status(at, owners).into(),
            node_id: self.agent_id.map(|id| id.to_string()).unwrap_or_default(),
            node_name: self.name.clone(),
            cluster: self.cluster.clone(),
            claim_id: owners.get(&gpu.uuid).map(Uuid::to_string).unwrap_or_default(),
        }
    }
}

fn status_of(reading: &GpuReading) -> GpuStatus {
    if reading.faulty {
        GpuStatus::Faulty
    } else if reading.foreign_use || reading.locally_allocated {
        GpuStatus::Busy
    } else {
        GpuStatus::Free
    }
}
