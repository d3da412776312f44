//! Commands by the control plane's own hub and sessions, behind this server's front: what they cost, without what is before them.

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use prometheus_client::registry::Registry;
use tonic::{Request, Response, Status, Streaming, async_trait};
use utopia_controlplane::clock::Clock;
use utopia_controlplane::link::Hub;
use utopia_controlplane::link::session::{Line, SessionStream};
use utopia_controlplane::model::{Node, NodeStage};
use utopia_controlplane::telemetry::Metrics;
use utopia_proto::link::v1::command::Action;
use utopia_proto::link::v1::{AgentFrame, Hello, Welcome, agent_frame, agent_link_server::AgentLink, control_frame};
use utopia_proto::node::v1::GetHealthRequest;
use uuid::Uuid;

use super::HEARTBEAT_INTERVAL_MS;
use super::trigger::{PATIENCE, Reach};

/// The link by the hub. Clones have the same agents.
#[derive(Debug, Clone)]
pub(super) struct HubLink(Hub);

impl Default for HubLink {
    fn default() -> Self {
        // Facts that change are written down by nobody here.
        let (hub, _) = Hub::new(Clock::system(), Metrics::register(&mut Registry::default()));
        Self(hub)
    }
}

impl Reach for HubLink {
    async fn ask(&self, node_id: &str) -> anyhow::Result<()> {
        let action = Action::GetHealth(GetHealthRequest::default());
        self.0.command(node_id.parse()?, action, PATIENCE).await?;
        Ok(())
    }

    async fn ask_all(&self) -> anyhow::Result<usize> {
        let ask = |id: Uuid| self.0.command(id, Action::GetHealth(GetHealthRequest::default()), PATIENCE);
        let mut answers: FuturesUnordered<_> = self.0.nodes().into_iter().map(|(id, _)| ask(id)).collect();
        let count = answers.len();
        while let Some(answer) = answers.next().await {
            answer.context("an agent did not answer")?;
        }
        Ok(count)
    }
}

#[async_trait]
impl AgentLink for HubLink {
    type ConnectStream = SessionStream;

    async fn connect(&self, request: Request<Streaming<AgentFrame>>) -> Result<Response<SessionStream>, Status> {
        let mut inbound = request.into_inner();
        let Some(AgentFrame { frame: Some(agent_frame::Frame::Hello(hello)) }) = inbound.message().await? else {
            return Err(Status::invalid_argument("the first frame is no Hello"));
        };
        let node = node(&hello, self.0.now()).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let node_id = node.id;
        self.0.learn([node]);
        let session = self.0.open(node_id, hello, Line::default())?;
        let welcome = Welcome { session_epoch: session.epoch, heartbeat_interval_ms: HEARTBEAT_INTERVAL_MS };
        // It cannot be full; if it is closed already, the stream says why.
        let _ = session.mailbox.push(control_frame::Frame::Welcome(welcome));
        Ok(Response::new(SessionStream::new(self.0.clone(), Arc::clone(&session), inbound)))
    }
}

fn node(hello: &Hello, now: jiff::Timestamp) -> Result<Node, uuid::Error> {
    Ok(Node {
        id: hello.node_id.parse()?,
        machine_id: None,
        hostname: String::new(),
        stage: NodeStage::Enrolled,
        facts: hello.facts.clone().unwrap_or_default(),
        gpus: hello.gpus.clone(),
        last_seen_at: None,
        created_at: now,
        in_maintenance: false,
    })
}
