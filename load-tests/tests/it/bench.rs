//! The benches as their users run them, in short: every subject of ours is measured, and every figure is judged.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

/// Runs a bench with few callers; answers its table and its JSON.
async fn bench(arguments: &[&str]) -> (String, Value) {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("results/bench.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-bench"));
    command.args(arguments).args(["--rounds", "1", "--seconds", "1", "--json"]).arg(&json).kill_on_drop(true);
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    (String::from_utf8(stdout).unwrap(), serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap())
}

fn assert_costs(json: &Value, what: &str, subjects: &[&str]) {
    for subject in subjects {
        let mut measures = json["measures"].as_array().unwrap().iter();
        let found = measures.find(|measure| measure["subject"] == *subject && measure["what"] == what);
        let cost = found.unwrap_or_else(|| panic!("{what} of {subject} is missing: {json}"))["value"].as_f64().unwrap();
        assert!(cost > 0.0, "{subject} answered for nothing");
    }
}

/// How many of a figure's verdicts there are.
fn verdicts(json: &Value, figure: u8) -> usize {
    json["verdicts"].as_array().unwrap().iter().filter(|verdict| verdict["figure"] == figure).count()
}

#[tokio::test]
async fn calls_over_grpc_are_measured_beside_bare_tonic() {
    let (table, json) = bench(&["unary", "--connections", "2", "--in-flight", "2"]).await;
    for what in ["GetProfile", "ReportHeartbeat", "GetHost"] {
        assert_costs(&json, &format!("{what}: server CPU per call"), &["control plane", "bare tonic"]);
    }
    assert!(table.contains("GetProfile: control plane / bare tonic"), "{table}");
    assert_eq!(verdicts(&json, 1), 2);
    assert_eq!(json["settings"]["options"]["connections"], 2);
}

#[tokio::test]
async fn calls_as_json_are_measured_in_process_and_through_a_proxy() {
    let (_, json) = bench(&["rest", "--connections", "2"]).await;
    let subjects = ["control plane", "control plane, gRPC", "bare transcoder", "axum and serde"];
    assert_costs(&json, "GET /api/v1/auth/profile: server CPU per call", &subjects);
    assert_costs(&json, "POST /api/v1/hosts/{host_id}/heartbeat: server CPU per call", &subjects);
    assert_costs(&json, "GET /api/v1/hosts/{host_id}, through a proxy: server CPU per call", &["utopia-gateway"]);
    assert_eq!((verdicts(&json, 2), verdicts(&json, 3)), (3, 4));
}

#[tokio::test]
async fn messages_of_streams_are_measured_as_lines_and_as_events() {
    let (_, json) = bench(&["stream", "--streams", "2", "--messages", "100"]).await;
    for what in ["NDJSON, in process", "SSE, in process", "NDJSON, through a proxy", "SSE, through a proxy"] {
        assert_costs(&json, &format!("{what}: server CPU per message"), &["utopia-gateway"]);
    }
    assert_eq!(verdicts(&json, 4), 4);
}

#[tokio::test]
async fn durable_claims_are_measured_beside_the_database_alone() {
    let (table, json) = bench(&["claims", "--claims", "200", "--writers", "8"]).await;
    for what in ["control plane, 8 writers", "database alone, one commit each", "database alone, batches of 64"] {
        assert_costs(&json, what, &["SQLite"]);
    }
    assert!(table.contains("SQLite: control plane, 8 writers / database alone, batches of 64"), "{table}");
    assert!(verdicts(&json, 10) >= 2);
}
