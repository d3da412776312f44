//! What is served over HTTP.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use utopia_gateway::{front, observe};

use super::{ControlPlane, Stack};
use crate::{backend::Backends, store::Store};

impl ControlPlane {
    /// The JSON API, metrics and readiness.
    pub(super) fn http_router(
        &self,
        stack: Stack,
        registry: Arc<Registry>,
        stopping: CancellationToken,
    ) -> anyhow::Result<Router> {
        let pool = utopia_proto::descriptor_pool();
        let api = front::router(&pool, stack, &self.config.front)?;
        let readiness = Readiness { store: self.store.clone(), backends: self.backends.clone(), stopping };
        let ready = Router::new().route("/ready", get(ready)).with_state(readiness);
        Ok(api.merge(self.storage.router()).merge(observe::metrics_router(registry)).merge(ready))
    }
}

#[derive(Clone)]
struct Readiness {
    store: Store,
    backends: Backends,
    stopping: CancellationToken,
}

/// 200 while requests are welcome. A backend that is away changes nothing of that: most requests need none.
async fn ready(State(readiness): State<Readiness>, uri: Uri, headers: HeaderMap) -> Response {
    let Readiness { store, backends, stopping } = readiness;
    let database = if stopping.is_cancelled() {
        None
    } else {
        Some(store.ping().await.inspect_err(|error| tracing::warn!(%error, "not ready")).is_ok())
    };
    let (status, sentence) = match database {
        None => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        Some(true) => (StatusCode::OK, "ready"),
        Some(false) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer: see UTOPIA_DATABASE_URL"),
    };
    if !wants_details(&uri, &headers) {
        return (status, format!("{sentence}\n")).into_response();
    }
    let details = json!({
        "ready": status == StatusCode::OK,
        "message": sentence,
        "database": word(database),
        "backends": backend_details(&backends),
    });
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{details}\n")).into_response()
}

/// Whether somebody asks for `?details`, or for JSON.
fn wants_details(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut query = uri.query().unwrap_or_default().split('&');
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    query.any(|pair| pair == "details" || pair.starts_with("details="))
        || accepted.any(|value| value.split(',').any(|kind| kind.trim_start().starts_with("application/json")))
}

/// How the backends are, and nothing more: anybody may ask.
fn backend_details(backends: &Backends) -> Vec<Value> {
    let all = backends.all().into_iter().map(|(kind, backend)| {
        let status = word(backend.health().is_up);
        json!({ "kind": kind.word(), "name": backend.place().name, "status": status })
    });
    all.collect()
}

fn word(is_up: Option<bool>) -> &'static str {
    match is_up {
        Some(true) => "up",
        Some(false) => "down",
        None => "unknown",
    }
}
