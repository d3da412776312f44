//! An HTTP/1.1 and HTTP/2 cleartext server with an orderly end.
//!
//! It accepts until it is cancelled, then lets requests in flight end within a grace period and cuts what is left. A
//! connection that sends no complete request head in time is cut, whatever protocol it speaks.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use http::Request;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use crate::expect::Withheld;

/// How long a client may take to send a request head.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(15);
/// How often an HTTP/2 client is asked whether it is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// The pause after an accept that failed for want of resources.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection may live that has become something else than HTTP. Handlers find it in the extensions of requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifetime {
    /// It should end in order.
    pub(crate) shutdown: CancellationToken,
    /// It must have ended.
    pub(crate) cut: CancellationToken,
    /// The server waits for what is tracked here.
    pub(crate) tasks: TaskTracker,
}

/// Serves the router until `shutdown` is cancelled, and then for at most `grace` what was already asked.
///
/// Handlers find the client's address in [`ConnectInfo<SocketAddr>`].
///
/// # Errors
/// When the listener itself breaks.
pub async fn http(listener: TcpListener, router: Router, shutdown: CancellationToken, grace: Duration) -> io::Result<()> {
    serve(listener, router, shutdown, grace, HEADER_READ_TIMEOUT).await
}

async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    grace: Duration,
    header_read_timeout: Duration,
) -> io::Result<()> {
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let builder = builder(header_read_timeout);
    let lifetime = Lifetime { shutdown: shutdown.clone(), cut: cut.clone(), tasks: connections.clone() };
    let server = Server { router, builder, header_read_timeout, lifetime };
    let server = Arc::new(server);

    let result = loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(Arc::clone(&server).connection(stream, peer));
            }
            Err(error) if is_about_the_connection(&error) => {}
            Err(error) if is_about_resources(&error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Err(error) => break Err(error),
        }
    };

    drop(listener);
    shutdown.cancel();
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::info!(connections = connections.len(), "the grace period is over; connections are cut");
        cut.cancel();
        connections.wait().await;
    }
    result
}

struct Server {
    router: Router,
    builder: Builder<TokioExecutor>,
    header_read_timeout: Duration,
    lifetime: Lifetime,
}

impl Server {
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        // The header-read timeout of HTTP/1.1 begins once the protocol is known; this one begins at once.
        let asked = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&asked);
        let (router, lifetime) = (self.router.clone(), self.lifetime.clone());
        let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
            seen.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(lifetime.clone());
            let (request, withheld) = Withheld::watch(request);
            let answering = router.clone().call(request);
            async move {
                let mut answer = answering.await?;
                withheld.answer(&mut answer);
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let first_request = tokio::time::sleep(self.header_read_timeout);
        let mut first_request = std::pin::pin!(first_request);
        let mut closing = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%peer, error, "a connection ended");
                    }
                    return;
                }
                // The condition is that of the moment when the waiting began: a request may have come since.
                () = first_request.as_mut(), if !asked.load(Ordering::Relaxed) => {
                    if !asked.load(Ordering::Relaxed) {
                        return;
                    }
                }
                () = self.lifetime.shutdown.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.lifetime.cut.cancelled() => return,
            }
        }
    }
}

fn builder(header_read_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_read_timeout);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE_INTERVAL);
    builder
}

fn is_about_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Out of file descriptors or memory: it passes when connections end.
fn is_about_resources(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    const ENOMEM: i32 = 12;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOBUFS | ENOMEM))
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, put};
    use bytes::Bytes;
    use http::StatusCode;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::mpsc,
    };
    use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

    use super::*;

    #[tokio::test]
    async fn a_silent_connection_is_cut_and_a_stream_is_not() {
        let (sender, receiver) = mpsc::channel::<Bytes>(1);
        let body = Arc::new(std::sync::Mutex::new(Some(receiver)));
        let stream = move || {
            let receiver = body.lock().unwrap().take().unwrap();
            let chunks = ReceiverStream::new(receiver).map(Ok::<_, std::convert::Infallible>);
            std::future::ready(axum::body::Body::from_stream(chunks))
        };
        let router = Router::new().route("/stream", get(stream));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let server = serve(listener, router, shutdown.clone(), Duration::ZERO, Duration::from_millis(100));
        let client = async {
            let mut streaming = TcpStream::connect(address).await.unwrap();
            streaming.write_all(b"GET /stream HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
            sender.send(Bytes::from_static(b"first")).await.unwrap();
            read_until(&mut streaming, "first").await;

            // It came later, so the time of the other is over too when it is cut.
            let mut silent = TcpStream::connect(address).await.unwrap();
            assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);

            sender.send(Bytes::from_static(b"second")).await.unwrap();
            read_until(&mut streaming, "second").await;
            shutdown.cancel();
        };
        let (served, ()) = tokio::join!(server, client);
        served.unwrap();
    }

    /// One request that asks before it sends its content, one more behind it, and all that is answered.
    async fn asks_first(address: SocketAddr, path: &str, content: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("PUT {path} HTTP/1.1\r\nhost: test\r\ncontent-length: 7\r\nexpect: 100-continue\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut received = read_until(&mut stream, "\r\n\r\n").await;
        let next = format!("{content}PUT /read HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 4\r\n\r\nnext");
        // The server may have hung up.
        let _ = stream.write_all(next.as_bytes()).await;
        let _ = stream.read_to_end(&mut received).await;
        String::from_utf8_lossy(&received).into_owned()
    }

    #[tokio::test]
    async fn a_connection_ends_with_an_answer_that_did_not_wait_for_the_content() {
        let router = Router::new().route("/read", put(|content: String| async move { format!("<{content}>") }));
        let router = router.route("/refused", put(|| async { StatusCode::FORBIDDEN }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let server = http(listener, router, shutdown.clone(), Duration::ZERO);
        let client = async {
            let read = asks_first(address, "/read", "content").await;
            assert!(read.contains("<content>") && read.contains("<next>"), "{read}");

            let refused = asks_first(address, "/refused", "").await;
            assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("connection: close"), "{refused}");
            assert_eq!(refused.matches("HTTP/1.1").count(), 1, "what came behind is no request: {refused}");
            shutdown.cancel();
        };
        let (served, ()) = tokio::join!(server, client);
        served.unwrap();
    }

    async fn read_until(stream: &mut TcpStream, text: &str) -> Vec<u8> {
        let mut received = Vec::new();
        while !String::from_utf8_lossy(&received).contains(text) {
            assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "the connection was cut");
        }
        received
    }
}
