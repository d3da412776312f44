//! `utopia.link.v1.AgentLink`.

use std::{sync::Arc, time::Duration};

use tonic::{Code, Request, Response, Status, Streaming, async_trait};
use utopia_proto::{
    link::v1::{AgentFrame, Hello, Welcome, agent_frame, agent_link_server::AgentLink, control_frame::Frame},
    status::status,
};
use uuid::Uuid;

use super::{
    Hub,
    hub::{self, Known},
    session::{Line, SessionStream},
};
use crate::{auth::Identity, error::Error, model::NodeStage, server::ConnectionInfo, store::Store};

/// The protocol this control plane speaks.
const PROTOCOL: u32 = 1;

/// How long an agent may take for its Hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The service.
#[derive(Debug, Clone)]
pub struct LinkService {
    /// Knows the sessions.
    pub hub: Hub,
    /// Has the nodes.
    pub store: Store,
    /// What agents are told.
    pub heartbeat_interval_ms: u32,
}

#[async_trait]
impl AgentLink for LinkService {
    type ConnectStream = SessionStream;

    async fn connect(&self, request: Request<Streaming<AgentFrame>>) -> Result<Response<SessionStream>, Status> {
        let identity = Identity::of(&request);
        let connection = request.extensions().get::<Arc<ConnectionInfo>>();
        let end = connection.map(|connection| connection.end.clone()).unwrap_or_default();
        let line = Line { address: identity.address, end };
        let node_id = identity.node()?;
        let mut inbound: Streaming<AgentFrame> = request.into_inner();
        let hello = hello(&mut inbound, node_id).await?;
        let known = self.known(node_id).await?;
        if !known.has_facts(&hello) {
            let facts = hello.facts.clone().unwrap_or_default();
            self.store.update_node(node_id, &facts, &hello.gpus, self.hub.now()).await?;
        }
        let session = self.hub.open(node_id, hello, line)?;
        let hostname = self.hub.node(node_id).map(|known| known.hostname).unwrap_or_default();
        tracing::info!(node = %node_id, %hostname, session = session.epoch, "node is online");
        let welcome = Welcome { session_epoch: session.epoch, heartbeat_interval_ms: self.heartbeat_interval_ms };
        // It cannot be full; if it is closed already, the stream says why.
        let _ = session.mailbox.push(Frame::Welcome(welcome));
        Ok(Response::new(SessionStream::new(self.hub.clone(), session, inbound)))
    }
}

impl LinkService {
    /// An enrolled node. One that enrolled at another replica is learnt here.
    async fn known(&self, node_id: Uuid) -> Result<Known, Status> {
        if let Some(known) = self.hub.node(node_id) {
            return Ok(known);
        }
        match self.store.node(node_id).await? {
            Some(node) if node.stage == NodeStage::Enrolled => self.hub.learn([node]),
            Some(_) | None => return Err(hub::deleted()),
        }
        self.hub.node(node_id).ok_or_else(hub::deleted)
    }
}

/// The first frame, checked.
async fn hello(inbound: &mut Streaming<AgentFrame>, node_id: Uuid) -> Result<Hello, Status> {
    let first = tokio::time::timeout(HELLO_TIMEOUT, inbound.message())
        .await
        .map_err(|_| Error::DeadlineExceeded { message: "the agent sent no Hello".into() })??;
    let Some(AgentFrame { frame: Some(agent_frame::Frame::Hello(hello)) }) = first else {
        return Err(Error::invalid("frame", "the first frame must be a Hello").into());
    };
    if hello.node_id != node_id.to_string() {
        let message = format!("the certificate is of node {node_id}, the Hello names another");
        return Err(status(Code::PermissionDenied, "NodeIdMismatch", &message, Some("hello.node_id")));
    }
    if hello.protocol != PROTOCOL {
        let message = format!("this control plane speaks protocol {PROTOCOL}, the agent {}", hello.protocol);
        return Err(status(Code::FailedPrecondition, "ProtocolMismatch", &message, Some("hello.protocol")));
    }
    check_gpus(&hello)?;
    Ok(hello)
}

/// GPUs must have distinct keys: the ledger is kept by them.
fn check_gpus(hello: &Hello) -> Result<(), Status> {
    let mut uuids = hello.gpus.iter().map(|gpu| gpu.uuid.as_str()).collect::<Vec<_>>();
    uuids.sort_unstable();
    let distinct = uuids.windows(2).all(|pair| pair[0] != pair[1]) && uuids.first().is_none_or(|uuid| !uuid.is_empty());
    if distinct { Ok(()) } else { Err(Error::invalid("hello.gpus", "every GPU must have a UUID of its own").into()) }
}
