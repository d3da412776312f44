//! Slurm's clusters, nodes and jobs, and the GPUs of all.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

fn job(status: &str, exit_code: i64) -> Value {
    json!({
        "job_id": 12_345, "status": status, "partition": "gpu", "nodes": ["node01", "node02"], "elapsed_time": "00:05:30",
        "start_time": "2026-01-01T00:00:00Z", "job_name": "train\u{1b}[2J", "cluster": "default", "user": "ada",
        "submit_time": "2026-01-01T00:00:00Z", "end_time": null, "slurm_state": "RUNNING", "reason": "", "exit_code": exit_code,
        "cpus": 4, "gpus": 2, "time_limit_minutes": 10,
    })
}

/// The lines of a table, with one space between columns.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn clusters_and_nodes_are_listed() {
    let api = FakeApi::start().await;
    let clusters = json!({"clusters": [
        {"id": 1, "name": "default", "status": "active", "nodes": 2, "total_cpus": 16, "total_memory": "31GB", "total_gpus": 8,
            "slurm_version": "22.05.8", "api_version": "v0.0.38", "message": ""},
        {"id": 2, "name": "far", "status": "unreachable", "total_memory": "0GB", "message": "see UTOPIA_SLURM"},
    ]});
    let node = json!({
        "name": "node01", "state": "mixed", "cpus": 8, "allocated_cpus": 2, "memory": "16GB", "jobs": [7, 9],
        "gpus": [{"type": "h100", "count": 4, "used": 2}, {"type": "", "count": 1, "used": 0}], "reason": "",
    });
    api.answer("GET /api/slurm/clusters", 200, &clusters).answer(
        "GET /api/slurm/nodes?cluster=far",
        200,
        json!({"nodes": [node]}),
    );
    let shell = Shell::at(&api.url);
    let listed = lines(&shell.run(&["slurm", "clusters"]).await.ok());
    assert_eq!(listed[1], "default active 2 16 31GB 8 22.05.8 v0.0.38 -");
    assert!(listed[2].starts_with("far unreachable") && listed[2].ends_with("see UTOPIA_SLURM"), "{listed:?}");
    let listed = lines(&shell.run(&["slurm", "nodes", "--cluster", "far"]).await.ok());
    assert_eq!(listed[1], "node01 mixed 2 of 8 16GB 2 of 4 h100, 0 of 1 7, 9 -");
}

#[tokio::test]
async fn jobs_are_listed_shown_and_cancelled() {
    let api = FakeApi::start().await;
    let list = json!({"jobs": [job("running", 0)], "total": 1, "page": 1, "limit": 100});
    api.answer("GET /api/slurm/jobs?page=1&limit=100&state=running&user=ada&partition=gpu&cluster=default", 200, &list);
    api.answer("GET /api/slurm/jobs/12345", 200, job("failed", 3));
    api.answer("DELETE /api/slurm/jobs/12345?cluster=default", 200, job("cancelled", 0));
    let shell = Shell::at(&api.url);
    let filters = ["--state", "running", "--user", "ada", "--partition", "gpu", "--cluster", "default"];
    let listed = shell.run(&[&["slurm", "jobs", "list"], &filters[..]].concat()).await.ok();
    assert!(lines(&listed)[1].starts_with("12345 train [2J ada running gpu node01,node02 2 00:05:30"), "{listed}");
    let shown = shell.run(&["slurm", "jobs", "get", "12345"]).await.ok();
    for part in ["failed with 3\n", "node01, node02\n", "10 min\n"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let said = shell.run(&["slurm", "jobs", "cancel", "12345", "--cluster", "default"]).await.ok();
    assert_eq!(said, "job 12345 is cancelled\n");
    shell.run(&["slurm", "jobs", "get", "1;id"]).await.failed(2);
}

#[tokio::test]
async fn a_script_is_sent_as_it_is() {
    let api = FakeApi::start().await;
    let accepted = json!({"job_id": 7, "status": "pending", "submit_time": "2026-01-01T00:00:00Z", "cluster": "default"});
    api.answer("POST /api/slurm/jobs", 201, &accepted).answer("POST /api/slurm/jobs", 201, &accepted);
    let shell = Shell::at(&api.url);
    let script = "#!/bin/bash\necho \"$(id)\" 'x'\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    let said = shell.run(&["slurm", "jobs", "submit", "--script", file.path().to_str().unwrap()]).await.ok();
    assert!(said.starts_with("job 7 is pending on default"), "{said}");
    assert_eq!(api.asked_once().body, json!({"script": script}));
    let arguments = [
        "slurm",
        "jobs",
        "submit",
        "--script",
        "-",
        "--name",
        "train",
        "-p",
        "gpu",
        "-N",
        "2",
        "-n",
        "4",
        "--cpus-per-task",
        "2",
        "--memory-per-node",
        "1024",
        "--gpus-per-node",
        "2",
        "--gpu-type",
        "h100",
        "-t",
        "10",
        "-D",
        "/home/ada",
        "--stdout",
        "%j.out",
        "--stderr",
        "%j.err",
        "-A",
        "lab",
        "-e",
        "A=b c",
        "--cluster",
        "default",
    ];
    shell.run_with_input(&arguments, script).await.ok();
    let expected = json!({
        "script": script, "job_name": "train", "partition": "gpu", "nodes": 2, "ntasks": 4, "cpus_per_task": 2,
        "memory_per_node_mb": 1024, "gpus_per_node": 2, "gpu_type": "h100", "time_limit_minutes": 10,
        "working_directory": "/home/ada", "standard_output": "%j.out", "standard_error": "%j.err", "account": "lab",
        "environment": {"A": "b c"}, "cluster": "default",
    });
    assert_eq!(api.asked()[1].body, expected);
    let said = shell.run(&["slurm", "jobs", "submit", "--script", "/nonexistent"]).await.failed(1);
    assert!(said.contains("cannot read /nonexistent"), "{said}");
}

#[tokio::test]
async fn all_gpus_are_listed_with_what_is_missing() {
    let api = FakeApi::start().await;
    let gpus = json!([
        {"uuid": "GPU-1", "index": 0, "model": "A100", "memory_mb": 81_920, "source": "agent", "status": "allocated",
            "node_id": "n", "node_name": "gpu-01", "cluster": "", "claim_id": "c"},
        {"uuid": "", "index": 1, "model": "h100", "memory_mb": 0, "source": "slurm", "status": "free", "node_id": "",
            "node_name": "node01", "cluster": "default", "claim_id": ""},
    ]);
    let list = json!({"gpus": gpus, "total": 2, "page": 1, "limit": 100, "warnings": ["the cluster far is away"]});
    api.answer("GET /api/gpus?page=1&limit=100&source=slurm&status=free&node=node01", 200, &list);
    let shell = Shell::at(&api.url);
    let finished = shell.run(&["gpus", "--source", "slurm", "--status", "free", "--node", "node01"]).await;
    assert_eq!(finished.stderr, "warning: the cluster far is away\n");
    let listed = lines(&finished.ok());
    assert_eq!(listed[1..], ["gpu-01 0 A100 80 GiB allocated agent - c GPU-1", "node01 1 h100 - free slurm default - -"]);
}
