//! The life of a claim, with an agent that reports what its test says.

use serde_json::{Value as Json, json};
use tonic::Code;
use utopia_proto::link::v1::{ContainerPhase, ContainerState, EnsureClaim};

use crate::{
    agent::{Agent, failure, hesitate, obey, state},
    databases::on_both_databases,
    machine::{Machine, Node},
    plane::{Plane, claim, claim_with, look, reaches, text},
    wait::eventually,
};

on_both_databases!(
    a_claim_runs_and_completes,
    a_claim_fails_for_the_reason_that_its_node_gives,
    a_placement_that_a_node_refuses_fails_the_claim,
    deleting_a_claim_releases_its_container_and_frees_its_gpus,
    the_last_gpu_goes_to_one_of_two,
    a_claim_without_room_waits_and_says_why,
    a_container_nobody_wants_is_released_and_a_foreign_one_is_left,
);

/// A node with an agent that accepts placements and waits to be told what becomes of them.
async fn hesitant(plane: &Plane, hostname: &str, gpu_count: u32) -> (Node, Agent) {
    let node = Machine::new(hostname, gpu_count).join(plane).await;
    let agent = Agent::scripted(plane, &node, hesitate).await;
    (node, agent)
}

fn exited(ensure: &EnsureClaim, exit_code: i32) -> ContainerState {
    ContainerState { exit_code, ..state(ensure, ContainerPhase::Exited) }
}

async fn a_claim_runs_and_completes(plane: &Plane) {
    let user = plane.as_user();
    let accepted =
        claim_with(&user, json!({"image": "train:1", "resources": {"gpuCount": 2}, "command": ["run"], "env": ["A=1"]})).await;
    let id = text(&accepted, "id");
    reaches(&user, id, "Pending", "NoNodes").await;

    let (node, agent) = hesitant(plane, "n1", 2).await;
    let ensure = agent.hears_ensure(id).await;
    assert_eq!((ensure.epoch, &ensure.gpu_uuids), (1, &node.gpu_uuids()));
    let spec = ensure.spec.clone().unwrap();
    assert_eq!((spec.image.as_str(), &spec.command, &spec.env), ("train:1", &vec!["run".to_owned()], &vec!["A=1".to_owned()]));
    let scheduled = reaches(&user, id, "Scheduled", "").await;
    assert_eq!(scheduled["status"]["nodeName"], "n1");
    assert_eq!(scheduled["status"]["nodeID"], node.id);
    assert_eq!(scheduled["status"]["containerID"], "");

    let pulling = ContainerState { message: "pulling train:1".into(), ..state(&ensure, ContainerPhase::Preparing) };
    agent.report(pulling).await;
    let progress = async || (look(&user, id).await["status"]["message"] == "pulling train:1").then_some(());
    eventually("the progress of the pull", progress).await;

    agent.report(state(&ensure, ContainerPhase::Running)).await;
    let running = reaches(&user, id, "Running", "").await;
    assert_eq!(
        running["status"],
        json!({
            "phase": "Running", "nodeName": "n1", "containerID": "c-1", "reason": "", "message": "", "nodeID": node.id,
            "gpuUUIDs": node.gpu_uuids(),
        })
    );
    let explained = user.get(&format!("/api/gpu-claims/{id}/explain")).await.expect(200);
    assert_eq!((&explained["phase"], &explained["queue_position"]), (&json!("Running"), &json!(0)));

    agent.report(exited(&ensure, 0)).await;
    let completed = reaches(&user, id, "Completed", "").await;
    assert_eq!((&completed["status"]["gpuUUIDs"], &completed["status"]["containerID"]), (&json!([]), &json!("c-1")));
    // The user's quota and the GPUs are free again.
    let next = claim(&user, 2).await;
    agent.hears_ensure(text(&next, "id")).await;
}

async fn a_claim_fails_for_the_reason_that_its_node_gives(plane: &Plane) {
    let user = plane.as_user();
    let (_node, agent) = hesitant(plane, "n1", 2).await;
    let crashed = claim(&user, 1).await;
    let ensure = agent.hears_ensure(text(&crashed, "id")).await;
    agent.report(state(&ensure, ContainerPhase::Running)).await;
    agent.report(exited(&ensure, 3)).await;
    let failed = reaches(&user, text(&crashed, "id"), "Failed", "ContainerExited").await;
    assert_eq!(failed["status"]["message"], "the container ended with exit code 3");
    assert_eq!(failed["status"]["gpuUUIDs"], json!([]));

    let unknown = claim(&user, 1).await;
    let ensure = agent.hears_ensure(text(&unknown, "id")).await;
    let (reason, message) = ("ImagePullFailed".to_owned(), "there is no image train:1".to_owned());
    agent.report(ContainerState { reason, message, ..state(&ensure, ContainerPhase::Failed) }).await;
    let failed = reaches(&user, text(&unknown, "id"), "Failed", "ImagePullFailed").await;
    assert_eq!(failed["status"]["message"], "there is no image train:1");

    let vanished = claim(&user, 1).await;
    let ensure = agent.hears_ensure(text(&vanished, "id")).await;
    agent.report(state(&ensure, ContainerPhase::Running)).await;
    reaches(&user, text(&vanished, "id"), "Running", "").await;
    agent.report(state(&ensure, ContainerPhase::Removed)).await;
    reaches(&user, text(&vanished, "id"), "Failed", "ContainerLost").await;
}

