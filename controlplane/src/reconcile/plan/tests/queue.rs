//! Claims that wait.

use super::*;

#[test]
fn a_claim_takes_free_gpus_by_index() {
    let mut node = node(1, 8);
    node.gpus = node.gpus.iter().rev().cloned().collect();
    node.busy.insert(7); // index 0
    node.faulty.insert(5); // index 2
    let mut world = World::new([pending(1, 2)], [node]);
    world.ledger.push(LedgerRow { gpu_uuid: gpu_id(1, 3), node_id: node_id(1), claim_id: claim_id(9), epoch: 1 });
    assert_eq!(world.plan(), [place(1, 1, &[1, 4])]);
}

#[test]
fn gpus_go_by_model_and_memory() {
    // Model, MiB, the GPU that is given.
    let cases = [
        ("", 0, Some(0)),
        ("h100", 0, Some(2)),
        ("A100", 0, Some(0)),
        ("  a100 ", 40_960, Some(0)),
        ("a100", 40_961, Some(1)),
        ("", 81_920, Some(1)),
        ("", 81_921, None),
        ("b200", 0, None),
    ];
    for (model, memory_mb, expected) in cases {
        let gpus = [gpu(1, 0, "NVIDIA A100-SXM4-40GB", 40), gpu(1, 1, "NVIDIA A100-SXM4-80GB", 80), gpu(1, 2, "NVIDIA H100", 80)];
        let world = World::new([wants(pending(1, 1), model, memory_mb)], [node_of(1, gpus)]);
        match (&world.plan()[..], expected) {
            ([step @ Step::Place { .. }], Some(index)) => assert_eq!(*step, place(1, 1, &[index]), "{model} {memory_mb}"),
            ([Step::Wait { reason: "InsufficientGPUs", .. }], None) => {}
            (other, _) => panic!("{model} {memory_mb}: {other:?}"),
        }
    }
}

#[test]
fn pack_fills_the_fullest_node_and_spread_the_emptiest() {
    let nodes = || [node(1, 8), node(2, 2), node(3, 4)];
    assert_eq!(World::new([pending(1, 2)], nodes()).plan(), [place(1, 2, &[0, 1])]);
    assert_eq!(World::new([pending(1, 3)], nodes()).plan(), [place(1, 3, &[0, 1, 2])]);
    assert_eq!(World::new([pending(1, 2)], nodes()).spread().plan(), [place(1, 1, &[0, 1])]);
}

#[test]
fn pack_leaves_gpus_of_other_kinds_alone() {
    let mixed = node_of(1, [gpu(1, 0, "NVIDIA A100", 40), gpu(1, 1, "NVIDIA H100", 80)]);
    let plain = node_of(2, [gpu(2, 0, "NVIDIA A100", 40)]);
    let world = World::new([wants(pending(1, 1), "a100", 0), pending(2, 2)], [mixed, plain]);
    assert_eq!(world.plan(), [place(1, 2, &[0]), place(2, 1, &[0, 1])]);
}

#[test]
fn a_claim_is_never_split_over_nodes() {
    let world = World::new([pending(1, 3)], [node(1, 2), node(2, 2)]);
    assert_eq!(world.plan(), [wait(1, "InsufficientGPUs", "no node that is online has 3 GPUs")]);
}

#[test]
fn the_oldest_is_served_first_and_younger_ones_pass_what_does_not_fit() {
    let tied = Claim { created_at: pending(2, 0).created_at, ..pending(3, 1) };
    // Out of order on purpose.
    let claims = [pending(4, 1), tied, pending(1, 4), pending(2, 1)];
    let expected = [
        wait(1, "InsufficientGPUs", "no node that is online has 4 GPUs"),
        place(2, 1, &[0]),
        place(3, 1, &[1]),
        wait(4, "InsufficientGPUs", "no node that is online has 1 GPU free"),
    ];
    assert_eq!(World::new(claims, [node(1, 2)]).plan(), expected);
}

#[test]
fn what_is_freed_in_a_pass_is_free_in_the_next() {
    let exited = container(claim_id(1), 1, ContainerPhase::Exited);
    let world = World::new([placed(1, 1, ClaimPhase::Running), pending(2, 1)], [with_containers(node(1, 1), [exited])]);
    let expected = [
        status(1, ClaimPhase::Completed, "", "", "container-1"),
        wait(2, "InsufficientGPUs", "no node that is online has 1 GPU free"),
    ];
    assert_eq!(world.plan(), expected);
}

#[test]
fn gpus_of_a_container_that_still_runs_are_not_given_away() {
    let stray = ContainerState { gpu_uuids: vec![gpu_id(1, 0)], ..container(claim_id(9), 1, ContainerPhase::Running) };
    let world = World::new([pending(1, 1)], [with_containers(node(1, 2), [stray])]);
    assert_eq!(world.plan(), [release(9, 1, 1), place(1, 1, &[1])]);
}

