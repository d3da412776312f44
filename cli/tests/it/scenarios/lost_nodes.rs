//! Machines that vanish and come back.

use serde_json::{Value, json};

use crate::system::agent::Agent;
use crate::system::api::Api;
use crate::system::docker::Docker;
use crate::system::server::Server;
use crate::system::until;

/// The machine a claim runs on, and the other one.
fn split(claim: &Value, nodes: &[Value], agents: [Agent; 2]) -> (Agent, Agent) {
    let [first, second] = agents;
    let is_first = nodes[0]["id"] == claim["status"]["nodeID"];
    if is_first == (nodes[0]["labels"]["agent"] == "first") { (first, second) } else { (second, first) }
}

async fn two_agents(admin: &Api) -> ([Agent; 2], Vec<Value>) {
    let first = Agent::join_as(admin, &[("UTOPIA_LABELS", "agent=first")]).await;
    let second = Agent::join_as(admin, &[("UTOPIA_LABELS", "agent=second")]).await;
    let nodes = admin.nodes_online(2).await;
    ([first, second], nodes)
}

#[tokio::test]
async fn a_claim_that_keeps_its_node_waits_for_it() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let (agents, nodes) = two_agents(&admin).await;
    let id = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    let claim = admin.claim_in_phase(&id, "Running").await;
    let (mut home, _other) = split(&claim, &nodes, agents);

    home.process.kill().await;
    let lost = admin.claim_with_reason(&id, "NodeLost").await;
    assert_eq!(lost["status"]["phase"], "Running");
    assert_eq!(lost["status"]["nodeID"], claim["status"]["nodeID"]);

    home.start_again();
    let back = admin.claim_with_reason(&id, "").await;
    assert_eq!(back["status"]["containerID"], claim["status"]["containerID"]);
    assert_eq!(docker.containers(&id).len(), 1);
}

#[tokio::test]
async fn a_claim_that_may_move_moves_and_its_old_container_is_removed() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let (agents, nodes) = two_agents(&admin).await;
    let spec =
        json!({"image": image.name, "resources": {"gpuCount": 1}, "onNodeLoss": "reschedule", "rescheduleAfterSeconds": 1});
    let id = admin.claim(spec).await;
    let claim = admin.claim_in_phase(&id, "Running").await;
    let (mut home, _other) = split(&claim, &nodes, agents);

    home.process.kill().await;
    let moved = until("the claim runs elsewhere", async || {
        let now = admin.get(&format!("/api/gpu-claims/{id}")).await.expect(200);
        (now["status"]["phase"] == "Running" && now["status"]["nodeID"] != claim["status"]["nodeID"]).then_some(now)
    })
    .await;

    home.start_again();
    admin.nodes_online(2).await;
    let old = claim["status"]["containerID"].as_str().unwrap();
    until("the old container is removed", async || Docker::inspect(old).is_none().then_some(())).await;
    let [container] = docker.containers(&id).try_into().unwrap();
    assert_eq!(container["Id"], moved["status"]["containerID"]);
}

#[tokio::test]
async fn a_claim_deleted_while_its_node_is_away_is_removed_on_its_return() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let mut agent = Agent::join_as(&admin, &[]).await;
    admin.nodes_online(1).await;
    let id = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    admin.claim_in_phase(&id, "Running").await;

    agent.process.kill().await;
    admin.nodes_online(0).await;
    admin.delete(&format!("/api/gpu-claims/{id}")).await.expect(204);
    assert_eq!(docker.containers(&id).len(), 1);
    agent.start_again();
    until("the container is removed", async || docker.containers(&id).is_empty().then_some(())).await;
}
