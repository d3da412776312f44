//! Why a command failed, as its exit code tells it to scripts.

use std::process::ExitCode;

use reqwest::StatusCode;

use crate::client;

/// The exit codes, as help and manual pages say them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed otherwise
  2    the command line was not understood
  3    not logged in, or not allowed
  4    there is no such thing
  5    it conflicts with how things stand
  6    the server, or one behind it, did not answer in time or is not there: try again later
  7    what was waited for, or run, ended badly: a claim, a job, a check
  130  interrupted with Ctrl-C";

/// A failure that was found here, and not by the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Somebody has to log in first.
    #[error("{0}")]
    NotLoggedIn(String),
    /// What was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// It took longer than it was allowed to.
    #[error("{0}")]
    TimedOut(String),
    /// What was waited for did not end well.
    #[error("{0}")]
    EndedBadly(String),
    /// The arguments do not fit together, or not what they name.
    #[error("{0}")]
    Usage(String),
    /// Somebody wants it to end, and it was ended in order.
    #[error("{0}")]
    Interrupted(String),
}

/// The exit code of a command that failed.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let own = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()).map(Failure::code);
    let code = own.or_else(|| server_error(error).map(of_call));
    ExitCode::from(code.unwrap_or(1))
}

/// The failed call behind a failure.
pub(crate) fn server_error(error: &anyhow::Error) -> Option<&client::Error> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::NotLoggedIn(_) => 3,
            Self::NotFound(_) => 4,
            Self::TimedOut(_) => 6,
            Self::EndedBadly(_) => 7,
            Self::Usage(_) => 2,
            Self::Interrupted(_) => 130,
        }
    }
}

fn of_call(error: &client::Error) -> u8 {
    match error {
        client::Error::Refused { status, .. } => match *status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => 3,
            StatusCode::NOT_FOUND => 4,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => 5,
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => 6,
            _ => 1,
        },
        client::Error::Unreachable { .. } => 6,
        client::Error::Unintelligible { .. } | client::Error::Settings(_) => 1,
    }
}
