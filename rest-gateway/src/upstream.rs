//! One gRPC call by hand: framing, metadata, deadline, and what comes back.
//!
//! Messages are bytes here; nobody decodes them. Dropping a call cancels it.

use std::{future::Future, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header, uri::PathAndQuery};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use tonic::{Code, Status};
use tower::{BoxError, Service, ServiceExt as _};
use uuid::Uuid;

/// Bytes before each message: a compression flag and the length.
pub(crate) const FRAME_HEADER: usize = 5;
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of the client that become metadata.
const FORWARDED: [HeaderName; 5] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-agent-token"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    REQUEST_ID,
];

/// What a gRPC service has to be to stand behind the gateway.
pub(crate) trait Upstream: Clone + Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Makes a call.
    fn call(&self, request: Request<tonic::body::Body>) -> impl Future<Output = Result<Response<Self::Body>, BoxError>> + Send;
}

impl<S, B> Upstream for S
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;

    async fn call(&self, request: Request<tonic::body::Body>) -> Result<Response<B>, BoxError> {
        self.clone().oneshot(request).await.map_err(Into::into)
    }
}

/// A frame whose message is still to be appended.
pub(crate) fn open_frame() -> Vec<u8> {
    let mut frame = Vec::with_capacity(256);
    frame.resize(FRAME_HEADER, 0);
    frame
}

/// Fills in the length of a frame.
pub(crate) fn close_frame(mut frame: Vec<u8>) -> Bytes {
    let length = u32::try_from(frame.len() - FRAME_HEADER).expect("requests are limited to far less than 4 GiB");
    frame[1..FRAME_HEADER].copy_from_slice(&length.to_be_bytes());
    frame.into()
}

/// The request of a call.
pub(crate) fn request(
    path: &PathAndQuery,
    client: &HeaderMap,
    timeout: Option<Duration>,
    frame: Bytes,
) -> Request<tonic::body::Body> {
    let mut request = Request::new(tonic::body::Body::new(Full::new(frame)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(path.clone());
    *request.version_mut() = http::Version::HTTP_2;
    let headers = request.headers_mut();
    headers.reserve(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    for name in FORWARDED {
        if let Some(value) = client.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Some(timeout) = timeout.and_then(timeout_value) {
        headers.insert(GRPC_TIMEOUT, timeout);
    }
    request
}

/// The client's id of the request, if it is fit to be logged, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_fit = |id: &&HeaderValue| !id.is_empty() && id.len() <= 128 && id.to_str().is_ok();
    let given = headers.get(REQUEST_ID).filter(is_fit).cloned();
    given.unwrap_or_else(|| {
        let id = Uuid::new_v4();
        let mut buffer = Uuid::encode_buffer();
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut buffer)).expect("a UUID is a header value")
    })
}

/// The time that a client gives a call (`grpc-timeout`); none when it gives none, or nothing that can be read.
#[must_use]
pub fn client_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (number, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if number.is_empty() || number.len() > 8 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// At most eight digits, in milliseconds as far as these reach.
fn timeout_value(timeout: Duration) -> Option<HeaderValue> {
    let millis = timeout.as_millis().max(1);
    let (number, unit) = match u64::try_from(millis) {
        Ok(millis) if millis < 100_000_000 => (millis, "m"),
        Ok(_) | Err(_) => (timeout.as_secs().min(99_999_999), "S"),
    };
    HeaderValue::try_from([itoa::Buffer::new().format(number), unit].concat()).ok()
}

/// The status of a call, if the headers or trailers carry one.
pub(crate) fn status(headers: &HeaderMap) -> Option<Status> {
    let details_are_valid = headers.get(GRPC_STATUS_DETAILS).is_none_or(|details| is_base64(details.as_bytes()));
    if details_are_valid {
        return Status::from_header_map(headers);
    }
    // What cannot be read must not hide the rest of the status.
    let mut headers = headers.clone();
    headers.remove(GRPC_STATUS_DETAILS);
    Status::from_header_map(&headers)
}

fn is_base64(text: &[u8]) -> bool {
    use base64::{
        Engine as _, alphabet,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    ENGINE.decode(text).is_ok()
}

/// Metadata that clients of HTTP see as well.
pub(crate) fn passed_through(headers: &HeaderMap) -> HeaderMap {
    let passes = |name: &HeaderName| *name == header::RETRY_AFTER || name.as_str().starts_with("x-ratelimit-");
    headers.iter().filter(|(name, _)| passes(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The status that stands for a failed transport. What happened is for the log only.
pub(crate) fn transport_status(error: BoxError) -> Status {
    let mut cause = Some(&*error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if let Some(status) = error.downcast_ref::<Status>() {
            return status.clone();
        }
        cause = error.source();
    }
    tracing::warn!(error, "the service behind the gateway cannot be reached");
    unavailable()
}

/// The status for a service that cannot be reached.
pub(crate) fn unavailable() -> Status {
    let message = "the service behind this gateway cannot be reached; see UTOPIA_UPSTREAM";
    utopia_proto::status::status(Code::Unavailable, "UpstreamUnavailable", message, None)
}

/// Checks the head of an answer: an error that came without a body, or no gRPC at all.
pub(crate) fn check_head<B>(response: &Response<B>) -> Result<(), Status> {
    if let Some(status) = status(response.headers()) {
        return if status.code() == Code::Ok { Err(Status::internal("the answer is empty")) } else { Err(status) };
    }
    let is_grpc =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if response.status().is_success() && is_grpc {
        return Ok(());
    }
    tracing::warn!(status = %response.status(), "the service behind the gateway does not speak gRPC");
    Err(unavailable())
}

/// Takes a message out of what was received; none when it is not complete.
pub(crate) fn take_message(received: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, Status> {
    let Some((header, _)) = received.split_first_chunk::<FRAME_HEADER>() else { return Ok(None) };
    let [compressed, length @ ..] = *header;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if compressed != 0 {
        return Err(Status::internal("the answer is compressed, which was not asked for"));
    }
    if length > limit {
        return Err(Status::internal("the answer is larger than the gateway allows"));
    }
    if received.len() < FRAME_HEADER + length {
        return Ok(None);
    }
    received.advance(FRAME_HEADER);
    Ok(Some(received.split_to(length).freeze()))
}

/// Reads the one message of a call that does not stream.
pub(crate) async fn single_message<B>(body: B, limit: usize) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = std::pin::pin!(body);
    let mut received = BytesMut::new();
    let mut end = None;
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| transport_status(error.into()))?.into_data() {
            Ok(data) if received.is_empty() => received = data.try_into_mut().unwrap_or_else(|data| data.as_ref().into()),
            Ok(data) => received.extend_from_slice(&data),
            Err(frame) => end = frame.trailers_ref().and_then(status),
        }
        if received.len() > limit + FRAME_HEADER {
            return Err(Status::internal("the answer is larger than the gateway allows"));
        }
    }
    match end {
        Some(status) if status.code() != Code::Ok => return Err(status),
        Some(_) => {}
        None => return Err(transport_status("the answer ended without a status".into())),
    }
    let message = take_message(&mut received, limit)?.ok_or_else(|| Status::internal("the answer is empty"))?;
    if received.is_empty() { Ok(message) } else { Err(Status::internal("the answer holds more than one message")) }
}
