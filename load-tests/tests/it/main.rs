//! The programs as their users run them, with few agents.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod bench;
mod plane;

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use utopia_load_tests::outcome::Outcome;

use crate::plane::Plane;

/// Runs the swarm against a control plane; answers its table and what it wrote.
async fn swarm(plane: &Plane, arguments: &[&str]) -> (String, Outcome) {
    let directory = TempDir::new().unwrap();
    let json = directory.path().join("deep").join("results.json");
    let mut command = command(arguments);
    let output = command.args(plane.arguments()).arg("--json").arg(&json).output().await.unwrap();
    let Output { status, stdout, stderr } = output;
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let outcome = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    (String::from_utf8(stdout).unwrap(), outcome)
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-swarm"));
    command.args(arguments).kill_on_drop(true);
    command
}

/// A measure's value.
fn value(outcome: &Outcome, subject: &str, what: &str) -> f64 {
    let found = outcome.measures.iter().find(|measure| measure.subject == subject && measure.what == what);
    found.unwrap_or_else(|| panic!("no {what:?} of {subject} in {}", outcome.table())).value
}

/// A verdict's value.
fn found(outcome: &Outcome, what: &str) -> f64 {
    let found = outcome.verdicts.iter().find(|verdict| verdict.what.contains(what));
    found.unwrap_or_else(|| panic!("no {what:?} in {}", outcome.table())).value
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_measured_for_growing_fleets_beside_a_bare_server() {
    let plane = Plane::start().await;
    let idle = ["idle", "--agents", "10,20,30", "--heartbeats", "1", "--settle-seconds", "1", "--watch-seconds", "2"];
    let (table, outcome) = swarm(&plane, &idle).await;
    assert!(table.contains("memory per agent, kB"), "{table}");
    assert_eq!(outcome.settings["agents"], Value::from([10, 20, 30].map(Value::from).to_vec()));
    for subject in ["control plane", "bare tonic"] {
        assert!(value(&outcome, subject, "memory with 30 agents") > 1.0);
        assert!(value(&outcome, subject, "sessions lost").abs() < 0.5);
        let line = outcome.plots[0].lines.iter().find(|line| line.name == subject).unwrap();
        assert_eq!(line.points.iter().map(|point| point.0).collect::<Vec<_>>(), [0.0, 10.0, 20.0, 30.0]);
    }
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_are_measured_in_turns_and_for_each_fleet() {
    let plane = Plane::start().await;
    let arguments = ["heartbeat", "--agents", "10", "--fleets", "5,15", "--interval-ms", "50", "--rounds", "2", "--seconds", "2"];
    let (_, outcome) = swarm(&plane, &arguments).await;
    for subject in ["control plane", "bare tonic"] {
        assert!(value(&outcome, subject, "answer p99") > 0.0);
        assert!(value(&outcome, subject, "sessions lost").abs() < 0.5);
    }
    assert!(found(&outcome, "control plane / bare tonic") > 0.0);
    assert!(outcome.plots[0].lines.iter().all(|line| line.points.len() == 2));
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_one_agent_and_all_of_them() {
    let plane = Plane::start().await;
    let (_, outcome) = swarm(&plane, &["command", "--few", "3", "--many", "20", "--commands", "10", "--rounds", "2"]).await;
    assert!(value(&outcome, "control plane", "round trip p50, 3 agents") > 0.0);
    assert!(value(&outcome, "control plane", "20 agents, last answer, by single requests") > 0.0);
    assert!(found(&outcome, "round trip p99, 20 agents: control plane / bare echo") > 0.0);
    assert!(found(&outcome, "last answer: hub / bare loop") > 0.0);
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_agents_are_noticed_and_their_claims_placed_anew() {
    let plane = Plane::start().await;
    let (_, outcome) =
        swarm(&plane, &["detection", "--agents", "20", "--closing", "3", "--silent", "2", "--busy-seconds", "1"]).await;
    // The program's own limits are for optimised builds on a quiet machine; these are for any.
    assert!(found(&outcome, "closed connection seen") < 2_000.0);
    assert!((1.0..20.0).contains(&found(&outcome, "silent node seen")));
    assert!((1.0..25.0).contains(&found(&outcome, "placed anew")));
    plane.stop().await;
}

/// Runs the swarm with a control plane of its own.
async fn swarm_with_its_own(arguments: &[&str]) -> Outcome {
    let program = Path::new(env!("CARGO_BIN_EXE_utopia-swarm")).with_file_name("utopia-controlplane");
    assert!(
        program.exists(),
        "utopia-controlplane is not built: run `cargo build --workspace --bins` first, as `make test` does"
    );
    let directory = TempDir::new().unwrap();
    let json = directory.path().join("results.json");
    let output = command(arguments).arg("--json").arg(&json).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_agents_are_back_after_a_storm() {
    let outcome = swarm_with_its_own(&["storm", "--agents", "20", "--storms", "2"]).await;
    for subject in ["control plane", "bare tonic"] {
        assert!(value(&outcome, subject, "all back after the start") > 0.0);
        assert!(value(&outcome, subject, "agents that did not come back").abs() < 0.5);
    }
    assert!(found(&outcome, "server CPU") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_harm_nobody_else() {
    let outcome = swarm_with_its_own(&["faults", "--agents", "20", "--seconds", "5", "--fleet", "20"]).await;
    assert!(found(&outcome, "claims that were taken away").abs() < 0.5);
    assert!(found(&outcome, "old agents lost").abs() < 0.5);
    assert!(found(&outcome, "connections refused by the metric") > 0.5);
    assert!(found(&outcome, "agents still out once others have left").abs() < 0.5);
    assert!(value(&outcome, "control plane", "an agent that does not read: sessions of others lost").abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_come_and_go() {
    let plane = Plane::start().await;
    let (_, outcome) = swarm(&plane, &["churn", "--agents", "20", "--rate", "5", "--seconds", "4"]).await;
    assert!(value(&outcome, "control plane", "sessions lost").abs() < 0.5);
    assert!(found(&outcome, "did not come back").abs() < 0.5);
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_frames_end_no_session() {
    let plane = Plane::start().await;
    let (_, outcome) = swarm(&plane, &["small-frames", "--agents", "2", "--seconds", "2"]).await;
    assert!(value(&outcome, "control plane", "frames answered") > 100.0);
    assert!(found(&outcome, "sessions ended").abs() < 0.5);
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_run_on_simulated_agents_and_leave_nothing_behind() {
    let plane = Plane::start().await;
    // All GPUs at once, and a second run finds them free again.
    for _ in 0..2 {
        let (_, outcome) = swarm(&plane, &["claims", "--agents", "20", "--claims", "160"]).await;
        assert!((value(&outcome, "control plane", "claims placed") - 160.0).abs() < 0.5);
        assert!(value(&outcome, "control plane", "claim to Running p50") > 0.0);
    }
    plane.stop().await;
}

#[tokio::test]
async fn more_claims_than_gpus_are_refused() {
    let output = command(&["claims", "--agents", "1", "--claims", "9"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: 1 agents have 8 GPUs, too few for 9 claims\n");
}

#[tokio::test]
async fn a_control_plane_that_was_given_is_neither_killed_nor_harmed() {
    let plane = Plane::start().await;
    for (mode, reason) in [("storm", "is not killed"), ("faults", "of this run's own")] {
        let mut command = command(&[mode, "--alone"]);
        if mode == "storm" {
            command.args(["--agents", "2"]);
        }
        let output = command.args(plane.arguments()).output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(reason), "{error}");
    }
    plane.stop().await;
}
