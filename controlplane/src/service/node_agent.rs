//! `utopia.node.v1.NodeAgentService` at the control plane: sends each request to the node it names.

use std::time::Duration;

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::{
    link::v1::{command::Action, command_result::Outcome},
    node::v1::{
        Container, CreateContainerRequest, CreateContainerResponse, DeleteContainerRequest, GetContainerRequest,
        GetHealthRequest, GetMetricsRequest, Health, ListContainersRequest, ListContainersResponse, NodeMetrics,
        node_agent_service_server::NodeAgentService,
    },
};

use super::{convert, validate};
use crate::{
    auth::Identity,
    clock::Clock,
    error::{Error, Result},
    link::Hub,
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
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl NodeAgentService for NodeAgents {
    async fn create_container(
        &self,
        request: Request<CreateContainerRequest>,
    ) -> Result<Response<CreateContainerResponse>, Status> {
        let request = request.into_inner();
        let outcome = self.ask(&request.node_id.clone(), Action::CreateContainer(request), CREATE_TIMEOUT).await?;
        if let Outcome::Created(created) = outcome { Ok(Response::new(created)) } else { Err(unexpected().into()) }
    }

    async fn delete_container(&self, request: Request<DeleteContainerRequest>) -> Result<Response<()>, Status> {
        let request = request.into_inner();
        let outcome = self.ask(&request.node_id.clone(), Action::DeleteContainer(request), REMOVE_TIMEOUT).await?;
        if let Outcome::Done(()) = outcome { Ok(Response::new(())) } else { Err(unexpected().into()) }
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
        if node_id.is_empty() {
            return Err(Error::invalid("node_id", "must name the node"));
        }
        self.hub.command(validate::id("node", node_id)?, action, timeout).await
    }
}

/// A node's readings, asked of its agent.
///
/// # Errors
/// As [`Hub::command`].
pub async fn metrics(hub: &Hub, node_id: &str) -> Result<NodeMetrics> {
    if node_id.is_empty() {
        return Err(Error::invalid("node_id", "must name the node"));
    }
    let id = validate::id("node", node_id)?;
    let action = Action::GetMetrics(GetMetricsRequest { node_id: node_id.to_owned() });
    let outcome = hub.command(id, action, QUERY_TIMEOUT).await?;
    if let Outcome::Metrics(metrics) = outcome { Ok(metrics) } else { Err(unexpected()) }
}

fn unexpected() -> Error {
    Error::Unavailable {
        reason: "UnexpectedAnswer".into(),
        message: "the node's agent answered something else than was asked".into(),
    }
}
