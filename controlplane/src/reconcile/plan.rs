//! What to do next: one pure function from what is wanted and what is seen to the steps that bring them together.
//!
//! A claim gets at most one step that changes its row, and a GPU is given at most once in a pass. What a step of this pass frees is
//! free in the next one. This module does no I/O, reads no clock and waits for nothing; it says the same for the same snapshot.

mod by_node;
mod capacity;
mod explain;
mod held;
mod queue;
mod refusal;
mod shape;
mod track;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use utopia_proto::{claim::v1::ClaimPhase, link::v1::ContainerState};
use uuid::Uuid;

use self::by_node::Positions;
pub use self::{explain::explain, refusal::Refusals};
use crate::model::{Claim, Gpu, GpuSet, LedgerRow, host::MaintenanceClaims};

/// All that a pass looks at.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// Every claim that has not ended or is deleted, and every ended one of which a node has a container: the container of a
    /// claim that is missing here is taken for one that nobody owns, and is removed. In any order; the oldest is served first.
    pub claims: &'a [Claim],
    /// Every enrolled node.
    pub nodes: &'a [NodeView],
    /// The GPUs that are given away.
    pub ledger: &'a [LedgerRow],
    /// The time.
    pub now: Timestamp,
    /// The rules that the operator sets.
    pub settings: &'a Settings,
}

/// The rules that the operator sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Which of several fitting nodes is taken.
    pub placement: Placement,
    /// How long a node must be lost before its claims move, where the claim does not say.
    pub reschedule_after: Duration,
}

/// Which of several fitting nodes is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Placement {
    /// The one with the fewest free GPUs that fit, to keep whole machines free for large claims.
    Pack,
    /// The one with the most, to keep claims out of each other's way.
    Spread,
}

/// The containers of a node by the claim id they carry, several where placements of one claim overlap.
pub type Containers = BTreeMap<String, Vec<ContainerState>>;

/// A node as its link shows it.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// The node.
    pub id: Uuid,
    /// Its host name, for people.
    pub hostname: Arc<str>,
    /// Its link is open.
    pub online: bool,
    /// It is in maintenance, with this to be done to its claims.
    pub maintenance: Option<MaintenanceClaims>,
    /// Since when it is online or offline. In the future for a node that is still awaited after a start: it is not lost yet.
    pub changed_at: Timestamp,
    /// Its container runtime answers.
    pub runtime_ready: bool,
    /// All of its containers have been reported in this session; before that, a missing one says nothing.
    pub inventory_complete: bool,
    /// Its GPUs, by index.
    pub gpus: Arc<[Gpu]>,
    /// Those that cannot be read.
    pub faulty: GpuSet,
    /// Those that something other than a claim uses.
    pub busy: GpuSet,
    /// Its containers, those of the node API included.
    pub containers: Arc<Containers>,
}

impl NodeView {
    /// New claims may be placed here.
    fn is_usable(&self) -> bool {
        self.online && self.maintenance.is_none() && self.runtime_ready && self.inventory_complete
    }

    /// Its claims are to be taken elsewhere.
    fn is_vacated(&self) -> bool {
        self.maintenance == Some(MaintenanceClaims::Move)
    }
}

/// One thing to do. A step with a generation holds only while the claim's row still has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Give the claim a node and GPUs: phase `Scheduled`, the next epoch, rows in the ledger.
    Place {
        /// The claim.
        claim: Uuid,
        /// Its row as seen.
        generation: i64,
        /// The node.
        node: Uuid,
        /// The GPUs' keys, by index; none for a claim without GPUs.
        gpus: Vec<String>,
    },
    /// Write down why the claim still waits.
    Wait {
        /// The claim.
        claim: Uuid,
        /// Its row as seen.
        generation: i64,
        /// A stable word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// Have the node make the claim's container, with the epoch, specification and GPUs of the row.
    Ensure {
        /// The claim.
        claim: Uuid,
        /// Its node.
        node: Uuid,
    },
    /// Have the node remove the claim's containers up to an epoch.
    Release {
        /// The node.
        node: Uuid,
        /// The id that the containers carry.
        claim_id: String,
        /// The newest placement to remove.
        epoch: u64,
        /// The deleted claim, with its row as seen, that is forgotten when the containers are gone.
        forget: Option<(Uuid, i64)>,
    },
    /// Write down where the claim stands.
    SetStatus {
        /// The claim.
        claim: Uuid,
        /// Its row as seen.
        generation: i64,
        /// The phase.
        phase: ClaimPhase,
        /// A stable word; empty to clear it.
        reason: Cow<'static, str>,
        /// A sentence; empty to clear it.
        message: String,
        /// The runtime's id; empty before there is a container.
        container_id: String,
        /// Take its GPUs out of the ledger.
        free_gpus: bool,
    },
    /// Take the placement back: phase `Pending`, no node, no container, no GPUs.
    Unplace {
        /// The claim.
        claim: Uuid,
        /// Its row as seen.
        generation: i64,
        /// A stable word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// Remove the row of a deleted claim.
    Forget {
        /// The claim.
        claim: Uuid,
        /// Its row as seen.
        generation: i64,
    },
}

/// The stable words for why a claim stands where it stands, or why a node cannot take it. A node has further ones for containers that
/// it could not make.
pub mod reason {
    /// No node is online.
    pub const NO_NODES: &str = "NoNodes";
    /// No node has enough free GPUs of the kind.
    pub const INSUFFICIENT_GPUS: &str = "InsufficientGPUs";
    /// The container runtime does not answer.
    pub const RUNTIME_UNAVAILABLE: &str = "RuntimeUnavailable";
    /// The node is offline.
    pub const NODE_LOST: &str = "NodeLost";
    /// The node cannot take a claim because it is offline.
    pub const NODE_OFFLINE: &str = "NodeOffline";
    /// The node cannot take a claim before it has reported its containers.
    pub const INVENTORY_INCOMPLETE: &str = "InventoryIncomplete";
    /// The node is in maintenance: it takes no claims, and may have to give away those that it has.
    pub const NODE_IN_MAINTENANCE: &str = "NodeInMaintenance";
    /// The node was deleted.
    pub const NODE_DELETED: &str = "NodeDeleted";
    /// The container vanished.
    pub const CONTAINER_LOST: &str = "ContainerLost";
    /// The container ended with an error.
    pub const CONTAINER_EXITED: &str = "ContainerExited";
    /// The container could not be made, and the node does not say why.
    pub const CONTAINER_FAILED: &str = "ContainerFailed";
    /// The node found a GPU in use that was thought free.
    pub const GPU_BUSY: &str = "GpuBusy";
    /// The node has seen a newer placement of the claim.
    pub const STALE_PLACEMENT: &str = "StalePlacement";
}

/// What a pass comes to.
#[derive(Debug)]
pub struct Plan {
    /// What is to be done, in this order.
    pub steps: Vec<Step>,
    /// Why claims wait.
    pub refusals: Refusals,
}

/// The steps that are due: first for claims that have a node or are deleted, then for containers that nobody wants any more, then
/// for claims that wait, the oldest first.
#[must_use]
pub fn plan(snapshot: &Snapshot<'_>) -> Plan {
    let positions = Positions::new(snapshot.nodes);
    let mut steps = track::steps(snapshot, &positions);
    let refusals = queue::place(snapshot, &positions, &mut steps);
    Plan { steps, refusals }
}

#[cfg(test)]
mod tests;
