//! Claims that have a node or are deleted, and containers that nobody wants any more: what the nodes report, turned into steps.
//!
//! Only what a node says in a session counts. A node that is offline, or has not reported all of its containers, proves nothing about
//! them; a container of the node API (epoch 0) is never touched.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use utopia_proto::{
    claim::v1::{ClaimPhase, NodeLossPolicy},
    link::v1::{ContainerPhase, ContainerState},
};
use uuid::Uuid;

use super::{NodeView, Snapshot, Step, by_node::Positions, reason};
use crate::model::{Claim, is_final};

/// Evictions can hold only in fleets of this size or more; in a smaller one, half of it is soon gone.
const MIN_FLEET_TO_HOLD: usize = 3;

/// The steps for claims that have a node or are deleted, in the order of the claims, then those for containers that nobody wants.
pub(super) fn steps(snapshot: &Snapshot<'_>, positions: &Positions) -> Vec<Step> {
    let claims = positions.group(snapshot.claims.iter().enumerate().map(|(number, claim)| (claim.node_id, number)));
    let evictions_hold = evictions_hold(snapshot.nodes);
    let (mut steps, mut releases) = (Vec::new(), Vec::new());
    // For each step the number of its claim.
    let mut numbers = Vec::new();
    let mut track = |number: usize, node| {
        tracked(&snapshot.claims[number], node, snapshot, evictions_hold, &mut steps);
        numbers.resize(steps.len(), number);
    };
    claims.elsewhere().for_each(|number| track(number, None));
    for (position, node) in snapshot.nodes.iter().enumerate() {
        claims.on(position).for_each(|number| track(number, Some(node)));
        superseded(node, || claims.on(position).map(|number| &snapshot.claims[number]), &mut releases);
    }
    let mut due: Vec<_> = numbers.into_iter().zip(steps).collect();
    due.sort_by_cached_key(|(number, _)| *number);
    due.into_iter().map(|(_, step)| step).chain(releases).collect()
}

/// The steps for one claim.
fn tracked(claim: &Claim, node: Option<&NodeView>, snapshot: &Snapshot<'_>, evictions_hold: bool, steps: &mut Vec<Step>) {
    if claim.deleted_at.is_some() {
        deleted(claim, node, steps);
    } else if matches!(claim.phase, ClaimPhase::Scheduled | ClaimPhase::Running) {
        match node {
            None => orphaned(claim, steps),
            Some(node) if node.online => observed(claim, node, steps),
            Some(node) => lost(claim, node, snapshot, evictions_hold, steps),
        }
    }
}

/// Releases a node's containers of placements that are not the claim's present one, and of claims that are not there.
fn superseded<'a, I: Iterator<Item = &'a Claim>>(node: &NodeView, claims: impl Fn() -> I, steps: &mut Vec<Step>) {
    if !node.online || !node.runtime_ready {
        return;
    }
    for (claim_id, containers) in &*node.containers {
        let claim = Uuid::try_parse(claim_id).ok().and_then(|id| claims().find(|claim| claim.id == id));
        let current = claim.map(epoch);
        let is_superseded = |container: &&ContainerState| {
            container.epoch > 0 && container.phase() != ContainerPhase::Removed && Some(container.epoch) != current
        };
        // The release of a deleted claim takes its older containers along.
        let goes_anyway = claim.is_some_and(|claim| claim.deleted_at.is_some());
        let newest = containers.iter().filter(is_superseded).map(|container| container.epoch).max();
        let newest = newest.filter(|newest| !goes_anyway || Some(*newest) > current);
        if let Some(epoch) = newest {
            steps.push(Step::Release { node: node.id, claim_id: claim_id.clone(), epoch, forget: None });
        }
    }
}

/// So much of the fleet is gone that the fault is more likely ours or the network's than the nodes'.
fn evictions_hold(nodes: &[NodeView]) -> bool {
    let offline = nodes.iter().filter(|node| !node.online).count();
    nodes.len() >= MIN_FLEET_TO_HOLD && offline * 2 > nodes.len()
}

fn epoch(claim: &Claim) -> u64 {
    u64::try_from(claim.epoch).unwrap_or(0)
}

