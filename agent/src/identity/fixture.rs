//! A control plane for tests: the two services over real TLS on a loopback port, with an authority of its own.
//!
//! Enrolment follows the rules of the contract; sessions are handed to the test, which plays the server's part.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming, async_trait};
use utopia_certs::tls::{ClientAuth, ServerIdentity, server_config};
use utopia_certs::{Authority, Csr, JoinToken, PeerIdentity};
use utopia_proto::link::v1::agent_link_server::{AgentLink, AgentLinkServer};
use utopia_proto::link::v1::control_frame::Frame as ToAgent;
use utopia_proto::link::v1::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use utopia_proto::link::v1::{
    AgentFrame, ControlFrame, EnrolRequest, EnrolResponse, Hello, MachineFacts, RecoverRequest, RenewRequest, Welcome,
    agent_frame,
};
use uuid::Uuid;

use super::{Identity, IdentitySettings, Join};

pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A running control plane; it stops when it is dropped.
pub(crate) struct ControlPlane {
    pub(crate) state: Arc<State>,
    pub(crate) token: JoinToken,
    address: String,
    sessions: tokio::sync::Mutex<mpsc::Receiver<Dialled>>,
    dir: TempDir,
    _stop: DropGuard,
}

/// What the services look at.
pub(crate) struct State {
    pub(crate) authority: Authority,
    /// Added to the present time when a certificate is issued.
    pub(crate) issue_offset: Mutex<SignedDuration>,
    /// What enrolment answers instead, first to last.
    pub(crate) failures: Mutex<Vec<Status>>,
    /// What Renew and Recover answer when set.
    pub(crate) refusal: Mutex<Option<Status>>,
    pub(crate) enrolled: AtomicUsize,
    pub(crate) renewed: AtomicUsize,
    pub(crate) recovered: AtomicUsize,
    machines: Mutex<Vec<(String, Uuid)>>,
    secret_hash: Mutex<[u8; 32]>,
}

/// An agent that has opened a stream.
struct Dialled {
    peer: Option<PeerIdentity>,
    inbound: Streaming<AgentFrame>,
    answer: tokio::sync::oneshot::Sender<Result<mpsc::Receiver<Result<ControlFrame, Status>>, Status>>,
}

