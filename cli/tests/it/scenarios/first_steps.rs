//! One machine: `aiinfra up`, then the first claims, by HTTP and by the command line.

use std::time::Duration;

use serde_json::{Value, json};

use crate::invoke::Shell;
use crate::system::api::PASSWORD;
use crate::system::docker::Docker;
use crate::system::process::Process;
use crate::system::server::Server;
use crate::system::{until, within};

#[tokio::test]
async fn from_nothing_to_a_running_container_by_http() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let alice = up.api().new_user("alice").await;
    let spec =
        json!({"image": image.name, "command": ["sleep", "3600"], "env": ["GREETING=hello"], "resources": {"gpuCount": 1}});
    let id = alice.claim(spec).await;
    let claim = alice.claim_in_phase(&id, "Running").await;

    let [container] = docker.containers(&id).try_into().unwrap();
    assert_eq!(container["Id"], claim["status"]["containerID"]);
    assert_eq!(container["State"]["Running"], true);
    let environment = container["Config"]["Env"].as_array().unwrap();
    assert!(environment.contains(&json!("GREETING=hello")), "{environment:?}");

    alice.delete(&format!("/api/gpu-claims/{id}")).await.expect(204);
    assert_eq!(alice.get(&format!("/api/gpu-claims/{id}")).await.refused(404), "NotFound");
    until("the container is removed", async || docker.containers(&id).is_empty().then_some(())).await;
}

#[tokio::test]
async fn the_same_by_the_command_line() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let mut shell = Shell::at(up.api().url());
    shell.set("UTOPIA_PASSWORD", PASSWORD);
    shell.run(&["register", "bob"]).await.ok();
    shell.run(&["login", "bob"]).await.ok();

    let created =
        shell.run(&["claims", "create", &image.name, "--wait", "--timeout", "1m", "-o", "json", "--", "sleep", "3600"]).await;
    let claim: Value = serde_json::from_str(&created.ok()).unwrap();
    let id = claim["id"].as_str().unwrap();
    assert_eq!(claim["status"]["phase"], "Running");
    assert_eq!(docker.containers(id).len(), 1);

    let nodes = shell.run(&["nodes", "list"]).await.ok();
    assert!(nodes.contains("Online") && nodes.contains("Simulated GPU"), "{nodes}");
    assert!(shell.run(&["claims", "list"]).await.ok().contains(id));
    let id_of_node = claim["status"]["nodeID"].as_str().unwrap();
    let readings = shell.run(&["nodes", "status", id_of_node]).await.ok();
    assert!(readings.contains("Simulated GPU 1"), "{readings}");
    shell.run(&["claims", "delete", id]).await.ok();
    shell.run(&["claims", "get", id]).await.failed(4);
}

#[tokio::test]
async fn what_it_says_at_the_start_is_enough_to_go_on() {
    let up = Server::up().await;
    up.process.says("User admin").await;
    let said = up.process.log();
    for part in
        [up.api().url(), "data/admin-password", "data/agent/api-token", "2 simulated", "/api/auth/register", "/api/gpu-claims"]
    {
        assert!(said.contains(part), "{part}\n{said}");
    }
    up.admin().await.nodes_online(1).await;
    assert_eq!(up.agent_api().get("/api/v1/containers").await.expect(200), json!([]));
}

#[tokio::test]
async fn a_machine_without_a_driver_gets_two_simulated_gpus() {
    if std::path::Path::new("/dev/nvidiactl").exists() {
        return crate::system::skip("this machine has an NVIDIA driver");
    }
    let up = Server::up_with(&[("UTOPIA_GPUS", "auto")]).await;
    let [node] = up.admin().await.nodes_online(1).await.try_into().unwrap();
    let names = node["gpus"].as_array().unwrap().iter().map(|gpu| gpu["name"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(names, ["Simulated GPU 0", "Simulated GPU 1"]);
    assert_eq!(node["labels"]["utopia.dev/simulated-gpus"], "true");
}

#[tokio::test]
async fn it_ends_in_order_when_asked() {
    let mut up = Server::up().await;
    up.admin().await.nodes_online(1).await;
    let status = up.process.terminate().await;
    assert!(status.success(), "{status}\n{}", up.process.log());
    let log = up.process.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_one_clear_line() {
    let up = Server::up().await;
    for name in ["UTOPIA_HTTP_ADDR", "UTOPIA_GRPC_ADDR", "UTOPIA_AGENT_HTTP_ADDR"] {
        let directory = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".to_owned();
        let settings = ["UTOPIA_HTTP_ADDR", "UTOPIA_GRPC_ADDR", "UTOPIA_AGENT_HTTP_ADDR"]
            .map(|other| (other.to_owned(), if other == name { up.setting(name).to_owned() } else { any.clone() }));
        let mut second = Process::start("aiinfra", directory.path(), ["up"], &settings);
        let status = second.wait().await;
        assert_eq!(status.code(), Some(1), "{}", second.log());
        assert_eq!(second.errors(), [format!("error: cannot listen on {}: address already in use", up.setting(name))]);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_one_clear_line() {
    let directory = tempfile::tempdir().unwrap();
    // Not even root can make files there.
    let mut settings = vec![("UTOPIA_DATABASE_URL".to_owned(), "sqlite:///proc/utopia.db".to_owned())];
    settings.extend(["HTTP", "GRPC", "AGENT_HTTP"].map(|which| (format!("UTOPIA_{which}_ADDR"), "127.0.0.1:0".to_owned())));
    let mut up = Process::start("aiinfra", directory.path(), ["up"], &settings);
    assert_eq!(up.wait().await.code(), Some(1), "{}", up.log());
    let [said] = up.errors().try_into().unwrap();
    assert!(said.starts_with("error: the database file /proc/utopia.db cannot be written: "), "{said}");
}

#[tokio::test]
async fn a_watch_shows_a_claim_all_the_way() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let mut shell = Shell::at(up.api().url());
    shell.set("UTOPIA_PASSWORD", PASSWORD);
    shell.run(&["register", "carol"]).await.ok();
    shell.run(&["login", "carol"]).await.ok();
    let created = shell.run(&["claims", "create", &image.name, "-o", "json", "--", "true"]).await.ok();
    let claim: Value = serde_json::from_str(&created).unwrap();
    let watched = within(Duration::from_secs(60), "the watch ends", async || {
        Some(shell.run(&["claims", "watch", claim["id"].as_str().unwrap()]).await.ok())
    });
    let watched = watched.await;
    assert!(watched.trim_end().lines().last().unwrap().starts_with("Completed"), "{watched}");
}
