//! GraphQL at `/api/graphql`: the operations of the contract as fields of a schema that is made from the descriptors.
//!
//! Each field of a root is one call through the same upstream as a REST request, with the caller's credentials and address: who may
//! do what, limits and the audit log are what they are there, and nothing here decides about them. Nothing here names a resource. A
//! document is judged by `bounds` before anything walks through it. GET executes nothing: it shows a page, or opens a WebSocket.

mod bounds;
mod failure;
pub(crate) mod names;
mod operation;
mod pages;
mod schema;
mod socket;
mod values;

use std::sync::{Arc, LazyLock};

use async_graphql::{Request, Response, Variables, dynamic::Schema};
use axum::{
    Router,
    extract::Request as HttpRequest,
    response::{IntoResponse as _, Response as HttpResponse},
    routing::any,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use prost_reflect::DescriptorPool;
use serde::Deserialize;
use utopia_proto::policy;

use crate::{
    CorsOrigins, RouteError,
    call::{
        Config, Gateway,
        direct::{Origin, Refused},
    },
    style::Failure,
    upstream::{REQUEST_ID, Upstream, request_id},
};

const PATH: &str = "/api/graphql";
/// The schema as text.
const SCHEMA_PATH: &str = "/api/graphql/schema";

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";

/// Who asks, and how much the answer may hold.
#[derive(Debug, Default)]
struct Caller {
    origin: Origin,
    budget: values::Budget,
}

impl Caller {
    /// What the caller is told of what was done.
    fn judge(&self, response: Response) -> Response {
        if self.budget.is_spent() { failure::too_large() } else { failure::complete(response) }
    }
}

type MakeSchema = Box<dyn FnOnce() -> Result<Schema, RouteError> + Send>;

/// The GraphQL side of the gateway.
struct Graphql<S> {
    gateway: Arc<Gateway<S>>,
    /// Made when it is first needed.
    schema: LazyLock<Result<Schema, RouteError>, MakeSchema>,
    /// The route of the method that tells who calls.
    identifies: Option<usize>,
    origins: CorsOrigins,
}

/// The routes of GraphQL: the endpoint, its page, and the schema as text.
pub(crate) fn router<S: Upstream>(pool: &DescriptorPool, gateway: Arc<Gateway<S>>, origins: CorsOrigins) -> Router {
    let mut methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let identifies = methods.find(|method| policy::operation(method).is_some_and(|operation| operation.identifies));
    let identifies = identifies.and_then(|method| gateway.routes().of_method(&policy::grpc_path(&method)));
    let make: MakeSchema = {
        let (pool, gateway) = (pool.clone(), Arc::clone(&gateway));
        Box::new(move || schema::schema(&pool, gateway.routes(), &gateway))
    };
    let graphql = Arc::new(Graphql { gateway, schema: LazyLock::new(make), identifies, origins });
    let for_text = Arc::clone(&graphql);
    Router::new()
        .route(PATH, any(async move |request: HttpRequest| handle(&graphql, request).await))
        .route(SCHEMA_PATH, any(async move |request: HttpRequest| for_text.handle_text(request).await))
        .merge(pages::router())
}

/// The schema of a contract in GraphQL's own language.
///
/// # Errors
/// When a binding of the contract is wrong, or GraphQL has no name for something in it.
pub fn graphql_schema(pool: &DescriptorPool) -> Result<String, RouteError> {
    let nobody = tower::service_fn(async |_: http::Request<tonic::body::Body>| {
        Err::<http::Response<tonic::body::Body>, _>(std::io::Error::other("nobody is called"))
    });
    let services = pool.services().map(|service| service.full_name().to_owned()).collect::<Vec<_>>();
    let services = services.iter().map(String::as_str).collect::<Vec<_>>();
    let gateway = Gateway::new(pool, &services, nobody, Config::default())?;
    Ok(schema::schema(pool, gateway.routes(), &gateway)?.sdl())
}

/// The body of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Posted {
    fn into_request(self) -> Request {
        let variables = Variables::from_json(self.variables.unwrap_or_default().into());
        let request = Request::new(self.query).variables(variables);
        match self.operation_name {
            Some(name) if !name.is_empty() => request.operation_name(name),
            Some(_) | None => request,
        }
    }
}

