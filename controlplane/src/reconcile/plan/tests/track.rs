//! Claims that have a node or are deleted, and containers that nobody wants.

use super::*;
use ClaimPhase::{Completed, Failed, Running, Scheduled};

/// What the planner says of claim 1 on node 1, whose container of placement 1 is as given.
#[track_caller]
fn check(phase: ClaimPhase, container: Option<ContainerState>, expected: &[Step]) {
    let world = World::new([placed(1, 1, phase)], [with_containers(node(1, 8), container)]);
    assert_eq!(world.plan(), expected);
}

fn seen(phase: ContainerPhase) -> ContainerState {
    container(claim_id(1), 1, phase)
}

fn exited(exit_code: i32) -> ContainerState {
    ContainerState { exit_code, ..seen(ContainerPhase::Exited) }
}

fn failed(reason: &str, message: &str) -> ContainerState {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    ContainerState { container_id: String::new(), reason, message, ..seen(ContainerPhase::Failed) }
}

#[test]
fn a_scheduled_claim_without_a_container_gets_one() {
    check(Scheduled, None, &[ensure(1, 1)]);
    check(Scheduled, Some(seen(ContainerPhase::Removed)), &[ensure(1, 1)]);
}

#[test]
fn a_running_claim_without_its_container_has_failed() {
    let message = "the container is no longer there on node gpu-01";
    check(Running, None, &[status(1, Failed, "ContainerLost", message, "container-1")]);
}

#[test]
fn a_claim_follows_its_container() {
    let pulling = ContainerState { message: "pulling train:1".to_owned(), ..seen(ContainerPhase::Preparing) };
    check(Scheduled, Some(pulling), &[status(1, Scheduled, "", "pulling train:1", "container-1")]);
    check(Scheduled, Some(seen(ContainerPhase::Running)), &[status(1, Running, "", "", "container-1")]);
    check(Running, Some(seen(ContainerPhase::Running)), &[]);
    check(Running, Some(seen(ContainerPhase::Unspecified)), &[]);
    check(Running, Some(exited(0)), &[status(1, Completed, "", "", "container-1")]);
    let message = "the container ended with exit code 137";
    check(Running, Some(exited(137)), &[status(1, Failed, "ContainerExited", message, "container-1")]);
    check(
        Scheduled,
        Some(exited(1)),
        &[status(1, Failed, "ContainerExited", "the container ended with exit code 1", "container-1")],
    );
}

#[test]
fn progress_of_preparing_is_cleared_when_the_container_runs() {
    let claim = because(placed(1, 1, Scheduled), "", "pulling train:1");
    let world = World::new([claim], [with_containers(node(1, 8), [seen(ContainerPhase::Running)])]);
    assert_eq!(world.plan(), [status(1, Running, "", "", "container-1")]);
}

#[test]
fn a_container_that_could_not_be_made_fails_the_claim_with_the_nodes_words() {
    let expected = status(1, Failed, "ContainerFailed", "no such entry point", "");
    check(Scheduled, Some(failed("", "no such entry point")), &[expected]);
    let world = World::new(
        [placed(1, 1, Scheduled)],
        [with_containers(node(1, 8), [failed("ImagePullFailed", "the image train:1 does not exist")])],
    );
    assert_eq!(world.plan(), [status(1, Failed, "ImagePullFailed", "the image train:1 does not exist", "")]);
}

#[test]
fn a_runtime_that_failed_is_tried_again() {
    let message = "docker does not answer";
    let container = failed("RuntimeUnavailable", message);
    check(Scheduled, Some(container.clone()), &[status(1, Scheduled, "RuntimeUnavailable", message, ""), ensure(1, 1)]);
    let claim = because(placed(1, 1, Scheduled), "RuntimeUnavailable", message);
    let world = World::new([claim], [with_containers(node(1, 8), [container])]);
    assert_eq!(world.plan(), [ensure(1, 1)]);
}

#[test]
fn a_placement_that_the_node_refuses_is_taken_back() {
    for reason in ["GpuBusy", "StalePlacement"] {
        check(Scheduled, Some(failed(reason, "no")), &[unplace(1, reason, "no")]);
    }
}

