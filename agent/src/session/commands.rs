//! Commands that are being carried out.
//!
//! Each has a deadline and can be called off. Those that place or release a claim outlive their session, because the control
//! plane will ask for the same again; all others are pointless once nobody can hear the answer. Their number is bounded over
//! all sessions.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Code;
use tracing::Instrument as _;
use utopia_proto::link::v1::command::Action;
use utopia_proto::link::v1::command_result::Outcome;
use utopia_proto::link::v1::{AgentFrame, Command, Failure};

use super::{Link, frames};
use crate::error::Error;

const MAX_RUNNING: usize = 64;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a command that was called off may take to tidy up before it is dropped.
const WIND_UP: Duration = Duration::from_secs(5);

/// All running commands.
pub(super) struct Commands<L> {
    link: Arc<L>,
    tracker: TaskTracker,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
}

impl<L> Clone for Commands<L> {
    fn clone(&self) -> Self {
        let Self { link, tracker, slots, stop } = self;
        Self { link: Arc::clone(link), tracker: tracker.clone(), slots: Arc::clone(slots), stop: stop.clone() }
    }
}

impl<L: Link> Commands<L> {
    /// None yet. All are called off when `stop` is cancelled.
    pub(super) fn new(link: Arc<L>, stop: CancellationToken) -> Self {
        Self { link, tracker: TaskTracker::new(), slots: Arc::new(Semaphore::new(MAX_RUNNING)), stop }
    }

    /// The commands of one session, whose results go into a queue.
    pub(super) fn session(&self, results: mpsc::Sender<AgentFrame>) -> SessionCommands<L> {
        SessionCommands { all: self.clone(), session: self.stop.child_token(), running: Running::default(), results }
    }

    /// Waits until none runs. To be called after `stop`.
    pub(super) async fn wound_up(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// The commands of one session. Dropping it calls off those that do not outlive it.
pub(super) struct SessionCommands<L> {
    all: Commands<L>,
    session: CancellationToken,
    running: Running,
    results: mpsc::Sender<AgentFrame>,
}

impl<L> Drop for SessionCommands<L> {
    fn drop(&mut self) {
        self.session.cancel();
    }
}

/// The queue of outgoing frames is full or closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

impl<L: Link> SessionCommands<L> {
    /// Starts a command, or answers that it is not done.
    pub(super) fn start(&self, command: Command) -> Result<(), QueueFull> {
        let Command { id, timeout_ms, action } = command;
        let Some(action) = action else {
            return self.refuse(&id, Code::Unimplemented, "UnknownCommand", "this agent does not know the command");
        };
        let Ok(slot) = Arc::clone(&self.all.slots).try_acquire_owned() else {
            return self.refuse(&id, Code::ResourceExhausted, "AgentBusy", "the agent carries out too many commands already");
        };
        let parent = if outlives_session(&action) { &self.all.stop } else { &self.session };
        let cancel = parent.child_token();
        if !self.running.insert(&id, cancel.clone()) {
            // It is being done; one answer is enough.
            return Ok(());
        }
        let timeout = if timeout_ms == 0 { DEFAULT_TIMEOUT } else { Duration::from_millis(timeout_ms.into()) };
        let span = tracing::info_span!("command", %id, kind = action.kind());
        let task = Task { id, timeout, cancel, running: self.running.clone(), results: self.results.clone(), _slot: slot };
        self.all.tracker.spawn(task.carry_out(Arc::clone(&self.all.link), action).instrument(span));
        Ok(())
    }

    /// Calls a command off.
    pub(super) fn cancel(&self, id: &str) {
        if let Some(cancel) = self.running.remove(id) {
            cancel.cancel();
        }
    }

    fn refuse(&self, id: &str, code: Code, reason: &str, message: &str) -> Result<(), QueueFull> {
        let (reason, message) = (reason.to_owned(), message.to_owned());
        let failure = Failure { code: code.into(), reason, message, field: String::new() };
        for frame in frames::result(id, Outcome::Failure(failure)) {
            self.results.try_send(frame).map_err(|_| QueueFull)?;
        }
        Ok(())
    }
}

/// What calls off the running commands of a session, by id.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashMap<String, CancellationToken>>>);

impl Running {
    fn insert(&self, id: &str, cancel: CancellationToken) -> bool {
        let mut running = self.lock();
        let new = !running.contains_key(id);
        if new {
            running.insert(id.to_owned(), cancel);
        }
        new
    }

    fn remove(&self, id: &str) -> Option<CancellationToken> {
        self.lock().remove(id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Task {
    id: String,
    timeout: Duration,
    cancel: CancellationToken,
    running: Running,
    results: mpsc::Sender<AgentFrame>,
    _slot: OwnedSemaphorePermit,
}

impl Task {
    async fn carry_out<L: Link>(self, link: Arc<L>, action: Action) {
        let mut execution = pin!(link.execute(action, self.cancel.clone()));
        let (outcome, winding_up) = tokio::select! {
            biased;
            outcome = &mut execution => (outcome, false),
            () = self.cancel.cancelled() => (Err(Error::Cancelled), true),
            () = tokio::time::sleep(self.timeout) => (Err(self.too_late()), true),
        };
        self.running.remove(&self.id);
        let outcome = outcome.unwrap_or_else(|error| {
            tracing::debug!(%error, "the command failed");
            Outcome::Failure(error.into())
        });
        for frame in frames::result(&self.id, outcome) {
            if self.results.send(frame).await.is_err() {
                // The session has ended, and nobody waits any more.
                break;
            }
        }
        if winding_up {
            self.cancel.cancel();
            if tokio::time::timeout(WIND_UP, execution).await.is_err() {
                tracing::warn!("a command that was called off did not come to its end and was dropped");
            }
        }
    }

    fn too_late(&self) -> Error {
        Error::DeadlineExceeded { message: format!("not done within {:?}", self.timeout) }
    }
}

fn outlives_session(action: &Action) -> bool {
    match action {
        Action::EnsureClaim(_) | Action::ReleaseClaim(_) => true,
        Action::CreateContainer(_)
        | Action::DeleteContainer(_)
        | Action::ListContainers(_)
        | Action::GetContainer(_)
        | Action::GetMetrics(_)
        | Action::GetHealth(_) => false,
    }
}
