//! The TLS listeners: accepting, handshakes, and serving gRPC on what comes out of them.
//!
//! The accept loop is our own: the backlog must hold a storm of reconnecting agents, the certificate can change while the
//! server runs, and a client's certificate is read once per connection rather than once per call.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::{Server, server::Connected};
use utopia_certs::{PeerIdentity, tls::ClientAuth};

use crate::telemetry::Metrics;

/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many handshakes may be under way; further connections wait in the backlog.
const MAX_HANDSHAKES: usize = 1024;

/// Connections that are ready and not yet served.
const READY_CONNECTIONS: usize = 64;

/// The pause after an accept that failed, e.g. for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Agents are pinged when nothing has come for this long, and cut when the answer takes longer than the time-out.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Resets that the clients of one gateway may cause before its connection is cut; the library's limit is meant for single clients.
const GATEWAY_RESETS: usize = 10_000;

/// Whom a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peers {
    /// Agents and clients, with a certificate or without.
    All,
    /// Gateways, by their certificates.
    Gateways,
}

impl Peers {
    /// What TLS asks of them.
    pub(crate) fn client_auth(self) -> ClientAuth {
        match self {
            Self::All => ClientAuth::Optional,
            Self::Gateways => ClientAuth::Required,
        }
    }

    /// The settings of a server for them.
    pub(crate) fn server(self) -> Server {
        let server =
            Server::builder().http2_keepalive_interval(Some(KEEPALIVE_INTERVAL)).http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT));
        match self {
            Self::All => server,
            // They carry the calls of many clients.
            Self::Gateways => server
                .http2_max_pending_accept_reset_streams(Some(GATEWAY_RESETS))
                .http2_max_local_error_reset_streams(Some(GATEWAY_RESETS)),
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionInfo {
    /// The peer's address.
    pub(crate) address: SocketAddr,
    /// Whom its client certificate names, if it showed one.
    pub(crate) peer: Option<Arc<PeerIdentity>>,
}

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    info: ConnectionInfo,
}

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

/// Accepts until cancelled, and yields connections whose handshake is done and whose peer is welcome.
pub(crate) fn incoming(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    welcome: Peers,
    metrics: Arc<Metrics>,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, connections) = mpsc::channel(READY_CONNECTIONS);
    let acceptor = Acceptor { tls: TlsAcceptor::from(tls), welcome, ready, metrics };
    let handshakes = tracker.clone();
    tracker.spawn(async move {
        cancel.clone().run_until_cancelled(acceptor.run(listener, handshakes, cancel)).await;
    });
    ReceiverStream::new(connections)
}

#[derive(Clone)]
struct Acceptor {
    tls: TlsAcceptor,
    welcome: Peers,
    ready: mpsc::Sender<io::Result<Connection>>,
    metrics: Arc<Metrics>,
}

impl Acceptor {
    async fn run(self, listener: TcpListener, tracker: TaskTracker, cancel: CancellationToken) {
        let slots = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.metrics.connection_refused();
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (acceptor, cancel) = (self.clone(), cancel.clone());
            tracker.spawn(async move {
                let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.handshake(stream, address));
                let connection = match cancel.run_until_cancelled(handshake).await {
                    Some(Ok(Ok(connection))) => connection,
                    Some(Ok(Err(error))) => return acceptor.refuse(address, &error),
                    Some(Err(_)) => return acceptor.refuse(address, &io::ErrorKind::TimedOut.into()),
                    None => return,
                };
                drop(slot);
                // Nobody takes connections any more when the server stops.
                let _ = acceptor.ready.send(Ok(connection)).await;
            });
        }
    }

    async fn handshake(&self, stream: TcpStream, address: SocketAddr) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        let stream = self.tls.accept(stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let peer = certificate.map(|certificate| PeerIdentity::from_certificate(certificate)).transpose();
        let peer = peer.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?.map(Arc::new);
        let is_gateway = matches!(peer.as_deref(), Some(PeerIdentity::Gateway(_)));
        if self.welcome == Peers::Gateways && !is_gateway {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "only gateways are welcome here"));
        }
        Ok(Connection { stream, info: ConnectionInfo { address, peer } })
    }

    fn refuse(&self, address: SocketAddr, error: &io::Error) {
        self.metrics.connection_refused();
        tracing::debug!(%address, %error, "handshake failed");
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