async fn a_placement_that_a_node_refuses_fails_the_claim(plane: &Plane) {
    let user = plane.as_user();
    let node = Machine::new("n1", 1).join(plane).await;
    let refuse = |command: &_| vec![failure(command, Code::FailedPrecondition, "PortInUse", "port 80 is in use")];
    let _agent = Agent::scripted(plane, &node, refuse).await;
    let id = text(&claim(&user, 1).await, "id").to_owned();
    let failed = reaches(&user, &id, "Failed", "PortInUse").await;
    assert_eq!(failed["status"]["message"], "port 80 is in use");
}

async fn deleting_a_claim_releases_its_container_and_frees_its_gpus(plane: &Plane) {
    let user = plane.as_user();
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::obedient(plane, &node).await;
    let first = claim(&user, 1).await;
    reaches(&user, text(&first, "id"), "Running", "").await;
    let second = claim(&user, 1).await;
    reaches(&user, text(&second, "id"), "Pending", "InsufficientGPUs").await;

    let path = format!("/api/gpu-claims/{}", text(&first, "id"));
    user.delete(&path).await.expect(204);
    user.get(&path).await.expect_error(404, "NotFound");
    assert_eq!(agent.hears_release(text(&first, "id")).await, 1);
    let running = reaches(&user, text(&second, "id"), "Running", "").await;
    assert_eq!(running["status"]["gpuUUIDs"], json!(node.gpu_uuids()));
}

async fn the_last_gpu_goes_to_one_of_two(plane: &Plane) {
    let node = Machine::new("n1", 1).join(plane).await;
    let _agent = Agent::obedient(plane, &node).await;
    let (user, other) = (plane.as_user(), plane.as_other());
    let (mine, theirs) = tokio::join!(claim(&user, 1), claim(&other, 1));
    let operator = plane.as_operator();
    let settled = async || {
        let claims = [look(&operator, text(&mine, "id")).await, look(&operator, text(&theirs, "id")).await];
        let is = |phase, reason| move |claim: &&Json| claim["status"]["phase"] == phase && claim["status"]["reason"] == reason;
        let won = claims.iter().filter(is("Running", "")).count();
        let lost = claims.iter().filter(is("Pending", "InsufficientGPUs")).count();
        assert!(won < 2, "both have the one GPU");
        (won == 1 && lost == 1).then_some(())
    };
    eventually("one claim to run and one to wait", settled).await;
}

async fn a_claim_without_room_waits_and_says_why(plane: &Plane) {
    let (user, operator) = (plane.as_user(), plane.as_operator());
    let mut machine = Machine::new("n1", 3);
    "NVIDIA A100".clone_into(&mut machine.gpus[2].name);
    let node = machine.join(plane).await;
    let _agent = Agent::obedient(plane, &node).await;
    let holder = claim(&user, 1).await;
    let held = reaches(&user, text(&holder, "id"), "Running", "").await;

    let resources = json!({"gpuCount": 4, "gpuModel": "h100"});
    let waiting = claim_with(&operator, json!({"image": "train:1", "resources": resources})).await;
    let id = text(&waiting, "id");
    let waiting = reaches(&operator, id, "Pending", "InsufficientGPUs").await;
    assert!(!text(&waiting["status"], "message").is_empty());
    let explained = operator.get(&format!("/api/gpu-claims/{id}/explain")).await.expect(200);
    assert_eq!((&explained["phase"], &explained["queue_position"]), (&json!("Pending"), &json!(1)));
    assert_eq!(explained["summary"], waiting["status"]["message"]);
    let node = &explained["nodes"][0];
    assert_eq!((&node["node_name"], &node["fits"], &node["reason"]), (&json!("n1"), &json!(false), &json!("InsufficientGPUs")));
    let held = &held["status"]["gpuUUIDs"][0];
    for gpu in node["gpus"].as_array().unwrap() {
        let expected = match text(gpu, "uuid") {
            "GPU-n1-2" => "ModelMismatch",
            uuid if held == uuid => "Allocated",
            _ => "",
        };
        assert_eq!((&gpu["reason"], &gpu["fits"]), (&json!(expected), &json!(expected.is_empty())), "{gpu}");
    }
}

async fn a_container_nobody_wants_is_released_and_a_foreign_one_is_left(plane: &Plane) {
    let user = plane.as_user();
    let node = Machine::new("n1", 2).join(plane).await;
    let abandoned = ContainerState {
        claim_id: "7d5a0f8e-58f5-4a3c-9a59-0a3c0b7b1d11".into(),
        epoch: 4,
        container_id: "old".into(),
        phase: ContainerPhase::Running.into(),
        ..ContainerState::default()
    };
    let foreign = ContainerState { claim_id: "my-notebook".into(), epoch: 0, container_id: "mine".into(), ..abandoned.clone() };
    let agent = Agent::open(plane, &node, vec![abandoned.clone(), foreign.clone()], Box::new(obey)).await;
    assert_eq!(agent.hears_release(&abandoned.claim_id).await, 4);

    // A claim that runs after that shows that passes have gone over the foreign container.
    let id = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &id, "Running", "").await;
    assert!(!agent.was_told_to_release(&foreign.claim_id));
}
