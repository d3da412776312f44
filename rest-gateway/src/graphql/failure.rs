//! Errors of GraphQL, with the same words as those of REST: `extensions` have the `code`, the HTTP `status`, the `field` at fault and
//! after how many seconds it is worth another try.

use async_graphql::{Error, ErrorExtensionValues, ErrorExtensions as _, Response, ServerError, Value};
use http::{StatusCode, header};

use crate::style::Failure;

/// The reason of a document that is refused before anything is called.
const INVALID_QUERY: &str = "InvalidQuery";
/// The reason of one that asks for too much.
const TOO_COMPLEX: &str = "QueryTooComplex";

/// A failure as an error.
pub(super) fn of(failure: &Failure, field: Option<String>) -> Error {
    Error::new(failure.message.clone()).extend_with(|_, extensions| fill(extensions, failure, field))
}

fn fill(extensions: &mut ErrorExtensionValues, failure: &Failure, field: Option<String>) {
    extensions.set("code", failure.reason.as_str());
    extensions.set("status", failure.status.as_u16());
    if let Some(field) = field {
        extensions.set("field", field);
    }
    let seconds = failure.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let Some(seconds) = seconds {
        extensions.set("retryAfter", seconds);
    }
}

/// The answer instead of one that would be too large.
pub(super) fn too_large() -> Response {
    let message = format!("the answer would hold more than {} bytes; ask for less at once", super::values::MAX_ANSWER_BYTES);
    answer(&Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "AnswerTooLarge", message))
}

/// The answer to a document that asks for too much.
pub(super) fn too_complex(message: String) -> Response {
    answer(&Failure::new(StatusCode::BAD_REQUEST, TOO_COMPLEX, message))
}

/// The answer to a request of which nothing is done.
pub(super) fn answer(failure: &Failure) -> Response {
    let mut error = ServerError::new(failure.message.clone(), None);
    fill(error.extensions.get_or_insert_default(), failure, None);
    Response::from_errors(vec![error])
}

/// Gives what the validation found the words of this interface.
pub(super) fn complete(mut response: Response) -> Response {
    for error in response.errors.iter_mut().filter(|error| error.extensions.is_none()) {
        let failure = Failure::new(StatusCode::BAD_REQUEST, INVALID_QUERY, "");
        fill(error.extensions.get_or_insert_default(), &failure, None);
    }
    response
}

/// The HTTP status of an answer that holds no data at all: that of its first error.
pub(super) fn status(response: &Response) -> Option<StatusCode> {
    let refused = response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty());
    let status = extension(response.errors.first()?, "status").filter(|_| refused)?;
    StatusCode::from_u16(u16::try_from(status).ok()?).ok()
}

/// After how many seconds it is worth another try: the longest that an error names.
pub(super) fn retry_after(response: &Response) -> Option<u64> {
    response.errors.iter().filter_map(|error| extension(error, "retryAfter")).max()
}

fn extension(error: &ServerError, name: &str) -> Option<u64> {
    match error.extensions.as_ref()?.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::Null
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)
        | Value::List(_)
        | Value::Object(_) => None,
    }
}

/// Whether a request was no document at all.
pub(super) fn is_unread(response: &Response) -> bool {
    let code = response.errors.first().and_then(|error| error.extensions.as_ref()?.get("code"));
    code == Some(&Value::from("MalformedJson"))
}
