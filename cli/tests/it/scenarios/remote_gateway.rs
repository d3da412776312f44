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

/// A gateway that shows its certificate, and passes objects on.
async fn gateway(control_plane: &Server, internal: &str, certificates: &tempfile::TempDir) -> Gateway {
    let file = |name: &str| certificates.path().join(name).to_str().unwrap().to_owned();
    let objects = control_plane.api();
    let settings = [
        ("UTOPIA_CA_CERTIFICATE", &*file("ca.pem")),
        ("UTOPIA_CLIENT_CERTIFICATE", &file("gateway.pem")),
        ("UTOPIA_CLIENT_KEY", &file("gateway-key.pem")),
        ("UTOPIA_S3_UPSTREAM", objects.url()),
    ];
    Gateway::start(internal, &settings).await
}

#[tokio::test]
async fn objects_go_through_it_and_come_back() {
    let (mut control_plane, internal, certificates) = control_plane().await;
    let gateway = gateway(&control_plane, &internal, &certificates).await;
    gateway.is_ready().await;
    let shell = Shell::at(gateway.api().url());
    shell.run_with_input(&["login", "admin", "--password-stdin"], &control_plane.secret("admin-password")).await.ok();
    shell.run(&["s3", "keys", "create", "laptop", "--save"]).await.ok();
    shell.run(&["s3", "mb", "s3://models"]).await.ok();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let content = (0..20_u32 << 20).map(|number| number.to_le_bytes()[2]).collect::<Vec<_>>();
    std::fs::write(at("model"), &content).unwrap();
    let there = "s3://models/a b/ü+?.bin";
    shell.run(&["s3", "cp", &at("model"), there]).await.ok();
    shell.run(&["s3", "cp", there, &at("back")]).await.ok();
    assert!(std::fs::read(at("back")).unwrap() == content, "it came back otherwise");

    control_plane.process.kill().await;
    let refused = shell.run(&["s3", "ls", "s3://models"]).await.failed(6);
    assert!(refused.contains("UTOPIA_S3_UPSTREAM"), "{refused}");
}

#[tokio::test]
async fn everything_works_through_a_gateway_of_its_own() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let (mut control_plane, internal, certificates) = control_plane().await;
    let gateway = gateway(&control_plane, &internal, &certificates).await;
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
    let ca = certificates.path().join("ca.pem").to_str().unwrap().to_owned();
    let stranger = Gateway::start(&internal, &[("UTOPIA_CA_CERTIFICATE", &ca)]).await;
    assert_eq!(stranger.api().status("/ready").await, Some(503));
    let credentials = json!({"username": "admin", "password": control_plane.secret("admin-password")});
    let refused = stranger.api().post("/api/auth/login", credentials).await;
    assert!(matches!(refused.status, 502 | 503), "{refused:?}");
    control_plane.admin().await;
}
