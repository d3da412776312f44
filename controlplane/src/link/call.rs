//! One command to one node: sent, waited for, and cancelled when nobody waits any more.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tonic::{Code, Status};
use utopia_proto::link::v1::{
    Cancel, Command, CommandResult, Failure, Grant, command::Action, command_result::Outcome, control_frame::Frame,
};
use uuid::Uuid;

use super::{
    Session,
    commands::{TooMany, WINDOW},
};
use crate::error::{Error, Result};

/// A node that is connected.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) session: Arc<Session>,
    pub(super) hostname: Arc<str>,
}

impl Call {
    /// Sends a command and waits for its outcome.
    ///
    /// # Errors
    /// As [`super::Hub::command`], but for those of a node that is not connected.
    pub(super) async fn command(self, action: Action, timeout: Duration) -> Result<Outcome> {
        let id = Uuid::new_v4().to_string();
        let reply = self.session.commands.expect(&id).map_err(|TooMany| self.busy())?;
        let waiting = self.wait(id);
        waiting.push(Frame::Command(waiting.to_do(action, timeout)))?;
        let outcome = tokio::time::timeout(timeout, reply)
            .await
            .map_err(|_| waiting.call.too_late(timeout))?
            .map_err(|_| waiting.call.disconnected())?;
        checked(outcome)
    }

    /// Sends a command whose result comes in parts, and waits for the first.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub(super) async fn command_in_parts(self, action: Action, first_timeout: Duration) -> Result<Parts> {
        let id = Uuid::new_v4().to_string();
        let receiver = self.session.commands.expect_parts(&id).map_err(|TooMany| self.busy())?;
        let waiting = self.wait(id);
        waiting.push(Frame::Command(waiting.to_do(action, Duration::MAX)))?;
        waiting.grant(WINDOW)?;
        let mut parts = Parts { waiting, receiver, is_over: false };
        match tokio::time::timeout(first_timeout, parts.next()).await {
            Ok(Some(Err(error))) => Err(error),
            Ok(Some(Ok(_)) | None) => Ok(parts),
            Err(_) => Err(parts.waiting.call.too_late(first_timeout)),
        }
    }

    fn wait(self, id: String) -> Waiting {
        Waiting { call: self, id }
    }

    fn busy(&self) -> Error {
        let message = format!("node {} has too many commands waiting; try again", self.hostname);
        Error::Unavailable { reason: "NodeBusy".into(), message }
    }

    fn disconnected(&self) -> Error {
        let message = format!("node {} disconnected before it answered", self.hostname);
        Error::Unavailable { reason: "NodeDisconnected".into(), message }
    }

    fn too_late(&self, timeout: Duration) -> Error {
        Error::DeadlineExceeded { message: format!("node {} did not answer within {timeout:?}", self.hostname) }
    }
}

/// The further parts of a command's result. The node sends them at the pace at which they are taken; dropping this cancels the command.
#[derive(Debug)]
pub struct Parts {
    waiting: Waiting,
    receiver: mpsc::Receiver<CommandResult>,
    is_over: bool,
}

impl Parts {
    /// The next part; none when the result is complete. An error is the last.
    pub async fn next(&mut self) -> Option<Result<Outcome>> {
        if self.is_over {
            return None;
        }
        let part = match self.receiver.recv().await {
            None => Err(self.waiting.call.disconnected()),
            Some(CommandResult { more: true, outcome: Some(outcome), .. }) => {
                // A mailbox that is closed shows when the next part is waited for.
                let _ = self.waiting.grant(1);
                checked(outcome)
            }
            Some(CommandResult { outcome: Some(failure @ Outcome::Failure(_)), .. }) => checked(failure),
            Some(_) => {
                self.is_over = true;
                return None;
            }
        };
        self.is_over = part.is_err();
        Some(part)
    }
}

/// Cancels a command when nobody waits for it any more.
#[derive(Debug)]
struct Waiting {
    call: Call,
    id: String,
}

impl Waiting {
    fn to_do(&self, action: Action, timeout: Duration) -> Command {
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        Command { id: self.id.clone(), timeout_ms, action: Some(action) }
    }

    fn grant(&self, parts: u32) -> Result<()> {
        self.push(Frame::Grant(Grant { command_id: self.id.clone(), parts }))
    }

    fn push(&self, frame: Frame) -> Result<()> {
        self.call.session.mailbox.push(frame).map_err(|_| self.call.disconnected())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.call.session.commands.forget(&self.id) {
            let command_id = std::mem::take(&mut self.id);
            // A closed mailbox means that the command is gone with its session.
            let _ = self.push(Frame::Cancel(Cancel { command_id }));
        }
    }
}

fn checked(outcome: Outcome) -> Result<Outcome> {
    if let Outcome::Failure(failure) = &outcome {
        return Err(Error::Node(Box::new(to_status(failure))));
    }
    Ok(outcome)
}

fn to_status(failure: &Failure) -> Status {
    let field = (!failure.field.is_empty()).then_some(failure.field.as_str());
    utopia_proto::status::status(Code::from(failure.code), &failure.reason, &failure.message, field)
}
