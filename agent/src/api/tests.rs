//! The node API over HTTP, as its users see it.

use axum::body::{Body, to_bytes};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::*;
use crate::{containers::Settings, runtime::fake::Fake};

const NODE: Uuid = Uuid::from_u128(7);
const TOKEN: &str = "the-token";

struct NoMetrics;

#[async_trait]
impl Metrics for NoMetrics {
    async fn node_metrics(&self, node_id: String) -> NodeMetrics {
        NodeMetrics { node_id, ..NodeMetrics::default() }
    }
}

struct Listener {
    fake: Arc<Fake>,
    router: Router,
}

impl Listener {
    fn new() -> Self {
        let fake = Arc::new(Fake::new());
        let containers =
            Containers::new(fake.clone(), Vec::new(), Settings::default(), TaskTracker::new(), CancellationToken::new());
        containers.set_node_id(NODE);
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = RequestMetrics::register(&mut registry);
        let api = NodeApi::new(containers, Arc::new(NoMetrics));
        Self { fake, router: router(api, TOKEN, &metrics).unwrap() }
    }

    async fn send(&self, authorization: Option<&str>, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        (status, value)
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Some("Bearer the-token"), method, path, body).await
    }
}

#[tokio::test]
async fn containers_come_and_go() {
    let listener = Listener::new();
    let wanted = json!({
        "claim_id": "notebook", "image": "registry/a:1", "gpu_count": 0,
        "port_mappings": [{"container_port": 80}], "env_vars": ["A=1"],
    });
    let (status, created) = listener.call("POST", "/api/v1/containers", wanted).await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    let id = created["container_id"].as_str().unwrap();

    let (status, list) = listener.call("GET", "/api/v1/containers", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(list[0]["id"], id);
    let (_, shown) = listener.call("GET", &format!("/api/v1/containers/{id}"), Value::Null).await;
    assert_eq!(shown, list[0]);
    assert_eq!(shown["status"], "running");
    assert_eq!(shown["ports"], json!({"80/tcp": "32768"}));
    assert_eq!(shown["gpu_ids"], json!([]));
    assert_eq!(shown["created"], 1_700_000_001);

    let path = format!("/api/v1/containers/{id}");
    assert_eq!(listener.call("DELETE", &path, Value::Null).await, (StatusCode::NO_CONTENT, Value::Null));
    let (status, error) = listener.call("DELETE", &path, Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error, json!({"error": format!("container {id} does not exist"), "code": "NotFound"}));
    assert_eq!(listener.call("GET", "/api/v1/containers", Value::Null).await, (StatusCode::OK, json!([])));
}

#[tokio::test]
async fn errors_have_their_status_and_reason() {
    let listener = Listener::new();
    let make = |change: Value| {
        let mut wanted = json!({"claim_id": "c", "image": "registry/a:1"});
        wanted.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        wanted
    };
    let cases = [
        (make(json!({"image": "registry/none:1"})), StatusCode::CONFLICT, "ImagePullFailed"),
        (make(json!({"gpu_count": 1})), StatusCode::CONFLICT, "InsufficientGPUs"),
        (make(json!({"gpu_count": -1})), StatusCode::BAD_REQUEST, "InvalidField"),
        (make(json!({"node_id": "another"})), StatusCode::NOT_FOUND, "NotFound"),
    ];
    for (wanted, status, code) in cases {
        let (found, error) = listener.call("POST", "/api/v1/containers", wanted).await;
        assert_eq!((found, error["code"].as_str()), (status, Some(code)), "{error}");
    }
}

#[tokio::test]
async fn the_token_is_wanted_everywhere_but_at_health() {
    let listener = Listener::new();
    let refused = [None, Some("Bearer "), Some("Bearer other"), Some("Basic the-token"), Some("the-token")];
    for authorization in refused {
        for path in ["/api/v1/containers", "/api/v1/metrics"] {
            let (status, error) = listener.send(authorization, "GET", path, Value::Null).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{authorization:?} {path}");
            assert_eq!(error["code"], "InvalidToken");
        }
    }
    let (status, _) = listener.send(Some("bearer the-token"), "GET", "/api/v1/metrics", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let (status, health) = listener.send(None, "GET", "/health", Value::Null).await;
    assert_eq!((status, &health["status"]), (StatusCode::OK, &json!("healthy")));
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'), "{health}");
}

#[tokio::test]
async fn without_the_runtime_the_agent_is_not_healthy() {
    let listener = Listener::new();
    listener.fake.set_away(true);
    let (status, error) = listener.send(None, "GET", "/health", Value::Null).await;
    assert_eq!((status, &error["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("RuntimeUnavailable")));
    let (status, _) = listener.call("GET", "/api/v1/metrics", Value::Null).await;
    assert_eq!(status, StatusCode::OK, "readings do not need it");
}

#[tokio::test]
async fn metrics_name_the_node() {
    let listener = Listener::new();
    let (_, metrics) = listener.call("GET", &format!("/api/v1/metrics?node_id={NODE}"), Value::Null).await;
    assert_eq!(metrics["node_id"], NODE.to_string());
}