/// A deleted claim goes when its container is gone, or cannot be asked for any more.
fn deleted(claim: &Claim, node: Option<&NodeView>, steps: &mut Vec<Step>) {
    match node {
        None => steps.push(Step::Forget { claim: claim.id, generation: claim.generation }),
        Some(node) if node.online => steps.push(Step::Release {
            node: node.id,
            claim_id: claim.id.to_string(),
            epoch: epoch(claim),
            forget: Some((claim.id, claim.generation)),
        }),
        Some(_) => {}
    }
}

/// The node of a placed claim does not exist any more.
fn orphaned(claim: &Claim, steps: &mut Vec<Step>) {
    let status = Status::of(claim).fail(reason::NODE_DELETED, "the claim's node was deleted");
    status.write(claim, steps);
}

/// The node of a placed claim is offline: the claim waits for it, or moves when its time is up.
fn lost(claim: &Claim, node: &NodeView, snapshot: &Snapshot<'_>, evictions_hold: bool, steps: &mut Vec<Step>) {
    if snapshot.now < node.changed_at {
        return;
    }
    let message = format!("node {} has been offline since {}", node.hostname, whole_seconds(node.changed_at));
    let is_due = match claim.spec.on_node_loss() {
        NodeLossPolicy::Unspecified | NodeLossPolicy::Keep if !node.is_vacated() => false,
        NodeLossPolicy::Unspecified | NodeLossPolicy::Keep | NodeLossPolicy::Reschedule => {
            lost_for(node, snapshot.now) >= reschedule_after(claim, snapshot)
        }
    };
    if is_due && !evictions_hold {
        steps.push(Step::Unplace { claim: claim.id, generation: claim.generation, reason: reason::NODE_LOST, message });
        return;
    }
    let message = if is_due {
        format!("{message}; the claim stays there because more than half of the nodes are offline, which holds all evictions")
    } else {
        message
    };
    Status::of(claim).because(reason::NODE_LOST, message).write(claim, steps);
}

fn lost_for(node: &NodeView, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(node.changed_at)).unwrap_or_default()
}

fn reschedule_after(claim: &Claim, snapshot: &Snapshot<'_>) -> Duration {
    match u64::try_from(claim.spec.reschedule_after_seconds) {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
        Ok(_) | Err(_) => snapshot.settings.reschedule_after,
    }
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The node of a placed claim is online: its container decides.
fn observed(claim: &Claim, node: &NodeView, steps: &mut Vec<Step>) {
    if !node.runtime_ready {
        let message = format!("the container runtime of node {} does not answer", node.hostname);
        Status::of(claim).because(reason::RUNTIME_UNAVAILABLE, message).write(claim, steps);
    } else if node.inventory_complete {
        match container_of(claim, node) {
            container if node.is_vacated() && can_leave(claim, container) => leave(claim, node, steps),
            Some(container) => reported(claim, node, container, steps),
            None => missing(claim, node, steps),
        }
    }
}

/// A claim that has come to its end stays: what it ended with is what counts.
fn can_leave(claim: &Claim, container: Option<&ContainerState>) -> bool {
    match container.map(|container| (container.phase(), &*container.reason)) {
        None => claim.phase == ClaimPhase::Scheduled,
        Some((ContainerPhase::Exited, _)) => false,
        Some((ContainerPhase::Failed, reason)) => reason == reason::RUNTIME_UNAVAILABLE,
        Some((
            ContainerPhase::Unspecified | ContainerPhase::Preparing | ContainerPhase::Running | ContainerPhase::Removed,
            _,
        )) => true,
    }
}

/// The node is in maintenance and gives its claims away.
fn leave(claim: &Claim, node: &NodeView, steps: &mut Vec<Step>) {
    let message = format!("node {} is in maintenance; the claim is placed elsewhere", node.hostname);
    let (claim, generation) = (claim.id, claim.generation);
    steps.push(Step::Unplace { claim, generation, reason: reason::NODE_IN_MAINTENANCE, message });
}

/// The container of the claim's present placement.
fn container_of<'a>(claim: &Claim, node: &'a NodeView) -> Option<&'a ContainerState> {
    let mut buffer = Uuid::encode_buffer();
    let containers = node.containers.get(&*claim.id.hyphenated().encode_lower(&mut buffer))?;
    let is_current =
        |container: &&ContainerState| container.epoch == epoch(claim) && container.phase() != ContainerPhase::Removed;
    containers.iter().find(is_current)
}