async fn handle<S: Upstream>(graphql: &Arc<Graphql<S>>, request: HttpRequest) -> HttpResponse {
    let (mut parts, body) = request.into_parts();
    let id = request_id(&parts.headers);
    parts.headers.insert(REQUEST_ID, id.clone());
    let media = Media::accepted(&parts.headers);
    let mut response = match parts.method {
        Method::POST => match graphql.gateway.read_body(&parts.headers, body).await {
            Ok(body) => {
                let caller = Caller { origin: graphql.gateway.origin(&parts), ..Caller::default() };
                media.answer(&graphql.post(caller, &body).await)
            }
            Err(failure) => media.refuse(&failure),
        },
        Method::GET if socket::is_wanted(&parts.headers) => socket::open(graphql, &mut parts).await,
        Method::GET if accepts(&parts.headers, "text/html") => pages::page(),
        _ => other_method(&parts.method, media),
    };
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

impl<S: Upstream> Graphql<S> {
    async fn post(&self, caller: Caller, body: &[u8]) -> Response {
        let posted = match serde_json::from_slice::<Posted>(body) {
            Ok(posted) => posted,
            Err(error) => return failure::answer(&malformed(body, &error)),
        };
        let mut request = posted.into_request();
        let caller = Arc::new(caller);
        match self.prepare(&mut request, &caller).await {
            Ok((_, async_graphql::parser::types::OperationType::Subscription)) => failure::answer(&Failure::new(
                StatusCode::BAD_REQUEST,
                "SubscriptionNeedsWebSocket",
                "a subscription needs a WebSocket (graphql-transport-ws) at this path",
            )),
            Ok((schema, _)) => {
                let response = schema.execute(request.data(Arc::clone(&caller))).await;
                caller.judge(response)
            }
            Err(response) => response,
        }
    }

    /// Parses and judges a document.
    async fn prepare(
        &self,
        request: &mut Request,
        caller: &Caller,
    ) -> Result<(&Schema, async_graphql::parser::types::OperationType), Response> {
        let schema = self.schema.as_ref().map_err(|error| {
            tracing::error!(%error, "the GraphQL schema cannot be made");
            failure::answer(&Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", "the schema cannot be made"))
        })?;
        bounds::check_text(&request.query).map_err(failure::too_complex)?;
        let (name, variables) = (request.operation_name.clone(), std::mem::take(&mut request.variables));
        let document = request.parsed_query().map_err(|error| failure::complete(Response::from_errors(vec![error])))?;
        let measured = bounds::measure(document, name.as_deref(), &variables).map_err(failure::too_complex)?;
        request.variables = variables;
        let Some(measured) = measured else {
            let message = format!("the document has no operation named {}", name.unwrap_or_default());
            return Err(failure::answer(&Failure::new(StatusCode::BAD_REQUEST, "InvalidQuery", message)));
        };
        if measured.introspects {
            let known = self.identify(&caller.origin).await;
            known.map_err(|refused| failure::answer(&refused.failure))?;
        }
        Ok((schema, measured.ty))
    }

    /// Whether the caller's credentials hold: the contract has a method that knows. It counts as a call.
    async fn identify(&self, origin: &Origin) -> Result<(), Refused> {
        match self.identifies {
            Some(route) => self.gateway.value(route, origin, b"{}").await.map(drop),
            None => {
                let failure = Failure::new(StatusCode::FORBIDDEN, "PermissionDenied", "the schema is shown to nobody");
                Err(Refused { failure, field: None })
            }
        }
    }

    /// The schema as text, for who is logged in.
    async fn handle_text(&self, request: HttpRequest) -> HttpResponse {
        let (mut parts, _) = request.into_parts();
        let id = request_id(&parts.headers);
        parts.headers.insert(REQUEST_ID, id.clone());
        let mut response = match (&parts.method, self.schema.as_ref()) {
            (&Method::GET, Ok(schema)) => match self.identify(&self.gateway.origin(&parts)).await {
                Ok(()) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], schema.sdl()).into_response(),
                Err(refused) => crate::style::Style::Bare.failure(refused.failure),
            },
            (method, _) => other_method(method, Media::Json),
        };
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }
}

fn malformed(body: &[u8], error: &serde_json::Error) -> Failure {
    let is_batch = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let message = if is_batch {
        "several documents at once are not accepted; a document may have several fields at its root".to_owned()
    } else {
        format!("the body must be a JSON object with `query`, and perhaps `variables` and `operationName`: {error}")
    };
    Failure::new(StatusCode::BAD_REQUEST, "MalformedJson", message)
}

/// The media type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    /// 200 whenever the body could be read.
    Json,
    /// The status tells of a document of which nothing was done.
    Graphql,
}

impl Media {
    fn accepted(headers: &HeaderMap) -> Self {
        if accepts(headers, GRAPHQL) { Self::Graphql } else { Self::Json }
    }

    fn answer(self, response: &Response) -> HttpResponse {
        let refused = failure::status(response);
        let is_unread = refused == Some(StatusCode::BAD_REQUEST) && failure::is_unread(response);
        let status = match self {
            Self::Json if is_unread => StatusCode::BAD_REQUEST,
            Self::Json => StatusCode::OK,
            Self::Graphql => refused.unwrap_or(StatusCode::OK),
        };
        self.respond(status, response)
    }

    /// The answer to a request that is no document.
    fn refuse(self, failure: &Failure) -> HttpResponse {
        self.respond(failure.status, &failure::answer(failure))
    }

    fn respond(self, status: StatusCode, response: &Response) -> HttpResponse {
        let kind = if self == Self::Json { JSON } else { GRAPHQL };
        let body = serde_json::to_vec(response).unwrap_or_else(|error| {
            tracing::error!(%error, "an answer cannot be written");
            br#"{"errors":[{"message":"the answer cannot be written"}]}"#.to_vec()
        });
        let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
        let mut answer = (status, headers, body).into_response();
        if let Some(seconds) = failure::retry_after(response) {
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

fn other_method(method: &Method, media: Media) -> HttpResponse {
    let mut response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let message = format!(
            "{method} is not possible here; documents come by POST, subscriptions over a WebSocket, and a browser finds a page"
        );
        media.refuse(&Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message))
    };
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, OPTIONS, POST"));
    response
}

fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accept.flat_map(|value| value.split(',')).filter_map(|kind| kind.split(';').next());
    types.any(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}