#[test]
fn a_claim_on_a_node_without_its_runtime_says_so_and_recovers() {
    let message = "the container runtime of node gpu-01 does not answer";
    for phase in [Scheduled, Running] {
        let claim = placed(1, 1, phase);
        let id = claim.container_id.clone();
        let down = NodeView { runtime_ready: false, ..node(1, 8) };
        let world = World::new([claim.clone()], [down.clone()]);
        assert_eq!(world.plan(), [status(1, phase, "RuntimeUnavailable", message, &id)]);
        let told = because(claim, "RuntimeUnavailable", message);
        assert_eq!(World::new([told.clone()], [down]).plan(), []);
        let back = with_containers(node(1, 8), [seen(ContainerPhase::Running)]);
        assert_eq!(World::new([told], [back]).plan(), [status(1, Running, "", "", "container-1")]);
    }
    let told = because(placed(1, 1, Scheduled), "RuntimeUnavailable", message);
    assert_eq!(World::new([told], [node(1, 8)]).plan(), [status(1, Scheduled, "", "", ""), ensure(1, 1)]);
}

#[test]
fn nothing_is_concluded_before_a_node_has_reported_its_containers() {
    for phase in [Scheduled, Running] {
        let returning = NodeView { inventory_complete: false, ..node(1, 8) };
        assert_eq!(World::new([placed(1, 1, phase)], [returning]).plan(), []);
    }
}

#[test]
fn a_node_that_is_still_awaited_after_a_start_is_not_lost() {
    let claims = [placed(1, 1, Running), reschedules(placed(2, 1, Running), 0)];
    assert_eq!(World::new(claims, [offline(1, seconds_ago(-5)), node(2, 8)]).plan(), []);
}

#[test]
fn a_kept_claim_waits_for_its_node_however_long() {
    let message = "node gpu-01 has been offline since 2026-01-01T03:04:05Z";
    let nodes = || [offline(1, seconds_ago(86_400)), node(2, 8)];
    let world = World::new([placed(1, 1, Running)], nodes());
    assert_eq!(world.plan(), [status(1, Running, "NodeLost", message, "container-1")]);
    assert_eq!(World::new([because(placed(1, 1, Running), "NodeLost", message)], nodes()).plan(), []);
}

#[test]
fn a_claim_whose_node_is_back_runs_on() {
    let claim = because(placed(1, 1, Running), "NodeLost", "node gpu-01 has been offline since 2026-01-01T03:04:05Z");
    let world = World::new([claim], [with_containers(node(1, 8), [seen(ContainerPhase::Running)])]);
    assert_eq!(world.plan(), [status(1, Running, "", "", "container-1")]);
}

#[test]
fn a_claim_that_reschedules_moves_when_its_time_is_up() {
    // Seconds after which the claim moves (0 for the server's 30), seconds its node has been away, whether it moves.
    let cases = [(0, 29, false), (0, 30, true), (300, 299, false), (300, 300, true), (5, 5, true)];
    for (after, away, moves) in cases {
        let world =
            World::new([reschedules(placed(1, 1, Running), after)], [offline(1, seconds_ago(away)), node(2, 8), node(3, 8)]);
        let message = format!("node gpu-01 has been offline since {}", seconds_ago(away));
        let expected =
            if moves { unplace(1, "NodeLost", &message) } else { status(1, Running, "NodeLost", &message, "container-1") };
        assert_eq!(world.plan(), [expected], "after {after} s, away {away} s");
    }
}

