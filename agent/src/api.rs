//! The node API on the agent's own listener: the documented JSON API is this gRPC service seen through the transcoder.
//!
//! Every method that the contract does not call public wants the agent's own token. The service works without the control
//! plane.

use std::{sync::Arc, time::Duration};

use axum::Router;
use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait, service::Routes};
use tower::Layer as _;
use utopia_gateway::{RouteError, metrics::RequestMetrics};
use utopia_proto::node::v1::{
    Container, CreateContainerRequest, CreateContainerResponse, DeleteContainerRequest, GetContainerRequest, GetHealthRequest,
    GetMetricsRequest, Health, ListContainersRequest, ListContainersResponse, LogEntry, NodeMetrics, StreamContainerLogsRequest,
    node_agent_service_server::{NodeAgentService, NodeAgentServiceServer},
};
use utopia_proto::policy::Policies;

use self::token::TokenLayer;
use crate::{
    containers::Containers,
    error::{Error, Result},
    runtime::RUNTIME_UNAVAILABLE,
};

mod token;

const SERVICE: &str = "utopia.node.v1.NodeAgentService";
/// Making a container may take as long as its image's pull, and then some.
const BESIDE_THE_PULL: Duration = Duration::from_secs(120);

/// Readings of the machine, taken when asked.
#[async_trait]
pub trait Metrics: Send + Sync + 'static {
    /// The readings, with this node id in them.
    async fn node_metrics(&self, node_id: String) -> NodeMetrics;
}

/// The node API.
#[derive(Clone)]
pub struct NodeApi {
    containers: Arc<Containers>,
    metrics: Arc<dyn Metrics>,
}

impl NodeApi {
    /// The API over these containers and readings.
    #[must_use]
    pub fn new(containers: Arc<Containers>, metrics: Arc<dyn Metrics>) -> Self {
        Self { containers, metrics }
    }

    /// The node's readings.
    pub async fn node_metrics(&self) -> NodeMetrics {
        let node_id = self.containers.node_id().map(|id| id.to_string()).unwrap_or_default();
        self.metrics.node_metrics(node_id).await
    }

    /// Whether the agent can do its work. A machine without GPUs can.
    ///
    /// # Errors
    /// The container runtime cannot be reached.
    pub async fn health(&self) -> Result<Health> {
        if !self.containers.runtime_ready().await {
            let message = "the container runtime cannot be reached".to_owned();
            return Err(Error::Unavailable { reason: RUNTIME_UNAVAILABLE, message });
        }
        let now = jiff::Timestamp::now();
        let timestamp = prost_types::Timestamp { seconds: now.as_second(), nanos: now.subsec_nanosecond() };
        Ok(Health { status: "healthy".to_owned(), timestamp: Some(timestamp) })
    }

    /// Requests on the agent itself name no node, or this one.
    pub(crate) fn check_node(&self, node_id: &str) -> Result<()> {
        let is_own = || self.containers.node_id().is_some_and(|own| own.to_string() == node_id.to_ascii_lowercase());
        if node_id.is_empty() || is_own() {
            return Ok(());
        }
        Err(Error::NotFound { kind: "node", name: node_id.to_owned() })
    }
}

/// The routes of the agent's listener. Others (`/metrics`, `/ready`) can be merged with them.
///
/// # Errors
/// Never for a build that passed its tests: the bindings of the contract are compiled in.
pub fn router(api: NodeApi, token: &str, metrics: &RequestMetrics) -> Result<Router, RouteError> {
    let pool = utopia_proto::descriptor_pool();
    let default_timeout = api.containers.pull_timeout().saturating_add(BESIDE_THE_PULL);
    let service = Routes::new(NodeAgentServiceServer::new(api)).prepare();
    let service = metrics.layer(TokenLayer::new(token, Policies::from_descriptors(&pool)).layer(service));
    let config = utopia_gateway::Config { default_timeout, ..utopia_gateway::Config::default() };
    utopia_gateway::router(&pool, &[SERVICE], service, config)
}

#[async_trait]
impl NodeAgentService for NodeApi {
    type StreamContainerLogsStream = BoxStream<'static, Result<LogEntry, Status>>;

    async fn create_container(
        &self,
        request: Request<CreateContainerRequest>,
    ) -> Result<Response<CreateContainerResponse>, Status> {
        let request = request.into_inner();
        self.check_node(&request.node_id)?;
        // A client that hangs up drops this future, which calls the work off.
        let created = self.containers.create(request, CancellationToken::new()).await?;
        Ok(Response::new(created))
    }

    async fn delete_container(&self, request: Request<DeleteContainerRequest>) -> Result<Response<()>, Status> {
        let request = request.into_inner();
        self.check_node(&request.node_id)?;
        self.containers.delete(&request.id).await?;
        Ok(Response::new(()))
    }

    async fn list_containers(&self, request: Request<ListContainersRequest>) -> Result<Response<ListContainersResponse>, Status> {
        self.check_node(&request.into_inner().node_id)?;
        let containers = self.containers.list().await?;
        Ok(Response::new(ListContainersResponse { containers }))
    }

    async fn get_container(&self, request: Request<GetContainerRequest>) -> Result<Response<Container>, Status> {
        let request = request.into_inner();
        self.check_node(&request.node_id)?;
        Ok(Response::new(self.containers.get(&request.id).await?))
    }

    async fn stream_container_logs(
        &self,
        request: Request<StreamContainerLogsRequest>,
    ) -> Result<Response<Self::StreamContainerLogsStream>, Status> {
        let request = request.into_inner();
        self.check_node(&request.node_id)?;
        let entries = self.containers.logs(&request).await?;
        Ok(Response::new(entries.map_err(Status::from).boxed()))
    }

    async fn get_metrics(&self, request: Request<GetMetricsRequest>) -> Result<Response<NodeMetrics>, Status> {
        self.check_node(&request.into_inner().node_id)?;
        Ok(Response::new(self.node_metrics().await))
    }

    async fn get_health(&self, request: Request<GetHealthRequest>) -> Result<Response<Health>, Status> {
        self.check_node(&request.into_inner().node_id)?;
        Ok(Response::new(self.health().await?))
    }
}

#[cfg(test)]
mod tests;
