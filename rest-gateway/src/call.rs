//! The way of one HTTP request: find the route, write the message, call, write the answer.
//!
//! Every failure on this way, of whatever origin, leaves in the style of the route that was matched.

pub(crate) mod direct;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body as HttpBody,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prost_reflect::DescriptorPool;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status};
use tower::{BoxError, Service};

use crate::{
    client::TrustedProxies,
    percent,
    routes::{BodyBinding, Found, Route, RouteError, Routes, Segments},
    stream::{self, Format},
    style::{Failure, Style},
    transcode::{
        request,
        request::{Fault, RequestError},
        response,
    },
    upstream::{self, REQUEST_ID, Upstream, request_id},
};

/// Where a client of server-sent events goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The reason of a value that its field does not take.
const INVALID_FIELD: &str = "InvalidField";

/// Bounds of requests and answers.
#[derive(Debug, Clone)]
pub struct Config {
    /// The largest body of a request.
    pub max_request_bytes: usize,
    /// The largest message of an answer.
    pub max_response_bytes: usize,
    /// How long an operation may take that does not stream and has no time of its own in the contract. The client may want less
    /// (`grpc-timeout`).
    pub default_timeout: Duration,
    /// Whose word on a client's address is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_request_bytes: 1024 * 1024,
            max_response_bytes: 32 * 1024 * 1024,
            default_timeout: Duration::from_secs(30),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Routes for every method of the named services that has a `google.api.http` binding.
///
/// Service names are fully qualified. The routes stand in the router's fallback, which also answers unknown paths, so
/// that other routes can be merged with it, but not another fallback.
///
/// # Errors
/// When a service is unknown, or a binding is wrong or contradicts another.
pub fn router<S, B>(pool: &DescriptorPool, services: &[&str], upstream: S, config: Config) -> Result<Router, RouteError>
where
    S: Service<http::Request<tonic::body::Body>, Response = http::Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let gateway = Gateway::new(pool, services, upstream, config)?;
    Ok(Router::new().fallback(move |request: axum::extract::Request| async move { gateway.handle(request).await }))
}

/// The JSON side of the gateway.
pub(crate) struct Gateway<S> {
    routes: Arc<Routes>,
    upstream: S,
    config: Config,
}

/// What outlives the request while its answer streams.
pub(crate) struct Call {
    routes: Arc<Routes>,
    route: usize,
    max_response_bytes: usize,
}

impl Call {
    pub(crate) fn route(&self) -> &Route {
        self.routes.get(self.route)
    }

    pub(crate) fn max_response_bytes(&self) -> usize {
        self.max_response_bytes
    }

    /// The JSON text of a message, in the style of the route unless it is one of a stream.
    pub(crate) fn json(&self, message: &[u8]) -> Result<String, Status> {
        let route = self.route();
        self.text(message, if route.streams { ("", "") } else { (&*route.around.0, route.around.1) })
    }

    /// The JSON text of a message without any style.
    pub(crate) fn bare(&self, message: &[u8]) -> Result<String, Status> {
        self.text(message, ("", ""))
    }

    fn text(&self, message: &[u8], (before, after): (&str, &str)) -> Result<String, Status> {
        let route = self.route();
        let mut json = String::with_capacity(message.len() * 2 + 64);
        json.push_str(before);
        let result = match route.response_field {
            None => response::message(&self.routes.tables, route.output, message, &mut json),
            Some(index) => response::member(&self.routes.tables, route.output, index, message, &mut json),
        };
        match result {
            Ok(()) => {
                json.push_str(after);
                Ok(json)
            }
            Err(error) => {
                tracing::error!(%error, method = %route.grpc_path, "an answer cannot be transcoded");
                Err(Status::internal("the answer cannot be shown as JSON"))
            }
        }
    }

    /// The text by which a client goes on after this message of a stream.
    pub(crate) fn event_id(&self, message: &[u8]) -> Option<String> {
        let route = self.route();
        let mut json = String::new();
        response::member(&self.routes.tables, route.output, route.event_id.as_ref()?.answer, message, &mut json).ok()?;
        // A line break within the text is escaped.
        Some(json.trim_matches('"').to_owned())
    }
}

impl<S: Upstream> Gateway<S> {
    pub(crate) fn new(pool: &DescriptorPool, services: &[&str], upstream: S, config: Config) -> Result<Arc<Self>, RouteError> {
        let routes = Arc::new(Routes::new(pool, services)?);
        Ok(Arc::new(Self { routes, upstream, config }))
    }

