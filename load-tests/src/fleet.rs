//! Made-up fleets for the planner: nodes with eight GPUs, the claims that hold them, and younger claims that wait.
//!
//! The same numbers give the same fleet. Keys are random, as real ones are, so that what belongs together does not lie together.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde::Serialize;
use utopia_controlplane::{
    model::{Claim, Gpu, GpuSet, LedgerRow},
    reconcile::plan::{NodeView, Placement, Settings, Snapshot},
};
use utopia_proto::{
    claim::v1::{ClaimPhase, ClaimSpec, Resources},
    link::v1::{ContainerPhase, ContainerState, GpuFacts},
};
use uuid::Uuid;

/// GPUs of a node.
pub const GPUS: usize = 8;

/// The claims that share a full node, by their GPUs.
const SHARES: [usize; 4] = [4, 2, 1, 1];

/// One claim waits for so many nodes.
const NODES_PER_WAITING: usize = 2;

const GIB: u64 = 1 << 30;

/// In which a fleet finds itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Situation {
    /// Every GPU is free, and every claim finds its place.
    Fresh,
    /// Every GPU is held, and no claim fits.
    Full,
    /// A tenth of the nodes is free: claims fit until it is full.
    NearlyFull,
    /// One claim is missing on each node, and here and there a GPU is faulty or in use.
    Fragmented,
    /// The same with twelve kinds of GPU, up to two on a node, and claims that want certain ones.
    ManyKinds,
    /// Full, and every second node is lost.
    HalfLost,
}

impl Situation {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Fresh, Self::Full, Self::NearlyFull, Self::Fragmented, Self::ManyKinds, Self::HalfLost];

    /// Its name in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Full => "full",
            Self::NearlyFull => "nearly full",
            Self::Fragmented => "fragmented",
            Self::ManyKinds => "many kinds",
            Self::HalfLost => "half lost",
        }
    }
}

impl std::fmt::Display for Situation {
    /// As it is chosen on the command line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.as_str().replace(' ', "-"))
    }
}

/// All that a pass looks at, owned.
#[derive(Debug)]
pub struct Fleet {
    claims: Vec<Claim>,
    nodes: Vec<NodeView>,
    ledger: Vec<LedgerRow>,
    settings: Settings,
    now: Timestamp,
}

impl Fleet {
    /// A fleet of so many nodes, for each two of which a claim waits.
    #[must_use]
    pub fn new(situation: Situation, nodes: usize) -> Self {
        let settings = Settings { placement: Placement::Pack, reschedule_after: Duration::from_secs(30) };
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 56);
        let fleet = Self { claims: Vec::new(), nodes: Vec::with_capacity(nodes), ledger: Vec::new(), settings, now };
        let mut maker = Maker { situation, random: StdRng::seed_from_u64(1), fleet };
        (0..nodes).for_each(|number| maker.node(number));
        (0..nodes / NODES_PER_WAITING).for_each(|_| maker.waiting());
        let mut fleet = maker.fleet;
        // As the hub and the store give them.
        fleet.nodes.sort_by_key(|node| node.id);
        fleet.claims.sort_by_key(|claim| (claim.created_at, claim.id));
        fleet.ledger.sort_by(|a, b| a.gpu_uuid.cmp(&b.gpu_uuid));
        fleet
    }

    /// What a pass looks at.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { claims: &self.claims, nodes: &self.nodes, ledger: &self.ledger, now: self.now, settings: &self.settings }
    }

    /// Its nodes, its GPUs, the claims that hold some, and those that wait.
    #[must_use]
    pub fn size(&self) -> [usize; 4] {
        let placed = self.claims.iter().filter(|claim| claim.node_id.is_some()).count();
        let gpus = self.nodes.iter().map(|node| node.gpus.len()).sum();
        [self.nodes.len(), gpus, placed, self.claims.len() - placed]
    }
}

struct Maker {
    situation: Situation,
    random: StdRng,
    fleet: Fleet,
}

