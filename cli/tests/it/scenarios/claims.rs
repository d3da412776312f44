//! What becomes of claims on one healthy machine.

use std::net::TcpListener;

use serde_json::json;

use crate::system::docker::Docker;
use crate::system::ports::free_port;
use crate::system::server::Server;
use crate::system::until;

#[tokio::test]
async fn a_claim_that_finds_no_room_waits_and_says_why() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let (alice, bob) = (up.api().new_user("alice").await, up.api().new_user("bob").await);
    let first = alice.claim(json!({"image": image.name, "resources": {"gpuCount": 2}})).await;
    alice.claim_in_phase(&first, "Running").await;

    let second = bob.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    let waiting = bob.claim_with_reason(&second, "InsufficientGPUs").await;
    assert_eq!(waiting["status"]["phase"], "Pending");
    let explanation = bob.get(&format!("/api/gpu-claims/{second}/explain")).await.expect(200);
    assert_eq!(explanation["queue_position"], 1);
    assert_eq!(explanation["nodes"][0]["gpus"][0]["reason"], "Allocated");

    alice.delete(&format!("/api/gpu-claims/{first}")).await.expect(204);
    bob.claim_in_phase(&second, "Running").await;
}

#[tokio::test]
async fn nobody_sees_or_deletes_anothers_claim() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let (alice, bob, admin) = (up.api().new_user("alice").await, up.api().new_user("bob").await, up.admin().await);
    let id = alice.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    let path = format!("/api/gpu-claims/{id}");
    assert_eq!(bob.get(&path).await.refused(404), "NotFound");
    assert_eq!(bob.delete(&path).await.refused(404), "NotFound");
    assert_eq!(bob.get("/api/gpu-claims").await.expect(200)["total"], 0);
    assert_eq!(up.api().get(&path).await.status, 401);
    admin.get(&path).await.expect(200);
    alice.claim_in_phase(&id, "Running").await;
}

#[tokio::test]
async fn quota_counts_all_live_claims() {
    let up = Server::up().await;
    let alice = up.api().new_user("alice").await;
    let body = |count| json!({"image": "127.0.0.1:1/none", "resources": {"gpuCount": count}});
    assert_eq!(alice.post("/api/gpu-claims", body(3)).await.refused(403), "QuotaExceeded");
    alice.post("/api/gpu-claims", body(2)).await.expect(202);
    alice.post("/api/gpu-claims", body(0)).await.expect(202);
    assert_eq!(alice.post("/api/gpu-claims", body(1)).await.refused(403), "QuotaExceeded");

    up.admin().await.put("/api/roles/user/policy", json!({"max_gpu_count": 3})).await.expect(200);
    alice.post("/api/gpu-claims", body(1)).await.expect(202);
}

#[tokio::test]
async fn what_cannot_start_fails_with_a_reason() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let alice = up.api().new_user("alice").await;
    let failing = [
        (json!({"image": docker.missing_image()}), "ImagePullFailed"),
        (json!({"image": image.name, "volumes": {"/etc": "/data"}}), "VolumeNotAllowed"),
        (json!({"image": image.name, "command": ["sh", "-c", "exit 3"]}), "ContainerExited"),
    ];
    for (spec, reason) in failing {
        let id = alice.claim(spec).await;
        let claim = alice.claim_with_reason(&id, reason).await;
        assert_eq!(claim["status"]["phase"], "Failed", "{claim:#}");
        assert_ne!(claim["status"]["message"], "", "{claim:#}");
    }
}

