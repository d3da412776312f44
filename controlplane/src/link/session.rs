//! One agent's session: what it last said, and the stream that reads it.
//!
//! [`SessionStream`] is the response stream of `AgentLink.Connect` and reads the request stream whenever it is polled, so
//! a session costs no task and no channel. Everything it does is in memory and does not wait.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::Stream;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use utopia_proto::link::v1::{
    AgentFrame, ContainerPhase, ContainerState, ControlFrame, GpuReading, Heartbeat, HeartbeatAck, Inventory, agent_frame::Frame,
    command_result::Outcome, control_frame,
};
use uuid::Uuid;

use super::{Hub, commands::Commands, mailbox::Mailbox};
use crate::reconcile::plan::Containers;

/// Inbound frames handled before other sessions get their turn.
const FRAMES_PER_POLL: usize = 32;

/// The most containers the view of one node holds; an agent that reports more is not one of ours.
const MAX_CONTAINERS: usize = 10_000;

/// The connection of a session.
#[derive(Debug, Default)]
pub struct Line {
    /// Where the agent connects from, if that is known.
    pub address: Option<IpAddr>,
    /// Ends it.
    pub end: CancellationToken,
}

/// An open session.
#[derive(Debug)]
pub struct Session {
    /// The node, from its certificate.
    pub node_id: Uuid,
    /// The session's number; later sessions of the node have greater ones.
    pub epoch: u64,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Where the agent connects from, if that is known.
    pub address: Option<IpAddr>,
    /// Frames towards the agent.
    pub mailbox: Mailbox,
    /// Commands that wait for their results.
    pub commands: Commands,
    last_seen_ms: AtomicI64,
    view: Mutex<View>,
}

/// What the agent last said.
#[derive(Debug, Default)]
pub struct View {
    /// Its latest readings.
    pub heartbeat: Option<Heartbeat>,
    /// Its containers, by claim. Several of one claim are of different placements.
    pub containers: Arc<Containers>,
    /// All of its containers have been reported.
    pub inventory_complete: bool,
    /// The parts of an inventory that is under way.
    incoming: Vec<ContainerState>,
}

impl Session {
    /// A session that begins now.
    #[must_use]
    pub fn new(node_id: Uuid, epoch: u64, now: Timestamp, line: Line) -> Self {
        let Line { address, end } = line;
        Self {
            node_id,
            epoch,
            opened_at: now,
            address,
            mailbox: Mailbox::new(end),
            commands: Commands::default(),
            last_seen_ms: AtomicI64::new(now.as_millisecond()),
            view: Mutex::default(),
        }
    }

    /// What the agent last said.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the agent was last heard.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        Timestamp::from_millisecond(self.last_seen_ms.load(Ordering::Relaxed)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Takes note of a container, and says whether anything that matters for placing changed.
    pub fn note_container(&self, state: ContainerState) -> bool {
        self.view().note_container(state)
    }

    /// Takes note that a claim's containers up to a placement are gone.
    pub fn note_released(&self, claim_id: &str, epoch: u64) {
        let mut view = self.view();
        let containers = Arc::make_mut(&mut view.containers);
        if let Some(states) = containers.get_mut(claim_id) {
            states.retain(|state| state.epoch > epoch);
            if states.is_empty() {
                containers.remove(claim_id);
            }
        }
    }
}

impl View {
    fn note_container(&mut self, state: ContainerState) -> bool {
        if state.phase() == ContainerPhase::Removed {
            let containers = Arc::make_mut(&mut self.containers);
            let Some(states) = containers.get_mut(&state.claim_id) else { return false };
            let before = states.len();
            states.retain(|known| known.epoch != state.epoch);
            let changed = states.len() != before;
            if states.is_empty() {
                containers.remove(&state.claim_id);
            }
            return changed;
        }
        if self.containers.len() >= MAX_CONTAINERS && !self.containers.contains_key(&state.claim_id) {
            return false;
        }
        let states = Arc::make_mut(&mut self.containers).entry(state.claim_id.clone()).or_default();
        match states.iter_mut().find(|known| known.epoch == state.epoch) {
            Some(known) if *known == state => false,
            Some(known) => {
                *known = state;
                true
            }
            None => {
                states.push(state);
                true
            }
        }
    }

    fn note_inventory(&mut self, inventory: Inventory) -> bool {
        if self.incoming.len() < MAX_CONTAINERS {
            self.incoming.extend(inventory.containers);
        }
        if inventory.more {
            return false;
        }
        let mut containers = Containers::new();
        for state in std::mem::take(&mut self.incoming) {
            containers.entry(state.claim_id.clone()).or_default().push(state);
        }
        let changed = !self.inventory_complete || containers != *self.containers;
        self.containers = Arc::new(containers);
        self.inventory_complete = true;
        changed
    }

    fn note_heartbeat(&mut self, heartbeat: Heartbeat) -> bool {
        let is_same = |known: &Heartbeat| {
            let gpus = known.gpus.iter().map(state);
            known.runtime_ready == heartbeat.runtime_ready && gpus.eq(heartbeat.gpus.iter().map(state))
        };
        let changed = !self.heartbeat.as_ref().is_some_and(is_same);
        self.heartbeat = Some(heartbeat);
        changed
    }
}

