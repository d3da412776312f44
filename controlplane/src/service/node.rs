//! `utopia.node.v1.NodeService`.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::node::v1::{
    ApproveNodeRequest, DeleteNodeRequest, GetNodeRequest, GetNodeStatusRequest, JoinToken, ListNodesRequest, ListNodesResponse,
    Node as WireNode, NodeGpu, NodeMetrics, NodeState, RegisterNodeRequest, RegisterNodeResponse,
    node_service_server::NodeService,
};
use uuid::Uuid;

use super::{convert, deletion::Deletion, join_token::JoinTokens, node_agent, validate};
use crate::{
    auth::Identity,
    error::{Error, Result},
    link::{Hub, hub},
    model::{Node, NodeStage, Page, PageRequest},
    store::Store,
};

/// How long an approval can be used.
const APPROVAL_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// The service.
#[derive(Debug, Clone)]
pub struct Nodes {
    /// Has the nodes.
    pub store: Store,
    /// Reaches the nodes.
    pub hub: Hub,
    /// Makes the tokens of approvals.
    pub join_tokens: JoinTokens,
    /// Ends them.
    pub deletion: Deletion,
}

#[async_trait]
impl NodeService for Nodes {
    async fn register_node(&self, request: Request<RegisterNodeRequest>) -> Result<Response<RegisterNodeResponse>, Status> {
        let trail = Identity::trail(&request);
        let RegisterNodeRequest { hostname, machine_id } = request.into_inner();
        validate::hostname("hostname", &hostname)?;
        validate::text("machine_id", &machine_id, 128)?;
        let machine_id = (!machine_id.is_empty()).then_some(machine_id);
        let id = self.store.register_node(Uuid::new_v4(), &hostname, machine_id.as_deref(), self.hub.now(), &trail).await?;
        tracing::info!(node = %id, %hostname, "node announced");
        Ok(Response::new(RegisterNodeResponse { id: id.to_string() }))
    }

    async fn get_node_status(&self, request: Request<GetNodeStatusRequest>) -> Result<Response<NodeMetrics>, Status> {
        let id = request.into_inner().id;
        let node = self.find(&id).await?;
        if node.stage == NodeStage::Pending {
            return Err(hub::not_online(node.id, &node.hostname).into());
        }
        Ok(Response::new(node_agent::metrics(&self.hub, &id).await?))
    }

    async fn list_nodes(&self, request: Request<ListNodesRequest>) -> Result<Response<ListNodesResponse>, Status> {
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, query.page_size);
        let page = match query.status() {
            NodeState::Unspecified => self.store.list_nodes(window).await?,
            state @ (NodeState::Pending | NodeState::Online | NodeState::Offline) => self.in_state(state, window).await?,
        };
        let ids: Vec<_> = page.items.iter().map(|node| node.id).collect();
        let owners = self.store.allocations(&ids).await?;
        Ok(Response::new(ListNodesResponse {
            nodes: page.items.into_iter().map(|node| self.show(node, &owners)).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn get_node(&self, request: Request<GetNodeRequest>) -> Result<Response<WireNode>, Status> {
        let node = self.find(&request.get_ref().id).await?;
        let owners = self.store.allocations(&[node.id]).await?;
        Ok(Response::new(self.show(node, &owners)))
    }

    async fn approve_node(&self, request: Request<ApproveNodeRequest>) -> Result<Response<JoinToken>, Status> {
        let node = self.find(&request.get_ref().id).await?;
        if node.stage != NodeStage::Pending {
            let message = format!("node {} is enrolled already", node.hostname);
            return Err(Error::FailedPrecondition { reason: "NodeNotPending".into(), message }.into());
        }
        let description = format!("approval of {}", node.hostname);
        let token = self.join_tokens.create(APPROVAL_LIFETIME, 1, description, Some(node.id), &Identity::trail(&request)).await?;
        tracing::info!(node = %node.id, "node approved");
        Ok(Response::new(token))
    }

    async fn delete_node(&self, request: Request<DeleteNodeRequest>) -> Result<Response<()>, Status> {
        let trail = Identity::trail(&request);
        let DeleteNodeRequest { id, force } = request.into_inner();
        let id = validate::id("node", &id)?;
        self.deletion.delete("node", id, force, trail).await?;
        Ok(Response::new(()))
    }
}

impl Nodes {
    async fn find(&self, id: &str) -> Result<Node> {
        let id = validate::id("node", id)?;
        self.store.node(id).await?.ok_or_else(|| Error::not_found("node", id))
    }

    /// A page of the nodes in one state. Who is connected is known in memory, so the page is cut here.
    async fn in_state(&self, state: NodeState, window: PageRequest) -> Result<Page<Node>> {
        let index = self.store.node_index().await?;
        let in_state = index.into_iter().filter(|(id, _, stage)| self.state(*id, *stage) == state);
        let Page { items: ids, total } = window.cut(in_state.map(|(id, ..)| id).collect());
        let mut items = self.store.nodes_by_id(&ids).await?;
        items.sort_by(|a, b| (&a.hostname, a.id).cmp(&(&b.hostname, b.id)));
        Ok(Page { items, total })
    }

    fn state(&self, id: Uuid, stage: NodeStage) -> NodeState {
        match stage {
            NodeStage::Pending => NodeState::Pending,
            NodeStage::Enrolled if self.hub.node(id).is_some_and(|known| known.session.is_some()) => NodeState::Online,
            NodeStage::Enrolled => NodeState::Offline,
        }
    }

    /// The node, with the claims that have its GPUs by the GPUs' keys.
    fn show(&self, node: Node, owners: &HashMap<String, Uuid>) -> WireNode {
        let state = self.state(node.id, node.stage);
        let session = self.hub.node(node.id).and_then(|known| known.session);
        let heartbeat = session.as_ref().and_then(|session| session.view().heartbeat.clone());
        let readings = heartbeat.map(|heartbeat| heartbeat.gpus).unwrap_or_default();
        let gpus = node.gpus.into_iter().enumerate().map(|(at, gpu)| NodeGpu {
            claim_id: owners.get(&gpu.uuid).map(Uuid::to_string).unwrap_or_default(),
            unavailable: readings.get(at).map(unavailable).unwrap_or_default().to_owned(),
            uuid: gpu.uuid,
            index: gpu.index,
            name: gpu.name,
            memory_mb: mib(gpu.memory_bytes),
        });
        let last_seen: Option<Timestamp> = session.map(|session| session.last_seen()).or(node.last_seen_at);
        WireNode {
            id: node.id.to_string(),
            hostname: node.hostname,
            status: state.into(),
            gpus: gpus.collect(),
            cpu_count: i32::try_from(node.facts.cpu_count).unwrap_or(i32::MAX),
            memory_mb: mib(node.facts.memory_bytes),
            os: node.facts.os,
            kernel: node.facts.kernel,
            agent_version: node.facts.agent_version,
            runtime: node.facts.runtime,
            labels: node.facts.labels,
            last_seen_at: last_seen.map(convert::timestamp),
            created_at: Some(convert::timestamp(node.created_at)),
            in_maintenance: node.in_maintenance,
        }
    }
}

fn unavailable(reading: &utopia_proto::link::v1::GpuReading) -> &'static str {
    if reading.faulty {
        "Faulty"
    } else if reading.foreign_use || reading.locally_allocated {
        "Busy"
    } else {
        ""
    }
}

fn mib(bytes: u64) -> i64 {
    i64::try_from(bytes >> 20).unwrap_or(i64::MAX)
}
