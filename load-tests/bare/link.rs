//! The bare server that others are compared with: the link with the same messages, codec, TLS and HTTP/2 settings as the control
//! plane's, and nothing behind it. It lets in whoever asks, knows nobody, and keeps nothing unless commands are to be sent.

mod echo;
mod hub;
mod trigger;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use clap::Args;
use futures_util::{Stream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, async_trait};
use utopia_certs::{Authority, Csr, JoinToken};
use utopia_gateway::listener;
use utopia_load_tests::peer::Ready;
use utopia_proto::codec::MAX_FRAME_BYTES;
use utopia_proto::link::v1::agent_frame::Frame;
use utopia_proto::link::v1::agent_link_server::{AgentLink, AgentLinkServer};
use utopia_proto::link::v1::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use utopia_proto::link::v1::{
    AgentFrame, ControlFrame, EnrolRequest, EnrolResponse, HeartbeatAck, RecoverRequest, RenewRequest, Welcome, control_frame,
};
use uuid::Uuid;

use crate::secured;

/// As the control plane has it.
const HEARTBEAT_INTERVAL_MS: u32 = 5_000;

/// What there is besides welcoming agents and answering heartbeats.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// Where the CA is kept, so that agents can come back after a restart; gone with the process when absent
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,

    /// Send commands to agents, asked for over HTTP: `GET /health/NODE` one, `GET /fan-out` one to each
    #[arg(long)]
    commands: bool,

    /// The same by the control plane's hub instead of a bare loop
    #[arg(long, conflicts_with = "commands")]
    hub: bool,
}

/// Serves until cancelled.
pub(crate) async fn serve(address: SocketAddr, settings: Settings, cancel: CancellationToken) -> anyhow::Result<()> {
    let listener = listener::bind(address)?;
    let address = listener.local_addr()?;
    let authority = match &settings.ca_dir {
        Some(directory) => Arc::new(Authority::open_or_create(directory, Timestamp::now())?),
        None => secured::authority()?,
    };
    let incoming = secured::incoming(listener, &authority)?;
    let server = secured::server().add_service(EnrolmentServiceServer::new(Enrolment(Arc::clone(&authority))));
    let (server, triggers) = if settings.hub {
        let hub = hub::HubLink::default();
        (server.add_service(lean(hub.clone())), Some(trigger::router(hub)))
    } else if settings.commands {
        let echo = echo::Echo::default();
        (server.add_service(lean(echo.clone())), Some(trigger::router(echo)))
    } else {
        (server.add_service(lean(Link)), None)
    };
    let trigger = match triggers {
        Some(router) => Some((listener::bind((Ipv4Addr::LOCALHOST, 0).into())?, router)),
        None => None,
    };
    let ready = Ready {
        address,
        token: JoinToken::generate()?.to_string(),
        ca_hash: authority.hash(),
        trigger: trigger.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?,
    };
    ready.announce()?;
    let triggers = async {
        match trigger {
            Some((listener, router)) => {
                axum::serve(listener, router).with_graceful_shutdown(cancel.clone().cancelled_owned()).await
            }
            None => Ok(()),
        }
    };
    let (served, triggered) =
        tokio::join!(server.serve_with_incoming_shutdown(incoming, cancel.clone().cancelled_owned()), triggers);
    served?;
    Ok(triggered?)
}

fn lean<L: AgentLink>(link: L) -> AgentLinkServer<L> {
    AgentLinkServer::new(link).max_decoding_message_size(MAX_FRAME_BYTES)
}

/// Signs whatever is asked.
struct Enrolment(Arc<Authority>);

#[async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let invalid = |error: utopia_certs::Error| Status::invalid_argument(error.to_string());
        let csr = Csr::parse(&request.get_ref().csr).map_err(invalid)?;
        let node_id = Uuid::new_v4();
        let issued = self.0.issue_node(&csr, node_id, Timestamp::now(), SignedDuration::from_hours(24)).map_err(invalid)?;
        Ok(Response::new(EnrolResponse {
            node_id: node_id.to_string(),
            certificate: issued.der.to_vec(),
            ca_certificate: self.0.certificate_der().to_vec(),
            not_after: None,
        }))
    }

    async fn renew(&self, _: Request<RenewRequest>) -> Result<Response<EnrolResponse>, Status> {
        Err(Status::unimplemented("the bare server renews nothing"))
    }

    async fn recover(&self, _: Request<RecoverRequest>) -> Result<Response<EnrolResponse>, Status> {
        Err(Status::unimplemented("the bare server recovers nothing"))
    }
}

/// Welcomes agents and answers their heartbeats.
struct Link;

#[async_trait]
impl AgentLink for Link {
    type ConnectStream = Answers;

    async fn connect(&self, request: Request<Streaming<AgentFrame>>) -> Result<Response<Self::ConnectStream>, Status> {
        let answers = request.into_inner().filter_map(|frame| std::future::ready(frame.map(answer).transpose()));
        Ok(Response::new(Box::pin(answers)))
    }
}

/// The answers of a stream.
type Answers = Pin<Box<dyn Stream<Item = Result<ControlFrame, Status>> + Send>>;

fn answer(frame: AgentFrame) -> Option<ControlFrame> {
    let frame = match frame.frame? {
        Frame::Hello(_) => {
            control_frame::Frame::Welcome(Welcome { session_epoch: 1, heartbeat_interval_ms: HEARTBEAT_INTERVAL_MS })
        }
        Frame::Heartbeat(heartbeat) => control_frame::Frame::HeartbeatAck(HeartbeatAck { sequence: heartbeat.sequence }),
        Frame::Inventory(_) | Frame::Container(_) | Frame::Result(_) => return None,
    };
    Some(ControlFrame { frame: Some(frame) })
}
