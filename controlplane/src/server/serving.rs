//! One connection after its handshake: a future that is as small as can be, since every agent has one for as long as it is online.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pin_project_lite::pin_project;
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit, time::Sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{body::Body, codegen::StdError};
use tower::Service;

use super::{Acceptor, ConnectionInfo, LAST_WORDS, calls::Calls};

pin_project! {
    /// Serves a connection until the peer or the server ends it.
    pub(super) struct Serving<S, B>
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
        S: Clone,
        S: 'static,
        S::Future: Send,
        B: http_body::Body<Data = bytes::Bytes>,
        B: 'static,
        B::Error: Into<StdError>,
    {
        // It is pinned nowhere else: an `async` block would have room for it twice.
        connection: http2::Connection<TokioIo<TlsStream<TcpStream>>, Calls<S>, TokioExecutor>,
        #[pin]
        end: WaitForCancellationFutureOwned,
        // Set once the connection is to end.
        last_words: Option<Pin<Box<Sleep>>>,
        acceptor: Arc<Acceptor<S>>,
        _place: OwnedSemaphorePermit,
    }
}

impl<S, B> Serving<S, B>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    pub(super) fn new(
        acceptor: &Arc<Acceptor<S>>,
        stream: TlsStream<TcpStream>,
        info: ConnectionInfo,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let end = info.end.clone().cancelled_owned();
        let calls = Calls::new(Arc::clone(acceptor), Arc::new(info));
        let connection = acceptor.http2.serve_connection(TokioIo::new(stream), calls);
        Self { connection, end, last_words: None, acceptor: Arc::clone(acceptor), _place: place }
    }
}

impl<S, B> Future for Serving<S, B>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.last_words.is_none() && this.end.poll(cx).is_ready() {
            let server = &this.acceptor.server;
            let patience = if server.stop.is_cancelled() { server.grace } else { LAST_WORDS };
            *this.last_words = Some(Box::pin(tokio::time::sleep(patience)));
            Pin::new(&mut *this.connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = Pin::new(this.connection).poll(cx) {
            if let Err(error) = result {
                tracing::debug!(%error, "a connection broke");
            }
            return Poll::Ready(());
        }
        match this.last_words {
            Some(last_words) => last_words.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}
