//! The TLS listeners: accepting, handshakes, and serving gRPC on what comes out of them.
//!
//! The server is our own around hyper's HTTP/2. The backlog must hold a storm of reconnecting agents, the certificate can change
//! while the server runs, a client's certificate is read once per connection rather than once per call, a connection costs no
//! more memory than it needs, and there are never more of them than file descriptors for the database and everything else.

mod calls;
mod room;
mod serving;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::body::Body;
use tower::Service;
use utopia_certs::{PeerIdentity, tls::ClientAuth};

pub(crate) use self::room::Room;
use self::{room::Refusals, serving::Serving};
use crate::telemetry::{Metrics, Refused};

/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many handshakes may be under way; further connections wait in the backlog.
const MAX_HANDSHAKES: usize = 1024;

/// The pause after an accept that failed, e.g. for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Agents are pinged when nothing has come for this long, and cut when the answer takes longer than the time-out.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Resets that the clients of one gateway may cause before its connection is cut; the library's limit is meant for single clients.
const GATEWAY_RESETS: usize = 10_000;

/// How long the calls of a connection that is to end may still take while the server goes on.
const LAST_WORDS: Duration = Duration::from_secs(2);

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

    /// HTTP/2 as it is spoken with them.
    fn http2(self) -> http2::Builder<TokioExecutor> {
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new()).keep_alive_interval(KEEPALIVE_INTERVAL).keep_alive_timeout(KEEPALIVE_TIMEOUT);
        // gRPC does not know the header, and each connection would keep room for it.
        http2.auto_date_header(false);
        // Whoever watches many things does so over one connection.
        http2.max_concurrent_streams(None);
        match self {
            Self::All => {}
            // They carry the calls of many clients.
            Self::Gateways => {
                http2.max_pending_accept_reset_streams(GATEWAY_RESETS).max_local_error_reset_streams(GATEWAY_RESETS);
            }
        }
        http2
    }
}

/// Who is at the other end of a connection. The calls of the connection find it among their extensions, in an `Arc`.
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    /// The peer's address.
    pub(crate) address: SocketAddr,
    /// Whom its client certificate names, if it showed one.
    pub(crate) peer: Option<PeerIdentity>,
    /// Ends the connection, when its calls are done or soon after.
    pub(crate) end: CancellationToken,
}

/// A listener's server.
pub(crate) struct Server<S> {
    /// TLS as it is spoken with the peers.
    pub(crate) tls: Arc<ServerConfig>,
    /// Whom it is for.
    pub(crate) peers: Peers,
    /// What answers calls.
    pub(crate) service: S,
    /// For how many connections there is room; servers may share it.
    pub(crate) room: Room,
    /// Counts connections that are refused.
    pub(crate) metrics: Arc<Metrics>,
    /// Ends the server.
    pub(crate) stop: CancellationToken,
    /// How long the calls under way may take when the server ends.
    pub(crate) grace: Duration,
}

impl<S, B> Server<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = std::convert::Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<tonic::codegen::StdError>,
{
    /// Serves until stopped, and then what was already asked.
    pub(crate) async fn run(self, listener: TcpListener) {
        let connections = TaskTracker::new();
        let http2 = self.peers.http2();
        let acceptor =
            Acceptor { tls: TlsAcceptor::from(self.tls.clone()), http2, server: self, connections: connections.clone() };
        let acceptor = Arc::new(acceptor);
        let stop = acceptor.server.stop.clone();
        stop.run_until_cancelled(acceptor.accept(&listener)).await;
        drop(listener);
        connections.close();
        connections.wait().await;
    }
}

/// What the connections of a server share.
struct Acceptor<S> {
    tls: TlsAcceptor,
    http2: http2::Builder<TokioExecutor>,
    server: Server<S>,
    connections: TaskTracker,
}

impl<S, B> Acceptor<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = std::convert::Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<tonic::codegen::StdError>,
{
    async fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let slots = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        let mut refusals = Refusals::new(self.server.metrics.clone());
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    refusals.note(Refused::NotAccepted, &error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(place) = self.server.room.take() else {
                refusals.note(Refused::NoRoom, &self.server.room);
                continue;
            };
            self.connections.spawn(self.clone().shake_hands(stream, address, slot, place));
        }
    }

    /// The handshake, in a task of its own: what it needs is freed before the connection is served.
    async fn shake_hands(
        self: Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        slot: OwnedSemaphorePermit,
        place: OwnedSemaphorePermit,
    ) {
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.handshake(stream, address));
        let (stream, info) = match self.server.stop.run_until_cancelled(handshake).await {
            Some(Ok(Ok(connection))) => connection,
            Some(Ok(Err(error))) => return self.refuse(address, &error),
            Some(Err(_)) => return self.refuse(address, &io::ErrorKind::TimedOut.into()),
            None => return,
        };
        drop(slot);
        self.connections.spawn(Serving::new(&self, stream, info, place));
    }

    async fn handshake(&self, stream: TcpStream, address: SocketAddr) -> io::Result<(TlsStream<TcpStream>, ConnectionInfo)> {
        stream.set_nodelay(true)?;
        let stream = self.tls.accept(stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let peer = certificate.map(|certificate| PeerIdentity::from_certificate(certificate)).transpose();
        let peer = peer.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let is_gateway = matches!(peer, Some(PeerIdentity::Gateway(_)));
        if self.server.peers == Peers::Gateways && !is_gateway {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "only gateways are welcome here"));
        }
        Ok((stream, ConnectionInfo { address, peer, end: self.server.stop.child_token() }))
    }

    fn refuse(&self, address: SocketAddr, error: &io::Error) {
        self.server.metrics.connection_refused(Refused::Handshake);
        tracing::debug!(%address, %error, "handshake failed");
    }
}

#[cfg(test)]
mod tests;
