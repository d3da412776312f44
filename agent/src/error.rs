//! What can go wrong on the agent, free of any transport, and its one translation into a gRPC status.

use std::borrow::Cow;

use tonic::{Code, Status};
use utopia_proto::link::v1::Failure;

/// An operation that could not be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No such container, or none that this agent made.
    #[error("{kind} {name} does not exist")]
    NotFound {
        /// What was looked for, e.g. `container`.
        kind: &'static str,
        /// Its id.
        name: String,
    },
    /// It is there already, and differs.
    #[error("{message}")]
    AlreadyExists {
        /// A stable word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// A field breaks its rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// Path of the field as in JSON.
        field: Cow<'static, str>,
        /// The rule, as the end of a sentence that begins with the field.
        rule: Cow<'static, str>,
    },
    /// Things do not stand so that it could be done.
    #[error("{message}")]
    FailedPrecondition {
        /// A stable word, e.g. `InsufficientGPUs`, `ImagePullFailed`, `PortInUse`.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// The container runtime cannot be reached, or another thing this depends on.
    #[error("{message}")]
    Unavailable {
        /// A stable word, e.g. `RuntimeUnavailable`.
        reason: &'static str,
        /// A sentence that names what to look at.
        message: String,
    },
    /// It took too long.
    #[error("{message}")]
    DeadlineExceeded {
        /// A sentence.
        message: String,
    },
    /// It was called off.
    #[error("the operation was cancelled")]
    Cancelled,
    /// A fault of ours or an answer of the runtime that nobody expected; the client learns the sentence only.
    #[error("{message}")]
    Internal {
        /// A sentence without internals.
        message: String,
    },
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The canonical code, a stable word and the field at fault.
    #[must_use]
    pub fn parts(&self) -> (Code, &str, Option<&str>) {
        match self {
            Self::NotFound { .. } => (Code::NotFound, "NotFound", None),
            Self::AlreadyExists { reason, .. } => (Code::AlreadyExists, reason, None),
            Self::Invalid { field, .. } => (Code::InvalidArgument, "InvalidField", Some(field)),
            Self::FailedPrecondition { reason, .. } => (Code::FailedPrecondition, reason, None),
            Self::Unavailable { reason, .. } => (Code::Unavailable, reason, None),
            Self::DeadlineExceeded { .. } => (Code::DeadlineExceeded, "DeadlineExceeded", None),
            Self::Cancelled => (Code::Cancelled, "Cancelled", None),
            Self::Internal { .. } => (Code::Internal, "Internal", None),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, reason, field) = error.parts();
        utopia_proto::status::status(code, reason, &error.to_string(), field)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (code, reason, field) = error.parts();
        Self {
            code: code.into(),
            reason: reason.to_owned(),
            message: error.to_string(),
            field: field.unwrap_or_default().to_owned(),
        }
    }
}
