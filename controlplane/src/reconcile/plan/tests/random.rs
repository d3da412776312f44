//! What must hold in any situation, tried on many; and a fleet of full size.

use std::collections::{HashMap, HashSet};

use super::{super::explain, *};

/// A small reproducible source of numbers (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((bits ^ (bits >> 31)) % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const MODELS: [(&str, u64); 3] = [("NVIDIA A100", 40), ("NVIDIA A100", 80), ("NVIDIA H100", 80)];

fn random_node(numbers: &mut Numbers, number: usize) -> NodeView {
    let (mut gpus, mut faulty, mut busy) = (Vec::new(), GpuSet::default(), GpuSet::default());
    let (name, memory_gib) = numbers.pick(&MODELS);
    let mixed = numbers.one_in(4);
    for index in 0..numbers.below(9) {
        let (name, memory_gib) = if mixed { numbers.pick(&MODELS) } else { (name, memory_gib) };
        gpus.push(gpu(number, index, name, memory_gib));
        faulty.extend(numbers.one_in(12).then_some(index));
        busy.extend(numbers.one_in(8).then_some(index));
    }
    let mut view = NodeView { faulty, busy, ..node_of(number, gpus) };
    view.online = !numbers.one_in(5);
    view.runtime_ready = !numbers.one_in(8);
    view.inventory_complete = !numbers.one_in(8);
    view.maintenance =
        numbers.pick(&[None, None, None, None, None, Some(MaintenanceClaims::Keep), Some(MaintenanceClaims::Move)]);
    view.changed_at = seconds_ago(numbers.below(120).try_into().unwrap());
    view
}

/// A claim in any phase, perhaps on a node (perhaps an unknown one) with GPUs that are still free, perhaps deleted.
fn random_claim(numbers: &mut Numbers, number: usize, nodes: &[NodeView], given: &mut HashSet<String>) -> Claim {
    use ClaimPhase::{Completed, Failed, Pending, Running, Scheduled};
    let gpu_count = numbers.pick(&[0, 1, 1, 1, 2, 4, 8]);
    let mut claim = wants(pending(number, gpu_count), numbers.pick(&["", "a100", "H100", "b200"]), numbers.pick(&[0, 0, 41_000]));
    claim.phase = numbers.pick(&[Pending, Pending, Pending, Scheduled, Running, Running, Failed, Completed]);
    claim.generation = numbers.below(100).try_into().unwrap();
    if claim.phase != Pending && !nodes.is_empty() {
        let node = &nodes[numbers.below(nodes.len())];
        claim.node_id = Some(if numbers.one_in(12) { node_id(999) } else { node.id });
        claim.epoch = numbers.pick(&[1, 2, 3]);
        if !crate::model::is_final(claim.phase) {
            let gpus = node.gpus.iter().map(|gpu| gpu.uuid.to_string()).filter(|gpu| !given.contains(gpu));
            claim.gpu_uuids = gpus.take(claim.gpu_count()).collect();
            given.extend(claim.gpu_uuids.iter().cloned());
        }
    }
    if numbers.one_in(2) {
        claim = reschedules(claim, 60);
    }
    if numbers.one_in(8) { deleted(claim) } else { claim }
}

fn random_container(numbers: &mut Numbers, claims: usize, node: &NodeView) -> ContainerState {
    use ContainerPhase::{Exited, Failed, Preparing, Removed, Running, Unspecified};
    let phase = numbers.pick(&[Unspecified, Preparing, Running, Running, Exited, Failed, Removed]);
    let epoch = numbers.pick(&[0, 1, 1, 2, 3]);
    let reason = numbers.pick(&["", "RuntimeUnavailable", "GpuBusy", "StalePlacement", "PortInUse"]);
    let exit_code = numbers.pick(&[0, 1]);
    let gpu_uuids = node.gpus.iter().filter(|_| numbers.one_in(8)).map(|gpu| gpu.uuid.to_string()).collect();
    let container = container(claim_id(numbers.below(claims + 2)), epoch, phase);
    ContainerState { reason: reason.to_owned(), exit_code, gpu_uuids, ..container }
}

