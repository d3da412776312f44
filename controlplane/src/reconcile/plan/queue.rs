//! Claims that wait: the oldest first, and a younger one may pass where the older does not fit.
//!
//! Room only shrinks within a pass, so what did not fit once is not tried again.

use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _, HashSet};
use utopia_proto::claim::v1::ClaimPhase;
use uuid::Uuid;

use super::{
    NodeView, Snapshot, Step,
    by_node::Positions,
    capacity::Capacity,
    held::is_active,
    reason,
    refusal::{self, Refusals},
    shape::{OwnedShape, Shape},
};
use crate::model::{Claim, Refusal};

/// How long a claim pauses after its node found a GPU in use: about a heartbeat, after which the GPU shows as busy here too.
const PAUSE_AFTER_BUSY: Duration = Duration::from_secs(5);

/// Whether anything can be placed at all.
pub(super) enum Outlook {
    /// Some node can be used.
    Open,
    /// Some node is about to report its containers, and none can be used before.
    Unsettled,
    /// No node can be used.
    Closed(Refusal),
}

/// Places what fits, and says why the rest waits.
pub(super) fn place(snapshot: &Snapshot<'_>, positions: &Positions, steps: &mut Vec<Step>) -> Refusals {
    let queue = waiting(snapshot);
    if queue.is_empty() {
        return Refusals::Nobody;
    }
    match outlook(snapshot.nodes) {
        Outlook::Open => Refusals::ByShape(place_each(snapshot, positions, &queue, steps)),
        Outlook::Unsettled => Refusals::Nobody,
        Outlook::Closed(refusal) => {
            queue.iter().for_each(|claim| wait(claim, &refusal, steps));
            Refusals::Everybody(refusal)
        }
    }
}

/// The claims that wait, in the order in which they are served.
pub(super) fn waiting<'a>(snapshot: &Snapshot<'a>) -> Vec<&'a Claim> {
    let is_pending = |claim: &&Claim| matches!(claim.phase, ClaimPhase::Unspecified | ClaimPhase::Pending);
    let mut queue: Vec<_> = snapshot.claims.iter().filter(|claim| claim.deleted_at.is_none()).filter(is_pending).collect();
    queue.sort_by_key(|claim| (claim.created_at, claim.id));
    queue
}

/// Whether the fleet as a whole can take anything.
pub(super) fn outlook(nodes: &[NodeView]) -> Outlook {
    if nodes.iter().any(NodeView::is_usable) {
        return Outlook::Open;
    }
    let online = || nodes.iter().filter(|node| node.online);
    let mut in_service = online().filter(|node| node.maintenance.is_none()).peekable();
    if nodes.is_empty() {
        Outlook::Closed(refused(reason::NO_NODES, "no node has joined"))
    } else if online().next().is_none() {
        Outlook::Closed(refused(reason::NO_NODES, "no node is online"))
    } else if in_service.peek().is_none() {
        Outlook::Closed(refused(reason::NODE_IN_MAINTENANCE, "every node that is online is in maintenance"))
    } else if in_service.any(|node| node.runtime_ready) {
        Outlook::Unsettled
    } else {
        let message = "the container runtime answers on no node that is online";
        Outlook::Closed(refused(reason::RUNTIME_UNAVAILABLE, message))
    }
}

fn refused(reason: &'static str, message: &str) -> Refusal {
    Refusal { reason, message: message.to_owned() }
}

fn place_each<'a>(
    snapshot: &Snapshot<'a>,
    positions: &Positions,
    queue: &[&'a Claim],
    steps: &mut Vec<Step>,
) -> HashMap<OwnedShape, Refusal> {
    let mut capacity = Capacity::new(snapshot, positions);
    let mut refusals: HashMap<Shape<'a>, Refusal> = HashMap::new();
    let leaving = leaving(snapshot);
    for claim in queue.iter().filter(|claim| !pauses(claim, snapshot) && !leaving.contains(&claim.id)) {
        let shape = Shape::of(&claim.spec);
        if let Some(refusal) = refusals.get(&shape) {
            wait(claim, refusal, steps);
        } else if let Some((node, gpus)) = capacity.take(&shape) {
            steps.push(Step::Place { claim: claim.id, generation: claim.generation, node: node.id, gpus });
        } else {
            let refusal = refusal::short_of(&shape, capacity.largest(&shape));
            wait(claim, &refusal, steps);
            refusals.insert(shape, refusal);
        }
    }
    refusals.into_iter().map(|(shape, refusal)| (shape.to_owned(), refusal)).collect()
}

/// The claims whose containers are about to be removed from nodes in maintenance: they are not placed anew before, so that nothing
/// runs twice. A node that cannot remove them holds nobody up.
fn leaving(snapshot: &Snapshot<'_>) -> HashSet<Uuid> {
    let nodes = snapshot.nodes.iter().filter(|node| node.is_vacated() && node.online && node.runtime_ready);
    let containers = nodes.flat_map(|node| node.containers.values().flatten()).filter(|container| is_active(container));
    containers.filter_map(|container| Uuid::try_parse(&container.claim_id).ok()).collect()
}

/// The claim has just come back from a node that found a GPU in use.
fn pauses(claim: &Claim, snapshot: &Snapshot<'_>) -> bool {
    let since = || Duration::try_from(snapshot.now.duration_since(claim.updated_at)).unwrap_or_default();
    claim.reason == reason::GPU_BUSY && since() < PAUSE_AFTER_BUSY
}

/// A step, if the claim does not say so already.
fn wait(claim: &Claim, refusal: &Refusal, steps: &mut Vec<Step>) {
    if claim.reason != refusal.reason || claim.message != refusal.message {
        steps.push(Step::Wait {
            claim: claim.id,
            generation: claim.generation,
            reason: refusal.reason,
            message: refusal.message.clone(),
        });
    }
}
