//! What becomes of claims when their node, or the control plane, goes away and comes back.

use serde_json::{Value as Json, json};
use utopia_proto::link::v1::ContainerPhase;

use crate::{
    agent::{Agent, hesitate, obey, state},
    databases::on_both_databases,
    machine::Machine,
    plane::{Plane, claim, claim_with, look, reaches, text},
    wait::eventually,
};

mod running {
    use super::{a_claim_that_keeps_its_node_waits_for_it, a_claim_that_reschedules_moves_and_its_old_container_is_released};

    crate::databases::on_both_databases!(
        a_claim_that_keeps_its_node_waits_for_it,
        a_claim_that_reschedules_moves_and_its_old_container_is_released,
    );
}

on_both_databases!(urls: a_restart_of_the_control_plane_loses_nothing);

async fn a_claim_that_keeps_its_node_waits_for_it(plane: &Plane) {
    let user = plane.as_user();
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::obedient(plane, &node).await;
    let id = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &id, "Running", "").await;
    let ensure = agent.hears_ensure(&id).await;
    drop(agent);
    let lost = reaches(&user, &id, "Running", "NodeLost").await;
    assert!(text(&lost["status"], "message").starts_with("node n1 has been offline since "), "{lost}");
    assert_eq!(lost["status"]["gpuUUIDs"], json!(node.gpu_uuids()));

    let containers = vec![state(&ensure, ContainerPhase::Running)];
    let agent = Agent::open(plane, &node, containers, Box::new(obey)).await;
    reaches(&user, &id, "Running", "").await;
    assert!(!agent.was_told_to_release(&id));
}

async fn a_claim_that_reschedules_moves_and_its_old_container_is_released(plane: &Plane) {
    let user = plane.as_user();
    let (first, second) = (Machine::new("n1", 1).join(plane).await, Machine::new("n2", 1).join(plane).await);
    let agent = Agent::obedient(plane, &first).await;
    let spec = json!({
        "image": "train:1", "resources": {"gpuCount": 1}, "onNodeLoss": "reschedule", "rescheduleAfterSeconds": 1,
    });
    let id = text(&claim_with(&user, spec).await, "id").to_owned();
    assert_eq!(reaches(&user, &id, "Running", "").await["status"]["nodeName"], "n1");
    let before = agent.hears_ensure(&id).await;
    let other = Agent::obedient(plane, &second).await;
    drop(agent);

    let after = other.hears_ensure(&id).await;
    assert_eq!((before.epoch, after.epoch, after.gpu_uuids), (1, 2, second.gpu_uuids()));
    let moved = reaches(&user, &id, "Running", "").await;
    assert_eq!((&moved["status"]["nodeName"], &moved["status"]["containerID"]), (&json!("n2"), &json!("c-2")));

    let containers = vec![state(&before, ContainerPhase::Running)];
    let agent = Agent::open(plane, &first, containers, Box::new(obey)).await;
    assert_eq!(agent.hears_release(&id).await, 1);
    let still = look(&user, &id).await;
    assert_eq!((&still["status"]["phase"], &still["status"]["nodeName"]), (&json!("Running"), &json!("n2")));
    assert!(!other.was_told_to_release(&id));
}

async fn a_restart_of_the_control_plane_loses_nothing(url: &str) {
    let plane = Plane::start(url).await;
    let user = plane.as_user();
    let node = Machine::new("n1", 2).join(&plane).await;
    let agent = Agent::scripted(&plane, &node, hesitate).await;
    let (runs, starts) = (claim(&user, 1).await, claim(&user, 1).await);
    let (runs, starts) = (text(&runs, "id"), text(&starts, "id"));
    let running = agent.hears_ensure(runs).await;
    let starting = agent.hears_ensure(starts).await;
    agent.report(state(&running, ContainerPhase::Running)).await;
    let before = reaches(&user, runs, "Running", "").await;
    drop(agent);

    let plane = plane.restart().await;
    let user = plane.as_user();
    let containers = vec![state(&running, ContainerPhase::Running)];
    let agent = Agent::open(&plane, &node, containers, Box::new(obey)).await;
    // What had been ordered and not made is ordered again, as the same placement.
    assert_eq!(agent.hears_ensure(starts).await, starting);
    reaches(&user, starts, "Running", "").await;
    let after = reaches(&user, runs, "Running", "").await;
    let place = |claim: &Json| (claim["status"]["nodeName"].clone(), claim["status"]["gpuUUIDs"].clone());
    assert_eq!(place(&before), place(&after));
    assert!(!agent.was_told_to_release(runs));
    let listed = async || (user.get("/api/nodes?status=Online").await.expect(200)["total"] == 1).then_some(());
    eventually("the node to be online", listed).await;
    drop(agent);
    plane.stop().await;
}