impl ControlPlane {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token = JoinToken::generate().unwrap();
        let state = Arc::new(State {
            authority: Authority::open_or_create(&dir.path().join("ca"), Timestamp::now()).unwrap(),
            issue_offset: Mutex::default(),
            failures: Mutex::default(),
            refusal: Mutex::default(),
            enrolled: AtomicUsize::new(0),
            renewed: AtomicUsize::new(0),
            recovered: AtomicUsize::new(0),
            machines: Mutex::default(),
            secret_hash: Mutex::new(token.secret_hash()),
        });
        let issued = state.authority.issue_server(&["127.0.0.1".to_owned()], Timestamp::now(), DAY).unwrap();
        let server = Arc::new(ServerIdentity::new(issued).unwrap());
        let tls = server_config(server, state.authority.certificate_der(), ClientAuth::Optional).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());

        let stop = CancellationToken::new();
        let (dialled, sessions) = mpsc::channel(16);
        let (connections, incoming) = mpsc::channel(16);
        let tracker = TaskTracker::new();
        tracker.spawn(stop.clone().run_until_cancelled_owned(accept(
            listener,
            TlsAcceptor::from(tls),
            connections,
            tracker.clone(),
        )));
        let router = tonic::transport::Server::builder()
            .add_service(EnrolmentServiceServer::new(Enrolment(Arc::clone(&state))))
            .add_service(AgentLinkServer::new(Link(dialled)));
        tracker.spawn(router.serve_with_incoming_shutdown(ReceiverStream::new(incoming), stop.clone().cancelled_owned()));
        Self { state, token, address, sessions: tokio::sync::Mutex::new(sessions), dir, _stop: stop.drop_guard() }
    }

    /// Settings of an agent that joins this control plane.
    pub(crate) fn settings(&self) -> IdentitySettings {
        let join = Join { token: self.token.clone(), ca_hash: self.state.authority.hash() };
        IdentitySettings {
            dir: self.dir.path().join("agent"),
            server: self.address.parse().unwrap(),
            join: Some(join),
            announced_node_id: String::new(),
        }
    }

    /// An agent that has joined.
    pub(crate) async fn joined(&self) -> Arc<Identity> {
        Identity::ensure(self.settings(), MachineFacts::default(), &CancellationToken::new()).await.unwrap()
    }

    /// Accepts another token only.
    pub(crate) fn accept_token(&self, token: &JoinToken) {
        *self.state.secret_hash.lock().unwrap() = token.secret_hash();
    }

    /// Certificates that are issued from now on are older than they should be.
    pub(crate) fn backdate(&self, by: SignedDuration) {
        *self.state.issue_offset.lock().unwrap() = -by;
    }

    /// The next stream that an agent opens, after its Hello.
    pub(crate) async fn next_session(&self) -> Greeting {
        let Dialled { peer, mut inbound, answer } = self.sessions.lock().await.recv().await.unwrap();
        let Some(AgentFrame { frame: Some(agent_frame::Frame::Hello(hello)) }) = inbound.message().await.unwrap() else {
            panic!("the first frame is not a Hello");
        };
        let (Some(PeerIdentity::Node(node_id)), node) = (peer, hello.node_id.clone()) else { panic!("no node's certificate") };
        assert_eq!(node_id.to_string(), node);
        Greeting { hello, inbound, answer }
    }

    /// The next session, welcomed.
    pub(crate) async fn welcome(&self, epoch: u64, heartbeat_interval_ms: u32) -> ServerSession {
        self.next_session().await.welcome(epoch, heartbeat_interval_ms).await
    }
}

/// An agent that said Hello and waits for the answer.
pub(crate) struct Greeting {
    pub(crate) hello: Hello,
    inbound: Streaming<AgentFrame>,
    answer: tokio::sync::oneshot::Sender<Result<mpsc::Receiver<Result<ControlFrame, Status>>, Status>>,
}

impl Greeting {
    pub(crate) async fn welcome(self, session_epoch: u64, heartbeat_interval_ms: u32) -> ServerSession {
        let (outbound, frames) = mpsc::channel(1024);
        self.answer.send(Ok(frames)).unwrap();
        let session = ServerSession { inbound: self.inbound, outbound };
        session.send(ToAgent::Welcome(Welcome { session_epoch, heartbeat_interval_ms })).await;
        session
    }

    pub(crate) fn refuse(self, status: Status) {
        self.answer.send(Err(status)).ok();
    }
}

/// The server's side of a session.
pub(crate) struct ServerSession {
    inbound: Streaming<AgentFrame>,
    outbound: mpsc::Sender<Result<ControlFrame, Status>>,
}

impl ServerSession {
    pub(crate) async fn send(&self, frame: ToAgent) {
        self.outbound.send(Ok(ControlFrame { frame: Some(frame) })).await.unwrap();
    }

    pub(crate) async fn end(self, status: Status) {
        self.outbound.send(Err(status)).await.unwrap();
    }

    /// The next frame; none when the agent has ended the session.
    pub(crate) async fn frame(&mut self) -> Option<agent_frame::Frame> {
        self.inbound.message().await.ok().flatten().and_then(|frame| frame.frame)
    }

    /// The next frame in which something is found.
    pub(crate) async fn find<T>(&mut self, mut find: impl FnMut(agent_frame::Frame) -> Option<T>) -> T {
        loop {
            if let Some(found) = find(self.frame().await.expect("the agent ended the session")) {
                return found;
            }
        }
    }
}

struct Enrolment(Arc<State>);

