//! What can go wrong, free of any transport, and its one translation into a gRPC status.

use std::{borrow::Cow, time::Duration};

use tonic::{Code, Status};

/// An operation that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such thing, or none the caller may know of.
    #[error("{kind} {name} does not exist")]
    NotFound {
        /// What was looked for, e.g. `claim`.
        kind: &'static str,
        /// Its id or name.
        name: String,
    },
    /// No such thing at a server of others.
    #[error("{message}")]
    Absent {
        /// A stable word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// It is there already.
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
        /// Path of the field as in JSON, e.g. `spec.resources.gpuCount`.
        field: Cow<'static, str>,
        /// The rule, as the end of a sentence that begins with the field.
        rule: Cow<'static, str>,
    },
    /// A field that must be given is missing or empty.
    #[error("{field}: must be given")]
    Missing {
        /// Path of the field as in JSON.
        field: Cow<'static, str>,
    },
    /// Things do not stand so that it could be done.
    #[error("{message}")]
    FailedPrecondition {
        /// A stable word.
        reason: Cow<'static, str>,
        /// A sentence.
        message: String,
    },
    /// It was there, and is kept no more.
    #[error("{message}")]
    Expired {
        /// A stable word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// No credentials, or none that hold.
    #[error("{message}")]
    Unauthenticated {
        /// A stable word.
        reason: &'static str,
        /// A sentence.
        message: &'static str,
    },
    /// The caller may not.
    #[error("{message}")]
    Denied {
        /// A stable word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// Too many, or too often.
    #[error("{message}")]
    Exhausted {
        /// A stable word.
        reason: &'static str,
        /// A sentence.
        message: String,
        /// When it is worth another try, if waiting helps.
        retry_after: Option<Duration>,
    },
    /// Something this depends on is away.
    #[error("{message}")]
    Unavailable {
        /// A stable word.
        reason: Cow<'static, str>,
        /// A sentence that names what to look at.
        message: String,
    },
    /// It took too long.
    #[error("{message}")]
    DeadlineExceeded {
        /// A sentence.
        message: String,
    },
    /// An answer of a node that already is a status.
    #[error("{}", .0.message())]
    Node(Box<Status>),
    /// A fault of ours; the client learns nothing of it.
    #[error("{context}")]
    Internal {
        /// What was being done, e.g. `load users`.
        context: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// A field breaks its rule.
    pub fn invalid(field: impl Into<Cow<'static, str>>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid { field: field.into(), rule: rule.into() }
    }

    /// A field that must be given is missing or empty.
    pub fn missing(field: impl Into<Cow<'static, str>>) -> Self {
        Self::Missing { field: field.into() }
    }

    /// No such thing.
    pub fn not_found(kind: &'static str, name: impl ToString) -> Self {
        Self::NotFound { kind, name: name.to_string() }
    }

    /// A fault of ours, with what was being done.
    pub fn internal(context: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal { context, source: source.into() }
    }
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The canonical code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } | Self::Absent { .. } => Code::NotFound,
            Self::AlreadyExists { .. } => Code::AlreadyExists,
            Self::Invalid { .. } | Self::Missing { .. } => Code::InvalidArgument,
            Self::FailedPrecondition { .. } => Code::FailedPrecondition,
            Self::Expired { .. } => Code::OutOfRange,
            Self::Unauthenticated { .. } => Code::Unauthenticated,
            Self::Denied { .. } => Code::PermissionDenied,
            Self::Exhausted { .. } => Code::ResourceExhausted,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::DeadlineExceeded { .. } => Code::DeadlineExceeded,
            Self::Node(status) => status.code(),
            Self::Internal { .. } => Code::Internal,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let status = |reason: &str, field: Option<&str>| utopia_proto::status::status(error.code(), reason, &message, field);
        match &error {
            Error::NotFound { .. } => status("NotFound", None),
            Error::Invalid { field, .. } => status("InvalidField", Some(field)),
            Error::Missing { field } => status("MissingField", Some(field)),
            Error::Exhausted { reason, retry_after: Some(after), .. } => {
                utopia_proto::status::retry_after(error.code(), reason, &message, *after)
            }
            Error::Exhausted { reason, retry_after: None, .. } => status(reason, None),
            Error::Absent { reason, .. }
            | Error::AlreadyExists { reason, .. }
            | Error::Expired { reason, .. }
            | Error::Unauthenticated { reason, .. }
            | Error::Denied { reason, .. } => status(reason, None),
            Error::FailedPrecondition { reason, .. } | Error::Unavailable { reason, .. } => status(reason, None),
            Error::DeadlineExceeded { .. } => status("DeadlineExceeded", None),
            Error::Node(status) => Status::clone(status),
            Error::Internal { context, source } => {
                tracing::error!(error = %chain(&**source), "{context} failed");
                let message = "an internal error occurred; the server's log has it";
                utopia_proto::status::status(Code::Internal, "Internal", message, None)
            }
        }
    }
}

/// An error with its sources, for the log.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
