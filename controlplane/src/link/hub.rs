//! The one place that knows every enrolled node: which are connected, since when, and how to send them a command.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use prost::Message as _;
use ring::digest;
use tokio::sync::{Notify, mpsc};
use tonic::{Code, Status};
use utopia_proto::link::v1::{Drain, Hello, MachineFacts, command::Action, command_result::Outcome, control_frame::Frame};
use uuid::Uuid;

use super::{
    Session,
    call::{Call, Parts},
    session::Line,
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    model::{Gpu, Node},
    telemetry::{self, Metrics},
};

/// How long nodes may take to connect after a start; longer than an agent's longest pause between two attempts.
const RETURN_GRACE: SignedDuration = SignedDuration::from_secs(15);

/// How many changed sets of facts may wait to be written.
const FACTS_QUEUE: usize = 1024;

/// Knows the nodes. Clones know the same.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    nodes: RwLock<HashMap<Uuid, Known>>,
    last_epoch: AtomicU64,
    change: Notify,
    /// Somebody's GPUs can be read or used otherwise than before.
    gpus_changed: AtomicBool,
    metrics: Arc<Metrics>,
    facts: mpsc::Sender<(Uuid, Hello)>,
}

/// What the hub knows of an enrolled node.
#[derive(Debug, Clone)]
pub struct Known {
    /// As last reported.
    pub hostname: Arc<str>,
    /// What it last reported of the machine. Whoever wants to read that finds it in the store.
    pub facts: Fingerprint,
    /// Memory of the machine, as last reported.
    pub memory_bytes: u64,
    /// As last reported, by index.
    pub gpus: Arc<[Gpu]>,
    /// Since when it has been connected, or not; in the future while it is awaited after a start.
    pub changed_at: Timestamp,
    /// Its session while it is connected.
    pub session: Option<Arc<Session>>,
}

impl Hub {
    /// A hub that knows no node yet, and the facts of nodes that change during a session, to be written down.
    #[must_use]
    pub fn new(clock: Clock, metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<(Uuid, Hello)>) {
        let (facts, changed_facts) = mpsc::channel(FACTS_QUEUE);
        let inner = Inner {
            clock,
            nodes: RwLock::default(),
            last_epoch: AtomicU64::new(0),
            change: Notify::new(),
            gpus_changed: AtomicBool::new(false),
            metrics,
            facts,
        };
        (Self(Arc::new(inner)), changed_facts)
    }

    /// Learns of enrolled nodes, at the start and when one enrols. They get a moment to connect before they count as offline.
    pub fn learn(&self, nodes: impl IntoIterator<Item = Node>) {
        let awaited_until = self.now() + RETURN_GRACE;
        let mut known = self.write();
        for node in nodes {
            known.entry(node.id).or_insert_with(|| Known {
                hostname: node.hostname.into(),
                facts: Fingerprint::of(&node.facts),
                memory_bytes: node.facts.memory_bytes,
                gpus: Gpu::list(node.gpus),
                changed_at: awaited_until,
                session: None,
            });
        }
        drop(known);
        self.changed();
    }

    /// Forgets a deleted node and cuts its session.
    pub fn forget(&self, node_id: Uuid) {
        let known = self.write().remove(&node_id);
        if let Some(session) = known.and_then(|known| known.session) {
            session.mailbox.close(deleted());
            session.commands.fail_all();
        }
        self.changed();
    }

    /// What is known of a node; none when it is not enrolled.
    #[must_use]
    pub fn node(&self, node_id: Uuid) -> Option<Known> {
        self.read().get(&node_id).cloned()
    }

    /// All enrolled nodes, in no order.
    #[must_use]
    pub fn nodes(&self) -> Vec<(Uuid, Known)> {
        self.read().iter().map(|(id, known)| (*id, known.clone())).collect()
    }

    /// Opens a session with an agent. An older one of the node is ended.
    ///
    /// # Errors
    /// A status when the node is not known.
    pub fn open(&self, node_id: Uuid, hello: Hello, line: Line) -> Result<Arc<Session>, Status> {
        let now = self.now();
        let session = Arc::new(Session::new(node_id, self.next_epoch(now), now, line));
        let older = {
            let mut nodes = self.write();
            let Some(known) = nodes.get_mut(&node_id) else { return Err(deleted()) };
            known.set_facts(hello);
            if known.session.is_none() {
                known.changed_at = now;
            }
            known.session.replace(session.clone())
        };
        if let Some(older) = older {
            older.mailbox.close(utopia_proto::status::status(
                Code::Aborted,
                "SessionReplaced",
                "a newer session of this node was opened",
                None,
            ));
            older.commands.fail_all();
        }
        self.changed();
        Ok(session)
    }

    /// Closes a session. The node is offline unless a newer one has replaced it.
    pub fn close(&self, session: &Arc<Session>) {
        session.mailbox.close(Status::cancelled("the session has ended"));
        session.commands.fail_all();
        let mut nodes = self.write();
        let Some(known) = nodes.get_mut(&session.node_id) else { return };
        if known.session.as_ref().is_some_and(|open| open.epoch == session.epoch) {
            known.session = None;
            known.changed_at = self.now();
            let hostname = known.hostname.clone();
            drop(nodes);
            let reason = session.mailbox.closed();
            let reason = reason.as_ref().map_or("", Status::message);
            tracing::info!(node = %session.node_id, %hostname, session = session.epoch, reason, "node is offline");
            self.changed();
        }
    }