impl State {
    fn issue(&self, csr: &[u8], node_id: Uuid) -> Result<Response<EnrolResponse>, Status> {
        let csr = Csr::parse(csr).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let issued_at = Timestamp::now() + *self.issue_offset.lock().unwrap();
        let issued = self.authority.issue_node(&csr, node_id, issued_at, DAY).unwrap();
        Ok(Response::new(EnrolResponse {
            node_id: node_id.to_string(),
            certificate: issued.der.to_vec(),
            ca_certificate: self.authority.certificate_der().to_vec(),
            not_after: None,
        }))
    }

    fn refused(&self) -> Result<(), Status> {
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let mut failures = self.0.failures.lock().unwrap();
        if !failures.is_empty() {
            return Err(failures.remove(0));
        }
        let request = request.into_inner();
        let token: JoinToken = request.token.parse().map_err(|_| Status::unauthenticated("no join token"))?;
        if !token.matches(&*self.0.secret_hash.lock().unwrap()) {
            return Err(Status::unauthenticated("the join token is not known"));
        }
        self.0.enrolled.fetch_add(1, Ordering::Relaxed);
        let mut machines = self.0.machines.lock().unwrap();
        let known = machines.iter().find(|(machine, _)| *machine == request.machine_id).map(|(_, node_id)| *node_id);
        let node_id = known.unwrap_or_else(|| {
            let node_id = Uuid::new_v4();
            machines.push((request.machine_id.clone(), node_id));
            node_id
        });
        self.0.issue(&request.csr, node_id)
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<EnrolResponse>, Status> {
        self.0.refused()?;
        let Some(PeerIdentity::Node(node_id)) = peer(&request) else { return Err(Status::unauthenticated("no certificate")) };
        self.0.renewed.fetch_add(1, Ordering::Relaxed);
        self.0.issue(&request.get_ref().csr, node_id)
    }

    async fn recover(&self, request: Request<RecoverRequest>) -> Result<Response<EnrolResponse>, Status> {
        self.0.refused()?;
        assert_eq!(peer(&request), None, "an expired certificate is not shown");
        let RecoverRequest { csr, expired_certificate } = request.into_inner();
        let proof = Csr::parse(&csr).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let verified = self.0.authority.verify_expired(&expired_certificate, &proof, Timestamp::now(), DAY * 30);
        let node_id = verified.map_err(|error| Status::unauthenticated(error.to_string()))?;
        self.0.recovered.fetch_add(1, Ordering::Relaxed);
        self.0.issue(&csr, node_id)
    }
}

struct Link(mpsc::Sender<Dialled>);

#[async_trait]
impl AgentLink for Link {
    type ConnectStream = ReceiverStream<Result<ControlFrame, Status>>;

    async fn connect(&self, request: Request<Streaming<AgentFrame>>) -> Result<Response<Self::ConnectStream>, Status> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let dialled = Dialled { peer: peer(&request), inbound: request.into_inner(), answer };
        self.0.send(dialled).await.map_err(|_| Status::unavailable("the test is over"))?;
        let frames = answered.await.map_err(|_| Status::unavailable("the test does not answer"))??;
        Ok(Response::new(ReceiverStream::new(frames)))
    }
}

fn peer<T>(request: &Request<T>) -> Option<PeerIdentity> {
    request.extensions().get::<Peer>().unwrap().0.clone()
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    connections: mpsc::Sender<io::Result<Connection>>,
    tracker: TaskTracker,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, connections) = (tls.clone(), connections.clone());
        tracker.spawn(async move {
            if let Ok(stream) = tls.accept(stream).await {
                connections.send(Ok(Connection(stream))).await.ok();
            }
        });
    }
}

struct Connection(TlsStream<TcpStream>);

#[derive(Clone)]
struct Peer(Option<PeerIdentity>);

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        let chain = self.0.get_ref().1.peer_certificates();
        Peer(chain.map(|chain| PeerIdentity::from_certificate(&chain[0]).unwrap()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