impl Maker {
    fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random.random()).into_uuid()
    }

    fn node(&mut self, number: usize) {
        let is_lost = self.situation == Situation::HalfLost && number.is_multiple_of(2);
        let mut node = NodeView {
            id: self.uuid(),
            hostname: format!("gpu-{number:05}").into(),
            online: !is_lost,
            maintenance: None,
            changed_at: self.fleet.now - SignedDuration::from_mins(10),
            runtime_ready: !is_lost,
            inventory_complete: !is_lost,
            gpus: self.gpus(),
            faulty: GpuSet::default(),
            busy: GpuSet::default(),
            containers: Arc::default(),
        };
        let missing = match self.situation {
            Situation::Fragmented | Situation::ManyKinds => {
                node.faulty.extend(self.random.random_ratio(1, 50).then_some(0));
                node.busy.extend(self.random.random_ratio(1, 20).then_some(7));
                Some(self.random.random_range(0..SHARES.len()))
            }
            Situation::Fresh | Situation::Full | Situation::NearlyFull | Situation::HalfLost => None,
        };
        let is_empty = match self.situation {
            Situation::Fresh => true,
            Situation::NearlyFull => number.is_multiple_of(10),
            Situation::Full | Situation::Fragmented | Situation::ManyKinds | Situation::HalfLost => false,
        };
        let mut first = 0;
        for (share, gpus) in SHARES.into_iter().enumerate() {
            if !is_empty && missing != Some(share) {
                self.placed(&mut node, first..first + gpus);
            }
            first += gpus;
        }
        self.fleet.nodes.push(node);
    }

    fn gpus(&mut self) -> Arc<[Gpu]> {
        let kinds: &[(&str, u64)] = match self.situation {
            Situation::ManyKinds => &KINDS,
            Situation::Fresh | Situation::Full | Situation::NearlyFull | Situation::Fragmented | Situation::HalfLost => {
                &KINDS[..1]
            }
        };
        let halves = [*self.pick(kinds), *self.pick(kinds)];
        let facts = (0..GPUS).map(|place| {
            let (name, memory_gib) = halves[place * halves.len() / GPUS];
            let index = u32::try_from(place).unwrap_or(u32::MAX);
            GpuFacts { uuid: format!("GPU-{}", self.uuid()), index, name: name.to_owned(), memory_bytes: memory_gib * GIB }
        });
        Gpu::list(facts.collect())
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        from.choose(&mut self.random).unwrap_or(&from[0])
    }

    /// A claim that runs on a node, with the GPUs at some places.
    fn placed(&mut self, node: &mut NodeView, places: std::ops::Range<usize>) {
        let gpu_uuids: Vec<String> = node.gpus[places].iter().map(|gpu| gpu.uuid.to_string()).collect();
        let container_id = format!("{}{}", self.uuid().simple(), self.uuid().simple());
        let mut claim = self.claim(gpu_uuids.len());
        claim.phase = ClaimPhase::Running;
        claim.node_id = Some(node.id);
        claim.epoch = 1;
        claim.created_at -= SignedDuration::from_hours(24);
        claim.container_id.clone_from(&container_id);
        claim.gpu_uuids.clone_from(&gpu_uuids);
        let row = |gpu: &String| LedgerRow { gpu_uuid: gpu.clone(), node_id: node.id, claim_id: claim.id, epoch: claim.epoch };
        self.fleet.ledger.extend(gpu_uuids.iter().map(row));
        if node.online {
            let claim_id = claim.id.to_string();
            let phase = ContainerPhase::Running.into();
            let state = ContainerState { claim_id, epoch: 1, container_id, phase, gpu_uuids, ..ContainerState::default() };
            Arc::make_mut(&mut node.containers).insert(state.claim_id.clone(), vec![state]);
        }
        self.fleet.claims.push(claim);
    }

    fn waiting(&mut self) {
        let gpus = *self.pick(&[1, 2, 4, 8]);
        let mut claim = self.claim(gpus);
        if self.situation == Situation::ManyKinds {
            let resources = claim.spec.resources.get_or_insert_default();
            resources.gpu_model = (*self.pick(&["", "A100", "H100", "L40S", "NVIDIA A100-SXM4-80GB", "T4"])).to_owned();
            resources.gpu_memory_mb = *self.pick(&[0, 24, 40, 80]) * 1024;
        }
        self.fleet.claims.push(claim);
    }

    /// A claim that waits, made within the last hour.
    fn claim(&mut self, gpus: usize) -> Claim {
        let gpu_count = i32::try_from(gpus).unwrap_or(i32::MAX);
        let resources = Resources { gpu_count, ..Resources::default() };
        let created_at = self.fleet.now - SignedDuration::from_millis(self.random.random_range(0..3_600_000));
        Claim {
            id: self.uuid(),
            user_id: self.random.random_range(1..500),
            spec: ClaimSpec {
                image: "registry.example/train:1".to_owned(),
                resources: Some(resources),
                env: vec!["EPOCHS=3".to_owned()],
                ..ClaimSpec::default()
            },
            phase: ClaimPhase::Pending,
            reason: String::new(),
            message: String::new(),
            node_id: None,
            epoch: 0,
            container_id: String::new(),
            gpu_uuids: Vec::new(),
            generation: 1,
            created_at,
            updated_at: created_at,
            deleted_at: None,
        }
    }
}

/// Product names and GiB.
const KINDS: [(&str, u64); 12] = [
    ("NVIDIA A100-SXM4-80GB", 80),
    ("NVIDIA A100-SXM4-40GB", 40),
    ("NVIDIA A100-PCIE-40GB", 40),
    ("NVIDIA H100 80GB HBM3", 80),
    ("NVIDIA H100 NVL", 94),
    ("NVIDIA H200", 141),
    ("NVIDIA L40S", 48),
    ("NVIDIA L4", 24),
    ("NVIDIA A10", 24),
    ("NVIDIA A40", 48),
    ("Tesla T4", 16),
    ("Tesla V100-SXM2-32GB", 32),
];

#[cfg(test)]
mod tests {
    use utopia_controlplane::reconcile::plan::{Step, plan};

    use super::*;

    /// How many claims are placed, how many are told why they wait, and how many other steps there are.
    fn outcome(situation: Situation) -> [usize; 3] {
        let fleet = Fleet::new(situation, 100);
        assert_eq!(fleet.size()[..2], [100, 800]);
        let steps = plan(&fleet.snapshot()).steps;
        let placed = steps.iter().filter(|step| matches!(step, Step::Place { .. })).count();
        let waiting = steps.iter().filter(|step| matches!(step, Step::Wait { .. })).count();
        [placed, waiting, steps.len() - placed - waiting]
    }

    #[test]
    fn situations_are_what_they_say() {
        assert_eq!(outcome(Situation::Fresh), [50, 0, 0]);
        assert_eq!(outcome(Situation::Full), [0, 50, 0]);
        for situation in [Situation::NearlyFull, Situation::Fragmented, Situation::ManyKinds] {
            let [placed, waiting, others] = outcome(situation);
            assert!(placed > 5 && waiting > 5 && others == 0, "{situation:?}: {placed} {waiting} {others}");
        }
        assert_eq!(outcome(Situation::HalfLost), [0, 50, 200]);
    }
}
