//! A machine that can dial out and cannot be dialled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;

use crate::system::agent::Agent;
use crate::system::docker::Docker;
use crate::system::nat::Nat;
use crate::system::ports::free_port;
use crate::system::server::Server;
use crate::system::{throughout, until, within};

/// How soon people must see that a machine is cut off.
const SEEN_WITHIN: Duration = Duration::from_secs(6);

/// How long a dial is waited for that must not get through.
const DIAL: Duration = Duration::from_secs(2);

/// How long the cable is out. Where tests are to be thorough, longer than any connection's patience.
fn cut_for() -> Duration {
    Duration::from_secs(if std::env::var_os("CI").is_some() { 30 } else { 10 })
}

/// A control plane that the machine behind the NAT can dial, with the heartbeats of production.
async fn control_plane(nat: &Arc<Nat>) -> Server {
    let address = format!("{}:{}", nat.outside(), free_port());
    let settings =
        [("UTOPIA_GRPC_ADDR", &*address), ("UTOPIA_ADVERTISE_ADDR", &address), ("UTOPIA_HEARTBEAT_INTERVAL_MS", "5000")];
    Server::control_plane_with(&settings).await
}

#[tokio::test]
async fn a_machine_behind_nat_runs_claims_and_answers_questions() {
    let Some(docker) = Docker::find() else { return };
    let Some(nat) = Nat::create() else { return };
    let image = docker.image();
    let control_plane = control_plane(&nat).await;
    let admin = control_plane.admin().await;
    let port = free_port();
    let _agent = Agent::join_behind(&nat, &admin, &[("UTOPIA_AGENT_HTTP_ADDR", &format!("0.0.0.0:{port}"))]).await;
    let [node] = admin.nodes_online(1).await.try_into().unwrap();

    until("the agent listens", async || nat.listens(port).then_some(())).await;
    let dialled = tokio::time::timeout(DIAL, TcpStream::connect((nat.inside(), port))).await;
    assert!(!matches!(dialled, Ok(Ok(_))), "the agent was reached from outside");

    let alice = control_plane.api().new_user("alice").await;
    let id = alice.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    let claim = alice.claim_in_phase(&id, "Running").await;
    let running = docker.running(&id);
    assert_eq!((&claim["status"]["containerID"], &claim["status"]["nodeID"]), (&json!(running.id), &node["id"]));

    let node = node["id"].as_str().unwrap();
    let readings = admin.get(&format!("/api/nodes/{node}/status")).await.expect(200);
    assert_eq!(readings["gpus"].as_array().unwrap().len(), 2, "{readings:#}");
    let containers = admin.get(&format!("/api/v1/containers?node_id={node}")).await.expect(200);
    assert_eq!(containers[0]["id"], running.id, "{containers:#}");
    alice.delete_claim(&docker, &id).await;
}

#[tokio::test]
async fn a_cable_that_is_pulled_and_plugged_in_again_leaves_claims_alone() {
    let Some(docker) = Docker::find() else { return };
    let Some(nat) = Nat::create() else { return };
    let image = docker.image();
    let control_plane = control_plane(&nat).await;
    let admin = control_plane.admin().await;
    let _agent = Agent::join_behind(&nat, &admin, &[]).await;
    let [node] = admin.nodes_online(1).await.try_into().unwrap();
    let node = node["id"].as_str().unwrap();
    let id = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    admin.claim_in_phase(&id, "Running").await;
    let before = docker.running(&id);

    nat.cut();
    let cut = Instant::now();
    within(SEEN_WITHIN, "the node is offline", async || (admin.node_status(node).await == "Offline").then_some(())).await;
    admin.claim_with_reason(&id, "NodeLost").await;
    throughout(cut_for().saturating_sub(cut.elapsed()), async || {
        let claim = admin.get(&format!("/api/gpu-claims/{id}")).await.expect(200);
        assert_eq!((&claim["status"]["phase"], &claim["status"]["reason"]), (&json!("Running"), &json!("NodeLost")));
        assert_eq!(docker.running(&id), before);
    })
    .await;

    nat.mend();
    until("the node is online", async || (admin.node_status(node).await == "Online").then_some(())).await;
    let claim = admin.claim_with_reason(&id, "").await;
    assert_eq!(claim["status"]["phase"], "Running");
    assert_eq!(docker.running(&id), before);
}