/// There is no container: it has yet to be made, or was lost.
fn missing(claim: &Claim, node: &NodeView, steps: &mut Vec<Step>) {
    if claim.phase == ClaimPhase::Running {
        let message = format!("the container is no longer there on node {}", node.hostname);
        Status::of(claim).fail(reason::CONTAINER_LOST, message).write(claim, steps);
        return;
    }
    Status::of(claim).because("", "").write(claim, steps);
    steps.push(Step::Ensure { claim: claim.id, node: node.id });
}

/// The claim stands where its container stands.
fn reported(claim: &Claim, node: &NodeView, container: &ContainerState, steps: &mut Vec<Step>) {
    let mut status = Status::of(claim);
    if !container.container_id.is_empty() {
        status.container_id = &container.container_id;
    }
    match container.phase() {
        ContainerPhase::Unspecified | ContainerPhase::Removed => {}
        ContainerPhase::Preparing => {
            status.phase = ClaimPhase::Scheduled;
            status.because(container.reason.clone(), &*container.message).write(claim, steps);
        }
        ContainerPhase::Running => {
            status.phase = ClaimPhase::Running;
            status.because("", "").write(claim, steps);
        }
        ContainerPhase::Exited if container.exit_code == 0 => {
            status.phase = ClaimPhase::Completed;
            status.free_gpus = true;
            status.because("", "").write(claim, steps);
        }
        ContainerPhase::Exited => {
            let message = format!("the container ended with exit code {}", container.exit_code);
            status.fail(reason::CONTAINER_EXITED, message).write(claim, steps);
        }
        ContainerPhase::Failed => failed(claim, node, container, status, steps),
    }
}

/// The container could not be made: the same again, another placement, or the end.
fn failed<'a>(claim: &'a Claim, node: &NodeView, container: &'a ContainerState, mut status: Status<'a>, steps: &mut Vec<Step>) {
    let unplace =
        |reason| Step::Unplace { claim: claim.id, generation: claim.generation, reason, message: container.message.clone() };
    match &*container.reason {
        reason::RUNTIME_UNAVAILABLE => {
            status.phase = ClaimPhase::Scheduled;
            status.because(reason::RUNTIME_UNAVAILABLE, &*container.message).write(claim, steps);
            steps.push(Step::Ensure { claim: claim.id, node: node.id });
        }
        reason::GPU_BUSY => steps.push(unplace(reason::GPU_BUSY)),
        reason::STALE_PLACEMENT => steps.push(unplace(reason::STALE_PLACEMENT)),
        "" => status.fail(reason::CONTAINER_FAILED, &*container.message).write(claim, steps),
        other => status.fail(other.to_owned(), &*container.message).write(claim, steps),
    }
}

/// Where a claim should stand.
struct Status<'a> {
    phase: ClaimPhase,
    reason: Cow<'static, str>,
    message: Cow<'a, str>,
    container_id: &'a str,
    free_gpus: bool,
}

impl<'a> Status<'a> {
    /// Where it stands now.
    fn of(claim: &'a Claim) -> Self {
        let (reason, message) = (Cow::Borrowed(""), Cow::Borrowed(""));
        Self { phase: claim.phase, reason, message, container_id: &claim.container_id, free_gpus: false }
    }

    fn because(self, reason: impl Into<Cow<'static, str>>, message: impl Into<Cow<'a, str>>) -> Self {
        Self { reason: reason.into(), message: message.into(), ..self }
    }

    fn fail(self, reason: impl Into<Cow<'static, str>>, message: impl Into<Cow<'a, str>>) -> Self {
        Self { phase: ClaimPhase::Failed, free_gpus: true, ..self }.because(reason, message)
    }

    /// A step, if the claim does not stand there already.
    fn write(self, claim: &Claim, steps: &mut Vec<Step>) {
        debug_assert_eq!(self.free_gpus, is_final(self.phase), "GPUs are freed when a claim ends");
        let is_same = self.phase == claim.phase
            && self.reason == claim.reason
            && self.message == claim.message
            && self.container_id == claim.container_id;
        if !is_same {
            steps.push(Step::SetStatus {
                claim: claim.id,
                generation: claim.generation,
                phase: self.phase,
                reason: self.reason,
                message: self.message.into_owned(),
                container_id: self.container_id.to_owned(),
                free_gpus: self.free_gpus,
            });
        }
    }
}
