//! The `/metrics` route.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text, registry::Registry};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves a registry as OpenMetrics text at `/metrics`.
pub fn metrics_router(registry: Arc<Registry>) -> Router {
    Router::new().route("/metrics", get(move || std::future::ready(render(&registry))))
}

fn render(registry: &Registry) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use prometheus_client::metrics::counter::Counter;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn registered_metrics_are_served_as_open_metrics() {
        let mut registry = Registry::default();
        let counter: Counter = Counter::default();
        registry.register("things", "Things seen", counter.clone());
        counter.inc();

        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let response = metrics_router(Arc::new(registry)).oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], OPEN_METRICS);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("things_total 1\n") && text.ends_with("# EOF\n"), "{text}");
    }
}
