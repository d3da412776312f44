//! The bare server that others are compared with: the link with the same messages, codec, TLS and HTTP/2 settings as the control
//! plane's, and nothing behind it. It lets in whoever asks, knows nobody, and keeps nothing.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming, async_trait};
use utopia_certs::tls::{self, ClientAuth, ServerIdentity};
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

/// As the control plane has them.
const HEARTBEAT_INTERVAL_MS: u32 = 5_000;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HANDSHAKES: usize = 1024;

/// Serves until cancelled.
pub(crate) async fn serve(address: SocketAddr, cancel: CancellationToken) -> anyhow::Result<()> {
    let listener = listener::bind(address)?;
    let address = listener.local_addr()?;
    let directory = tempfile::tempdir()?;
    let authority = Arc::new(Authority::open_or_create(directory.path(), Timestamp::now())?);
    let names = [address.ip().to_string()];
    let identity = ServerIdentity::new(authority.issue_server(&names, Timestamp::now(), SignedDuration::from_hours(24))?)?;
    let tls = tls::server_config(Arc::new(identity), authority.certificate_der(), ClientAuth::Optional)?;
    let acceptor = TlsAcceptor::from(tls);
    let incoming = TcpListenerStream::new(listener)
        .map(move |stream| handshake(acceptor.clone(), stream))
        .buffer_unordered(MAX_HANDSHAKES)
        // A client that does not finish its handshake is no reason to end.
        .filter_map(|stream| std::future::ready(stream.ok().map(Ok::<_, io::Error>)));
    let ready = Ready { address, token: JoinToken::generate()?.to_string(), ca_hash: authority.hash() };
    writeln!(io::stdout(), "{}", serde_json::to_string(&ready)?)?;
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(EnrolmentServiceServer::new(Enrolment(authority)))
        .add_service(AgentLinkServer::new(Link).max_decoding_message_size(MAX_FRAME_BYTES))
        .serve_with_incoming_shutdown(incoming, cancel.cancelled_owned())
        .await?;
    Ok(())
}

async fn handshake(acceptor: TlsAcceptor, stream: io::Result<TcpStream>) -> io::Result<Connection> {
    let stream = stream?;
    stream.set_nodelay(true)?;
    Ok(Connection(tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??))
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
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<ControlFrame, Status>> + Send>>;

    async fn connect(&self, request: Request<Streaming<AgentFrame>>) -> Result<Response<Self::ConnectStream>, Status> {
        let answers = request.into_inner().filter_map(|frame| std::future::ready(frame.map(answer).transpose()));
        Ok(Response::new(Box::pin(answers)))
    }
}

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

/// A connection after its handshake.
struct Connection(TlsStream<TcpStream>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
