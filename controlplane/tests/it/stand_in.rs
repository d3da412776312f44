//! A server of others that is played: it answers what the test says, and remembers what it was asked.

use std::{
    future::IntoFuture as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// The path as it came, still encoded.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }
}

/// A played server on a port of its own; it stops when dropped.
#[derive(Debug)]
pub(crate) struct StandIn {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _server: JoinSet<()>,
}

impl StandIn {
    /// One that answers as told.
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Asked { method, uri, headers, body };
            let response = answer(&request);
            log.lock().unwrap().push(request);
            std::future::ready(response)
        };
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).into_future().await.unwrap() });
        Self { url, asked, _server: server }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// An answer of JSON.
pub(crate) fn json(status: u16, body: &Json) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// An address where nobody listens: a port that was free a moment ago.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A server that takes one connection, reads a request, says something, and then waits for the other side to hang up.
#[derive(Debug)]
pub(crate) struct Talker {
    pub(crate) url: String,
    task: JoinSet<()>,
}

impl Talker {
    pub(crate) async fn start(said: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            stream.write_all(said.as_bytes()).await.unwrap();
            // An error is a way to hang up, too.
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        });
        Self { url, task }
    }

    /// Waits until the other side has hung up.
    pub(crate) async fn hung_up(mut self) {
        self.task.join_next().await.unwrap().unwrap();
    }
}

/// Stands before a real server, and can be cut off from it.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) url: String,
    cut: Arc<Mutex<CancellationToken>>,
    _task: JoinSet<()>,
}

impl Relay {
    /// One before the server at an `http` URL.
    pub(crate) async fn before(url: &str) -> Self {
        let server = url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cut = Arc::new(Mutex::new(CancellationToken::new()));
        let now = cut.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (cut, server) = (now.lock().unwrap().clone(), server.clone());
                connections.spawn(cut.run_until_cancelled_owned(async move {
                    if let Ok(mut server) = TcpStream::connect(server).await {
                        // However it ends, the client sees it.
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                }));
            }
        });
        Self { url, cut, _task: task }
    }

    /// Breaks all connections, and each that is made from now on.
    pub(crate) fn cut(&self) {
        self.cut.lock().unwrap().cancel();
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        *self.cut.lock().unwrap() = CancellationToken::new();
    }
}