fn random_world(seed: u64) -> World {
    let mut numbers = Numbers(seed);
    let (node_count, claim_count) = (numbers.below(12), numbers.below(40));
    let mut nodes: Vec<_> = (0..node_count).map(|number| random_node(&mut numbers, number)).collect();
    let mut given = HashSet::new();
    let claims: Vec<_> = (0..claim_count).map(|number| random_claim(&mut numbers, number, &nodes, &mut given)).collect();
    for node in &mut nodes {
        let containers: Vec<_> = (0..numbers.below(6)).map(|_| random_container(&mut numbers, claim_count, node)).collect();
        *node = with_containers(node.clone(), containers);
    }
    let world = World::new(claims, nodes);
    if numbers.one_in(2) { world.spread() } else { world }
}

/// Each placement is on a ready node, with as many GPUs as asked for, all of them free and right, none of them given twice.
fn check_placements(world: &World, steps: &[Step]) {
    let nodes: HashMap<_, _> = world.nodes.iter().map(|node| (node.id, node)).collect();
    let mut given: HashSet<&str> = world.ledger.iter().map(|row| &*row.gpu_uuid).collect();
    let running = world.nodes.iter().flat_map(|node| node.containers.values().flatten());
    let running = running.filter(|container| container.phase() == ContainerPhase::Running);
    given.extend(running.flat_map(|container| &container.gpu_uuids).map(String::as_str));
    for step in steps {
        let Step::Place { claim, node, gpus, generation } = step else { continue };
        let claim = world.claims.iter().find(|candidate| candidate.id == *claim).unwrap();
        assert_eq!((claim.phase, claim.deleted_at, claim.generation), (ClaimPhase::Pending, None, *generation));
        let node = nodes[node];
        assert!(node.online && node.maintenance.is_none() && node.runtime_ready && node.inventory_complete);
        assert_eq!(gpus.len(), claim.gpu_count());
        let wanted = claim.spec.resources.as_ref().unwrap();
        for uuid in gpus {
            let place = node.gpus.iter().position(|gpu| *gpu.uuid == **uuid).expect("the GPU is the node's");
            let gpu = &node.gpus[place];
            assert!(!node.faulty.contains(place) && !node.busy.contains(place));
            assert!(gpu.name.to_lowercase().contains(&wanted.gpu_model.to_lowercase()));
            assert!(gpu.memory_bytes >= u64::try_from(wanted.gpu_memory_mb).unwrap() * 1024 * 1024);
            assert!(given.insert(uuid), "{uuid} is given twice");
        }
    }
}

/// The claims whose containers are still being removed from nodes that give them away.
fn leaving(world: &World) -> HashSet<Uuid> {
    let is_emptied = |node: &&NodeView| node.maintenance == Some(MaintenanceClaims::Move) && node.online && node.runtime_ready;
    let containers = world.nodes.iter().filter(is_emptied).flat_map(|node| node.containers.values().flatten());
    let is_active =
        |container: &&ContainerState| matches!(container.phase(), ContainerPhase::Preparing | ContainerPhase::Running);
    containers.filter(is_active).map(|container| container.claim_id.parse().unwrap()).collect()
}

/// What a node in maintenance gives away is not placed while it still runs there; where claims are kept, none is taken back for it.
fn check_maintenance(world: &World, steps: &[Step]) {
    let nodes: HashMap<_, _> = world.nodes.iter().map(|node| (node.id, node)).collect();
    let leaving = leaving(world);
    for step in steps {
        if let Step::Place { claim, .. } = step {
            assert!(!leaving.contains(claim), "{claim} would run twice");
        } else if let Step::Unplace { claim, reason: "NodeInMaintenance", .. } = step {
            let claim = world.claims.iter().find(|candidate| candidate.id == *claim).unwrap();
            let node = nodes[&claim.node_id.unwrap()];
            assert!(node.maintenance == Some(MaintenanceClaims::Move) && node.online && node.inventory_complete);
        }
    }
    // Of what such a node runs, nothing stays.
    let emptied = world.nodes.iter().filter(|node| node.maintenance == Some(MaintenanceClaims::Move));
    let emptied: HashSet<_> =
        emptied.filter(|node| node.online && node.runtime_ready && node.inventory_complete).map(|node| node.id).collect();
    let unplaced: HashSet<_> =
        steps.iter().filter_map(|step| if let Step::Unplace { claim, .. } = step { Some(*claim) } else { None }).collect();
    for claim in world.claims.iter().filter(|claim| claim.phase == ClaimPhase::Running && claim.deleted_at.is_none()) {
        let Some(node) = claim.node_id.filter(|node| emptied.contains(node)) else { continue };
        let containers = nodes[&node].containers.get(&claim.id.to_string()).into_iter().flatten();
        let mut current = containers.filter(|container| i64::try_from(container.epoch) == Ok(claim.epoch));
        let first = current.find(|container| container.phase() != ContainerPhase::Removed);
        if first.is_some_and(|container| container.phase() == ContainerPhase::Running) {
            assert!(unplaced.contains(&claim.id), "{} stays", claim.id);
        }
    }
}

