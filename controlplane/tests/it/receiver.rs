//! A receiver of webhooks: an HTTP server that notes what it gets, and answers by the path as badly as somebody could.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::Value as Json;
use tokio::{net::TcpListener, task::JoinSet};

use crate::wait::eventually;

/// A POST as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers)).to_str().unwrap()
    }

    /// The `webhook-id`, which is the event's.
    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct Inner {
    received: Mutex<Vec<Received>>,
    /// Whether `/moody` answers well.
    is_well: AtomicBool,
    /// Whether `/held` answers.
    is_let_go: AtomicBool,
}

/// The receiver. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    inner: Arc<Inner>,
    _server: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner::default());
        let app = Router::new().fallback(answer).with_state(inner.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, inner, _server: server }
    }

    /// The URL under which it answers so: `ok`, `moody`, `held`, `hang`, `redirect`, `huge`, `slow`, `gone`.
    pub(crate) fn url(&self, manner: &str) -> String {
        format!("http://{}/{manner}", self.address)
    }

    /// From now on `/moody` answers well.
    pub(crate) fn cheer_up(&self) {
        self.inner.is_well.store(true, Ordering::SeqCst);
    }

    /// From now on `/held` answers.
    pub(crate) fn let_go(&self) {
        self.inner.is_let_go.store(true, Ordering::SeqCst);
    }

    /// What came under a path so far.
    pub(crate) fn received(&self, manner: &str) -> Vec<Received> {
        let received = self.inner.received.lock().unwrap();
        received.iter().filter(|received| received.path.trim_start_matches('/') == manner).cloned().collect()
    }

    /// Waits until so much has come under a path, and answers it.
    pub(crate) async fn gets(&self, manner: &str, count: usize) -> Vec<Received> {
        let what = format!("{count} at /{manner}");
        eventually(&what, async || Some(self.received(manner)).filter(|received| received.len() >= count)).await
    }
}

async fn answer(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let received = Received { path: path.clone(), headers, body, at: Instant::now() };
    inner.received.lock().unwrap().push(received);
    match &*path {
        "/moody" if !inner.is_well.load(Ordering::SeqCst) => {
            (StatusCode::SERVICE_UNAVAILABLE, "not\nin the mood").into_response()
        }
        "/hang" => std::future::pending().await,
        "/held" if !inner.is_let_go.load(Ordering::SeqCst) => std::future::pending().await,
        "/redirect" => (StatusCode::FOUND, [(header::LOCATION, "http://169.254.169.254/latest/meta-data/")]).into_response(),
        "/huge" => {
            let block = Bytes::from(vec![b'x'; 64 << 10]);
            let blocks = (0..160).map(move |_| Ok::<_, std::io::Error>(block.clone()));
            (StatusCode::BAD_REQUEST, Body::from_stream(stream::iter(blocks))).into_response()
        }
        "/slow" => {
            let drip = Ok::<_, std::io::Error>(Bytes::from_static(b"drip"));
            let never = stream::once(std::future::pending());
            let body = futures_util::StreamExt::chain(stream::iter([drip]), never);
            (StatusCode::OK, Body::from_stream(body)).into_response()
        }
        "/gone" => StatusCode::GONE.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}
