//! The planner under tables of situations, and under random ones.

mod explain;
mod maintenance;
mod queue;
mod random;
mod track;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use utopia_proto::{
    claim::v1::{ClaimPhase, ClaimSpec, NodeLossPolicy, Resources},
    link::v1::{ContainerPhase, ContainerState},
};
use uuid::Uuid;

use super::{NodeView, Placement, Settings, Snapshot, Step, plan};
use crate::model::{Claim, Gpu, GpuSet, LedgerRow, host::MaintenanceClaims};

const GIB: u64 = 1024 * 1024 * 1024;

/// All that a pass looks at, owned.
struct World {
    claims: Vec<Claim>,
    nodes: Vec<NodeView>,
    ledger: Vec<LedgerRow>,
    settings: Settings,
}

impl World {
    fn new(claims: impl Into<Vec<Claim>>, nodes: impl Into<Vec<NodeView>>) -> Self {
        let settings = Settings { placement: Placement::Pack, reschedule_after: Duration::from_secs(30) };
        let claims: Vec<Claim> = claims.into();
        let ledger = claims.iter().flat_map(ledger_of).collect();
        Self { claims, nodes: nodes.into(), ledger, settings }
    }

    fn spread(mut self) -> Self {
        self.settings.placement = Placement::Spread;
        self
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { claims: &self.claims, nodes: &self.nodes, ledger: &self.ledger, now: now(), settings: &self.settings }
    }

    fn plan(&self) -> Vec<Step> {
        plan(&self.snapshot()).steps
    }
}

fn ledger_of(claim: &Claim) -> Vec<LedgerRow> {
    let row =
        |gpu: &String| Some(LedgerRow { gpu_uuid: gpu.clone(), node_id: claim.node_id?, claim_id: claim.id, epoch: claim.epoch });
    claim.gpu_uuids.iter().filter_map(row).collect()
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn seconds_ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn node_id(number: usize) -> Uuid {
    Uuid::from_u128(0xA000 + number as u128)
}

fn claim_id(number: usize) -> Uuid {
    Uuid::from_u128(0xC000 + number as u128)
}

fn gpu_id(node: usize, index: usize) -> String {
    format!("GPU-{node}-{index}")
}

/// Node `gpu-NN`, online for an hour, with GPUs of model A100 and 40 GiB.
fn node(number: usize, gpus: usize) -> NodeView {
    node_of(number, (0..gpus).map(|index| gpu(number, index, "NVIDIA A100-SXM4-40GB", 40)))
}

/// The same with these GPUs.
fn node_of(number: usize, gpus: impl IntoIterator<Item = Gpu>) -> NodeView {
    NodeView {
        id: node_id(number),
        hostname: format!("gpu-{number:02}").into(),
        online: true,
        maintenance: None,
        changed_at: seconds_ago(3600),
        runtime_ready: true,
        inventory_complete: true,
        gpus: gpus.into_iter().collect(),
        faulty: GpuSet::default(),
        busy: GpuSet::default(),
        containers: Arc::default(),
    }
}

fn gpu(node: usize, index: usize, name: &str, memory_gib: u64) -> Gpu {
    Gpu { uuid: gpu_id(node, index).into(), index: index.try_into().unwrap(), name: name.into(), memory_bytes: memory_gib * GIB }
}

fn offline(number: usize, since: Timestamp) -> NodeView {
    NodeView { online: false, changed_at: since, inventory_complete: false, ..node(number, 8) }
}

fn in_maintenance(claims: MaintenanceClaims, node: NodeView) -> NodeView {
    NodeView { maintenance: Some(claims), ..node }
}

fn with_containers(mut node: NodeView, containers: impl IntoIterator<Item = ContainerState>) -> NodeView {
    let by_claim = Arc::make_mut(&mut node.containers);
    for container in containers {
        by_claim.entry(container.claim_id.clone()).or_default().push(container);
    }
    node
}

/// A container of the claim's placement, with the id `container-<epoch>`.
fn container(claim: Uuid, epoch: u64, phase: ContainerPhase) -> ContainerState {
    ContainerState {
        claim_id: claim.to_string(),
        epoch,
        container_id: format!("container-{epoch}"),
        phase: phase.into(),
        ..ContainerState::default()
    }
}

/// A claim that waits without having been looked at yet; claims with greater numbers are younger.
fn pending(number: usize, gpu_count: i32) -> Claim {
    let resources = Resources { gpu_count, ..Resources::default() };
    Claim {
        id: claim_id(number),
        user_id: 1,
        spec: ClaimSpec { image: "train:1".to_owned(), resources: Some(resources), ..ClaimSpec::default() },
        phase: ClaimPhase::Pending,
        reason: String::new(),
        message: String::new(),
        node_id: None,
        epoch: 0,
        container_id: String::new(),
        gpu_uuids: Vec::new(),
        generation: 7,
        created_at: seconds_ago(600) + SignedDuration::from_secs(number.try_into().unwrap()),
        updated_at: seconds_ago(60),
        deleted_at: None,
    }
}

/// A claim with placement 1 on a node, and the node's first GPU.
fn placed(number: usize, node: usize, phase: ClaimPhase) -> Claim {
    let container_id = if phase == ClaimPhase::Scheduled { "" } else { "container-1" };
    Claim {
        phase,
        node_id: Some(node_id(node)),
        epoch: 1,
        container_id: container_id.to_owned(),
        gpu_uuids: vec![gpu_id(node, 0)],
        ..pending(number, 1)
    }
}

fn deleted(claim: Claim) -> Claim {
    Claim { deleted_at: Some(seconds_ago(1)), ..claim }
}

fn because(claim: Claim, reason: &str, message: &str) -> Claim {
    Claim { reason: reason.to_owned(), message: message.to_owned(), ..claim }
}

fn reschedules(mut claim: Claim, after_seconds: i32) -> Claim {
    claim.spec.on_node_loss = NodeLossPolicy::Reschedule.into();
    claim.spec.reschedule_after_seconds = after_seconds;
    claim
}

fn wants(mut claim: Claim, model: &str, memory_mb: i64) -> Claim {
    let resources = claim.spec.resources.get_or_insert_default();
    resources.gpu_model = model.to_owned();
    resources.gpu_memory_mb = memory_mb;
    claim
}

fn place(claim: usize, node: usize, gpus: &[usize]) -> Step {
    let gpus = gpus.iter().map(|index| gpu_id(node, *index)).collect();
    Step::Place { claim: claim_id(claim), generation: 7, node: node_id(node), gpus }
}

fn wait(claim: usize, reason: &'static str, message: &str) -> Step {
    Step::Wait { claim: claim_id(claim), generation: 7, reason, message: message.to_owned() }
}

fn ensure(claim: usize, node: usize) -> Step {
    Step::Ensure { claim: claim_id(claim), node: node_id(node) }
}

fn release(claim: usize, node: usize, epoch: u64) -> Step {
    Step::Release { node: node_id(node), claim_id: claim_id(claim).to_string(), epoch, forget: None }
}

fn unplace(claim: usize, reason: &'static str, message: &str) -> Step {
    Step::Unplace { claim: claim_id(claim), generation: 7, reason, message: message.to_owned() }
}

fn status(claim: usize, phase: ClaimPhase, reason: &'static str, message: &str, container_id: &str) -> Step {
    Step::SetStatus {
        claim: claim_id(claim),
        generation: 7,
        phase,
        reason: reason.into(),
        message: message.to_owned(),
        container_id: container_id.to_owned(),
        free_gpus: matches!(phase, ClaimPhase::Failed | ClaimPhase::Completed),
    }
}