/// Whether a reading allows its GPU to be given away, and whether it is one.
fn state(gpu: &GpuReading) -> (bool, bool) {
    (!gpu.faulty && !gpu.foreign_use && !gpu.locally_allocated, gpu.faulty)
}

/// The response stream of a session; dropping it ends the session.
#[derive(Debug)]
pub struct SessionStream {
    hub: Hub,
    session: Arc<Session>,
    inbound: Streaming<AgentFrame>,
    ended: bool,
}

impl SessionStream {
    /// The stream of a session that the hub has opened.
    #[must_use]
    pub fn new(hub: Hub, session: Arc<Session>, inbound: Streaming<AgentFrame>) -> Self {
        Self { hub, session, inbound, ended: false }
    }

    /// Takes note of a frame, and says what answers it at once. What answers does not pass through the mailbox: an agent that does not
    /// read is not read either.
    fn handle(&self, frame: AgentFrame) -> Option<control_frame::Frame> {
        let session = &self.session;
        let mut answer = None;
        session.last_seen_ms.store(self.hub.now().as_millisecond(), Ordering::Relaxed);
        let changed = match frame.frame {
            Some(Frame::Heartbeat(heartbeat)) => {
                answer = Some(control_frame::Frame::HeartbeatAck(HeartbeatAck { sequence: heartbeat.sequence }));
                let changed = session.view().note_heartbeat(heartbeat);
                if changed {
                    self.hub.note_gpus_changed();
                }
                changed
            }
            Some(Frame::Container(state)) => session.note_container(state),
            Some(Frame::Inventory(inventory)) => session.view().note_inventory(inventory),
            Some(Frame::Result(result)) => {
                // Here and not by whoever waits for the result: by then the agent may have reported something newer.
                let changed = match &result.outcome {
                    Some(Outcome::Claim(state)) => session.note_container(state.clone()),
                    Some(_) | None => false,
                };
                session.commands.finish(result);
                changed
            }
            Some(Frame::Hello(hello)) => {
                self.hub.refresh_facts(session.node_id, hello);
                true
            }
            // A frame of a later protocol.
            None => false,
        };
        if changed {
            self.hub.changed();
        }
        answer
    }
}

impl Stream for SessionStream {
    type Item = Result<ControlFrame, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        for _ in 0..FRAMES_PER_POLL {
            match this.session.mailbox.poll(cx) {
                Poll::Ready(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Err(status)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(status)));
                }
                Poll::Pending => {}
            }
            match Pin::new(&mut this.inbound).poll_next(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(answer) = this.handle(frame) {
                        return Poll::Ready(Some(Ok(ControlFrame { frame: Some(answer) })));
                    }
                }
                Poll::Ready(Some(Err(status))) => {
                    tracing::debug!(node = %this.session.node_id, %status, "link broke");
                    this.ended = true;
                    return Poll::Ready(None);
                }
                Poll::Ready(None) => {
                    this.ended = true;
                    return Poll::Ready(None);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        self.hub.close(&self.session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(claim: &str, epoch: u64, phase: ContainerPhase) -> ContainerState {
        ContainerState { claim_id: claim.into(), epoch, phase: phase.into(), ..ContainerState::default() }
    }

    #[test]
    fn an_inventory_in_parts_replaces_the_view_when_its_last_part_is_there() {
        let mut view = View::default();
        view.note_container(state("old", 1, ContainerPhase::Running));
        let part = |claim, more| Inventory { containers: vec![state(claim, 1, ContainerPhase::Running)], more };
        assert!(!view.note_inventory(part("a", true)));
        assert!(view.containers.contains_key("old"));
        assert!(view.note_inventory(part("b", false)));
        assert!(view.containers.keys().eq(["a", "b"]));
    }

    #[test]
    fn placements_of_one_claim_are_told_apart() {
        let mut view = View::default();
        assert!(view.note_container(state("a", 1, ContainerPhase::Running)));
        assert!(view.note_container(state("a", 2, ContainerPhase::Preparing)));
        assert!(!view.note_container(state("a", 2, ContainerPhase::Preparing)));
        assert!(view.note_container(state("a", 1, ContainerPhase::Removed)));
        assert_eq!(view.containers["a"], [state("a", 2, ContainerPhase::Preparing)]);
        assert!(view.note_container(state("a", 2, ContainerPhase::Removed)));
        assert!(view.containers.is_empty());
    }

    #[test]
    fn only_readings_that_matter_for_placing_count_as_a_change() {
        let mut view = View::default();
        let heartbeat = |usage_percent, faulty| Heartbeat {
            runtime_ready: true,
            gpus: vec![GpuReading { usage_percent, faulty, ..GpuReading::default() }],
            ..Heartbeat::default()
        };
        assert!(view.note_heartbeat(heartbeat(1.0, false)));
        assert!(!view.note_heartbeat(heartbeat(90.0, false)));
        assert!(view.note_heartbeat(heartbeat(90.0, true)));
    }
}
