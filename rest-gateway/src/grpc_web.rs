//! gRPC-Web: the same services for browsers, whose requests have no trailers.
//!
//! tonic-web translates the framing. Around it stands what the JSON side has as well: the client's address, the
//! request's id, the deadline, and a plain status when the service behind the gateway cannot be reached.

use axum::{body::Body as HttpBody, extract::Request, response::Response};
use http::{HeaderMap, StatusCode, header};
use tonic::{Status, body::Body};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, ServiceExt as _};

use crate::{
    client::{FORWARDED_FOR, TrustedProxies},
    style::{Failure, Style},
    upstream::{REQUEST_ID, Upstream, client_timeout, request_id, transport_status},
};

/// The formats that are understood.
const TYPES: [&str; 4] =
    ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text", "application/grpc-web-text+proto"];

/// Whether a request is gRPC-Web, of whatever format.
pub(crate) fn is_grpc_web(headers: &HeaderMap) -> bool {
    content_type(headers).is_some_and(|content_type| content_type.starts_with("application/grpc-web"))
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

/// Answers a gRPC-Web request.
pub(crate) async fn handle<S: Upstream>(upstream: S, proxies: TrustedProxies, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if content_type(&parts.headers).is_none_or(|content_type| !TYPES.contains(&content_type)) {
        let message = format!("gRPC-Web is understood as {}", TYPES.join(", "));
        return Style::Bare.failure(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message));
    }
    let id = request_id(&parts.headers);
    parts.headers.insert(REQUEST_ID, id.clone());
    if let Some(address) = proxies.client(&parts) {
        parts.extensions.insert(address);
    }
    // The far side believes the gateway, so that what a client wrote must not reach it.
    parts.headers.remove(FORWARDED_FOR);
    let service = GrpcWebLayer::new().layer(tower::service_fn(move |request| call(upstream.clone(), request)));
    let Ok(mut response) = service.oneshot(http::Request::from_parts(parts, body)).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response.map(HttpBody::new)
}

/// A call over HTTP/2 semantics. It does not fail: whatever goes wrong is a status.
async fn call<S: Upstream>(
    upstream: S,
    mut request: http::Request<Body>,
) -> Result<http::Response<Body>, std::convert::Infallible> {
    *request.version_mut() = http::Version::HTTP_2;
    let timeout = client_timeout(request.headers());
    let call = upstream.call(request);
    let answer = match timeout {
        None => call.await,
        Some(timeout) => match tokio::time::timeout(timeout, call).await {
            Ok(answer) => answer,
            Err(_) => return Ok(Status::deadline_exceeded("the operation did not end in time").into_http()),
        },
    };
    Ok(match answer {
        Ok(answer) => answer.map(Body::new),
        Err(error) => transport_status(error).into_http(),
    })
}
