//! What stands at the listener: HTTP in, HTTP out, and errors as S3 words them.

use std::sync::Arc;

use axum::{Router, body::Body, extract::Request, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, StreamBody};
use s3s::{S3, S3Error, S3ErrorCode, s3_error, service::S3Service};

use super::{
    frames::{self, FrameTooLarge},
    meters::{Meters, Tally},
};
use crate::error::Error;

/// The content type of forms.
const FORM: &str = "multipart/form-data";

/// The listener's side.
#[derive(Debug, Clone)]
pub(super) struct Front {
    /// What every path begins with.
    pub(super) prefix: &'static str,
    pub(super) service: S3Service,
    pub(super) meters: Meters,
}

/// What the path of a request begins with before its bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix(pub(super) &'static str);

/// No operations: the gate takes every request.
#[derive(Debug)]
pub(super) struct Nothing;

impl S3 for Nothing {}

impl Front {
    pub(super) fn router(self) -> Router {
        let (prefix, front) = (self.prefix, Arc::new(self));
        let handler = move |request: Request| {
            let front = Arc::clone(&front);
            async move { front.handle(request).await }
        };
        // Not nested: that would take the prefix off the path that is signed.
        if prefix.is_empty() {
            return Router::new().fallback(handler);
        }
        let rest = format!("{prefix}/{{*rest}}");
        Router::new()
            .route(prefix, axum::routing::any(handler.clone()))
            .route(&format!("{prefix}/"), axum::routing::any(handler.clone()))
            .route(&rest, axum::routing::any(handler))
    }

    async fn handle(&self, request: Request) -> Response {
        let tally = self.meters.request(request.method());
        let answer = match refused(&request) {
            Some(refusal) => xml(refusal),
            None => self.pass(request, &tally).await,
        };
        tally.answered(answer.status());
        answer.map(|body| {
            Body::new(body.map_frame(move |frame| {
                tally.sends(frame.data_ref().map_or(0, Bytes::len));
                frame
            }))
        })
    }

    /// Hands a request on, and what it received to its tally.
    async fn pass(&self, request: Request, tally: &Arc<Tally>) -> http::Response<s3s::Body> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Arc::clone(tally));
        parts.extensions.insert(Prefix(self.prefix));
        let (receiving, is_empty) = (Arc::clone(tally), body.is_end_stream());
        let pieces = body.into_data_stream().inspect_ok(move |piece| receiving.receives(piece.len()));
        let body = if is_empty {
            s3s::Body::empty()
        } else if is_chunked(&parts.headers) {
            let bounded = frames::bounded(pieces).map_ok(http_body::Frame::data);
            s3s::Body::http_body_unsync(StreamBody::new(bounded.boxed()))
        } else {
            s3s::Body::http_body_unsync(StreamBody::new(pieces.map_ok(http_body::Frame::data)))
        };
        match self.service.call(http::Request::from_parts(parts, body)).await {
            Ok(answer) => answer,
            Err(error) => xml(answer(Error::Internal { context: "answer an S3 request", source: error.into() })),
        }
    }
}

/// What is not looked at any further.
fn refused(request: &Request) -> Option<S3Error> {
    if is_signature_v2(request) {
        return Some(s3_error!(
            InvalidRequest,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 \
             (boto3: Config(signature_version='s3v4'))."
        ));
    }
    // Their signature is in the body, of which much would be read before anybody is known.
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.trim_start().get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM));
    (request.method() == http::Method::POST && is_form).then(|| s3_error!(NotImplemented, "Uploads by forms are not implemented"))
}

/// Whether the body comes in frames of its own.
fn is_chunked(headers: &HeaderMap) -> bool {
    headers.get("x-amz-content-sha256").is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"))
}

/// The older way to sign, which is what boto3 does for URLs unless it is told otherwise.
fn is_signature_v2(request: &Request) -> bool {
    let header = request.headers().get(header::AUTHORIZATION);
    let in_query = |query: &str| query.split('&').any(|pair| pair.starts_with("AWSAccessKeyId="));
    header.is_some_and(|value| value.as_bytes().starts_with(b"AWS ")) || request.uri().query().is_some_and(in_query)
}

/// An error as XML.
pub(super) fn xml(error: S3Error) -> http::Response<s3s::Body> {
    error.to_http_response().unwrap_or_else(|_| {
        let mut answer = http::Response::new(s3s::Body::empty());
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        answer
    })
}

/// What clients of S3 are told of an error of the crate.
pub(super) fn answer(error: Error) -> S3Error {
    if let Error::Internal { context, source } = &error {
        tracing::error!(error = %source, "{context} failed");
        return s3_error!(InternalError, "We encountered an internal error. Please try again.");
    }
    let is_their_fault = matches!(error, Error::Invalid { .. } | Error::Missing { .. });
    let code = if is_their_fault { S3ErrorCode::InvalidArgument } else { S3ErrorCode::ServiceUnavailable };
    S3Error::with_message(code, error.to_string())
}

/// What a client is told whose content did not come as it was signed. The streams of `s3s` keep their types to themselves.
pub(super) fn source_failed(text: &str) -> S3Error {
    if text.contains("SignatureMismatch") {
        return s3_error!(SignatureDoesNotMatch, "The signature of a chunk does not match");
    }
    if text.contains("Sha256Mismatch") {
        let message = "The provided x-amz-content-sha256 does not match what was computed";
        let mut mismatch = S3Error::with_message(S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()), message);
        mismatch.set_status_code(StatusCode::BAD_REQUEST);
        return mismatch;
    }
    if text.contains(FrameTooLarge::MESSAGE) {
        return s3_error!(EntityTooLarge, "{}", FrameTooLarge::MESSAGE);
    }
    s3_error!(IncompleteBody, "The request body did not come whole")
}
