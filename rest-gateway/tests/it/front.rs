//! What browsers need: gRPC-Web, requests from other origins, and the API's documents.

use std::net::SocketAddr;

use axum::{Router, body::Body, extract::ConnectInfo};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use prost::Message as _;
use serde_json::Value as Json;
use tower::ServiceExt as _;
use utopia_gateway::front::{self, Settings};
use utopia_proto::claim::v1::{Claim, ClaimPhase, GetClaimRequest, WatchClaimRequest};

use crate::{contract, services::Service};

fn open(trusted_proxies: &str, cors_origins: &str) -> Router {
    let settings = Settings { trusted_proxies: trusted_proxies.parse().unwrap(), cors_origins: cors_origins.parse().unwrap() };
    front::router(&utopia_proto::descriptor_pool(), Service::default().routes(), &settings).unwrap()
}

async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
}

fn call(method: &str, kind: &str) -> http::request::Builder {
    Request::post(format!("/utopia.claim.v1.ClaimService/{method}")).header("content-type", kind).header("x-grpc-web", "1")
}

fn frame(message: &impl prost::Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat()
}

/// The messages and trailers of an answer.
fn frames(mut body: Bytes) -> (Vec<Bytes>, String) {
    let (mut messages, mut trailers) = (Vec::new(), String::new());
    while !body.is_empty() {
        let flag = body.get_u8();
        let length = body.get_u32() as usize;
        let content = body.split_to(length);
        match flag {
            0 => messages.push(content),
            0x80 => trailers.push_str(std::str::from_utf8(&content).unwrap()),
            other => panic!("a frame of kind {other}"),
        }
    }
    (messages, trailers)
}

fn id(id: &str) -> GetClaimRequest {
    GetClaimRequest { id: id.to_owned() }
}

#[tokio::test]
async fn a_browser_calls_a_method_in_binary_and_in_text() {
    let router = open("", "");
    for kind in ["application/grpc-web", "application/grpc-web+proto"] {
        let request = call("GetClaim", kind).body(frame(&id("a")).into()).unwrap();
        let (status, headers, body) = ask(&router, request).await;
        assert_eq!(
            (status, &headers["content-type"]),
            (StatusCode::OK, &"application/grpc-web+proto".parse().unwrap()),
            "{kind}"
        );
        assert!(headers.contains_key("x-request-id"));
        let (messages, trailers) = frames(body);
        assert_eq!(Claim::decode(messages[0].clone()).unwrap().id, "a");
        assert!(trailers.contains("grpc-status:0"), "{trailers}");
    }
    let other = call("GetClaim", "application/grpc-web+json").body(Body::from("{}")).unwrap();
    assert_eq!(ask(&router, other).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let kind = "application/grpc-web-text";
    let request = call("GetClaim", kind).header("accept", kind);
    let (_, headers, body) = ask(&router, request.body(STANDARD.encode(frame(&id("a"))).into()).unwrap()).await;
    assert_eq!(headers["content-type"], "application/grpc-web-text+proto");
    // Each chunk is padded on its own.
    let decoded = body.chunks(4).flat_map(|four| STANDARD.decode(four).unwrap()).collect::<Vec<_>>();
    assert_eq!(Claim::decode(frames(decoded.into()).0[0].clone()).unwrap().id, "a");
}

#[tokio::test]
async fn a_browser_sees_streams_errors_and_deadlines() {
    let router = open("", "");
    let kind = "application/grpc-web+proto";
    let watch = WatchClaimRequest { id: "broken".to_owned() };
    let (_, _, body) = ask(&router, call("WatchClaim", kind).body(frame(&watch).into()).unwrap()).await;
    let (messages, trailers) = frames(body);
    let phases = messages.into_iter().map(|message| Claim::decode(message).unwrap().status.unwrap().phase());
    assert_eq!(phases.collect::<Vec<_>>(), [ClaimPhase::Pending, ClaimPhase::Running]);
    assert!(trailers.contains("grpc-status:14") && trailers.contains("grpc-message:the%20node%20is%20gone"), "{trailers}");

    let (status, headers, _) = ask(&router, call("GetClaim", kind).body(frame(&id("5")).into()).unwrap()).await;
    assert_eq!((status, &headers["grpc-status"]), (StatusCode::OK, &"5".parse().unwrap()));
    let request = call("GetClaim", kind).header("grpc-timeout", "10m").body(frame(&id("never")).into()).unwrap();
    assert_eq!(ask(&router, request).await.1["grpc-status"], "4");
}

#[tokio::test]
async fn an_upstream_that_fails_is_a_status_for_browsers() {
    let broken = tower::service_fn(|_: Request<tonic::body::Body>| async {
        Err::<Response<tonic::body::Body>, _>(std::io::Error::other("secret internals"))
    });
    let router = front::router(&utopia_proto::descriptor_pool(), broken, &Settings::default()).unwrap();
    let request = call("GetClaim", "application/grpc-web").body(frame(&id("a")).into()).unwrap();
    let (status, headers, _) = ask(&router, request).await;
    assert_eq!((status, &headers["grpc-status"]), (StatusCode::OK, &"14".parse().unwrap()));
    assert!(!headers["grpc-message"].to_str().unwrap().contains("secret"));
}

#[tokio::test]
async fn the_address_of_a_browser_is_known_and_not_its_invention() {
    for (trusted, peer, expected) in
        [("", Some("10.1.2.3:99"), "10.1.2.3"), ("10.0.0.0/8", Some("10.1.2.3:99"), "192.0.2.7"), ("", None, "-")]
    {
        let request = call("GetClaim", "application/grpc-web").header("x-forwarded-for", "6.6.6.6, 192.0.2.7");
        let mut request = request.body(Body::from(frame(&id("metadata")))).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        }
        let (_, _, body) = ask(&open(trusted, ""), request).await;
        let claim = Claim::decode(frames(body).0[0].clone()).unwrap();
        assert_eq!(claim.spec.unwrap().command[5], expected);
    }
}

