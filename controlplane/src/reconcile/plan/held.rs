//! Which GPUs are in use.

use foldhash::HashSet;
use utopia_proto::link::v1::{ContainerPhase, ContainerState};

use super::{NodeView, Snapshot, by_node::Positions};
use crate::model::GpuSet;

/// The GPUs that are given away.
pub(super) struct Held<'a> {
    snapshot: Snapshot<'a>,
    /// By the position of the node that the ledger names.
    given: Vec<GpuSet>,
    /// Those that the ledger has on a node that does not have them, as after a move into another machine: hardly ever any.
    strays: HashSet<&'a str>,
}

impl<'a> Held<'a> {
    pub(super) fn new(snapshot: &Snapshot<'a>, positions: &Positions) -> Self {
        let rows = positions.group(snapshot.ledger.iter().map(|row| (Some(row.node_id), &*row.gpu_uuid)));
        let mut strays: HashSet<_> = rows.elsewhere().collect();
        let given_on = |(position, node): (usize, &NodeView)| {
            let mut left = GpuSet::first(node.gpus.len());
            for uuid in rows.on(position) {
                match left.places().find(|place| *node.gpus[*place].uuid == *uuid) {
                    Some(place) => left = left.without([place].into_iter().collect()),
                    None => _ = strays.insert(uuid),
                }
            }
            GpuSet::first(node.gpus.len()).without(left)
        };
        let given = snapshot.nodes.iter().enumerate().map(given_on).collect();
        Self { snapshot: *snapshot, given, strays }
    }

    /// Those of a node's GPUs that are in use: they are given away, or a container of the node has them without the ledger's
    /// knowledge, as one of a placement that was taken back runs on until it is removed.
    pub(super) fn among(&self, gpus: GpuSet, position: usize) -> GpuSet {
        let node = &self.snapshot.nodes[position];
        let left = gpus.without(self.given[position]);
        // Mostly none is left to look for elsewhere.
        let is_used = |place: &usize| {
            let uuid = &*node.gpus[*place].uuid;
            let active = node.containers.values().flatten().filter(|container| is_active(container));
            self.strays.contains(uuid) || active.flat_map(|container| &container.gpu_uuids).any(|used| *used == *uuid)
        };
        gpus.without(left).or(left.places().filter(is_used).collect())
    }
}

/// The container runs, or is about to.
pub(super) fn is_active(container: &ContainerState) -> bool {
    matches!(container.phase(), ContainerPhase::Preparing | ContainerPhase::Running)
}