/// A claim that still waits would not fit in what the placements leave.
fn check_nothing_fits_that_waits(world: &World, steps: &[Step]) {
    let mut after = World::new([], world.nodes.clone());
    after.ledger.clone_from(&world.ledger);
    let mut placed = HashSet::new();
    for step in steps {
        if let Step::Place { claim, node, gpus, .. } = step {
            placed.insert(*claim);
            let row = |gpu: &String| LedgerRow { gpu_uuid: gpu.clone(), node_id: *node, claim_id: *claim, epoch: 1 };
            after.ledger.extend(gpus.iter().map(row));
        }
    }
    let leaving = leaving(world);
    let waits = |claim: &&Claim| {
        let is_open = !placed.contains(&claim.id) && !leaving.contains(&claim.id);
        claim.phase == ClaimPhase::Pending && claim.deleted_at.is_none() && is_open
    };
    for claim in world.claims.iter().filter(waits) {
        let explanation = explain(claim, &after.snapshot());
        assert!(explanation.nodes.iter().all(|node| !node.fits), "{explanation:?}");
    }
}

/// A claim's row changes at most once, under the generation that was seen; no command goes to a node that is offline.
fn check_order(world: &World, steps: &[Step]) {
    let online: HashSet<_> = world.nodes.iter().filter(|node| node.online).map(|node| node.id).collect();
    let mut changed = HashSet::new();
    for step in steps {
        let row = match step {
            Step::Place { claim, generation, .. }
            | Step::Wait { claim, generation, .. }
            | Step::SetStatus { claim, generation, .. }
            | Step::Unplace { claim, generation, .. }
            | Step::Forget { claim, generation } => Some((*claim, *generation)),
            Step::Ensure { node, .. } => {
                assert!(online.contains(node));
                None
            }
            Step::Release { node, epoch, forget, claim_id } => {
                assert!(online.contains(node));
                assert!(*epoch > 0, "{claim_id} is foreign");
                *forget
            }
        };
        if let Some((id, generation)) = row {
            assert!(changed.insert(id), "two changes of {id}");
            assert!(world.claims.iter().any(|claim| claim.id == id && claim.generation == generation));
        }
    }
}

#[test]
fn what_must_hold_holds_in_any_situation() {
    let mut placements = 0;
    for seed in 0..2000 {
        let world = random_world(seed);
        let steps = world.plan();
        check_placements(&world, &steps);
        check_nothing_fits_that_waits(&world, &steps);
        check_order(&world, &steps);
        check_maintenance(&world, &steps);
        assert_eq!(steps, world.plan(), "the same situation gives the same steps");
        placements += steps.iter().filter(|step| matches!(step, Step::Place { .. })).count();
    }
    assert!(placements > 1000, "the situations are worth something: {placements} placements");
}

#[test]
fn a_full_fleet_is_planned() {
    let mut numbers = Numbers(1);
    let nodes: Vec<_> = (0..10_000).map(|number| node(number, 8)).collect();
    let claims: Vec<_> = (0..5_000).map(|number| pending(number, numbers.pick(&[1, 2, 4, 8, 16]))).collect();
    let world = World::new(claims, nodes);
    let steps = world.plan();
    assert_eq!(steps.len(), 5_000);
    check_placements(&world, &steps);
    let too_large = world.claims.iter().filter(|claim| claim.gpu_count() == 16).count();
    let waiting = steps.iter().filter(|step| matches!(step, Step::Wait { .. })).count();
    assert_eq!(waiting, too_large);
}
