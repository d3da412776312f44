//! What containers write, from their machine to the terminal of whoever made the claim.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::invoke::Shell;
use crate::system::agent::Agent;
use crate::system::api::{Api, PASSWORD};
use crate::system::docker::{Docker, Image};
use crate::system::server::Server;
use crate::system::until;

/// A directory that containers see as `/data`, with files that let them go on.
struct Gate(TempDir);

impl Gate {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn open(&self, name: &str) {
        fs::write(self.0.path().join(name), "").unwrap();
    }

    /// A claim whose container runs this script, in which `wait NAME` waits for the gate of that name.
    fn claim(&self, image: &Image, script: &str) -> Value {
        let wait = "wait() { while [ ! -e /data/$1 ]; do sleep 0.05; done; }";
        json!({"image": image.name, "command": ["sh", "-c", format!("{wait}; {script}")], "volumes": {self.path(): "/data"}})
    }
}

async fn alice(api: &Api) -> (Api, Shell) {
    let alice = api.new_user("alice").await;
    let shell = Shell::at(api.url());
    shell.run_with_input(&["login", "alice", "--password-stdin"], PASSWORD).await.ok();
    (alice, shell)
}

/// `aiinfra claims logs --follow`, read line by line.
fn follow(shell: &Shell, claim: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = shell.start(&["claims", "logs", "--follow", claim]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

#[tokio::test]
async fn what_a_claim_writes_is_shown_followed_and_nobody_elses_business() {
    let Some(docker) = Docker::find() else { return };
    let (image, gate) = (docker.image(), Gate::new());
    let up = Server::up_with(&[("UTOPIA_VOLUME_ALLOW", gate.path())]).await;
    let (alice, shell) = alice(&up.api()).await;
    let script = "echo epoch 1; echo careful >&2; wait second; echo epoch 2; wait last; echo done; exit 3";
    let id = alice.claim(gate.claim(&image, script)).await;
    alice.claim_in_phase(&id, "Running").await;

    let (child, mut lines) = follow(&shell, &id);
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "epoch 1");
    gate.open("second");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "epoch 2");

    let shown = shell.run(&["claims", "logs", &id]).await;
    assert_eq!(shown.stderr, "careful\n");
    assert_eq!(shown.ok(), "epoch 1\nepoch 2\n");
    assert_eq!(shell.run(&["claims", "logs", "--tail", "1", &id]).await.ok(), "epoch 2\n");
    let entry = shell.run(&["claims", "logs", "-n1", "-o", "json", &id]).await.ok();
    let entry: Value = serde_json::from_str(&entry).unwrap();
    assert_eq!((&entry["stream"], &entry["text"]), (&json!("stdout"), &json!("epoch 2\n")));
    let since = entry["time"].as_str().unwrap();
    assert_eq!(shell.run(&["claims", "logs", "--since", since, "-t", &id]).await.ok(), format!("{since} epoch 2\n"));

    let path = format!("/api/gpu-claims/{id}/logs");
    let bob = up.api().new_user("bob").await;
    assert_eq!(bob.get(&path).await.refused(404), "NotFound");
    assert_eq!(up.api().get(&path).await.status, 401);
    let claim = alice.get(&format!("/api/gpu-claims/{id}")).await.expect(200);
    let text = |key: &str| claim["status"][key].as_str().unwrap().to_owned();
    let on_node = format!("/api/nodes/{}/containers/{}/logs?tail=1", text("nodeID"), text("containerID"));
    assert_eq!(alice.get(&on_node).await.status, 403, "containers are for operators");
    let admin = up.admin().await;
    assert_eq!(admin.get(&on_node).await.expect(200)["text"], "epoch 2\n");
    assert_eq!(admin.get(&format!("{path}?tail=1")).await.expect(200)["text"], "epoch 2\n");
    assert_eq!(admin.get(&format!("{path}?tail=-1")).await.refused(400), "InvalidField");

    gate.open("last");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "done");
    assert_eq!(lines.next_line().await.unwrap(), None, "the container has ended");
    assert!(child.wait_with_output().await.unwrap().status.success());
    alice.claim_with_reason(&id, "ContainerExited").await;
    assert!(shell.run(&["claims", "logs", &id]).await.ok().ends_with("done\n"), "they stay until the claim is deleted");
    alice.delete_claim(&docker, &id).await;
    shell.run(&["claims", "logs", &id]).await.failed(4);
}

#[tokio::test]
async fn a_claim_without_a_container_has_no_logs() {
    let up = Server::up_with(&[("UTOPIA_GPUS", "none")]).await;
    let (alice, shell) = alice(&up.api()).await;
    let id = alice.claim(json!({"image": "train:1", "resources": {"gpuCount": 1}})).await;
    assert!(shell.run(&["claims", "logs", &id]).await.failed(5).contains("(NoContainer)"));
}

#[tokio::test]
async fn megabytes_of_logs_arrive_whole_and_a_slow_reader_holds_up_nobody() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let up = Server::up().await;
    let (alice, shell) = alice(&up.api()).await;
    let script = "x=$(printf '%0300d' 0); seq 1 20000 | while read i; do echo $i $x; done";
    let id = alice.claim(json!({"image": image.name, "command": ["sh", "-c", script]})).await;
    alice.claim_in_phase(&id, "Completed").await;

    // It is not read before the whole of it was read twice by others.
    let (child, mut slow) = follow(&shell, &id);
    assert!(slow.next_line().await.unwrap().unwrap().starts_with("1 0"));
    for _ in 0..2 {
        let all = shell.run(&["claims", "logs", &id]).await.ok();
        assert!(all.lines().enumerate().all(|(at, line)| line.starts_with(&format!("{} 0", at + 1))), "{}", &all[..1000]);
        assert_eq!(all.lines().count(), 20_000);
    }
    up.admin().await.nodes_online(1).await;
    let mut rest = 1;
    while let Some(line) = slow.next_line().await.unwrap() {
        rest += 1;
        assert!(line.starts_with(&format!("{rest} 0")), "{line}");
    }
    assert_eq!(rest, 20_000);
    assert!(child.wait_with_output().await.unwrap().status.success());
}

#[tokio::test]
async fn who_follows_goes_on_when_the_agent_was_killed_and_is_back() {
    let Some(docker) = Docker::find() else { return };
    let (image, gate) = (docker.image(), Gate::new());
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let mut agent = Agent::join_as(&admin, &[("UTOPIA_VOLUME_ALLOW", gate.path())]).await;
    let (alice, shell) = alice(&control_plane.api()).await;
    let id = alice.claim(gate.claim(&image, "echo before; wait killed; echo meanwhile; wait back; echo after")).await;
    alice.claim_in_phase(&id, "Running").await;

    let (child, mut lines) = follow(&shell, &id);
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "before");
    agent.process.kill().await;
    gate.open("killed");
    let container = docker.running(&id).id;
    until("the container has written", async || docker.logs(&container).contains("meanwhile").then_some(())).await;
    agent.start_again();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "meanwhile");
    gate.open("back");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "after");
    assert_eq!(lines.next_line().await.unwrap(), None);
    assert!(child.wait_with_output().await.unwrap().status.success());
}
