//! What is served over HTTP.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use utopia_gateway::{front, observe};

use super::{ControlPlane, Stack};
use crate::store::Store;

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
        let ready = Router::new().route("/ready", get(ready)).with_state(Readiness { store: self.store.clone(), stopping });
        Ok(api.merge(observe::metrics_router(registry)).merge(ready))
    }
}

#[derive(Clone)]
struct Readiness {
    store: Store,
    stopping: CancellationToken,
}

/// 200 while requests are welcome.
async fn ready(State(Readiness { store, stopping }): State<Readiness>) -> (StatusCode, &'static str) {
    if stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer: see UTOPIA_DATABASE_URL\n")
        }
    }
}