fn from(origin: &str, method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("origin", origin)
}

#[tokio::test]
async fn pages_of_known_origins_may_call_and_others_may_not() {
    let router = open("", "https://console.example,http://localhost:3000");
    let preflight = |origin: &str, path: &str| {
        let request = from(origin, Method::OPTIONS, path).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "authorization,x-grpc-web").body(Body::empty()).unwrap()
    };
    for path in ["/utopia.claim.v1.ClaimService/GetClaim", "/api/gpu-claims", "/api/openapi.json"] {
        let (status, headers, _) = ask(&router, preflight("https://console.example", path)).await;
        assert_eq!(
            (status, &headers["access-control-allow-origin"]),
            (StatusCode::OK, &"https://console.example".parse().unwrap())
        );
        assert!(headers["access-control-allow-headers"].to_str().unwrap().contains("x-grpc-web"), "{path}");
        assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("DELETE"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
        let (_, headers, _) = ask(&router, preflight("https://elsewhere.example", path)).await;
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
    let get = from("http://localhost:3000", Method::GET, "/api/gpu-claims/5").body(Body::empty()).unwrap();
    let (status, headers, _) = ask(&router, get).await;
    assert_eq!(
        (status, &headers["access-control-allow-origin"]),
        (StatusCode::NOT_FOUND, &"http://localhost:3000".parse().unwrap())
    );
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin", "retry-after", "x-request-id", "x-ratelimit-remaining"]
    {
        assert!(headers["access-control-expose-headers"].to_str().unwrap().contains(name), "{name}");
    }
    let plain = Request::options("/api/gpu-claims").header("origin", "http://localhost:3000").body(Body::empty()).unwrap();
    assert_eq!(ask(&router, plain).await.1["allow"], "GET, HEAD, OPTIONS, POST", "no preflight");
}

#[tokio::test]
async fn any_origin_is_without_credentials_and_none_is_the_default() {
    let get = || from("https://x.example", Method::GET, "/api/gpu-claims/a").body(Body::empty()).unwrap();
    assert_eq!(ask(&open("", "*"), get()).await.1["access-control-allow-origin"], "*");
    assert!(!ask(&open("", "*"), get()).await.1.contains_key("access-control-allow-credentials"));
    assert!(!ask(&open("", ""), get()).await.1.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn the_document_is_served_once() {
    let router = open("", "");
    let get = |tag: &str| Request::get("/api/openapi.json").header("if-none-match", tag).body(Body::empty()).unwrap();
    let (status, headers, body) = ask(&router, get("\"other\"")).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"application/json".parse().unwrap()));
    let document = serde_json::from_slice::<Json>(&body).unwrap();
    assert_eq!((&document["openapi"], &document["info"]["version"]), (&"3.1.0".into(), &env!("CARGO_PKG_VERSION").into()));
    let tag = headers["etag"].to_str().unwrap();
    for known in [tag, "*", &format!("W/{tag}"), &format!("\"a\", {tag}")] {
        let (status, headers, body) = ask(&router, get(known)).await;
        assert_eq!((status, headers["etag"].to_str().unwrap(), body.len()), (StatusCode::NOT_MODIFIED, tag, 0), "{known}");
    }
}

#[tokio::test]
async fn the_pages_load_nothing_from_elsewhere() {
    let router = open("", "");
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let (status, headers, _) = ask(&router, get("/api/docs")).await;
    assert_eq!((status, &headers["location"]), (StatusCode::PERMANENT_REDIRECT, &"/api/docs/".parse().unwrap()));
    let (status, headers, index) = ask(&router, get("/api/docs/")).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"text/html".parse().unwrap()));
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{policy}");
    let index = String::from_utf8(index.to_vec()).unwrap();
    let assets = index.split(['"']).filter(|text| text.ends_with(".js") || text.ends_with(".css") || text.ends_with(".png"));
    let assets = assets.map(|asset| asset.trim_start_matches("./").to_owned()).collect::<Vec<_>>();
    assert!(assets.len() >= 5, "{index}");
    for asset in assets {
        assert_eq!(ask(&router, get(&format!("/api/docs/{asset}"))).await.0, StatusCode::OK, "{asset}");
    }
    let (_, _, settings) = ask(&router, get("/api/docs/swagger-initializer.js")).await;
    let settings = String::from_utf8(settings.to_vec()).unwrap();
    assert!(settings.contains("\"url\": \"/api/openapi.json\"") && settings.contains("\"validatorUrl\": \"none\""), "{settings}");
    assert_eq!(ask(&router, get("/api/docs/nothing.js")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_contract_with_every_kind_of_field_has_a_document() {
    let idle = tower::service_fn(|_: Request<tonic::body::Body>| {
        std::future::pending::<Result<Response<tonic::body::Body>, std::convert::Infallible>>()
    });
    let router = front::router(contract::pool(), idle, &Settings::default()).unwrap();
    let (_, _, body) = ask(&router, Request::get("/api/openapi.json").body(Body::empty()).unwrap()).await;
    let document = serde_json::from_slice::<Json>(&body).unwrap();
    let everything = &document["components"]["schemas"]["Everything"];
    assert_eq!(everything["properties"]["bytes"]["contentEncoding"], "base64");
    assert_eq!(everything["properties"]["by_size"]["additionalProperties"]["$ref"], "#/components/schemas/Colour");
    assert_eq!(everything["properties"]["wrapped_int"]["type"], serde_json::json!(["integer", "null"]));
    assert_eq!(everything["allOf"].as_array().unwrap().len(), 3, "of three members of a oneof no two occur together");
    assert!(!everything["required"].as_array().unwrap().contains(&"choice_text".into()));
    assert!(document["paths"].get("/bare/shelves/{child.string}/child").is_some());
}
