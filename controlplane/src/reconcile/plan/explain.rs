//! Why a claim waits, in the words of the API. Unlike a pass this looks at every GPU, for one claim.

use std::cmp::Ordering;

use utopia_proto::claim::v1::{ClaimExplanation, ClaimPhase, GpuExplanation, NodeExplanation};

use super::{
    NodeView, Snapshot,
    by_node::Positions,
    held::Held,
    queue::{self, Outlook},
    reason, refusal,
    shape::{Matcher, Shape},
};
use crate::model::{Claim, Gpu, GpuSet, Refusal};

/// Why the claim waits, or where it is: its place in the queue, and what each node and GPU lacks.
#[must_use]
pub fn explain(claim: &Claim, snapshot: &Snapshot<'_>) -> ClaimExplanation {
    let shape = Shape::of(&claim.spec);
    let held = Held::new(snapshot, &Positions::new(snapshot.nodes));
    let mut nodes: Vec<_> = snapshot.nodes.iter().enumerate().collect();
    nodes.sort_by(|(_, a), (_, b)| by_hostname(a, b));
    let position = queue::waiting(snapshot).iter().position(|waiting| waiting.id == claim.id).map_or(0, |ahead| ahead + 1);
    let matcher = shape.filter.matcher();
    let explain = |(position, node): (usize, &NodeView)| {
        let held = held.among(GpuSet::first(node.gpus.len()), position);
        explain_node(node, &shape, &matcher, held)
    };
    let nodes: Vec<_> = nodes.into_iter().map(explain).collect();
    ClaimExplanation {
        id: claim.id.to_string(),
        phase: claim.phase.into(),
        queue_position: i64::try_from(position).unwrap_or(i64::MAX),
        summary: summary(claim, &shape, snapshot, &nodes),
        nodes,
    }
}

fn by_hostname(a: &NodeView, b: &NodeView) -> Ordering {
    (&a.hostname, a.id).cmp(&(&b.hostname, b.id))
}

fn summary(claim: &Claim, shape: &Shape<'_>, snapshot: &Snapshot<'_>, nodes: &[NodeExplanation]) -> String {
    let place = || {
        let node = snapshot.nodes.iter().find(|node| Some(node.id) == claim.node_id);
        node.map_or_else(|| "a node that was deleted".to_owned(), |node| format!("node {}", node.hostname))
    };
    let because = if claim.message.is_empty() { String::new() } else { format!(": {}", claim.message) };
    match claim.phase {
        ClaimPhase::Unspecified | ClaimPhase::Pending => waiting_summary(shape, snapshot, nodes),
        ClaimPhase::Scheduled => format!("the claim starts on {}{because}", place()),
        ClaimPhase::Running => format!("the claim runs on {}{because}", place()),
        ClaimPhase::Failed => format!("the claim has failed{because}"),
        ClaimPhase::Completed => "the claim has ended".to_owned(),
    }
}

fn waiting_summary(shape: &Shape<'_>, snapshot: &Snapshot<'_>, nodes: &[NodeExplanation]) -> String {
    let fitting = nodes.iter().filter(|node| node.fits).count();
    if fitting > 0 {
        return format!("{fitting} of {} nodes can take the claim; it is placed when its turn comes", nodes.len());
    }
    match outlook_refusal(shape, snapshot) {
        Some(refusal) => refusal.message,
        None => "the nodes that are online have yet to report their containers".to_owned(),
    }
}

fn outlook_refusal(shape: &Shape<'_>, snapshot: &Snapshot<'_>) -> Option<Refusal> {
    match queue::outlook(snapshot.nodes) {
        Outlook::Open => {
            let matcher = shape.filter.matcher();
            let usable = snapshot.nodes.iter().filter(|node| node.is_usable());
            let of_kind = |node: &NodeView| node.gpus.iter().filter(|gpu| mismatch(gpu, &matcher).is_none()).count();
            Some(refusal::short_of(shape, usable.map(of_kind).max().unwrap_or(0)))
        }
        Outlook::Unsettled => None,
        Outlook::Closed(refusal) => Some(refusal),
    }
}

fn explain_node(node: &NodeView, shape: &Shape<'_>, matcher: &Matcher, held: GpuSet) -> NodeExplanation {
    let mut gpus: Vec<_> = (0..node.gpus.len()).map(|place| explain_gpu(node, place, matcher, held)).collect();
    gpus.sort_by_key(|gpu| gpu.index);
    let free = gpus.iter().filter(|gpu| gpu.fits).count();
    let hindrance = hindrance(node, shape, free);
    let fits = hindrance.is_none();
    let (reason, message) = hindrance.unwrap_or_default();
    NodeExplanation {
        node_id: node.id.to_string(),
        node_name: node.hostname.to_string(),
        fits,
        reason: reason.to_owned(),
        message,
        gpus,
    }
}

fn hindrance(node: &NodeView, shape: &Shape<'_>, free: usize) -> Option<(&'static str, String)> {
    if node.maintenance.is_some() {
        Some((reason::NODE_IN_MAINTENANCE, "the node is in maintenance".to_owned()))
    } else if !node.online {
        Some((reason::NODE_OFFLINE, "the node is offline".to_owned()))
    } else if !node.runtime_ready {
        Some((reason::RUNTIME_UNAVAILABLE, "the node's container runtime does not answer".to_owned()))
    } else if !node.inventory_complete {
        Some((reason::INVENTORY_INCOMPLETE, "the node has yet to report its containers".to_owned()))
    } else if free < shape.gpu_count {
        Some((reason::INSUFFICIENT_GPUS, format!("the claim wants {shape}; {free} of the node's GPUs could be given to it")))
    } else {
        None
    }
}

fn explain_gpu(node: &NodeView, place: usize, matcher: &Matcher, held: GpuSet) -> GpuExplanation {
    let gpu = &node.gpus[place];
    let reason = mismatch(gpu, matcher).or_else(|| {
        if node.faulty.contains(place) {
            Some("Faulty")
        } else if held.contains(place) {
            Some("Allocated")
        } else {
            node.busy.contains(place).then_some("Busy")
        }
    });
    GpuExplanation {
        uuid: gpu.uuid.to_string(),
        index: gpu.index,
        fits: reason.is_none(),
        reason: reason.unwrap_or_default().to_owned(),
    }
}

/// Why the GPU can never be given to such a claim.
fn mismatch(gpu: &Gpu, matcher: &Matcher) -> Option<&'static str> {
    if !matcher.admits_name(&gpu.name.to_lowercase()) {
        Some("ModelMismatch")
    } else if !matcher.admits_memory(gpu.memory_bytes) {
        Some("InsufficientMemory")
    } else {
        None
    }
}