    pub(crate) async fn handle(&self, request: axum::extract::Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let id = request_id(&parts.headers);
        parts.headers.insert(REQUEST_ID, id.clone());
        let mut response = self.answer(&parts, body).await;
        response.headers_mut().insert(REQUEST_ID, id);
        if parts.method == Method::HEAD { without_body(response) } else { response }
    }

    async fn answer(&self, parts: &Parts, body: HttpBody) -> Response {
        let path = parts.uri.path();
        match self.routes.find(&parts.method, path) {
            Found::Route(index, segments) => {
                let call = self.call(index);
                let route = self.routes.get(index);
                self.operation(call, route, parts, &segments, body).await.unwrap_or_else(|failure| route.style.failure(failure))
            }
            Found::OtherMethods { allow, style } => other_methods(&parts.method, &allow, style),
            Found::Nothing => {
                Style::of_unknown(path).failure(Failure::new(StatusCode::NOT_FOUND, "NotFound", "there is nothing at this path"))
            }
        }
    }

    fn call(&self, route: usize) -> Call {
        Call { routes: Arc::clone(&self.routes), route, max_response_bytes: self.config.max_response_bytes }
    }

    async fn operation(
        &self,
        call: Call,
        route: &Route,
        parts: &Parts,
        segments: &Segments<'_>,
        body: HttpBody,
    ) -> Result<Response, Failure> {
        let client_timeout = upstream::client_timeout(&parts.headers);
        let timeout = match route.streams {
            true => client_timeout,
            false => Some(client_timeout.unwrap_or(Duration::MAX).min(route.timeout.unwrap_or(self.config.default_timeout))),
        };
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));

        let body = match route.body {
            BodyBinding::Nothing => Bytes::new(),
            BodyBinding::Message | BodyBinding::Field(_) => self.read_body(&parts.headers, body).await?,
        };
        let frame = self.frame(route, parts, segments, &body)?;
        let mut request = upstream::request(&route.grpc_path, &parts.headers, timeout, frame);
        if let Some(address) = self.config.trusted_proxies.client(parts) {
            request.extensions_mut().insert(address);
        }

        let result = match deadline {
            None => self.exchange(call, route, parts, request, None).await,
            Some(at) => match timeout_at(at, self.exchange(call, route, parts, request, deadline)).await {
                Ok(result) => result,
                Err(_) => Err((Status::deadline_exceeded("the operation did not end in time"), HeaderMap::new())),
            },
        };
        result.map_err(|(status, headers)| Failure::from_grpc(&status, route, headers))
    }

    /// The body of a request, if it is JSON.
    pub(crate) async fn read_body(&self, headers: &HeaderMap, mut body: HttpBody) -> Result<Bytes, Failure> {
        let content_type = headers.get(header::CONTENT_TYPE);
        let is_json = content_type.is_some_and(is_json);
        let unsupported =
            || Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "the body must be application/json");
        if content_type.is_some() && !is_json {
            return Err(unsupported());
        }
        let limit = self.config.max_request_bytes;
        let too_large =
            || Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLarge", format!("the body is larger than {limit} bytes"));
        if body.size_hint().lower() > limit as u64 {
            drain(body).await;
            return Err(too_large());
        }
        let collected = tokio::time::timeout(self.config.default_timeout, Limited::new(&mut body, limit).collect()).await;
        let collected = collected
            .map_err(|_| Failure::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "the body did not arrive in time"))?;
        let body = match collected {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                drain(body).await;
                return Err(too_large());
            }
            Err(_) => return Err(Failure::new(StatusCode::BAD_REQUEST, "IncompleteRequest", "the body could not be read")),
        };
        if is_json || body.is_empty() { Ok(body) } else { Err(unsupported()) }
    }

    /// The message of a request. What the path says stands last, so that nothing else overrides it.
    fn frame(&self, route: &Route, parts: &Parts, segments: &Segments<'_>, body: &[u8]) -> Result<Bytes, Failure> {
        let tables = &self.routes.tables;
        let mut out = upstream::open_frame();
        match route.body {
            BodyBinding::Nothing => {}
            BodyBinding::Message => {
                request::message(tables, route.input, body, &mut out).map_err(|error| refused(route, &error))?
            }
            BodyBinding::Field(index) => {
                let field = &tables[route.input].fields[index];
                request::field(tables, field, body, &mut out).map_err(|error| refused(route, &error))?;
            }
        }
        for pair in percent::query(parts.uri.query().unwrap_or("")) {
            let Some((name, value)) = pair else {
                return Err(Failure::new(StatusCode::BAD_REQUEST, "InvalidQuery", "the query is not percent-encoded UTF-8"));
            };
            if let Some(target) = request::resolve(tables, route.input, &name) {
                request::text_value(tables, &target, &value, &mut out).map_err(|error| refused(route, &error.named(&name)))?;
            }
        }
        if let Some(event_id) = &route.event_id
            && let Some(last) = parts.headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok())
        {
            request::text_value(tables, &event_id.request, last, &mut out).map_err(|error| refused(route, &error))?;
        }
        for (target, span) in &route.variables {
            let end = span.end.min(segments.len());
            let value = match segments.get(span.start..end).unwrap_or_default() {
                [one] => one.clone(),
                several => several.join("/").into(),
            };
            request::text_value(tables, target, &value, &mut out).map_err(|error| refused(route, &error.named("path")))?;
        }
        Ok(upstream::close_frame(out))
    }

    async fn exchange(
        &self,
        call: Call,
        route: &Route,
        parts: &Parts,
        request: http::Request<tonic::body::Body>,
        deadline: Option<Instant>,
    ) -> Result<Response, (Status, HeaderMap)> {
        let answer = self.upstream.call(request).await.map_err(|error| (upstream::transport_status(error), HeaderMap::new()))?;
        let headers = upstream::passed_through(answer.headers());
        upstream::check_head(&answer).map_err(|status| (status, headers.clone()))?;
        let status = route.success_status(answer.headers());
        let answer = answer.into_body();
        let mut response = if route.streams {
            let format = Format::accepted(&parts.headers);
            let body = stream::body(call, format, answer, deadline);
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            ];
            (status, headers, body).into_response()
        } else {
            let message = upstream::single_message(answer, self.config.max_response_bytes);
            let message = message.await.map_err(|status| (status, headers.clone()))?;
            success(&call, route, status, &parts.headers, &message).map_err(|status| (status, headers.clone()))?
        };
        response.headers_mut().extend(headers);
        Ok(response)
    }
}

