//! `utopia.node.v1.NodeAgentService` at the control plane: sends each request to the node it names.

use std::time::Duration;

use serde_json::{Value, json};
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::{
    link::v1::{command::Action, command_result::Outcome},
    node::v1::{
        Container, CreateContainerRequest, CreateContainerResponse, DeleteContainerRequest, GetContainerRequest,
        GetHealthRequest, GetMetricsRequest, Health, ListContainersRequest, ListContainersResponse, NodeMetrics,
        StreamContainerLogsRequest, node_agent_service_server::NodeAgentService,
    },
};
use uuid::Uuid;

use super::{
    convert,
    logs::{self, Logs},
    validate,
};
use crate::{
    auth::Identity,
    clock::Clock,
    error::{Error, Result},
    link::Hub,
    model::audit::{AuditResult, Change, Trail, masked_environment},
    store::Store,
};

/// How long a node may take to answer what it has in memory.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a node may take to stop and remove a container.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a node may take to make a container, a pull included.
const CREATE_TIMEOUT: Duration = Duration::from_secs(650);

/// The service.
#[derive(Debug, Clone)]
pub struct NodeAgents {
    /// Reaches the nodes.
    pub hub: Hub,
    /// Has the audit log.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl NodeAgentService for NodeAgents {
    type StreamContainerLogsStream = Logs;

    async fn create_container(
        &self,
        request: Request<CreateContainerRequest>,
    ) -> Result<Response<CreateContainerResponse>, Status> {
        let trail = Identity::trail(&request);
        let request = request.into_inner();
        let value = audit_value(&request);
        let outcome = self.ask(&request.node_id.clone(), Action::CreateContainer(request), CREATE_TIMEOUT).await?;
        let Outcome::Created(created) = outcome else { return Err(unexpected().into()) };
        self.done(&trail, Change::created(&created.container_id, value)).await;
        Ok(Response::new(created))
    }

    async fn delete_container(&self, request: Request<DeleteContainerRequest>) -> Result<Response<()>, Status> {
        let trail = Identity::trail(&request);
        let request = request.into_inner();
        let change = Change::deleted(&request.id, json!({ "node_id": request.node_id }));
        let outcome = self.ask(&request.node_id.clone(), Action::DeleteContainer(request), REMOVE_TIMEOUT).await?;
        let Outcome::Done(()) = outcome else { return Err(unexpected().into()) };
        self.done(&trail, change).await;
        Ok(Response::new(()))
    }

    async fn list_containers(&self, request: Request<ListContainersRequest>) -> Result<Response<ListContainersResponse>, Status> {
        let request = request.into_inner();
        let outcome = self.ask(&request.node_id.clone(), Action::ListContainers(request), QUERY_TIMEOUT).await?;
        if let Outcome::Containers(list) = outcome { Ok(Response::new(list)) } else { Err(unexpected().into()) }
    }

    async fn get_container(&self, request: Request<GetContainerRequest>) -> Result<Response<Container>, Status> {
        let request = request.into_inner();
        let outcome = self.ask(&request.node_id.clone(), Action::GetContainer(request), QUERY_TIMEOUT).await?;
        if let Outcome::Container(container) = outcome { Ok(Response::new(container)) } else { Err(unexpected().into()) }
    }

    async fn stream_container_logs(&self, request: Request<StreamContainerLogsRequest>) -> Result<Response<Logs>, Status> {
        let request = request.into_inner();
        let node_id = node(&request.node_id)?;
        Ok(Response::new(logs::stream(&self.hub, node_id, request).await?))
    }

    async fn get_metrics(&self, request: Request<GetMetricsRequest>) -> Result<Response<NodeMetrics>, Status> {
        let node_id = request.into_inner().node_id;
        Ok(Response::new(metrics(&self.hub, &node_id).await?))
    }

    async fn get_health(&self, request: Request<GetHealthRequest>) -> Result<Response<Health>, Status> {
        let identity = Identity::of(&request);
        let request = request.into_inner();
        if request.node_id.is_empty() {
            let timestamp = Some(convert::timestamp(self.clock.now()));
            return Ok(Response::new(Health { status: "healthy".into(), timestamp }));
        }
        identity.person()?;
        let outcome = self.ask(&request.node_id.clone(), Action::GetHealth(request), QUERY_TIMEOUT).await?;
        if let Outcome::Health(health) = outcome { Ok(Response::new(health)) } else { Err(unexpected().into()) }
    }
}

impl NodeAgents {
    async fn ask(&self, node_id: &str, action: Action, timeout: Duration) -> Result<Outcome> {
        self.hub.command(node(node_id)?, action, timeout).await
    }

    /// Writes down what a node did. It is done: that it could not be written down is for our log, not for the caller.
    async fn done(&self, trail: &Trail, change: Change) {
        let resource_id = change.resource_id.clone();
        if let Err(error) = self.store.record(trail, change, AuditResult::Success, self.clock.now()).await {
            let Trail { action, user, .. } = trail;
            tracing::error!(%error, %action, %user, resource_id, "what was done could not be written to the audit log");
        }
    }
}

/// A node's readings, asked of its agent.
///
/// # Errors
/// As [`Hub::command`].
pub async fn metrics(hub: &Hub, node_id: &str) -> Result<NodeMetrics> {
    let id = node(node_id)?;
    let action = Action::GetMetrics(GetMetricsRequest { node_id: node_id.to_owned() });
    let outcome = hub.command(id, action, QUERY_TIMEOUT).await?;
    if let Outcome::Metrics(metrics) = outcome { Ok(metrics) } else { Err(unexpected()) }
}

fn node(id: &str) -> Result<Uuid> {
    if id.is_empty() {
        return Err(Error::invalid("node_id", "must name the node"));
    }
    validate::id("node", id)
}

/// A container to make, as the audit log shows it.
fn audit_value(request: &CreateContainerRequest) -> Value {
    let ports = request
        .port_mappings
        .iter()
        .map(|port| json!({ "host_port": port.host_port, "container_port": port.container_port, "protocol": port.protocol }));
    json!({
        "node_id": request.node_id,
        "claim_id": request.claim_id,
        "image": request.image,
        "gpu_count": request.gpu_count,
        "ports": ports.collect::<Vec<_>>(),
        "env": masked_environment(&request.env_vars),
        "command": request.command,
        "working_dir": request.working_dir,
        "volumes": request.volumes,
        "memory_mb": request.memory_limit_mb,
        "cpus": request.cpu_limit,
    })
}

/// The error for an answer that is none to what was asked.
pub(super) fn unexpected() -> Error {
    Error::Unavailable {
        reason: "UnexpectedAnswer".into(),
        message: "the node's agent answered something else than was asked".into(),
    }
}
