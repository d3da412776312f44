//! Turns what Docker says into our errors: one stable reason each, with Docker's own sentence where that helps people.

use std::path::Path;

use bollard::errors::Error as DockerError;

use crate::{
    error::Error,
    runtime::{
        CREATE_FAILED, IMAGE_PULL_FAILED, LOGS_UNAVAILABLE, NAME_CONFLICT, PORT_IN_USE, RUNTIME_UNAVAILABLE, START_FAILED,
    },
};

/// What was being done. The same answer of Docker means different things at different steps.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Version,
    InspectImage { image: &'a str },
    Pull { image: &'a str },
    Create { name: &'a str, image: &'a str },
    Start { id: &'a str },
    Remove,
    Inspect,
    List,
    Watch,
    Logs { id: &'a str },
}

/// The translator; it knows where Docker should be listening.
#[derive(Debug)]
pub(super) struct Failures {
    socket: String,
}

impl Failures {
    pub(super) fn new(socket: &Path) -> Self {
        Self { socket: socket.display().to_string() }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what else the client reports is one case: an answer nobody expected")]
    pub(super) fn translate(&self, step: &Step<'_>, error: DockerError) -> Error {
        let away = match error {
            DockerError::DockerResponseServerError { status_code, message } => {
                return refused(step, status_code, message.trim());
            }
            DockerError::DockerStreamError { error } => return refused(step, 500, error.trim()),
            DockerError::HyperLegacyError { .. } | DockerError::HyperResponseError { .. } | DockerError::IOError { .. } => {
                format!("Docker cannot be reached at {}", self.socket)
            }
            DockerError::SocketNotFoundError(_) => format!("Docker is not there: {} does not exist", self.socket),
            DockerError::RequestTimeoutError => format!("Docker does not answer in time at {}", self.socket),
            error => {
                tracing::error!(?step, %error, "Docker's answer was not understood");
                return Error::Internal { message: "Docker's answer was not understood".to_owned() };
            }
        };
        tracing::debug!(?step, away, "Docker does not answer");
        Error::Unavailable { reason: RUNTIME_UNAVAILABLE, message: away }
    }
}

fn refused(step: &Step<'_>, status_code: u16, message: &str) -> Error {
    let precondition = |reason, message| Error::FailedPrecondition { reason, message };
    match *step {
        Step::Pull { image } => precondition(IMAGE_PULL_FAILED, format!("the image {image} cannot be pulled: {message}")),
        Step::InspectImage { image } if status_code == 400 => {
            precondition(IMAGE_PULL_FAILED, format!("Docker does not accept the image name {image}: {message}"))
        }
        Step::Create { name, .. } if status_code == 409 => {
            Error::AlreadyExists { reason: NAME_CONFLICT, message: format!("a container named {name} exists already") }
        }
        Step::Create { image, .. } if status_code == 404 && message.to_lowercase().contains("no such image") => {
            precondition(IMAGE_PULL_FAILED, format!("the image {image} is not on this machine any more"))
        }
        Step::Create { .. } if status_code < 500 || is_port_taken(message) => created_badly(message),
        Step::Start { id } if status_code == 404 && message.to_lowercase().contains("no such container") => {
            Error::NotFound { kind: "container", name: id.to_owned() }
        }
        Step::Start { .. } if is_port_taken(message) => {
            precondition(PORT_IN_USE, format!("a port of the machine is taken: {}", port_sentence(message)))
        }
        Step::Start { .. } => precondition(START_FAILED, format!("the container does not start: {message}")),
        // 409 means that it is being removed.
        Step::Logs { id } if matches!(status_code, 404 | 409) => Error::NotFound { kind: "container", name: id.to_owned() },
        Step::Logs { .. } if message.contains("does not support reading") => {
            precondition(LOGS_UNAVAILABLE, format!("Docker does not keep what containers write on this machine: {message}"))
        }
        Step::Create { .. }
        | Step::InspectImage { .. }
        | Step::Version
        | Step::Remove
        | Step::Inspect
        | Step::List
        | Step::Watch
        | Step::Logs { .. } => {
            tracing::error!(?step, status_code, message, "Docker failed");
            Error::Internal { message: format!("Docker failed: {message}") }
        }
    }
}

fn created_badly(message: &str) -> Error {
    let reason = if is_port_taken(message) { PORT_IN_USE } else { CREATE_FAILED };
    Error::FailedPrecondition { reason, message: format!("Docker does not make the container: {message}") }
}

fn is_port_taken(message: &str) -> bool {
    ["port is already allocated", "address already in use"].iter().any(|words| message.contains(words))
}

/// Docker's sentence without its networking jargon and endpoint ids.
fn port_sentence(message: &str) -> &str {
    let start = ["Bind for ", "listen tcp", "listen udp", "failed to bind"].iter().filter_map(|words| message.find(words)).min();
    start.map_or(message, |start| &message[start..])
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn said(status_code: u16, message: &str) -> DockerError {
        DockerError::DockerResponseServerError { status_code, message: message.to_owned() }
    }

    #[test]
    fn each_answer_has_its_reason() {
        let pull = Step::Pull { image: "a:1" };
        let create = Step::Create { name: "utopia-c", image: "a:1" };
        let start = Step::Start { id: "abc" };
        let logs = Step::Logs { id: "abc" };
        let cases = [
            (&pull, said(404, "manifest unknown"), Code::FailedPrecondition, IMAGE_PULL_FAILED),
            (
                &pull,
                DockerError::DockerStreamError { error: "toomanyrequests".into() },
                Code::FailedPrecondition,
                IMAGE_PULL_FAILED,
            ),
            (&pull, DockerError::RequestTimeoutError, Code::Unavailable, RUNTIME_UNAVAILABLE),
            (&create, said(409, "Conflict. The container name is already in use"), Code::AlreadyExists, NAME_CONFLICT),
            (&create, said(404, "No such image: a:1"), Code::FailedPrecondition, IMAGE_PULL_FAILED),
            (&create, said(400, "invalid mount path"), Code::FailedPrecondition, CREATE_FAILED),
            (&create, said(500, "disk full"), Code::Internal, "Internal"),
            (&start, said(500, "listen tcp4 0.0.0.0:80: bind: address already in use"), Code::FailedPrecondition, PORT_IN_USE),
            (&start, said(404, "exec: \"/nope\": no such file"), Code::FailedPrecondition, START_FAILED),
            (&start, said(404, "No such container: abc"), Code::NotFound, "NotFound"),
            (&logs, said(404, "No such container: abc"), Code::NotFound, "NotFound"),
            (&logs, said(501, "configured logging driver does not support reading"), Code::FailedPrecondition, LOGS_UNAVAILABLE),
            (&Step::List, DockerError::SocketNotFoundError("/s".into()), Code::Unavailable, RUNTIME_UNAVAILABLE),
        ];
        let failures = Failures::new(Path::new("/run/docker.sock"));
        for (step, error, code, reason) in cases {
            let shown = error.to_string();
            let error = failures.translate(step, error);
            let (found_code, found_reason, _) = error.parts();
            assert_eq!((found_code, found_reason), (code, reason), "{step:?}: {shown}");
        }
    }

    #[test]
    fn a_taken_port_is_named_without_jargon() {
        let said = said(
            500,
            "driver failed programming external connectivity on endpoint x (5e66): Bind for 0.0.0.0:18080 failed: port is already allocated",
        );
        let error = Failures::new(Path::new("/s")).translate(&Step::Start { id: "abc" }, said);
        assert_eq!(error.to_string(), "a port of the machine is taken: Bind for 0.0.0.0:18080 failed: port is already allocated");
    }

    #[test]
    fn a_docker_that_is_away_is_named_with_its_socket() {
        let error = Failures::new(Path::new("/run/docker.sock"))
            .translate(&Step::Version, DockerError::SocketNotFoundError("/run/docker.sock".into()));
        assert_eq!(error.to_string(), "Docker is not there: /run/docker.sock does not exist");
    }
}
