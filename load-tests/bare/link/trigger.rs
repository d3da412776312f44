//! How commands are asked for: over plain HTTP, as the control plane's are, but with nothing between the request and the agent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;

/// How long agents may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Whoever has sessions with agents.
pub(super) trait Reach: Send + Sync + 'static {
    /// Asks one agent for its health, and waits for the answer.
    fn ask(&self, node_id: &str) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Asks every agent at once, waits for the last answer, and says how many there were.
    fn ask_all(&self) -> impl Future<Output = anyhow::Result<usize>> + Send;
}

/// The routes.
pub(super) fn router<R: Reach>(reach: R) -> Router {
    let router = Router::new().route("/health/{node}", get(health::<R>)).route("/fan-out", get(fan_out::<R>));
    router.with_state(Arc::new(reach))
}

async fn health<R: Reach>(State(reach): State<Arc<R>>, Path(node_id): Path<String>) -> Result<String, StatusCode> {
    match tokio::time::timeout(PATIENCE, reach.ask(&node_id)).await {
        Ok(Ok(())) => Ok(json!({"status": "healthy"}).to_string()),
        Ok(Err(_)) | Err(_) => Err(StatusCode::BAD_GATEWAY),
    }
}

async fn fan_out<R: Reach>(State(reach): State<Arc<R>>) -> Result<String, StatusCode> {
    let begun = Instant::now();
    match tokio::time::timeout(PATIENCE, reach.ask_all()).await {
        Ok(Ok(agents)) => Ok(json!({"agents": agents, "milliseconds": begun.elapsed().as_secs_f64() * 1e3}).to_string()),
        Ok(Err(_)) | Err(_) => Err(StatusCode::BAD_GATEWAY),
    }
}
