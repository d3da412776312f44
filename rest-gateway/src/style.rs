//! The two shapes of JSON bodies, and how a failure becomes one of them.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tonic::Code;
use utopia_proto::{api::v1 as options, status::code_name};

use crate::{routes::Route, transcode::response::write_string};

/// The shape of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// The message itself; errors are `{"error", "code"}`.
    Bare,
    /// `{"code", "message", "data"}`.
    Envelope,
}

impl From<options::Style> for Style {
    fn from(style: options::Style) -> Self {
        match style {
            options::Style::Unspecified | options::Style::Bare => Self::Bare,
            options::Style::Envelope => Self::Envelope,
        }
    }
}

impl Style {
    /// The style of answers for a path without operations.
    pub(crate) fn of_unknown(path: &str) -> Self {
        if path == "/api/v1" || path.starts_with("/api/v1/") { Self::Envelope } else { Self::Bare }
    }

    /// What precedes and follows the JSON text of a success.
    pub(crate) fn around(self, message: &str) -> (Box<str>, &'static str) {
        match self {
            Self::Bare => ("".into(), ""),
            Self::Envelope => {
                let mut before = "{\"code\":0,\"message\":".to_owned();
                write_string(&mut before, if message.is_empty() { "success" } else { message });
                before.push_str(",\"data\":");
                (before.into(), "}")
            }
        }
    }

    /// The body of a success that has nothing to tell but itself.
    pub(crate) fn done_body(self, message: &str) -> String {
        let (before, after) = self.around(message);
        match self {
            Self::Bare => {
                let mut body = "{\"message\":".to_owned();
                write_string(&mut body, if message.is_empty() { "success" } else { message });
                body.push('}');
                body
            }
            Self::Envelope => format!("{before}null{after}"),
        }
    }

    /// The body of a failure.
    pub(crate) fn error_body(self, failure: &Failure) -> String {
        let mut body = String::with_capacity(64 + failure.message.len());
        match self {
            Self::Bare => {
                body.push_str("{\"error\":");
                write_string(&mut body, &failure.message);
                body.push_str(",\"code\":");
                write_string(&mut body, &failure.reason);
                body.push('}');
            }
            Self::Envelope => {
                body.push_str("{\"code\":");
                body.push_str(failure.status.as_str());
                body.push_str(",\"message\":");
                write_string(&mut body, &failure.message);
                body.push_str(",\"data\":null}");
            }
        }
        body
    }

    /// The answer for a failure.
    pub(crate) fn failure(self, failure: Failure) -> Response {
        let body = self.error_body(&failure);
        let mut response = (failure.status, json(body)).into_response();
        response.headers_mut().extend(*failure.headers);
        if failure.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// A stable CamelCase word.
    pub(crate) reason: String,
    /// A sentence.
    pub(crate) message: String,
    pub(crate) headers: Box<HeaderMap>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self { status, reason: reason.to_owned(), message: message.into(), headers: Box::default() }
    }

    /// A gRPC status, shown as the route says.
    pub(crate) fn from_grpc(grpc: &tonic::Status, route: &Route, headers: HeaderMap) -> Self {
        let reason = utopia_proto::status::reason(grpc);
        let status = route.error_status(grpc.code(), &reason);
        let message = if grpc.message().is_empty() { code_name(grpc.code()) } else { grpc.message() };
        Self { status, reason, message: message.to_owned(), headers: Box::new(headers) }
    }
}

/// A body with its content type.
pub(crate) fn json(body: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(body))
}

/// The HTTP status of a gRPC code where an operation does not say otherwise.
pub(crate) fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // "Client closed request": common usage, though not registered.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
