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
use utopia_proto::node::v1::LogEntry;

use super::{Link, frames};
use crate::error::Error;

const MAX_RUNNING: usize = 64;
/// Those whose results come in parts, which may run for ever, leave room for the others.
const MAX_STREAMING: usize = 16;
/// So long nobody need take a part that is ready.
const READER_PATIENCE: Duration = Duration::from_secs(300);
/// More parts than anybody grants at once.
const MAX_GRANT: u32 = 1024;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a command that was called off may take to tidy up before it is dropped.
const WIND_UP: Duration = Duration::from_secs(5);

/// All running commands.
pub(super) struct Commands<L> {
    link: Arc<L>,
    tracker: TaskTracker,
    slots: Arc<Semaphore>,
    streaming_slots: Arc<Semaphore>,
    stop: CancellationToken,
}

impl<L> Clone for Commands<L> {
    fn clone(&self) -> Self {
        let Self { link, tracker, slots, streaming_slots, stop } = self;
        Self {
            link: Arc::clone(link),
            tracker: tracker.clone(),
            slots: Arc::clone(slots),
            streaming_slots: Arc::clone(streaming_slots),
            stop: stop.clone(),
        }
    }
}

impl<L: Link> Commands<L> {
    /// None yet. All are called off when `stop` is cancelled.
    pub(super) fn new(link: Arc<L>, stop: CancellationToken) -> Self {
        let (slots, streaming_slots) = (Semaphore::new(MAX_RUNNING), Semaphore::new(MAX_STREAMING));
        Self { link, tracker: TaskTracker::new(), slots: Arc::new(slots), streaming_slots: Arc::new(streaming_slots), stop }
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
        let slots = if is_streaming(&action) { &self.all.streaming_slots } else { &self.all.slots };
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
            return self.refuse(&id, Code::ResourceExhausted, "AgentBusy", "the agent carries out too many commands already");
        };
        let parent = if outlives_session(&action) { &self.all.stop } else { &self.session };
        let (cancel, granted) = (parent.child_token(), Arc::new(Semaphore::new(0)));
        if !self.running.insert(&id, RunningCommand { cancel: cancel.clone(), granted: Arc::clone(&granted) }) {
            // It is being done; one answer is enough.
            return Ok(());
        }
        let timeout = if timeout_ms == 0 { DEFAULT_TIMEOUT } else { Duration::from_millis(timeout_ms.into()) };
        let span = tracing::info_span!("command", %id, kind = action.kind());
        let parts = Parts { id, granted, results: self.results.clone() };
        let task = Task { parts, timeout, cancel, running: self.running.clone(), _slot: slot };
        self.all.tracker.spawn(task.carry_out(Arc::clone(&self.all.link), action).instrument(span));
        Ok(())
    }

    /// Calls a command off.
    pub(super) fn cancel(&self, id: &str) {
        if let Some(command) = self.running.remove(id) {
            command.cancel.cancel();
        }
    }

    /// Lets further parts of a result go out.
    pub(super) fn grant(&self, id: &str, parts: u32) {
        if let Some(command) = self.running.lock().get(id) {
            command.granted.add_permits(parts.min(MAX_GRANT) as usize);
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

/// The way out for parts of a result that has not come to its end, at the pace of whoever reads them.
#[derive(Debug, Clone)]
pub struct Parts {
    id: String,
    granted: Arc<Semaphore>,
    results: mpsc::Sender<AgentFrame>,
}

impl Parts {
    /// Sends a part of the logs of a container, in as many frames as it needs, each when it is granted.
    ///
    /// # Errors
    /// Nobody takes them for five minutes; the session has ended.
    pub async fn send_logs(&self, entries: Vec<LogEntry>) -> Result<(), Error> {
        for frame in frames::logs(&self.id, entries) {
            let granted = tokio::time::timeout(READER_PATIENCE, self.granted.acquire()).await;
            let granted = granted.map_err(|_| Error::DeadlineExceeded {
                message: format!("nobody took what was ready for {READER_PATIENCE:?}"),
            })?;
            granted.map_err(|_| Error::Cancelled)?.forget();
            self.results.send(frame).await.map_err(|_| Error::Cancelled)?;
        }
        Ok(())
    }
}

/// The running commands of a session, by id.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashMap<String, RunningCommand>>>);

struct RunningCommand {
    cancel: CancellationToken,
    granted: Arc<Semaphore>,
}

impl Running {
    fn insert(&self, id: &str, command: RunningCommand) -> bool {
        let mut running = self.lock();
        let new = !running.contains_key(id);
        if new {
            running.insert(id.to_owned(), command);
        }
        new
    }

    fn remove(&self, id: &str) -> Option<RunningCommand> {
        self.lock().remove(id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, RunningCommand>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Task {
    parts: Parts,
    timeout: Duration,
    cancel: CancellationToken,
    running: Running,
    _slot: OwnedSemaphorePermit,
}

impl Task {
    async fn carry_out<L: Link>(self, link: Arc<L>, action: Action) {
        let Parts { id, results, .. } = &self.parts;
        let mut execution = pin!(link.execute(action, self.parts.clone(), self.cancel.clone()));
        let (outcome, winding_up) = tokio::select! {
            biased;
            outcome = &mut execution => (outcome, false),
            () = self.cancel.cancelled() => (Err(Error::Cancelled), true),
            () = tokio::time::sleep(self.timeout) => (Err(self.too_late()), true),
        };
        self.running.remove(id);
        let outcome = outcome.unwrap_or_else(|error| {
            tracing::debug!(%error, "the command failed");
            Outcome::Failure(error.into())
        });
        for frame in frames::result(id, outcome) {
            if results.send(frame).await.is_err() {
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
        | Action::GetHealth(_)
        | Action::StreamContainerLogs(_) => false,
    }
}

fn is_streaming(action: &Action) -> bool {
    matches!(action, Action::StreamContainerLogs(_))
}