#[test]
fn only_nodes_that_are_ready_are_used() {
    let offline = offline(1, now());
    let without_runtime = NodeView { runtime_ready: false, ..node(2, 8) };
    let arriving = NodeView { inventory_complete: false, ..node(3, 8) };
    let world = World::new([pending(1, 1), pending(2, 0)], [offline, without_runtime, arriving, node(4, 1)]);
    assert_eq!(world.plan(), [place(1, 4, &[0]), place(2, 4, &[])]);
}

#[test]
fn a_fleet_that_can_take_nothing_says_why() {
    let without_runtime = || NodeView { runtime_ready: false, inventory_complete: false, ..node(2, 8) };
    let cases = [
        (vec![], "NoNodes", "no node has joined"),
        (vec![offline(1, now())], "NoNodes", "no node is online"),
        (
            vec![offline(1, now()), without_runtime()],
            "RuntimeUnavailable",
            "the container runtime answers on no node that is online",
        ),
    ];
    for (nodes, reason, message) in cases {
        for claim in [pending(1, 1), pending(1, 0)] {
            assert_eq!(World::new([claim.clone()], nodes.clone()).plan(), [wait(1, reason, message)]);
            assert_eq!(World::new([because(claim, reason, message)], nodes.clone()).plan(), [], "said already");
        }
    }
}

#[test]
fn what_a_pass_refuses_it_would_refuse_to_all_that_ask_for_the_same() {
    let refused = |world: &World, claim: Claim| plan(&world.snapshot()).refusals.of(&claim.spec).map(|refusal| refusal.reason);
    let full = World::new([pending(1, 2), wants(pending(2, 1), "h100", 80), pending(3, 1)], [node(1, 1)]);
    assert_eq!(refused(&full, pending(9, 2)), Some("InsufficientGPUs"));
    assert_eq!(refused(&full, wants(pending(9, 1), " h100 ", 80)), Some("InsufficientGPUs"));
    assert_eq!(refused(&full, wants(pending(9, 1), "h100", 40)), None, "nobody asked for that");
    assert_eq!(refused(&full, pending(9, 1)), None, "it fitted");

    let empty = World::new([pending(1, 2)], []);
    assert_eq!(refused(&empty, pending(9, 1)), Some("NoNodes"));
    assert_eq!(refused(&World::new([], []), pending(9, 1)), None, "nobody waited");
}

#[test]
fn a_claim_is_left_alone_while_the_only_node_arrives() {
    let arriving = NodeView { inventory_complete: false, ..node(1, 8) };
    assert_eq!(World::new([pending(1, 1)], [arriving, offline(2, now())]).plan(), []);
}

#[test]
fn a_claim_says_what_it_waits_for() {
    // GPUs, model, MiB, message, with one node of eight A100 of which one is in use.
    let cases = [
        (9, "", 0, "no node that is online has 9 GPUs"),
        (8, "", 0, "no node that is online has 8 GPUs free"),
        (1, "H100", 0, "no node that is online has 1 GPU of model H100"),
        (8, "A100", 40_960, "no node that is online has 8 GPUs of model A100 with 40960 MiB or more free"),
    ];
    for (gpus, model, memory_mb, message) in cases {
        let mut node = node(1, 8);
        node.busy.insert(3);
        let claim = wants(pending(1, gpus), model, memory_mb);
        assert_eq!(World::new([claim.clone()], [node.clone()]).plan(), [wait(1, "InsufficientGPUs", message)]);
        assert_eq!(World::new([because(claim, "InsufficientGPUs", message)], [node]).plan(), [], "said already");
    }
}

#[test]
fn claims_without_gpus_go_where_the_fewest_placements_are() {
    let running = placed(1, 1, ClaimPhase::Running);
    let containers = [container(claim_id(1), 1, ContainerPhase::Running)];
    let claims = [running, pending(2, 0), pending(3, 0), pending(4, 1), pending(5, 0), pending(6, 0)];
    let nodes = [with_containers(node(1, 1), containers), node(2, 0), node(3, 1)];
    let expected = [place(2, 2, &[]), place(3, 3, &[]), place(4, 3, &[0]), place(5, 1, &[]), place(6, 2, &[])];
    assert_eq!(World::new(claims, nodes).plan(), expected);
}

#[test]
fn a_claim_pauses_after_its_node_found_a_gpu_in_use() {
    let bounced = |updated_at| Claim { updated_at, ..because(pending(1, 1), "GpuBusy", "GPU 0 is in use") };
    assert_eq!(World::new([bounced(seconds_ago(4))], [node(1, 1)]).plan(), []);
    assert_eq!(World::new([bounced(seconds_ago(5))], [node(1, 1)]).plan(), [place(1, 1, &[0])]);
}
