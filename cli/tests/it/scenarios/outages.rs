//! Docker that goes away, or whose answers get lost.

use serde_json::json;

use crate::system::agent::Agent;
use crate::system::docker::Docker;
use crate::system::docker_socket::DockerSocket;
use crate::system::server::Server;
use crate::system::until;

#[tokio::test]
async fn claims_outlive_a_docker_that_goes_away() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let mut socket = DockerSocket::open();
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let agent = Agent::join_as(&admin, &[("UTOPIA_DOCKER_SOCKET", socket.path().to_str().unwrap())]).await;
    let [node] = admin.nodes_online(1).await.try_into().unwrap();
    let running = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    admin.claim_in_phase(&running, "Running").await;
    let before = docker.running(&running);
    assert_eq!(agent.api().status("/health").await, Some(200));

    socket.close();
    until("the agent is unhealthy", async || (agent.api().status("/health").await == Some(503)).then_some(())).await;
    let told = admin.claim_with_reason(&running, "RuntimeUnavailable").await;
    assert_eq!(told["status"]["phase"], "Running");
    let waiting = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    let told = admin.claim_with_reason(&waiting, "RuntimeUnavailable").await;
    assert_eq!(told["status"]["phase"], "Pending");
    assert_eq!(admin.node_status(node["id"].as_str().unwrap()).await, "Online");
    assert_eq!(docker.running(&running), before);

    socket.reopen();
    admin.claim_in_phase(&waiting, "Running").await;
    admin.claim_with_reason(&running, "").await;
    assert_eq!(docker.running(&running), before);
    until("the agent is healthy", async || (agent.api().status("/health").await == Some(200)).then_some(())).await;
}

#[tokio::test]
async fn a_machine_joins_without_docker_and_takes_claims_when_it_comes() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let mut socket = DockerSocket::open();
    socket.close();
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let _agent = Agent::join_as(&admin, &[("UTOPIA_DOCKER_SOCKET", socket.path().to_str().unwrap())]).await;
    admin.nodes_online(1).await;
    let id = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    admin.claim_with_reason(&id, "RuntimeUnavailable").await;
    let explanation = admin.get(&format!("/api/gpu-claims/{id}/explain")).await.expect(200);
    assert_eq!(explanation["nodes"][0]["reason"], "RuntimeUnavailable", "{explanation:#}");

    socket.reopen();
    admin.claim_in_phase(&id, "Running").await;
}

#[tokio::test]
async fn an_agent_killed_at_any_step_makes_one_container() {
    let Some(docker) = Docker::find() else { return };
    let socket = DockerSocket::open();
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let mut agent = Agent::join_as(&admin, &[("UTOPIA_DOCKER_SOCKET", socket.path().to_str().unwrap())]).await;
    admin.nodes_online(1).await;
    for step in ["/images/create", "/containers/create", "/start"] {
        let image = docker.image();
        socket.withhold_answer_to(step);
        let id = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 2}})).await;
        socket.has_withheld().await;
        agent.process.kill().await;
        let left = docker.containers(&id).iter().map(|container| container["Id"].clone()).collect::<Vec<_>>();
        assert_eq!(left.is_empty(), step == "/images/create", "{step}");

        agent.start_again();
        let claim = admin.claim_in_phase(&id, "Running").await;
        let running = docker.running(&id);
        assert_eq!(claim["status"]["containerID"], running.id, "{step}");
        assert!(left.iter().all(|id| *id == running.id), "{step}: the container is the one that was left");
        admin.delete_claim(&docker, &id).await;
    }
}
