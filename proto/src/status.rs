//! One way to say that something went wrong: a gRPC status with a stable reason.

use std::time::Duration;

use tonic::{Code, Status, metadata::MetadataValue};
use tonic_types::{ErrorDetails, StatusExt};

/// The `domain` of every `ErrorInfo` the product sends.
pub const DOMAIN: &str = "utopia";

/// A status with a plain sentence for people, a stable CamelCase `reason` for programs, and the field at fault if there is one.
#[must_use]
pub fn status(code: Code, reason: &str, message: &str, field: Option<&str>) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, DOMAIN, [] as [(String, String); 0]);
    if let Some(field) = field {
        details.add_bad_request_violation(field, message);
    }
    Status::with_error_details(code, message, details)
}

/// A status that says when it is worth another try: in its details, and in whole seconds, rounded up, as the metadata `retry-after`.
#[must_use]
pub fn retry_after(code: Code, reason: &str, message: &str, after: Duration) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, DOMAIN, [] as [(String, String); 0]);
    details.set_retry_info(Some(after));
    let mut status = Status::with_error_details(code, message, details);
    let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
    status.metadata_mut().insert("retry-after", MetadataValue::from(seconds));
    status
}

/// The `reason` of a status, or the CamelCase name of its code.
#[must_use]
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map_or_else(|| code_name(status.code()).to_owned(), |info| info.reason)
}

/// The field at fault, if the status names one.
#[must_use]
pub fn field(status: &Status) -> Option<String> {
    let violations = status.get_details_bad_request()?.field_violations;
    violations.into_iter().next().map(|violation| violation.field)
}

/// The CamelCase name of a code.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "Ok",
        Code::Cancelled => "Cancelled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_and_field_survive_the_wire() {
        let sent = status(Code::InvalidArgument, "InvalidField", "must not be negative", Some("spec.resources.gpuCount"));
        let headers = sent.into_http::<()>().into_parts().0.headers;
        let received = Status::from_header_map(&headers).unwrap();
        assert_eq!(reason(&received), "InvalidField");
        assert_eq!(field(&received).as_deref(), Some("spec.resources.gpuCount"));
    }

    #[test]
    fn when_to_try_again_is_said_in_whole_seconds() {
        for (after_ms, seconds) in [(0, "0"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let after = Duration::from_millis(after_ms);
            let sent = retry_after(Code::ResourceExhausted, "RateLimited", "too many", after);
            let received = Status::from_header_map(&sent.into_http::<()>().into_parts().0.headers).unwrap();
            assert_eq!(received.metadata().get("retry-after").unwrap(), seconds);
            assert_eq!(received.get_details_retry_info().unwrap().retry_delay, Some(after));
            assert_eq!(reason(&received), "RateLimited");
        }
    }

    #[test]
    fn a_plain_status_is_named_by_its_code() {
        assert_eq!(reason(&Status::not_found("no such node")), "NotFound");
        assert_eq!(field(&Status::not_found("no such node")), None);
    }
}
