//! Crashes of servers: nothing that was accepted is lost, nothing is done twice.

use serde_json::json;

use crate::system::agent::Agent;
use crate::system::docker::Docker;
use crate::system::server::Server;
use crate::system::{postgres, until};

#[tokio::test]
async fn a_crash_of_everything_keeps_users_claims_and_containers() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let mut up = Server::up().await;
    let alice = up.api().new_user("alice").await;
    let id = alice.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    let before = alice.claim_in_phase(&id, "Running").await;

    up.process.kill().await;
    up.start_again().await;
    let admin = up.admin().await;
    admin.nodes_online(1).await;
    let after = alice.claim_in_phase(&id, "Running").await;
    assert_eq!(after["status"]["containerID"], before["status"]["containerID"]);
    assert_eq!(docker.containers(&id).len(), 1);
}

#[tokio::test]
async fn a_crash_while_a_claim_starts_gives_one_container() {
    let Some(docker) = Docker::find() else { return };
    let mut up = Server::up().await;
    let alice = up.api().new_user("alice").await;
    for _ in 0..3 {
        let image = docker.image();
        let id = alice.claim(json!({"image": image.name, "resources": {"gpuCount": 2}})).await;
        up.process.kill().await;
        up.start_again().await;
        alice.claim_in_phase(&id, "Running").await;
        assert_eq!(docker.containers(&id).len(), 1);
        alice.delete(&format!("/api/gpu-claims/{id}")).await.expect(204);
        until("the container is removed", async || docker.containers(&id).is_empty().then_some(())).await;
    }
}

#[tokio::test]
async fn containers_run_on_while_the_control_plane_is_away() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let mut control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let _agent = Agent::join_as(&admin, &[]).await;
    admin.nodes_online(1).await;
    let id = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    let claim = admin.claim_in_phase(&id, "Running").await;

    control_plane.process.kill().await;
    let container = claim["status"]["containerID"].as_str().unwrap();
    assert_eq!(Docker::inspect(container).unwrap()["State"]["Running"], true);
    control_plane.start_again().await;
    admin.nodes_online(1).await;
    let after = admin.claim_in_phase(&id, "Running").await;
    assert_eq!(after["status"]["containerID"], container);
}

#[tokio::test]
async fn everything_works_on_postgresql() {
    let Some(docker) = Docker::find() else { return };
    let Some(database) = postgres::Database::create() else { return };
    let image = docker.image();
    let mut control_plane = Server::control_plane_with(&[("UTOPIA_DATABASE_URL", &database.url())]).await;
    let admin = control_plane.admin().await;
    let _agent = Agent::join_as(&admin, &[]).await;
    admin.nodes_online(1).await;
    let alice = control_plane.api().new_user("alice").await;
    let id = alice.claim(json!({"image": image.name, "resources": {"gpuCount": 2}})).await;
    alice.claim_in_phase(&id, "Running").await;

    control_plane.process.kill().await;
    control_plane.start_again().await;
    admin.nodes_online(1).await;
    alice.claim_in_phase(&id, "Running").await;
    assert_eq!(docker.containers(&id).len(), 1);
    control_plane.process.terminate().await;
}
