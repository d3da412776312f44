//! Answers: what a success looks like in either style, and every status that an error can have.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use tonic::Code;
use utopia_proto::api::v1::{Access, Limit, Rest};

use super::{
    json::{Json, Object},
    operation::Binding,
    schema::{Direction, Schemas, reference},
};
use crate::style::{Style, http_status};

/// The components that answers share.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) responses: Object,
    pub(super) schemas: BTreeMap<String, Json>,
}

/// Codes by the names that comments use.
const NAMED: [(&str, Code); 9] = [
    ("NOT_FOUND", Code::NotFound),
    ("ALREADY_EXISTS", Code::AlreadyExists),
    ("FAILED_PRECONDITION", Code::FailedPrecondition),
    ("ABORTED", Code::Aborted),
    ("PERMISSION_DENIED", Code::PermissionDenied),
    ("RESOURCE_EXHAUSTED", Code::ResourceExhausted),
    ("OUT_OF_RANGE", Code::OutOfRange),
    ("UNAVAILABLE", Code::Unavailable),
    ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
];

/// The answers of an operation.
pub(super) fn answers(binding: &Binding<'_>, schemas: &mut Schemas, components: &mut Answers) -> Result<Object, String> {
    let default = Rest::default();
    let rest = binding.options.rest.as_ref().unwrap_or(&default);
    let style = Style::from(rest.style());
    let mut answers = Object::default();
    let status = if rest.success_status == 0 { 200 } else { rest.success_status };
    if status == u32::from(StatusCode::NO_CONTENT.as_u16()) {
        answers.push("200", represented(binding, style, rest));
        answers.push("204", described("Done; there is no body.", binding));
    } else {
        answers.push(status.to_string(), success(binding, style, rest, schemas)?);
    }
    for other in &rest.other_success_status {
        answers.push(other.to_string(), success(binding, style, rest, schemas)?);
    }
    for status in statuses(binding, rest) {
        answers.push(status.as_str(), reference("responses", &components.name(style, status)));
    }
    Ok(answers)
}

fn described(description: &str, binding: &Binding<'_>) -> Object {
    Object::default().with("description", description).with("headers", success_headers(binding))
}

fn success_headers(binding: &Binding<'_>) -> Object {
    let headers = Object::default().with("X-Request-Id", reference("headers", "RequestId"));
    match binding.options.limit() {
        Limit::None => headers,
        Limit::Unspecified | Limit::Login | Limit::General | Limit::Admin => limit_headers(headers),
    }
}

fn limit_headers(headers: Object) -> Object {
    headers
        .with("X-RateLimit-Limit", reference("headers", "RateLimitLimit"))
        .with("X-RateLimit-Remaining", reference("headers", "RateLimitRemaining"))
        .with("X-RateLimit-Reset", reference("headers", "RateLimitReset"))
}

/// The body of a success without content, for who prefers one.
fn represented(binding: &Binding<'_>, style: Style, rest: &Rest) -> Object {
    let schema = match style {
        Style::Bare => {
            let properties = Object::default().with("message", Object::default().with("type", "string"));
            Object::default().with("type", "object").with("properties", properties).with("required", vec!["message"])
        }
        Style::Envelope => envelope(rest, Object::default().with("type", "null")),
    };
    let headers = success_headers(binding).with("Preference-Applied", reference("headers", "PreferenceApplied"));
    Object::default()
        .with("description", "Done, with `Prefer: return=representation`.")
        .with("headers", headers)
        .with("content", json_content(schema))
}

fn success(binding: &Binding<'_>, style: Style, rest: &Rest, schemas: &mut Schemas) -> Result<Object, String> {
    let output = binding.method.output();
    let data = match binding.rule.response_body.as_str() {
        "" => schemas.message(&output, Direction::Answer),
        name => {
            let field = output.get_field_by_name(name).ok_or_else(|| format!("there is no field {name}"))?;
            schemas.field(&field, Direction::Answer)
        }
    };
    if binding.method.is_server_streaming() {
        return Ok(described("A message after the other.", binding).with("content", stream_content(data)));
    }
    let schema = match style {
        Style::Bare => data,
        Style::Envelope => envelope(rest, data),
    };
    Ok(described("Success.", binding).with("content", json_content(schema)))
}

fn json_content(schema: Object) -> Object {
    Object::default().with("application/json", Object::default().with("schema", schema))
}

fn stream_content(message: Object) -> Object {
    let lines = Object::default()
        .with("type", "string")
        .with("description", "A message on each line. If the stream fails, the last line is `{\"error\", \"code\"}`.")
        .with("contentMediaType", "application/json")
        .with("contentSchema", message);
    let events = Object::default().with("type", "string").with(
        "description",
        "With `Accept: text/event-stream`: a message as the data of each event. If the stream fails, the last event is named `error`.",
    );
    Object::default()
        .with("application/x-ndjson", Object::default().with("schema", lines))
        .with("text/event-stream", Object::default().with("schema", events))
}

fn envelope(rest: &Rest, data: Object) -> Object {
    let message = if rest.success_message.is_empty() { "success" } else { &rest.success_message };
    let code = Object::default().with("type", "integer").with("const", 0);
    let message = Object::default().with("type", "string").with("examples", vec![message]);
    let properties = Object::default().with("code", code).with("message", message).with("data", data);
    Object::default().with("type", "object").with("properties", properties).with("required", vec!["code", "message", "data"])
}

