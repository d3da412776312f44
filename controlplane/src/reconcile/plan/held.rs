//! Which GPUs are in use.

use foldhash::HashSet;
use utopia_proto::link::v1::{ContainerPhase, ContainerState};

use super::{NodeView, Snapshot};
use crate::model::GpuSet;

/// The GPUs that are given away.
pub(super) struct Held<'a>(HashSet<&'a str>);

impl<'a> Held<'a> {
    pub(super) fn new(snapshot: &Snapshot<'a>) -> Self {
        Self(snapshot.ledger.iter().map(|row| &*row.gpu_uuid).collect())
    }

    /// Those of a node's GPUs that are in use: they are given away, or a container of the node has them without the ledger's
    /// knowledge, as one of a placement that was taken back runs on until it is removed.
    pub(super) fn among(&self, gpus: GpuSet, node: &NodeView) -> GpuSet {
        let is_given = |place: &usize| self.0.contains(&*node.gpus[*place].uuid);
        let given = gpus.places().filter(is_given).collect::<GpuSet>();
        // Mostly none is left to look for in the containers.
        let is_used = |place: &usize| {
            let active = node.containers.values().flatten().filter(|container| is_active(container));
            active.flat_map(|container| &container.gpu_uuids).any(|uuid| **uuid == *node.gpus[*place].uuid)
        };
        given.or(gpus.without(given).places().filter(is_used).collect())
    }
}

/// The container runs, or is about to.
pub(super) fn is_active(container: &ContainerState) -> bool {
    matches!(container.phase(), ContainerPhase::Preparing | ContainerPhase::Running)
}
