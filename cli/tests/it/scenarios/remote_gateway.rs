//! The JSON API in a process of its own, which the control plane knows by its certificate.

use serde_json::{Value, json};

use crate::invoke::Shell;
use crate::system::agent::Agent;
use crate::system::api::PASSWORD;
use crate::system::docker::Docker;
use crate::system::gateway::Gateway;
use crate::system::ports::free_port;
use crate::system::server::Server;

/// A control plane, its internal address, and a directory with a gateway's certificate.
async fn control_plane() -> (Server, String, tempfile::TempDir) {
    let internal = format!("127.0.0.1:{}", free_port());
    let control_plane = Server::control_plane_with(&[("UTOPIA_INTERNAL_ADDR", &internal)]).await;
    let certificates = tempfile::tempdir().unwrap();
    let mut command = control_plane.command(&["gateway-certificate", "--out", certificates.path().to_str().unwrap()]);
    assert!(command.wait().await.success(), "{}", command.log());
    (control_plane, internal, certificates)
}

#[tokio::test]
async fn everything_works_through_a_gateway_of_its_own() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let (mut control_plane, internal, certificates) = control_plane().await;
    let file = |name: &str| certificates.path().join(name);
    let (ca, certificate, key) = (file("ca.pem"), file("gateway.pem"), file("gateway-key.pem"));
    let certificates =
        [("UTOPIA_CA_CERTIFICATE", &*ca), ("UTOPIA_CLIENT_CERTIFICATE", &certificate), ("UTOPIA_CLIENT_KEY", &key)];
    let gateway = Gateway::start(&internal, &certificates).await;
    gateway.is_ready().await;
    let admin = gateway.api().log_in("admin", &control_plane.secret("admin-password")).await;
    let _agent = Agent::join_as(&admin, &[]).await;
    admin.nodes_online(1).await;

    let mut shell = Shell::at(gateway.api().url());
    shell.set("UTOPIA_PASSWORD", PASSWORD);
    shell.run(&["register", "alice"]).await.ok();
    shell.run(&["login", "alice"]).await.ok();
    // It waits by watching, which is a stream.
    let created = shell.run(&["claims", "create", &image.name, "--wait", "--timeout", "1m", "-o", "json"]).await.ok();
    let claim: Value = serde_json::from_str(&created).unwrap();
    let id = claim["id"].as_str().unwrap();
    assert_eq!(claim["status"]["containerID"], docker.running(id).id);

    control_plane.process.kill().await;
    let alone = admin.get(&format!("/api/gpu-claims/{id}")).await;
    assert!(matches!(alone.status, 502 | 503), "{alone:?}");
    assert_eq!(admin.status("/ready").await, Some(503));
    control_plane.start_again().await;
    gateway.is_ready().await;
    assert_eq!(admin.get(&format!("/api/gpu-claims/{id}")).await.expect(200)["id"], id);
    admin.nodes_online(1).await;
    admin.delete_claim(&docker, id).await;
}

#[tokio::test]
async fn a_gateway_without_a_certificate_gets_nothing_from_the_internal_address() {
    let (control_plane, internal, certificates) = control_plane().await;
    let ca = certificates.path().join("ca.pem");
    let stranger = Gateway::start(&internal, &[("UTOPIA_CA_CERTIFICATE", &ca)]).await;
    assert_eq!(stranger.api().status("/ready").await, Some(503));
    let credentials = json!({"username": "admin", "password": control_plane.secret("admin-password")});
    let refused = stranger.api().post("/api/auth/login", credentials).await;
    assert!(matches!(refused.status, 502 | 503), "{refused:?}");
    control_plane.admin().await;
}
