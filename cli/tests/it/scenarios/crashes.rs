//! Crashes of servers: nothing that was accepted is lost, nothing is done twice.

use serde_json::json;

use crate::system::agent::Agent;
use crate::system::api::Api;
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

/// Kills the control plane under claims that run and one that waits, and starts it again on the same database.
async fn a_crash_of_the_control_plane_loses_nothing(settings: &[(&str, &str)]) {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let mut control_plane = Server::control_plane_with(settings).await;
    let admin = control_plane.admin().await;
    let _agent = Agent::join_as(&admin, &[]).await;
    admin.nodes_online(1).await;
    let spec = json!({"image": image.name, "resources": {"gpuCount": 1}});
    let mut running = Vec::new();
    for _gpu in 0..2 {
        let id = admin.claim(spec.clone()).await;
        admin.claim_in_phase(&id, "Running").await;
        running.push((docker.running(&id), id));
    }
    let waiting = admin.claim(spec).await;
    admin.claim_with_reason(&waiting, "InsufficientGPUs").await;
    let claims = async |admin: &Api| {
        let list = admin.get("/api/gpu-claims").await.expect(200);
        let parts =
            list["claims"].as_array().unwrap().iter().map(|claim| ["id", "spec", "status"].map(|part| claim[part].clone()));
        parts.collect::<Vec<_>>()
    };
    let before = claims(&admin).await;
    assert_eq!(before.len(), 3);

    control_plane.process.kill().await;
    control_plane.start_again().await;
    admin.nodes_online(1).await;
    until("the claims stand where they stood", async || (claims(&admin).await == before).then_some(())).await;
    for (container, id) in &running {
        assert_eq!(docker.running(id), *container);
    }
    admin.delete(&format!("/api/gpu-claims/{}", running[0].1)).await.expect(204);
    admin.claim_in_phase(&waiting, "Running").await;
}

#[tokio::test]
async fn a_crash_of_the_control_plane_loses_nothing_on_sqlite() {
    a_crash_of_the_control_plane_loses_nothing(&[]).await;
}

#[tokio::test]
async fn a_crash_of_the_control_plane_loses_nothing_on_postgresql() {
    let Some(database) = postgres::Database::create() else { return };
    a_crash_of_the_control_plane_loses_nothing(&[("UTOPIA_DATABASE_URL", &database.url())]).await;
}
