//! Requests over the router, with the services in the same process.

use std::{convert::Infallible, net::SocketAddr, sync::atomic::Ordering, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;
use utopia_gateway::{Config, router};

use crate::{contract, services::Service};

const CLAIMS: &str = "utopia.claim.v1.ClaimService";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Json {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

fn gateway(config: Config) -> (Router, Service) {
    let service = Service::default();
    let router = router(&utopia_proto::descriptor_pool(), &[CLAIMS], service.routes(), config).unwrap();
    (router, service)
}

fn request(method: Method, path: &str, body: &str) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    let builder = if body.is_empty() { builder } else { builder.header("content-type", "application/json") };
    builder.body(Body::from(body.to_owned())).unwrap()
}

async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

async fn get(path: &str) -> Answer {
    ask(&gateway(Config::default()).0, request(Method::GET, path, "")).await
}

#[tokio::test]
async fn a_claim_is_created_from_its_bare_specification() {
    let (router, _) = gateway(Config::default());
    let spec = r#"{"image": "i", "resources": {"gpuCount": 2}, "onNodeLoss": "reschedule"}"#;
    let nested = format!(r#"{{"spec": {spec}}}"#);
    for body in [spec, nested.as_str()] {
        let answer = ask(&router, request(Method::POST, "/api/gpu-claims", body)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        let claim = answer.json();
        assert_eq!(
            claim["spec"]["resources"],
            json!({"gpuCount": 2, "gpuModel": "", "gpuMemoryMb": 0, "memoryMb": 0, "cpus": 0.0})
        );
        assert_eq!(claim["spec"]["onNodeLoss"], "reschedule");
        assert_eq!(claim["status"]["phase"], "Pending");
        assert_eq!(claim["user_id"], 7);
        assert_eq!(claim["created_at"], Json::Null);
    }
}

#[tokio::test]
async fn paths_and_queries_reach_fields() {
    let answer = get("/api/gpu-claims?phase=running&page=2&limit=5&unknown=1").await;
    assert_eq!(answer.json()["claims"][0]["status"]["phase"], "Running");
    assert_eq!((&answer.json()["page"], &answer.json()["limit"]), (&json!(2), &json!(5)));
    assert_eq!(answer.headers["x-ratelimit-remaining"], "9");

    assert_eq!(get("/api/gpu-claims/a%20%2Fb").await.json()["id"], "a /b");
    assert_eq!(get("/api/gpu-claims/a?id=b").await.json()["id"], "a", "the path wins");
    assert_eq!(get("/api/gpu-claims/a%zz").await.status, StatusCode::NOT_FOUND);

    let answer = get("/api/gpu-claims?page=x").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json(), json!({"error": "page: expected an integer", "code": "InvalidField"}));
    let error = get("/api/gpu-claims?phase=nope").await.json()["error"].clone();
    assert_eq!(error, "phase: expected one of `Pending`, `Scheduled`, `Running`, `Failed`, `Completed`");
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_refused() {
    let config = Config { max_request_bytes: 100, ..Config::default() };
    let (router, _) = gateway(config);
    let answer = ask(&router, request(Method::POST, "/api/gpu-claims", r#"{"resources": {"gpuCount": "2"}}"#)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json(), json!({"error": "resources.gpuCount: expected an integer", "code": "InvalidField"}));
    let answer = ask(&router, request(Method::POST, "/api/gpu-claims", "{")).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::BAD_REQUEST, &json!("MalformedJson")));
    let answer = ask(&router, request(Method::POST, "/api/gpu-claims", &" ".repeat(101))).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("RequestTooLarge")));

    let typed = |kind: Option<&str>, body: &'static str| {
        let builder = Request::post("/api/gpu-claims");
        let builder = kind.into_iter().fold(builder, |builder, kind| builder.header("content-type", kind));
        builder.body(Body::from(body)).unwrap()
    };
    for (kind, body, status) in [
        (Some("text/plain"), "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (None, "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (None, "", StatusCode::ACCEPTED),
        (Some("Application/JSON; charset=utf-8"), "{}", StatusCode::ACCEPTED),
    ] {
        assert_eq!(ask(&router, typed(kind, body)).await.status, status, "{kind:?} {body}");
    }
}

#[tokio::test]
async fn success_without_content_has_no_body() {
    let (router, _) = gateway(Config::default());
    let answer = ask(&router, request(Method::DELETE, "/api/gpu-claims/a", "")).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    let answer = ask(&router, request(Method::DELETE, "/api/gpu-claims/missing", "")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json(), json!({"error": "claim missing does not exist", "code": "NotFound"}));
}

#[tokio::test]
async fn other_methods_and_paths_are_told_apart() {
    let (router, _) = gateway(Config::default());
    let answer = ask(&router, request(Method::PATCH, "/api/gpu-claims/a", "")).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("MethodNotAllowed")));
    assert_eq!(answer.headers["allow"], "DELETE, GET, HEAD, OPTIONS");
    let answer = ask(&router, request(Method::OPTIONS, "/api/gpu-claims", "")).await;
    assert_eq!((answer.status, &answer.headers["allow"]), (StatusCode::NO_CONTENT, &"GET, HEAD, OPTIONS, POST".parse().unwrap()));
    let length = get("/api/gpu-claims/a").await.text.len().to_string();
    let answer = ask(&router, request(Method::HEAD, "/api/gpu-claims/a", "")).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(answer.headers["content-length"].to_str().unwrap(), length);

    assert_eq!(get("/nothing").await.json(), json!({"error": "there is nothing at this path", "code": "NotFound"}));
    assert_eq!(
        get("/api/v1/nothing").await.json(),
        json!({"code": 404, "message": "there is nothing at this path", "data": null})
    );
    assert_eq!(get("/api/gpu-claims/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn codes_become_http_statuses() {
    let expected = [
        (1, 499),
        (2, 500),
        (3, 400),
        (4, 504),
        (5, 404),
        (6, 409),
        (7, 403),
        (8, 429),
        (9, 409),
        (10, 409),
        (11, 400),
        (12, 501),
        (13, 500),
        (14, 503),
        (15, 500),
        (16, 401),
    ];
    for (code, status) in expected {
        let answer = get(&format!("/api/gpu-claims/{code}")).await;
        assert_eq!(answer.status.as_u16(), status, "{code}");
        assert_eq!(answer.json(), json!({"error": "a sentence", "code": "SpecialReason"}));
        assert_eq!(answer.headers["retry-after"], "3");
        assert!(!answer.headers.contains_key("x-internal"));
        assert_eq!(answer.headers.contains_key("www-authenticate"), code == 16);
    }
    assert_eq!(get("/api/gpu-claims/a/explain").await.json(), json!({"error": "Unimplemented", "code": "Unimplemented"}));
}

#[tokio::test]
async fn metadata_travels_and_the_rest_stays() {
    let (router, _) = gateway(Config::default());
    let mut request = Request::get("/api/gpu-claims/metadata")
        .header("authorization", "Bearer t")
        .header("x-agent-token", "a")
        .header("traceparent", "00-1")
        .header("x-request-id", "mine")
        .header("cookie", "c")
        .header("x-forwarded-for", "6.6.6.6")
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().insert(ConnectInfo("[::ffff:10.1.2.3]:99".parse::<SocketAddr>().unwrap()));
    let answer = ask(&router, request).await;
    assert_eq!(answer.json()["spec"]["command"], json!(["Bearer t", "a", "00-1", "mine", "-", "10.1.2.3"]));
    assert_eq!(answer.headers["x-request-id"], "mine");

    let answer = get("/api/gpu-claims/metadata").await;
    let command = &answer.json()["spec"]["command"];
    assert_eq!(command[5], "-", "an unknown address is not invented");
    assert_eq!(command[3], answer.headers["x-request-id"].to_str().unwrap());
}

#[tokio::test]
async fn an_operation_ends_at_its_deadline() {
    let never = || Request::get("/api/gpu-claims/never");
    let patient = gateway(Config::default());
    let hasty = gateway(Config { default_timeout: Duration::from_millis(10), ..Config::default() });
    for ((router, service), request) in [(patient, never().header("grpc-timeout", "10m")), (hasty, never())] {
        let answer = ask(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::GATEWAY_TIMEOUT, &json!("DeadlineExceeded")));
        assert_eq!(service.0.cancelled.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_stream_has_only_the_deadline_of_its_client() {
    let (router, _) = gateway(Config { default_timeout: Duration::ZERO, ..Config::default() });
    let answer = ask(&router, request(Method::GET, "/api/gpu-claims/a/watch", "")).await;
    assert_eq!(answer.text.lines().count(), 2);
    let short = Request::get("/api/gpu-claims/never/watch").header("grpc-timeout", "10m").body(Body::empty()).unwrap();
    let answer = ask(&router, short).await;
    assert!(answer.text.ends_with("\"code\":\"DeadlineExceeded\"}\n"), "{}", answer.text);
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_the_call() {
    let (router, service) = gateway(Config::default());
    let call = router.oneshot(request(Method::GET, "/api/gpu-claims/never", ""));
    tokio::select! {
        _ = call => panic!("it never ends"),
        () = service.0.began.notified() => {}
    }
    service.0.dropped.notified().await;
    assert_eq!(service.0.cancelled.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn answers_are_bounded() {
    let (router, _) = gateway(Config { max_response_bytes: 1000, ..Config::default() });
    let answer = ask(&router, request(Method::GET, "/api/gpu-claims/large", "")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.json()["error"], "the answer is larger than the gateway allows");
}

#[tokio::test]
async fn streams_are_lines_or_events() {
    let answer = get("/api/gpu-claims/a/watch").await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let phases = answer.text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["status"]["phase"].clone());
    assert_eq!(phases.collect::<Vec<_>>(), ["Pending", "Running"]);

    let answer = get("/api/gpu-claims/broken/watch").await;
    let last = answer.text.lines().last().unwrap();
    assert_eq!(last, r#"{"error":"the node is gone","code":"NodeLost"}"#);

    let answer = get("/api/gpu-claims/refused/watch").await;
    assert_eq!((answer.status, &answer.json()["error"]), (StatusCode::FORBIDDEN, &json!("not yours")));

    let (router, _) = gateway(Config::default());
    let events = |path: &str| Request::get(path).header("accept", "text/event-stream, */*").body(Body::empty()).unwrap();
    let answer = ask(&router, events("/api/gpu-claims/broken/watch")).await;
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let parts = answer.text.split("\n\n").collect::<Vec<_>>();
    assert_eq!(parts.len(), 4);
    assert!(parts[0].starts_with("data: {") && parts[2].starts_with("event: error\ndata: {\"error\":\"the node is gone\""));
}

#[tokio::test]
async fn server_sent_events_have_ids_by_which_clients_go_on() {
    let watch = |accept: &str, last: &str| {
        let request = Request::get("/watch?string=1").header("accept", accept).header("last-event-id", last);
        request.body(Body::empty()).unwrap()
    };
    let answer = ask(&echoing(), watch("text/event-stream", "a 2.7")).await;
    assert!(answer.text.starts_with("id: a 2.7\ndata: {") && answer.text.contains(r#""string":"a 2.7""#), "{}", answer.text);
    let answer = ask(&echoing(), watch("application/x-ndjson", "2")).await;
    assert!(answer.text.starts_with('{') && answer.text.contains(r#""string":"2""#), "{}", answer.text);
    let answer = ask(&echoing(), Request::get("/watch?string=1").body(Body::empty()).unwrap()).await;
    assert!(answer.text.contains(r#""string":"1""#), "{}", answer.text);
}

#[tokio::test]
async fn dropping_a_stream_cancels_it() {
    let (router, service) = gateway(Config::default());
    let mut response = router.oneshot(request(Method::GET, "/api/gpu-claims/never/watch", "")).await.unwrap();
    assert!(response.body_mut().frame().await.unwrap().unwrap().is_data());
    assert!(response.body_mut().frame().await.unwrap().unwrap().is_data());
    assert_eq!(service.0.cancelled.load(Ordering::SeqCst), 0);
    drop(response);
    service.0.dropped.notified().await;
}

/// Answers every call with its own request message.
async fn echo(request: Request<tonic::body::Body>) -> Result<Response<tonic::body::Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let frame = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let frame = if path.ends_with("/Remove") { bytes::Bytes::from_static(&[0; 5]) } else { frame };
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    let body = Full::new(frame).with_trailers(std::future::ready(Some(Ok(trailers))));
    Ok(Response::builder().header("content-type", "application/grpc").body(tonic::body::Body::new(body)).unwrap())
}

fn echoing() -> Router {
    router(contract::pool(), &["test.v1.ShelfService"], tower::service_fn(echo), Config::default()).unwrap()
}

#[tokio::test]
async fn the_envelope_encloses_success_and_failure() {
    let router = echoing();
    let answer =
        ask(&router, request(Method::POST, "/api/v1/echo?child.int32=5&strings=b&strings=c", r#"{"strings": ["a"]}"#)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let body = answer.json();
    assert_eq!((&body["code"], &body["message"]), (&json!(0), &json!("done \"well\"")));
    assert_eq!(body["data"]["strings"], json!(["a", "b", "c"]));
    assert_eq!(body["data"]["child"]["int32"], json!(5));

    let answer = ask(&router, request(Method::POST, "/api/v1/echo", "[")).await;
    assert_eq!(
        answer.json(),
        json!({"code": 400, "message": "malformed JSON at line 1, column 2: expected a value", "data": null})
    );
    let answer = ask(&router, request(Method::PUT, "/api/v1/echo", "")).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!(405)));
    let answer = ask(&router, request(Method::DELETE, "/api/v1/echo/x", "")).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
}

#[tokio::test]
async fn a_stream_of_an_envelope_service_has_plain_messages_and_enclosed_refusals() {
    let answer = ask(&echoing(), request(Method::GET, "/api/v1/follow?string=a", "")).await;
    assert_eq!((answer.status, &answer.headers["content-type"]), (StatusCode::OK, &"application/x-ndjson".parse().unwrap()));
    let line = serde_json::from_str::<Json>(answer.text.trim_end()).unwrap();
    assert_eq!((&line["string"], line.get("data")), (&json!("a"), None));
    let answer = ask(&echoing(), request(Method::GET, "/api/v1/follow?int32=x", "")).await;
    assert_eq!(answer.json(), json!({"code": 400, "message": "int32: expected an integer", "data": null}));
}

#[tokio::test]
async fn a_success_without_content_has_a_body_for_who_prefers_one() {
    let prefer = |path: &'static str, preference: &'static str| {
        Request::delete(path).header("prefer", "respond-async").header("prefer", preference).body(Body::empty()).unwrap()
    };
    let answer = ask(&echoing(), prefer("/api/v1/echo/x", "wait=5, Return = \"representation\"; a=b")).await;
    assert_eq!(
        (answer.status, &answer.headers["preference-applied"]),
        (StatusCode::OK, &"return=representation".parse().unwrap())
    );
    assert_eq!(answer.json(), json!({"code": 0, "message": "gone", "data": null}));

    let answer = ask(&gateway(Config::default()).0, prefer("/api/gpu-claims/a", "return=representation")).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"message": "success"})));
    for other in ["return=minimal", "return=minimal, return=representation", "representation"] {
        let answer = ask(&echoing(), prefer("/api/v1/echo/x", other)).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""), "{other}");
        assert!(!answer.headers.contains_key("preference-applied"));
    }
}

#[tokio::test]
async fn a_method_picks_among_the_statuses_of_its_contract() {
    for (picked, expected) in [("200", 200), ("204", 204), ("202", 201), ("500", 201), ("x", 201)] {
        let service = tower::service_fn(move |_: Request<tonic::body::Body>| {
            let answer = Response::builder().header("content-type", "application/grpc").header("x-http-status", picked);
            let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
            let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(std::future::ready(Some(Ok(trailers))));
            std::future::ready(Ok::<_, Infallible>(answer.body(tonic::body::Body::new(body)).unwrap()))
        });
        let gateway = router(contract::pool(), &["test.v1.ShelfService"], service, Config::default()).unwrap();
        let answer = ask(&gateway, request(Method::POST, "/plain", "{}")).await;
        assert_eq!(answer.status.as_u16(), expected, "{picked}");
        assert_eq!(answer.text.is_empty(), expected == 204);
        assert!(!answer.headers.contains_key("x-http-status"));
    }
}

#[tokio::test]
async fn a_deviation_holds_for_its_reason_only() {
    let failing = |code: tonic::Code, reason: &'static str| {
        let status = utopia_proto::status::status(code, reason, "a sentence", None);
        let service = tower::service_fn(move |_: Request<tonic::body::Body>| {
            std::future::ready(Ok::<_, Infallible>(status.clone().into_http::<tonic::body::Body>()))
        });
        router(contract::pool(), &["test.v1.ShelfService"], service, Config::default()).unwrap()
    };
    let cases = [
        (tonic::Code::InvalidArgument, "InvalidField", 422),
        (tonic::Code::InvalidArgument, "Teapot", 418),
        (tonic::Code::InvalidArgument, "MissingField", 400),
        (tonic::Code::NotFound, "Gone", 410),
        (tonic::Code::NotFound, "NotFound", 404),
        (tonic::Code::Unavailable, "NodeLost", 502),
    ];
    for (code, reason, expected) in cases {
        let answer = ask(&failing(code, reason), request(Method::DELETE, "/api/v1/echo/x", "")).await;
        assert_eq!(answer.status.as_u16(), expected, "{code:?} {reason}");
        assert_eq!(answer.json()["code"], expected);
    }
    // The gateway's own refusals: a value of the right type is the field's matter, anything else is malformed.
    for (query, expected) in
        [("colour=green", 422), ("time=noon", 422), ("int32=99999999999", 422), ("int32=x", 400), ("bool=x", 400)]
    {
        let answer = ask(&echoing(), request(Method::DELETE, &format!("/api/v1/echo/x?{query}"), "")).await;
        assert_eq!(answer.status.as_u16(), expected, "{query}");
    }
}

#[tokio::test]
async fn the_address_before_a_trusted_proxy_counts() {
    let request = || {
        let mut request = Request::get("/api/gpu-claims/metadata").header("x-forwarded-for", "6.6.6.6, 192.0.2.7");
        request.extensions_mut().unwrap().insert(ConnectInfo("10.1.2.3:99".parse::<SocketAddr>().unwrap()));
        request.body(Body::empty()).unwrap()
    };
    for (trusted, expected) in [("", "10.1.2.3"), ("10.0.0.0/8", "192.0.2.7")] {
        let (router, _) = gateway(Config { trusted_proxies: trusted.parse().unwrap(), ..Config::default() });
        assert_eq!(ask(&router, request()).await.json()["spec"]["command"][5], expected);
    }
}

#[tokio::test]
async fn templates_choose_and_bind() {
    let router = echoing();
    let data =
        async |method: Method, path: &str, body: &str| ask(&router, request(method, path, body)).await.json()["data"].clone();
    assert_eq!(data(Method::GET, "/api/v1/echo/other", "").await["string"], "other");
    assert_eq!(data(Method::GET, "/api/v1/echo/fixed", "").await["string"], "", "a literal wins");
    assert_eq!(data(Method::GET, "/api/v1/files/a/b%20c/d", "").await["string"], "a/b c/d");
    assert_eq!(data(Method::GET, "/api/v1/lists/x?strings=1", "").await, json!(["1"]));
    let child = data(Method::PUT, "/bare/shelves/9/child", r#"{"bool": true}"#).await["child"].clone();
    assert_eq!((&child["string"], &child["bool"]), (&json!("shelves/9"), &json!(true)));
    let time = data(Method::GET, "/api/v1/echo/x?time=2026-01-31T12:00:00%2B01:00&resources.gpuCount=3&wrapped_int=0", "").await;
    assert_eq!(time["time"], "2026-01-31T11:00:00Z");
    assert_eq!(time["inlined"]["resources"]["gpuCount"], 3);
    assert_eq!(time["wrapped_int"], 0);
}

#[tokio::test]
async fn an_upstream_that_fails_is_unavailable() {
    let broken = tower::service_fn(|_: Request<tonic::body::Body>| async {
        Err::<Response<tonic::body::Body>, _>(std::io::Error::other("secret internals"))
    });
    let router = router(contract::pool(), &["test.v1.ShelfService"], broken, Config::default()).unwrap();
    let answer = ask(&router, request(Method::POST, "/plain", "{}")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.json(),
        json!({"error": "the service behind this gateway cannot be reached; see UTOPIA_UPSTREAM", "code": "UpstreamUnavailable"})
    );
    let answer = ask(&router, request(Method::DELETE, "/api/v1/echo/x", "")).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "the method says so");
}
