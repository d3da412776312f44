//! Nodes in maintenance: nothing new comes there, and what is there stays or leaves.

use super::{super::explain, *};
use ClaimPhase::{Completed, Failed, Running, Scheduled};
use MaintenanceClaims::{Keep, Move};

const MOVED: &str = "node gpu-01 is in maintenance; the claim is placed elsewhere";

fn seen(phase: ContainerPhase) -> ContainerState {
    container(claim_id(1), 1, phase)
}

/// What the planner says of claim 1 on node 1, which gives its claims away.
#[track_caller]
fn check_move(phase: ClaimPhase, container: Option<ContainerState>, expected: &[Step]) {
    let node = in_maintenance(Move, with_containers(node(1, 8), container));
    assert_eq!(World::new([placed(1, 1, phase)], [node]).plan(), expected);
}

#[test]
fn nothing_is_placed_on_a_node_in_maintenance() {
    for claims in [Keep, Move] {
        let world = World::new([pending(1, 1), pending(2, 0)], [in_maintenance(claims, node(1, 8)), node(2, 1)]);
        assert_eq!(world.plan(), [place(1, 2, &[0]), place(2, 2, &[])]);
        let world = World::new([pending(1, 1)], [in_maintenance(claims, node(1, 8)), offline(2, seconds_ago(9))]);
        assert_eq!(world.plan(), [wait(1, "NodeInMaintenance", "every node that is online is in maintenance")]);
    }
    let only_kept_down = [in_maintenance(Keep, node(1, 8)), NodeView { runtime_ready: false, ..node(2, 8) }];
    let message = "the container runtime answers on no node that is online";
    assert_eq!(World::new([pending(1, 1)], only_kept_down).plan(), [wait(1, "RuntimeUnavailable", message)]);
}

#[test]
fn claims_that_are_kept_go_on_as_ever() {
    for (phase, container) in
        [(Running, Some(seen(ContainerPhase::Running))), (Scheduled, None), (Scheduled, Some(seen(ContainerPhase::Running)))]
    {
        let plan = |node| World::new([placed(1, 1, phase)], [with_containers(node, container.clone())]).plan();
        assert_eq!(plan(in_maintenance(Keep, node(1, 8))), plan(node(1, 8)));
    }
}

#[test]
fn claims_that_are_moved_are_taken_back_and_their_ends_are_not() {
    let moved = [unplace(1, "NodeInMaintenance", MOVED)];
    check_move(Running, Some(seen(ContainerPhase::Running)), &moved);
    check_move(Scheduled, Some(seen(ContainerPhase::Preparing)), &moved);
    check_move(Scheduled, None, &moved);
    let refused = ContainerState { reason: "RuntimeUnavailable".to_owned(), ..seen(ContainerPhase::Failed) };
    check_move(Scheduled, Some(refused), &moved);

    check_move(Running, Some(seen(ContainerPhase::Exited)), &[status(1, Completed, "", "", "container-1")]);
    let lost = "the container is no longer there on node gpu-01";
    check_move(Running, None, &[status(1, Failed, "ContainerLost", lost, "container-1")]);
    let failed = ContainerState { reason: "ImageNotFound".to_owned(), message: "no".to_owned(), ..seen(ContainerPhase::Failed) };
    check_move(Scheduled, Some(failed), &[status(1, Failed, "ImageNotFound", "no", "container-1")]);
}

#[test]
fn a_claim_is_placed_anew_when_its_old_container_is_gone() {
    let moved = || Claim { epoch: 1, ..because(pending(1, 1), "NodeInMaintenance", MOVED) };
    let old = in_maintenance(Move, with_containers(node(1, 8), [seen(ContainerPhase::Running)]));
    let world = World::new([moved(), pending(2, 1)], [old.clone(), node(2, 2)]);
    assert_eq!(world.plan(), [release(1, 1, 1), place(2, 2, &[0])]);
    let world = World::new([moved()], [in_maintenance(Move, node(1, 8)), node(2, 2)]);
    assert_eq!(world.plan(), [place(1, 2, &[0])]);

    // A runtime that does not answer, or a node that is gone, holds nobody up.
    for old in [NodeView { runtime_ready: false, ..old.clone() }, NodeView { online: false, ..old }] {
        assert_eq!(World::new([moved()], [old, node(2, 2)]).plan(), [place(1, 2, &[0])]);
    }
}

#[test]
fn a_node_that_proves_nothing_gives_nothing_away() {
    let arriving = NodeView { inventory_complete: false, ..in_maintenance(Move, node(1, 8)) };
    assert_eq!(World::new([placed(1, 1, Running)], [arriving]).plan(), []);
    let message = "the container runtime of node gpu-01 does not answer";
    let down = NodeView { runtime_ready: false, ..in_maintenance(Move, node(1, 8)) };
    let expected = [status(1, Running, "RuntimeUnavailable", message, "container-1")];
    assert_eq!(World::new([placed(1, 1, Running)], [down]).plan(), expected);
}

#[test]
fn a_lost_node_gives_its_claims_away_when_its_time_is_up_whatever_they_say() {
    let lost = |seconds| in_maintenance(Move, offline(1, seconds_ago(seconds)));
    let steps = World::new([placed(1, 1, Running)], [lost(31), node(2, 1)]).plan();
    assert!(matches!(&steps[..], [Step::Unplace { reason: "NodeLost", .. }]), "{steps:?}");
    let steps = World::new([placed(1, 1, Running)], [lost(29), node(2, 1)]).plan();
    assert!(matches!(&steps[..], [Step::SetStatus { phase: Running, .. }]), "{steps:?}");
    let kept = in_maintenance(Keep, offline(1, seconds_ago(31)));
    let steps = World::new([placed(1, 1, Running)], [kept, node(2, 1)]).plan();
    assert!(matches!(&steps[..], [Step::SetStatus { phase: Running, .. }]), "{steps:?}");
}

#[test]
fn the_explanation_says_so() {
    let nodes = [in_maintenance(Keep, node(1, 8)), in_maintenance(Move, offline(2, now())), node(3, 1)];
    let world = World::new([pending(1, 1)], nodes);
    let explanation = explain(&world.claims[0], &world.snapshot());
    let reasons: Vec<_> = explanation.nodes.iter().map(|node| (node.fits, &*node.reason)).collect();
    assert_eq!(reasons, [(false, "NodeInMaintenance"), (false, "NodeInMaintenance"), (true, "")]);
    assert_eq!(explanation.summary, "1 of 3 nodes can take the claim; it is placed when its turn comes");
    let world = World::new([pending(1, 1)], [in_maintenance(Keep, node(1, 8))]);
    assert_eq!(explain(&world.claims[0], &world.snapshot()).summary, "every node that is online is in maintenance");
}