    /// Asks every agent to connect again after a while, and ends their sessions.
    pub fn drain(&self, reconnect_after: Duration, reason: &str) {
        let reconnect_after_ms = u32::try_from(reconnect_after.as_millis()).unwrap_or(u32::MAX);
        for (_, known) in self.nodes() {
            let Some(session) = known.session else { continue };
            // A closed mailbox means that the session has ended already.
            let _ = session.mailbox.push(Frame::Drain(Drain { reconnect_after_ms, reason: reason.to_owned() }));
            session.mailbox.close(Status::unavailable(reason));
        }
    }

    /// Sends a command and waits for its outcome. A caller that stops waiting cancels it.
    ///
    /// # Errors
    /// `NotFound` for an unknown node; `FailedPrecondition` (`NodeNotOnline`); `Unavailable` when the session ends or has too much to
    /// do; `DeadlineExceeded`; and what the agent says.
    pub async fn command(&self, node_id: Uuid, action: Action, timeout: Duration) -> Result<Outcome> {
        let kind = action.kind();
        let outcome = self.call(node_id)?.command(action, timeout).await;
        self.0.metrics.observe_command(kind, telemetry::code_of(&outcome));
        outcome
    }

    /// Sends a command whose result comes in parts, and waits for the first one, which says that it is being done.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn command_in_parts(&self, node_id: Uuid, action: Action, first_timeout: Duration) -> Result<Parts> {
        let kind = action.kind();
        let begun = self.call(node_id)?.command_in_parts(action, first_timeout).await;
        self.0.metrics.observe_command(kind, telemetry::code_of(&begun));
        begun
    }

    fn call(&self, node_id: Uuid) -> Result<Call> {
        let Known { hostname, session, .. } = self.node(node_id).ok_or_else(|| Error::not_found("node", node_id))?;
        let session = session.ok_or_else(|| not_online(node_id, &hostname))?;
        Ok(Call { session, hostname })
    }

    /// Waits until something changed that matters for placing claims. Changes during a pass are not lost.
    pub async fn wait_changed(&self) {
        self.0.change.notified().await;
    }

    /// Says that something changed that matters for placing claims.
    pub fn changed(&self) {
        self.0.change.notify_one();
    }

    /// Says that the GPUs of a node can be read or used otherwise than before.
    pub(super) fn note_gpus_changed(&self) {
        self.0.gpus_changed.store(true, Ordering::Relaxed);
    }

    /// Whether that was said since this was asked last.
    pub(super) fn take_gpus_changed(&self) -> bool {
        self.0.gpus_changed.swap(false, Ordering::Relaxed)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Takes facts that changed during a session, and has them written down.
    pub(super) fn refresh_facts(&self, node_id: Uuid, hello: Hello) {
        let changed = self.write().get_mut(&node_id).is_some_and(|known| known.set_facts(hello.clone()));
        if changed && self.0.facts.try_send((node_id, hello)).is_err() {
            tracing::warn!(node = %node_id, "changed facts were not written down: the queue is full");
        }
    }

    fn next_epoch(&self, now: Timestamp) -> u64 {
        let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let last = &self.0.last_epoch;
        let next = |last: u64| (last + 1).max(now_ms);
        let previous = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        next(previous.unwrap_or_default())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Uuid, Known>> {
        self.0.nodes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Uuid, Known>> {
        self.0.nodes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether these facts are the ones known.
    #[must_use]
    pub fn has_facts(&self, hello: &Hello) -> bool {
        hello.facts.as_ref().is_none_or(|facts| Fingerprint::of(facts) == self.facts)
            && Gpu::are_described(&self.gpus, &hello.gpus)
    }

    fn set_facts(&mut self, hello: Hello) -> bool {
        if self.has_facts(&hello) {
            return false;
        }
        if let Some(facts) = hello.facts {
            self.hostname = facts.hostname.as_str().into();
            self.facts = Fingerprint::of(&facts);
            self.memory_bytes = facts.memory_bytes;
        }
        self.gpus = Gpu::list(hello.gpus);
        true
    }
}

/// Tells whether facts are the same without keeping them: they would be a kilobyte in a dozen pieces per node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(facts: &MachineFacts) -> Self {
        // Labels are a sorted map, so the same facts are the same bytes.
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, &facts.encode_to_vec()).as_ref());
        Self(fingerprint)
    }
}

/// The status for a node that was deleted or never enrolled.
pub fn deleted() -> Status {
    utopia_proto::status::status(Code::PermissionDenied, "NodeDeleted", "this node was deleted; enrol it again to use it", None)
}

/// The error for a node that is not connected.
pub fn not_online(node_id: Uuid, hostname: &str) -> Error {
    Error::FailedPrecondition { reason: "NodeNotOnline".into(), message: format!("node {hostname} ({node_id}) is not Online") }
}
