//! Minions, functions and states.

use std::fs;

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const JOB: &str = "20261120215136422127";

fn job(complete: bool, results: &Value, missing: &[&str]) -> Value {
    let success = complete && results.as_array().unwrap().iter().all(|result| result["success"] == true);
    json!({
        "job_id": JOB, "function": "test.ping", "target": "node*", "complete": complete, "success": success, "results": results,
        "missing": missing, "start_time": "2026-11-20T21:51:36.422127",
    })
}

#[tokio::test]
async fn minions_are_listed_and_shown() {
    let api = FakeApi::start().await;
    let node = json!({
        "id": "node01", "status": "up", "os": "Debian", "os_release": "12", "cpus": 2, "memory_mb": 24_105,
        "ip_addresses": ["127.0.0.1", "192.0.2.2"], "salt_version": "3006.28", "grains": {"rack": "r1", "gpus": 4},
    });
    let gone = json!({"id": "node02", "status": "down", "os": "", "cpus": 0, "memory_mb": 0, "ip_addresses": [], "grains": {}});
    let list = json!({"minions": [&node, gone], "total": 2, "page": 1, "limit": 100});
    api.answer("GET /api/saltstack/minions?page=1&limit=100", 200, &list);
    api.answer("GET /api/saltstack/minions/node01", 200, node);
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["salt", "minions"]).await.ok();
    let lines = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    assert_eq!(lines[1..], ["node01 up Debian 12 2 24 GiB 127.0.0.1, 192.0.2.2 3006.28", "node02 down - - - - -"]);
    let shown = shell.run(&["salt", "minions", "node01"]).await.ok();
    for part in ["Status:     up\n", "gpus   4\n", "rack   r1\n"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let json: Value = serde_json::from_str(&shell.run(&["-o", "json", "salt", "minions"]).await.ok()).unwrap();
    assert_eq!(json["minions"], list["minions"]);
}

#[tokio::test]
async fn a_function_runs_with_its_arguments() {
    let api = FakeApi::start().await;
    let results = json!([
        {"minion": "node01", "success": true, "result": {"a": [1]}, "return_code": 0},
        {"minion": "node02", "success": true, "result": "two\nlines\u{1b}[2J", "return_code": 0},
    ]);
    api.answer("POST /api/saltstack/execute", 200, job(true, &results, &[]));
    let shell = Shell::at(&api.url);
    let arguments =
        ["salt", "run", "rack:r1", "--by", "grain", "test.arg", "3", "$(id)", "-1", "--kwarg", "a={\"b\": 1}", "--timeout", "2m"];
    let shown = shell.run(&arguments).await.ok();
    assert_eq!(shown, "node01: ok\n    {\n      \"a\": [\n        1\n      ]\n    }\nnode02: ok\n    two\n    lines [2J\n");
    let expected = json!({
        "target": "rack:r1", "target_type": "grain", "async": false, "timeout_seconds": 120, "function": "test.arg",
        "args": [3, "$(id)", -1], "kwargs": {"a": {"b": 1}},
    });
    assert_eq!(api.asked_once().body, expected);
}

#[tokio::test]
async fn what_fails_or_is_missing_is_an_error() {
    let api = FakeApi::start().await;
    let failed = json!([{"minion": "node01", "success": false, "result": "no", "return_code": 3}]);
    api.answer("POST /api/saltstack/execute", 200, job(true, &failed, &[]));
    api.answer("POST /api/saltstack/execute", 200, job(false, &json!([]), &["node01", "node02"]));
    let shell = Shell::at(&api.url);
    let ping = ["salt", "run", "node*", "test.ping"];
    let finished = shell.run(&ping).await;
    assert_eq!(finished.stdout, "node01: failed with 3\n    no\n");
    assert_eq!(finished.failed(7), "error: test.ping failed\n");
    let said = shell.run(&ping).await.failed(6);
    assert!(said.contains("no answer from node01, node02") && said.contains(&format!("aiinfra salt job {JOB}")), "{said}");
    let begun = shell.run(&[&ping[..], &["--async"]].concat()).await;
    assert!(begun.stderr.contains(&format!("aiinfra salt job {JOB}")), "{begun:?}");
    begun.ok();
    assert_eq!(api.asked()[2].body["async"], true);
}

#[tokio::test]
async fn a_job_is_shown_while_it_goes_on_and_after() {
    let api = FakeApi::start().await;
    let line = format!("GET /api/saltstack/jobs/{JOB}");
    let results = json!([{"minion": "node01", "success": true, "result": true, "return_code": 0}]);
    api.answer(&line, 200, job(false, &results, &["node02"])).answer(&line, 200, job(true, &results, &[]));
    let shell = Shell::at(&api.url);
    let going = shell.run(&["salt", "job", JOB]).await;
    assert!(going.stderr.contains("goes on"), "{going:?}");
    assert_eq!(going.ok(), "node01: ok\n    true\n");
    let ended = shell.run(&["salt", "job", JOB]).await;
    assert_eq!(ended.stderr, "");
    ended.ok();
}

#[tokio::test]
async fn a_state_is_applied_and_shown_part_by_part() {
    let api = FakeApi::start().await;
    let part = |id: &str, success: bool, changed: bool| {
        json!({"id": id, "function": "cmd.run", "name": "x", "success": success, "changed": changed, "comment": "c\nd", "changes": {},
            "duration_ms": 11.4})
    };
    let results = json!([
        {"minion": "node01", "success": false, "states": [part("a", true, true), part("b", false, false)], "errors": []},
        {"minion": "node02", "success": false, "states": [], "errors": ["No matching sls found"]},
    ]);
    let deployment = json!({
        "job_id": JOB, "state": "motd", "target": "node*", "complete": true, "success": false, "results": results, "missing": [],
    });
    api.answer("POST /api/saltstack/deploy", 200, deployment);
    let shell = Shell::at(&api.url);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, r#"{"role": "cpu", "secret": "hunter2"}"#).unwrap();
    let pillar = ["--pillar-file", file.path().to_str().unwrap(), "--pillar", "role=gpu"];
    let finished = shell.run(&[&["salt", "deploy", "node*", "motd", "--test"], &pillar[..]].concat()).await;
    let lines = finished.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    assert_eq!(
        lines[1..],
        ["node01 a cmd.run changed 11 ms c d", "node01 b cmd.run failed 11 ms c d", "node02 - - failed - No matching sls found",]
    );
    assert_eq!(finished.failed(7), "error: motd does not hold everywhere\n");
    let expected = json!({
        "target": "node*", "target_type": "glob", "async": false, "state": "motd", "test": true,
        "pillar": {"role": "gpu", "secret": "hunter2"},
    });
    assert_eq!(api.asked_once().body, expected);
}