#[tokio::test]
async fn a_container_writes_to_an_allowed_directory_and_no_link_leads_out_of_it() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let directory = tempfile::tempdir().unwrap();
    let allowed = directory.path().join("allowed");
    std::fs::create_dir(&allowed).unwrap();
    std::os::unix::fs::symlink(directory.path(), allowed.join("out")).unwrap();
    let allowed = allowed.to_str().unwrap();
    let up = Server::up_with(&[("UTOPIA_GPUS", "none"), ("UTOPIA_VOLUME_ALLOW", allowed)]).await;
    let alice = up.api().new_user("alice").await;
    let writing = |host: &str| json!({"image": image.name, "command": ["touch", "/data/written"], "volumes": {host: "/data"}});

    let inside = alice.claim(writing(allowed)).await;
    alice.claim_in_phase(&inside, "Completed").await;
    assert!(directory.path().join("allowed/written").exists());
    let outside = alice.claim(writing(&format!("{allowed}/out"))).await;
    let refused = alice.claim_with_reason(&outside, "VolumeNotAllowed").await;
    assert_eq!(refused["status"]["phase"], "Failed");
    assert!(!directory.path().join("written").exists());
}

#[tokio::test]
async fn a_port_that_is_taken_fails_the_claim() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let alice = up.api().new_user("alice").await;
    let at = |port| json!({"image": image.name, "ports": [{"host_port": port, "container_port": 80}]});
    let by_a_container = free_port();
    let holder = alice.claim(at(by_a_container)).await;
    alice.claim_in_phase(&holder, "Running").await;
    let by_a_program = TcpListener::bind(("0.0.0.0", free_port())).unwrap();

    for port in [by_a_container, by_a_program.local_addr().unwrap().port()] {
        let id = alice.claim(at(port)).await;
        let claim = alice.claim_with_reason(&id, "PortInUse").await;
        assert_eq!(claim["status"]["phase"], "Failed", "{claim:#}");
        let message = claim["status"]["message"].as_str().unwrap();
        assert!(message.contains(&port.to_string()), "{message}");
    }
    alice.claim_in_phase(&holder, "Running").await;
}

#[tokio::test]
async fn a_claim_completes_with_its_command_and_frees_its_gpus() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let alice = up.api().new_user("alice").await;
    let id = alice.claim(json!({"image": image.name, "command": ["true"], "resources": {"gpuCount": 2}})).await;
    alice.claim_in_phase(&id, "Completed").await;
    let next = alice.claim(json!({"image": image.name, "resources": {"gpuCount": 2}})).await;
    alice.claim_in_phase(&next, "Running").await;
}

#[tokio::test]
async fn a_container_that_crashes_fails_its_claim() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let alice = up.api().new_user("alice").await;
    let id = alice.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    let running = alice.claim_in_phase(&id, "Running").await;
    docker.kill(running["status"]["containerID"].as_str().unwrap());
    let claim = alice.claim_with_reason(&id, "ContainerExited").await;
    assert_eq!(claim["status"]["phase"], "Failed");
}

#[tokio::test]
async fn the_same_request_id_is_the_same_claim() {
    let up = Server::up_with(&[("UTOPIA_GPUS", "none")]).await;
    let alice = up.api().new_user("alice").await;
    let body = json!({"image": "127.0.0.1:1/none", "resources": {"gpuCount": 1}, "request_id": "once"});
    let first = alice.post("/api/gpu-claims", body.clone()).await.expect(202);
    let second = alice.post("/api/gpu-claims", body).await.expect(202);
    assert_eq!(first["id"], second["id"]);
    assert_eq!(alice.get("/api/gpu-claims").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn containers_of_others_are_neither_listed_nor_removed() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let (one, other) = (Server::up().await, Server::up().await);
    let alice = one.api().new_user("alice").await;
    let id = alice.claim(json!({"image": image.name})).await;
    let claim = alice.claim_in_phase(&id, "Running").await;
    let container = claim["status"]["containerID"].as_str().unwrap();

    assert_eq!(one.agent_api().get("/api/v1/containers").await.expect(200)[0]["id"], container);
    let stranger = other.agent_api();
    until("the other agent has its node", async || (stranger.get("/api/v1/containers").await.status == 200).then_some(())).await;
    assert_eq!(stranger.get("/api/v1/containers").await.expect(200), json!([]));
    stranger.delete(&format!("/api/v1/containers/{container}")).await.expect(404);
    assert!(Docker::inspect(container).is_some());
}