/// Reads on for a while: a client that sends all before it listens would not hear the answer otherwise.
async fn drain(body: HttpBody) {
    const MAX_BYTES: usize = 16 * 1024 * 1024;
    const DEADLINE: Duration = Duration::from_secs(5);
    // However it ends, the answer follows.
    let mut body = Limited::new(body, MAX_BYTES);
    let read_on = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(DEADLINE, read_on).await;
}

/// The answer to HEAD: it says how long the body would be.
fn without_body(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response.map(|_| HttpBody::empty())
}

fn success(call: &Call, route: &Route, status: StatusCode, headers: &HeaderMap, message: &[u8]) -> Result<Response, Status> {
    if status == StatusCode::NO_CONTENT {
        return Ok(done(route, headers));
    }
    Ok((status, crate::style::json(call.json(message)?)).into_response())
}

/// The answer of an operation without content: a body only for who prefers one (RFC 7240).
fn done(route: &Route, headers: &HeaderMap) -> Response {
    const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
    if !prefers_representation(headers) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let applied = [(PREFERENCE_APPLIED, HeaderValue::from_static("return=representation"))];
    (StatusCode::OK, applied, crate::style::json(route.done_body.to_string())).into_response()
}

fn prefers_representation(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences = preferences.flat_map(|value| value.split(',')).filter_map(|preference| preference.split(';').next());
    let preferences = preferences.filter_map(|preference| preference.split_once('='));
    let mut returns = preferences.filter(|(name, _)| name.trim().eq_ignore_ascii_case("return"));
    // Of a preference given twice, the first counts.
    returns.next().is_some_and(|(_, value)| value.trim().trim_matches('"') == "representation")
}

fn other_methods(method: &Method, allow: &str, style: Style) -> Response {
    let mut response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let message = format!("{method} is not possible here; there are {allow}");
        style.failure(Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message))
    };
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn refused(route: &Route, error: &RequestError) -> Failure {
    let (status, reason) = match error.fault {
        Fault::Malformed => (StatusCode::BAD_REQUEST, "MalformedJson"),
        Fault::Type => (StatusCode::BAD_REQUEST, INVALID_FIELD),
        Fault::Value => (route.error_status(Code::InvalidArgument, INVALID_FIELD), INVALID_FIELD),
    };
    Failure::new(status, reason, error.to_string())
}

fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().unwrap_or("").split(';').next().unwrap_or("");
    essence.trim().eq_ignore_ascii_case("application/json")
}
