//! Why a claim waits, in the words of the API.

use utopia_proto::claim::v1::NodeExplanation;

use super::{super::explain, *};

fn reasons(node: &NodeExplanation) -> Vec<(u32, &str)> {
    node.gpus.iter().map(|gpu| (gpu.index, &*gpu.reason)).collect()
}

#[test]
fn every_node_and_gpu_says_what_it_lacks() {
    let mut gpus: Vec<_> = (0..6).map(|index| gpu(2, index, "NVIDIA A100", 80)).collect();
    gpus[0].name = "NVIDIA T4".into();
    gpus[1].memory_bytes = 40 * GIB;
    let mut mixed = node_of(2, gpus);
    mixed.faulty.insert(2);
    mixed.busy.insert(4);
    let without_runtime = NodeView { runtime_ready: false, ..node(3, 1) };
    let arriving = NodeView { inventory_complete: false, ..node(4, 1) };
    let mut world =
        World::new([wants(pending(1, 2), "a100", 80 * 1024)], [arriving, without_runtime, mixed, offline(1, seconds_ago(60))]);
    world.ledger.push(LedgerRow { gpu_uuid: gpu_id(2, 3), node_id: node_id(2), claim_id: claim_id(9), epoch: 1 });

    let explanation = explain(&world.claims[0], &world.snapshot());

    assert_eq!(explanation.phase(), ClaimPhase::Pending);
    assert_eq!(explanation.queue_position, 1);
    assert_eq!(explanation.summary, "no node that is online has 2 GPUs of model a100 with 81920 MiB or more free");
    let names: Vec<_> = explanation.nodes.iter().map(|node| (&*node.node_name, node.fits, &*node.reason)).collect();
    let expected = [
        ("gpu-01", false, "NodeOffline"),
        ("gpu-02", false, "InsufficientGPUs"),
        ("gpu-03", false, "RuntimeUnavailable"),
        ("gpu-04", false, "InventoryIncomplete"),
    ];
    assert_eq!(names, expected);
    let expected = [(0, "ModelMismatch"), (1, "InsufficientMemory"), (2, "Faulty"), (3, "Allocated"), (4, "Busy"), (5, "")];
    assert_eq!(reasons(&explanation.nodes[1]), expected);
    let message = "the claim wants 2 GPUs of model a100 with 81920 MiB or more; 1 of the node's GPUs could be given to it";
    assert_eq!(explanation.nodes[1].message, message);
}

#[test]
fn a_claim_knows_its_place_in_the_queue() {
    let claims = [pending(3, 1), deleted(pending(1, 1)), placed(4, 1, ClaimPhase::Scheduled), pending(2, 99)];
    let world = World::new(claims, [node(1, 2)]);
    let position = |index: usize| explain(&world.claims[index], &world.snapshot()).queue_position;
    assert_eq!([position(0), position(2), position(3)], [2, 0, 1]);
}

#[test]
fn a_claim_that_fits_says_where() {
    let world = World::new([pending(1, 2)], [node(1, 2), node(2, 1)]);
    let explanation = explain(&world.claims[0], &world.snapshot());
    assert_eq!(explanation.summary, "1 of 2 nodes can take the claim; it is placed when its turn comes");
    let fits: Vec<_> = explanation.nodes.iter().map(|node| (node.fits, &*node.reason, &*node.message)).collect();
    assert_eq!(fits[0], (true, "", ""));
    assert!(!fits[1].0);
}

#[test]
fn the_summary_tells_where_the_claim_stands() {
    let ended = |phase| because(placed(1, 1, phase), "", "");
    let arriving = NodeView { inventory_complete: false, ..node(1, 1) };
    let cases = [
        (pending(1, 1), vec![], "no node has joined"),
        (pending(1, 1), vec![offline(1, now())], "no node is online"),
        (pending(1, 1), vec![arriving], "the nodes that are online have yet to report their containers"),
        (pending(1, 9), vec![node(1, 8)], "no node that is online has 9 GPUs"),
        (
            because(placed(1, 1, ClaimPhase::Scheduled), "", "pulling"),
            vec![node(1, 1)],
            "the claim starts on node gpu-01: pulling",
        ),
        (placed(1, 1, ClaimPhase::Running), vec![node(1, 1)], "the claim runs on node gpu-01"),
        (placed(1, 1, ClaimPhase::Running), vec![], "the claim runs on a node that was deleted"),
        (because(placed(1, 1, ClaimPhase::Failed), "NodeDeleted", "why"), vec![], "the claim has failed: why"),
        (ended(ClaimPhase::Completed), vec![], "the claim has ended"),
    ];
    for (claim, nodes, summary) in cases {
        let world = World::new([claim], nodes);
        assert_eq!(explain(&world.claims[0], &world.snapshot()).summary, summary);
    }
}
