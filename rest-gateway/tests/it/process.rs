//! Over real sockets: the server, the remote upstream, and the meters.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Empty, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prometheus_client::registry::Registry;
use prost::Message as _;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer as _;
use utopia_gateway::{
    front, listener,
    metrics::RequestMetrics,
    observe,
    remote::{Remote, Settings},
    serve,
};

use utopia_proto::claim::v1::GetClaimRequest;

use crate::services::Service;

struct Running {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    service: Service,
    remote: Remote,
}

/// A control plane on one socket, and a gateway before it on another.
fn start() -> Running {
    let (tasks, shutdown, service) = (TaskTracker::new(), CancellationToken::new(), Service::default());
    let upstream = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let uri = format!("http://{}", upstream.local_addr().unwrap()).parse().unwrap();
    let server = tonic::transport::Server::builder().add_routes(service.routes());
    tasks.spawn(server.serve_with_incoming_shutdown(TcpListenerStream::new(upstream), shutdown.clone().cancelled_owned()));

    let settings = Settings { upstream: uri, connections: 2, ca_certificate: None, client_certificate: None, client_key: None };
    let remote = Remote::new(&settings).unwrap();
    let pool = utopia_proto::descriptor_pool();
    let mut registry = Registry::default();
    let metrics = RequestMetrics::register(&mut registry);
    let routes = front::router(&pool, metrics.layer(remote.clone()), &front::Settings::default()).unwrap();
    let routes = routes.merge(observe::metrics_router(Arc::new(registry)));
    let front = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = front.local_addr().unwrap();
    tasks.spawn(serve::http(front, routes, shutdown.clone(), Duration::from_secs(5)));
    tasks.close();
    Running { address, shutdown, tasks, service, remote }
}

async fn get(running: &Running, path: &str) -> (http::StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let response = client.get(format!("http://{}{path}", running.address).parse().unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_remote_upstream_is_called_and_measured() {
    let running = start();
    let (status, body) = get(&running, "/api/gpu-claims/metadata").await;
    assert_eq!(status, 200);
    assert!(body.contains("\"127.0.0.1\""), "the client's address is forwarded: {body}");
    assert_eq!(get(&running, "/api/gpu-claims/5").await.0, 404);
    let (_, watched) = get(&running, "/api/gpu-claims/a/watch").await;
    assert_eq!(watched.lines().count(), 2);
    assert!(running.remote.is_ready().await, "no health service is no fault");

    let (_, metrics) = get(&running, "/metrics").await;
    for line in [
        r#"grpc_requests_total{method="utopia.claim.v1.ClaimService/GetClaim",code="Ok"} 1"#,
        r#"grpc_requests_total{method="utopia.claim.v1.ClaimService/GetClaim",code="NotFound"} 1"#,
        r#"grpc_requests_total{method="utopia.claim.v1.ClaimService/WatchClaim",code="Ok"} 1"#,
        r#"grpc_request_duration_seconds_count{method="utopia.claim.v1.ClaimService/GetClaim"} 2"#,
        r#"grpc_requests_in_flight{method="utopia.claim.v1.ClaimService/GetClaim"} 0"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing from\n{metrics}");
    }
    running.shutdown.cancel();
    running.tasks.wait().await;
}

#[tokio::test]
async fn a_browser_reaches_a_remote_upstream() {
    let running = start();
    let message = GetClaimRequest { id: "metadata".to_owned() }.encode_to_vec();
    let frame = [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message.as_slice()].concat();
    let request = http::Request::post(format!("http://{}/utopia.claim.v1.ClaimService/GetClaim", running.address))
        .header("content-type", "application/grpc-web+proto")
        .header("x-forwarded-for", "6.6.6.6")
        .body(Full::new(bytes::Bytes::from(frame)))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let body = client.request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("127.0.0.1") && !text.contains("6.6.6.6"), "the connection's address is forwarded: {text}");
    assert!(text.contains("grpc-status:0"), "{text}");
    assert_eq!(get(&running, "/api/openapi.json").await.0, 200);
    running.shutdown.cancel();
    running.tasks.wait().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_the_remote_call() {
    let running = start();
    let call = get(&running, "/api/gpu-claims/never");
    tokio::select! {
        _ = call => panic!("it never ends"),
        () = running.service.0.began.notified() => {}
    }
    running.service.0.dropped.notified().await;
    running.shutdown.cancel();
    running.tasks.wait().await;
}

#[tokio::test]
async fn an_absent_upstream_is_unavailable_and_not_ready() {
    let running = start();
    running.shutdown.cancel();
    running.tasks.wait().await;
    assert!(!running.remote.is_ready().await);
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let settings = |upstream: &'static str, ca: Option<&str>| Settings {
        upstream: http::Uri::from_static(upstream),
        connections: 1,
        ca_certificate: ca.map(Into::into),
        client_certificate: None,
        client_key: None,
    };
    let error = |settings: Settings| Remote::new(&settings).unwrap_err().to_string();
    assert_eq!(error(settings("/path", None)), "the upstream /path is not of the form https://host:port");
    assert!(error(settings("https://127.0.0.1:1", None)).contains("needs a CA certificate"));
    let missing = error(settings("https://127.0.0.1:1", Some("/does/not/exist")));
    assert!(missing.starts_with("cannot read CA certificates from /does/not/exist: "), "{missing}");
}