/// Every status that an error of the operation can have.
fn statuses(binding: &Binding<'_>, rest: &Rest) -> BTreeSet<StatusCode> {
    let mut codes = vec![
        Code::InvalidArgument,
        Code::Unauthenticated,
        Code::Internal,
        Code::Unimplemented,
        Code::Unavailable,
        Code::DeadlineExceeded,
    ];
    if binding.options.access() != Access::Public {
        codes.push(Code::PermissionDenied);
    }
    if binding.options.limit() != Limit::None {
        codes.push(Code::ResourceExhausted);
    }
    if binding.has_path_parameters {
        codes.push(Code::NotFound);
    }
    if binding.rule.method != "GET" && binding.options.access() != Access::Public {
        codes.push(Code::Aborted);
    }
    codes.extend(NAMED.iter().filter(|(name, _)| binding.comment.contains(name)).map(|(_, code)| *code));
    let mut statuses = codes.into_iter().flat_map(|code| mapped(rest, code)).collect::<BTreeSet<_>>();
    // Refused by the gateway itself, whatever the mapping says.
    statuses.extend([StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE]);
    if !binding.rule.body.is_empty() {
        statuses.extend([StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    }
    statuses
}

/// The statuses of a code: those of its deviations, and the usual one unless a deviation holds for every reason.
fn mapped(rest: &Rest, code: Code) -> Vec<StatusCode> {
    let mut statuses = Vec::new();
    for entry in rest.error_status.iter().filter(|entry| i64::from(entry.grpc_code) == i64::from(code as i32)) {
        statuses.extend(u16::try_from(entry.http_status).ok().and_then(|status| StatusCode::from_u16(status).ok()));
        if entry.reason.is_empty() {
            return statuses;
        }
    }
    statuses.push(http_status(code));
    statuses
}

impl Answers {
    /// The name of the shared answer for a status.
    fn name(&mut self, style: Style, status: StatusCode) -> String {
        let (prefix, schema) = match style {
            Style::Bare => ("Bare", "Error"),
            Style::Envelope => ("Envelope", "EnvelopeError"),
        };
        let name = format!("{prefix}{}", status.as_u16());
        if !self.responses.has(&name) {
            let headers = Object::default().with("X-Request-Id", reference("headers", "RequestId"));
            let headers = match status {
                StatusCode::TOO_MANY_REQUESTS => limit_headers(headers.with("Retry-After", reference("headers", "RetryAfter"))),
                StatusCode::UNAUTHORIZED => headers.with("WWW-Authenticate", reference("headers", "WwwAuthenticate")),
                _ => headers,
            };
            let response = Object::default()
                .with("description", meaning(status))
                .with("headers", headers)
                .with("content", json_content(reference("schemas", schema)));
            self.responses.push(name.clone(), response);
        }
        name
    }

    /// The bodies of errors.
    pub(super) fn add_schemas(&mut self) {
        let text = |description: &str| Object::default().with("type", "string").with("description", description);
        let properties = Object::default()
            .with("error", text("A sentence."))
            .with("code", text("A stable word in CamelCase.").with("examples", vec!["NotFound"]));
        let bare = Object::default()
            .with("type", "object")
            .with("description", "An error of an operation that answers the thing itself.")
            .with("properties", properties)
            .with("required", vec!["error", "code"]);
        let code = Object::default().with("type", "integer").with("description", "The HTTP status.").with("examples", vec![404]);
        let properties = Object::default()
            .with("code", code)
            .with("message", text("A sentence."))
            .with("data", Object::default().with("type", "null"));
        let envelope = Object::default()
            .with("type", "object")
            .with("description", "An error of an operation that answers an envelope.")
            .with("properties", properties)
            .with("required", vec!["code", "message", "data"]);
        self.schemas.insert("Error".to_owned(), bare.into());
        self.schemas.insert("EnvelopeError".to_owned(), envelope.into());
    }
}

fn meaning(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "The request cannot be read, or a field breaks its rule.",
        401 => "There are no credentials, or they do not hold.",
        403 => "The caller may not.",
        404 => "It does not exist, or not for the caller.",
        408 => "The body did not arrive in time.",
        409 => "The present state of things does not allow it.",
        413 => "The body is too large.",
        415 => "The body is not JSON.",
        422 => "The request can be read, but a field breaks its rule.",
        429 => "There were too many requests.",
        500 => "Something went wrong in the server.",
        501 => "The server does not know the operation.",
        502 => "What the server asked on the caller's behalf failed.",
        503 => "Something that is needed cannot be reached.",
        504 => "It did not end in time.",
        _ => "It failed.",
    }
}

/// The headers of answers.
pub(super) fn headers() -> Object {
    let header = |description: &str, schema: Object| Object::default().with("description", description).with("schema", schema);
    let text = || Object::default().with("type", "string");
    let number = || Object::default().with("type", "integer").with("minimum", 0);
    Object::default()
        .with("RequestId", header("The request's id: the client's own if it sent one.", text()))
        .with("RetryAfter", header("Seconds to wait.", number()))
        .with("RateLimitLimit", header("How many requests the class of the operation allows at once.", number()))
        .with("RateLimitRemaining", header("How many are left now.", number()))
        .with("RateLimitReset", header("Seconds until all are there again.", number()))
        .with("PreferenceApplied", header("The preference that was followed.", text().with("const", "return=representation")))
        .with("WwwAuthenticate", header("The scheme of credentials that is wanted.", text().with("examples", vec!["Bearer"])))
}
