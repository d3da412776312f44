//! The program as its users run it, against a control plane in this process.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod bench;

use std::path::{Path, PathBuf};
use std::process::Output;

use clap::Parser as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utopia_controlplane::{Config, Started};

#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

struct Plane {
    started: Started,
    directory: TempDir,
    cancel: CancellationToken,
    task: JoinSet<anyhow::Result<()>>,
}

impl Plane {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let addresses = ["--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0"];
        let arguments = ["x", "--limits", "off", "--data-dir", data_dir.to_str().unwrap()].into_iter().chain(addresses);
        let (started, ready) = oneshot::channel();
        let (cancel, mut task) = (CancellationToken::new(), JoinSet::new());
        let run = utopia_controlplane::run(Arguments::parse_from(arguments).config, Some(started), cancel.clone());
        task.spawn(Box::pin(run));
        Self { started: ready.await.expect("the control plane starts"), directory, cancel, task }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs the swarm; answers its table and its JSON.
    async fn swarm(&self, arguments: &[&str]) -> (String, Value) {
        let json = self.file("results.json");
        let output = self.command(arguments, &json).output().await.unwrap();
        let Output { status, stdout, stderr } = output;
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        let results = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
        (String::from_utf8(stdout).unwrap(), results)
    }

    fn command(&self, arguments: &[&str], json: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-swarm"));
        command.args(arguments).arg("--json").arg(json).arg("--password-file").arg(self.file("data/admin-password"));
        command.args(["--server", &self.started.grpc_addr.to_string(), "--api", &self.started.http_addr.to_string()]);
        command.args(["--server-pid", &std::process::id().to_string()]).kill_on_drop(true);
        command
    }

    async fn stop(mut self) {
        self.cancel.cancel();
        self.task.join_next().await.unwrap().unwrap().expect("the control plane ends in order");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_agents_are_measured_beside_a_bare_server() {
    let plane = Plane::start().await;
    let (table, json) = plane.swarm(&["idle", "--agents", "20", "--seconds", "6", "--baseline"]).await;
    assert!(table.contains("server memory per agent"), "{table}");
    assert_eq!(json["settings"]["agents"], 20);
    for (result, server) in json["results"].as_array().unwrap().iter().zip(["control plane", "bare server"]) {
        assert_eq!(result["server"], server);
        assert_eq!((&result["agents"], &result["lost_sessions"]), (&20.into(), &0.into()));
        assert!(result["heartbeats"].as_u64().unwrap() >= 20, "{result}");
        assert!(result["used"]["after_kib"].as_u64().unwrap() > 0);
    }
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_come_at_the_interval_that_is_asked_for() {
    let plane = Plane::start().await;
    let (_, json) = plane.swarm(&["heartbeat", "--agents", "10", "--seconds", "3", "--interval-ms", "100"]).await;
    let heartbeats = json["results"][0]["heartbeats"].as_u64().unwrap();
    assert!((100..=350).contains(&heartbeats), "{heartbeats}");
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_run_on_simulated_agents_and_leave_nothing_behind() {
    let plane = Plane::start().await;
    // All GPUs at once, and a second run finds them free again.
    for _ in 0..2 {
        let (table, json) = plane.swarm(&["claims", "--agents", "20", "--claims", "160"]).await;
        assert!(table.contains("claim to Running p99"), "{table}");
        assert_eq!(json["results"][0]["claims"]["claims"], 160);
        assert!(json["results"][0]["claims"]["to_running"]["p50_ms"].as_f64().unwrap() > 0.0);
    }
    plane.stop().await;
}

#[tokio::test]
async fn more_claims_than_gpus_are_refused() {
    let plane = Plane::start().await;
    let output = plane.command(&["claims", "--agents", "1", "--claims", "9"], &plane.file("none.json")).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: 1 agents have 8 GPUs, too few for 9 claims\n");
    plane.stop().await;
}
