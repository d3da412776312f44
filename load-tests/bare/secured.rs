//! TLS as the control plane has it: an authority of its own, the same settings, the same backlog, and connections after their handshake.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use utopia_certs::Authority;
use utopia_certs::tls::{self, ClientAuth, ServerIdentity};

/// As the control plane has them.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HANDSHAKES: usize = 1024;

/// A new authority, which nothing but this process knows.
pub(crate) fn authority() -> anyhow::Result<Arc<Authority>> {
    let directory = tempfile::tempdir()?;
    Ok(Arc::new(Authority::open_or_create(directory.path(), Timestamp::now())?))
}

/// A server with the control plane's settings of HTTP/2.
pub(crate) fn server() -> Server {
    Server::builder().http2_keepalive_interval(Some(KEEPALIVE_INTERVAL)).http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}

/// Connections with a certificate of the authority on our side, and optionally on theirs.
pub(crate) fn incoming(
    listener: TcpListener,
    authority: &Authority,
) -> anyhow::Result<impl Stream<Item = io::Result<Connection>> + use<>> {
    let names = [listener.local_addr()?.ip().to_string()];
    let identity = ServerIdentity::new(authority.issue_server(&names, Timestamp::now(), SignedDuration::from_hours(24))?)?;
    let tls = tls::server_config(Arc::new(identity), authority.certificate_der(), ClientAuth::Optional)?;
    let acceptor = TlsAcceptor::from(tls);
    Ok(TcpListenerStream::new(listener)
        .map(move |stream| handshake(acceptor.clone(), stream))
        .buffer_unordered(MAX_HANDSHAKES)
        // A client that does not finish its handshake is no reason to end.
        .filter_map(|stream| std::future::ready(stream.ok().map(Ok))))
}

async fn handshake(acceptor: TlsAcceptor, stream: io::Result<TcpStream>) -> io::Result<Connection> {
    let stream = stream?;
    stream.set_nodelay(true)?;
    Ok(Connection(tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??))
}

/// A connection after its handshake.
pub(crate) struct Connection(TlsStream<TcpStream>);

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