#[test]
fn evictions_hold_while_most_of_the_fleet_is_away() {
    // Nodes away, nodes there, whether evictions hold.
    let cases = [(1, 0, false), (2, 0, false), (1, 2, false), (2, 2, false), (2, 1, true), (3, 2, true), (3, 0, true)];
    for (away, there, holds) in cases {
        let away_nodes = (1..=away).map(|number| offline(number, seconds_ago(600)));
        let nodes: Vec<_> = away_nodes.chain((0..there).map(|number| node(50 + number, 8))).collect();
        let steps = World::new([reschedules(placed(1, 1, Running), 0)], nodes).plan();
        match &steps[..] {
            [Step::Unplace { reason: "NodeLost", .. }] => assert!(!holds, "{away} away, {there} there"),
            [Step::SetStatus { phase: Running, reason, message, free_gpus: false, .. }] => {
                assert!(holds, "{away} away, {there} there");
                assert_eq!(reason, "NodeLost");
                assert!(message.contains("holds all evictions"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_claim_whose_node_was_deleted_has_failed() {
    let orphan = Claim { node_id: None, ..placed(2, 1, Scheduled) };
    let world = World::new([placed(1, 1, Running), orphan], [node(2, 8)]);
    let message = "the claim's node was deleted";
    let expected = [status(1, Failed, "NodeDeleted", message, "container-1"), status(2, Failed, "NodeDeleted", message, "")];
    assert_eq!(world.plan(), expected);
}

#[test]
fn an_ended_claim_stays_as_it_is_and_keeps_its_container() {
    for phase in [Failed, Completed] {
        let claim = Claim { gpu_uuids: Vec::new(), ..placed(1, 1, phase) };
        for node in [with_containers(node(1, 8), [exited(0)]), node(1, 8), offline(1, seconds_ago(9000))] {
            assert_eq!(World::new([claim.clone()], [node]).plan(), []);
        }
    }
}

#[test]
fn a_deleted_claim_is_forgotten_when_nothing_is_left_of_it() {
    let forget = [Step::Forget { claim: claim_id(1), generation: 7 }];
    assert_eq!(World::new([deleted(pending(1, 1))], [node(1, 8)]).plan(), forget);
    assert_eq!(World::new([deleted(placed(1, 1, Running))], [node(2, 8)]).plan(), forget);
    assert_eq!(World::new([deleted(placed(1, 1, Running))], [offline(1, seconds_ago(9000))]).plan(), []);
    let release =
        |epoch| Step::Release { node: node_id(1), claim_id: claim_id(1).to_string(), epoch, forget: Some((claim_id(1), 7)) };
    for phase in [Scheduled, Running, Failed, Completed] {
        let world = World::new([deleted(placed(1, 1, phase))], [with_containers(node(1, 8), [seen(ContainerPhase::Running)])]);
        assert_eq!(world.plan(), [release(1)]);
    }
    let moved = Claim { epoch: 3, ..deleted(placed(1, 1, Running)) };
    let containers = [1, 3].map(|epoch| container(claim_id(1), epoch, ContainerPhase::Running));
    assert_eq!(World::new([moved], [with_containers(node(1, 8), containers)]).plan(), [release(3)]);
}

#[test]
fn containers_of_older_placements_are_removed_at_once() {
    let moved = Claim { epoch: 4, ..placed(1, 2, Running) };
    let old = [1, 3].map(|epoch| container(claim_id(1), epoch, ContainerPhase::Running));
    let current = container(claim_id(1), 4, ContainerPhase::Running);
    let here = with_containers(node(2, 8), [container(claim_id(1), 2, ContainerPhase::Exited), current]);
    let world = World::new([Claim { container_id: "container-4".to_owned(), ..moved }], [with_containers(node(1, 8), old), here]);
    assert_eq!(world.plan(), [release(1, 1, 3), release(1, 2, 2)]);
}

#[test]
fn a_claim_that_waits_again_has_no_container() {
    let bounced = Claim { epoch: 2, updated_at: now(), ..because(pending(1, 1), "GpuBusy", "no") };
    let node = with_containers(node(1, 8), [container(claim_id(1), 2, ContainerPhase::Failed)]);
    assert_eq!(World::new([bounced], [node]).plan(), [release(1, 1, 2)]);
}

#[test]
fn containers_of_unknown_claims_are_removed_and_foreign_ones_never() {
    let unknown = container(claim_id(9), 2, ContainerPhase::Running);
    let removed = container(claim_id(8), 2, ContainerPhase::Removed);
    let foreign = ContainerState { claim_id: "notebook.42".to_owned(), ..container(claim_id(9), 0, ContainerPhase::Running) };
    let odd = ContainerState { claim_id: "no-uuid".to_owned(), ..container(claim_id(9), 5, ContainerPhase::Exited) };
    let containers = [unknown, removed, foreign, odd];
    let expected = [release(9, 1, 2), Step::Release { node: node_id(1), claim_id: "no-uuid".to_owned(), epoch: 5, forget: None }];
    assert_eq!(World::new([], [with_containers(node(1, 8), containers.clone())]).plan(), expected);
    assert_eq!(World::new([], [with_containers(offline(1, now()), containers)]).plan(), []);
}

#[test]
fn a_container_of_the_node_api_is_not_taken_for_the_claims_own() {
    let foreign = container(claim_id(1), 0, ContainerPhase::Running);
    check(Scheduled, Some(foreign), &[ensure(1, 1)]);
}
