//! Claims: what is asked for, what is shown, and following one.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const ID: &str = "0197a5b0-0000-7000-8000-000000000002";
const CREATE: &str = "POST /api/gpu-claims";
const NOT_FOUND: &str = r#"{"error":"claim does not exist","code":"NotFound"}"#;

fn claim(phase: &str, reason: &str, message: &str) -> Value {
    json!({
        "id": ID, "user_id": 7,
        "spec": {"image": "train:1", "resources": {"gpuCount": 2, "gpuModel": "A100", "gpuMemoryMb": 40_000},
                 "command": ["sh", "-c", "true"], "onNodeLoss": "keep"},
        "status": {"phase": phase, "nodeName": if phase == "Pending" { "" } else { "gpu-01" }, "containerID": "",
                   "reason": reason, "message": message, "gpuUUIDs": ["GPU-1", "GPU-2"]},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    })
}

fn watch() -> String {
    format!("GET /api/gpu-claims/{ID}/watch")
}

fn messages<const N: usize>(messages: [Value; N]) -> String {
    messages.iter().map(|message| format!("{message}\n")).collect()
}

#[tokio::test]
async fn every_option_reaches_the_specification() {
    let api = FakeApi::start().await;
    api.answer(CREATE, 202, claim("Pending", "", ""));
    let options = "claims create train:1 --gpus 2 --gpu-model A100 --gpu-memory-mb 40000 --memory-mb 512 --cpus 1.5 -e A=b=c --env D= \
                   -p 8080:80 --port 53/udp -v /srv:/data -w /work --on-node-loss reschedule --reschedule-after 2m --request-id r1";
    let mut arguments = options.split_whitespace().collect::<Vec<_>>();
    arguments.extend(["--", "sh", "-c", "echo --wait"]);
    let said = Shell::at(&api.url).run(&arguments).await.ok();
    assert_eq!(said, format!("claim {ID} is accepted\n"));
    let expected = json!({
        "spec": {
            "image": "train:1",
            "resources": {"gpuCount": 2, "gpuModel": "A100", "gpuMemoryMb": 40_000, "memoryMb": 512, "cpus": 1.5},
            "command": ["sh", "-c", "echo --wait"],
            "env": ["A=b=c", "D="],
            "ports": [
                {"host_port": 8080, "container_port": 80, "protocol": "tcp"},
                {"host_port": 0, "container_port": 53, "protocol": "udp"},
            ],
            "volumes": {"/srv": "/data"},
            "workingDir": "/work",
            "onNodeLoss": "reschedule",
            "rescheduleAfterSeconds": 120,
        },
        "request_id": "r1",
    });
    assert_eq!(api.asked_once().body, expected);
}

#[tokio::test]
async fn a_bare_claim_is_for_one_gpu_and_leaves_the_rest_to_the_server() {
    let api = FakeApi::start().await;
    api.answer(CREATE, 202, claim("Pending", "", ""));
    Shell::at(&api.url).run(&["claims", "create", "train:1"]).await.ok();
    let spec = json!({"image": "train:1", "resources": {"gpuCount": 1}, "command": [], "env": [], "ports": [], "volumes": {}});
    assert_eq!(api.asked_once().body, json!({"spec": spec}));
}

#[tokio::test]
async fn quota_is_refused_in_one_line() {
    let api = FakeApi::start().await;
    api.answer(CREATE, 403, r#"{"error":"the role user allows 2 GPUs, 2 are in use","code":"QuotaExceeded"}"#);
    let said = Shell::at(&api.url).run(&["claims", "create", "train:1"]).await.failed(3);
    assert_eq!(said, "error: the role user allows 2 GPUs, 2 are in use (QuotaExceeded)\n");
}

#[tokio::test]
async fn claims_are_listed_and_shown() {
    let api = FakeApi::start().await;
    let waiting = claim("Pending", "InsufficientGPUs", "no node has 2 free GPUs");
    let list = json!({"claims": [&waiting], "total": 1, "page": 1, "limit": 100});
    api.answer("GET /api/gpu-claims?page=1&limit=100&phase=pending", 200, list);
    api.answer(&format!("GET /api/gpu-claims/{ID}"), 200, waiting);
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["claims", "list", "--phase", "pending"]).await.ok();
    assert!(listed.starts_with("ID ") && listed.lines().count() == 2, "{listed}");
    for part in [ID, "Pending", "InsufficientGPUs", "train:1"] {
        assert!(listed.contains(part), "{part}\n{listed}");
    }
    let shown = shell.run(&["claims", "get", ID]).await.ok();
    for part in ["no node has 2 free GPUs", "2 GPUs of model A100 with at least 40000 MiB each", "sh -c true", "GPU-1, GPU-2"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
}

#[tokio::test]
async fn explain_says_what_each_node_and_gpu_lacks() {
    let api = FakeApi::start().await;
    let explanation = json!({
        "id": ID, "phase": "Pending", "queue_position": 3, "summary": "no node has 2 free GPUs",
        "nodes": [{"node_id": "n", "node_name": "gpu-01", "fits": false, "reason": "InsufficientGPUs", "message": "1 of 2 is free",
                   "gpus": [{"uuid": "GPU-1", "index": 0, "fits": false, "reason": "Allocated"},
                            {"uuid": "GPU-2", "index": 1, "fits": true, "reason": ""}]}],
    });
    api.answer(&format!("GET /api/gpu-claims/{ID}/explain"), 200, explanation);
    let text = Shell::at(&api.url).run(&["claims", "explain", ID]).await.ok();
    let expected = "\
Phase:         Pending
In the queue:  3
Summary:       no node has 2 free GPUs

NODE    FITS  REASON            MESSAGE
gpu-01  no    InsufficientGPUs  1 of 2 is free

NODE    GPU  UUID   FITS  REASON
gpu-01  0    GPU-1  no    Allocated
gpu-01  1    GPU-2  yes   -
";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn watching_shows_each_change_once_and_survives_a_lost_stream() {
    let api = FakeApi::start().await;
    let (pending, running) = (claim("Pending", "NoNodes", "no node is online"), claim("Running", "", ""));
    api.answer(&watch(), 200, messages([pending, running.clone()]))
        .answer(&watch(), 503, r#"{"error":"the server stops","code":"Unavailable"}"#)
        .answer(&watch(), 200, messages([running, claim("Completed", "", "")]));
    let text = Shell::at(&api.url).run(&["claims", "watch", ID]).await.ok();
    assert_eq!(text, "Pending: NoNodes: no node is online\nRunning on gpu-01\nCompleted on gpu-01\n");
}

#[tokio::test]
async fn watching_ends_when_the_claim_is_deleted() {
    let api = FakeApi::start().await;
    api.answer(&watch(), 200, messages([claim("Running", "", "")])).answer(&watch(), 404, NOT_FOUND);
    let text = Shell::at(&api.url).run(&["claims", "watch", ID]).await.ok();
    assert_eq!(text, format!("Running on gpu-01\nclaim {ID} was deleted\n"));
}

#[tokio::test]
async fn watching_what_is_not_there_is_an_error_at_once() {
    let api = FakeApi::start().await;
    api.answer(&watch(), 404, NOT_FOUND);
    let said = Shell::at(&api.url).run(&["claims", "watch", ID]).await.failed(4);
    assert_eq!(said, "error: claim does not exist (NotFound)\n");
}

#[tokio::test]
async fn watching_for_programs_is_one_line_per_message() {
    let api = FakeApi::start().await;
    api.answer(&watch(), 200, messages([claim("Running", "", ""), claim("Completed", "", "")]));
    let text = Shell::at(&api.url).run(&["claims", "watch", ID, "-o", "json"]).await.ok();
    let phases = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["status"]["phase"].clone());
    assert_eq!(phases.collect::<Vec<_>>(), ["Running", "Completed"]);
}

#[tokio::test]
async fn waiting_ends_when_the_claim_runs() {
    let api = FakeApi::start().await;
    api.answer(CREATE, 202, claim("Pending", "", ""));
    let scheduled = claim("Scheduled", "", "pulling train:1");
    api.answer(&watch(), 200, messages([claim("Pending", "", ""), scheduled, claim("Running", "", "")]));
    let finished = Shell::at(&api.url).run(&["claims", "create", "train:1", "--wait", "-o", "json"]).await;
    assert_eq!(finished.stderr, "");
    assert_eq!(serde_json::from_str::<Value>(&finished.ok()).unwrap(), claim("Running", "", ""));
}

#[tokio::test]
async fn waiting_for_a_claim_that_fails_is_an_error() {
    let api = FakeApi::start().await;
    api.answer(CREATE, 202, claim("Pending", "", ""));
    api.answer(&watch(), 200, messages([claim("Failed", "ImagePullFailed", "no such image train:1")]));
    let said = Shell::at(&api.url).run(&["claims", "create", "train:1", "--wait"]).await.failed(7);
    assert!(said.ends_with(&format!("error: claim {ID} failed: no such image train:1\n")), "{said}");
}

#[tokio::test]
async fn waiting_gives_up_after_its_timeout() {
    let api = FakeApi::start().await;
    api.answer(CREATE, 202, claim("Pending", "", "")).answer(&watch(), 200, messages([claim("Pending", "", "")]));
    let said = Shell::at(&api.url).run(&["claims", "create", "train:1", "--wait", "--timeout", "1s"]).await.failed(6);
    assert!(said.contains("did not come so far within 1 s"), "{said}");
}

#[tokio::test]
async fn deleting_is_quiet_for_programs() {
    let api = FakeApi::start().await;
    api.answer(&format!("DELETE /api/gpu-claims/{ID}"), 204, "");
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["claims", "delete", ID]).await.ok(), format!("claim {ID} is deleted\n"));
    assert_eq!(shell.run(&["claims", "delete", ID, "-o", "json"]).await.ok(), "");
}

#[tokio::test]
async fn waiting_for_a_phase_ends_with_it() {
    let api = FakeApi::start().await;
    api.answer(&watch(), 200, messages([claim("Pending", "", ""), claim("Running", "", ""), claim("Completed", "", "")]));
    let finished = Shell::at(&api.url).run(&["claims", "wait", ID, "--for", "Completed", "-o", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&finished.ok()).unwrap(), claim("Completed", "", ""));
}

#[tokio::test]
async fn waiting_for_a_phase_that_does_not_come_any_more_is_an_error() {
    let api = FakeApi::start().await;
    api.answer(&watch(), 200, messages([claim("Failed", "ContainerExited", "exit code 1")]));
    let said = Shell::at(&api.url).run(&["claims", "wait", ID]).await.failed(7);
    let expected = format!("error: claim {ID} will not be running any more: Failed on gpu-01: ContainerExited: exit code 1\n");
    assert!(said.ends_with(&expected), "{said}");
}

fn entry(stream: &str, second: u32, text: &str) -> Value {
    json!({"stream": stream, "time": format!("2026-01-01T00:00:0{second}.5Z"), "text": text})
}

#[tokio::test]
async fn logs_go_where_the_container_wrote_them() {
    let api = FakeApi::start().await;
    let entries =
        [entry("stdout", 1, "one\n"), entry("stderr", 2, "ca"), entry("stderr", 3, "reful\n"), entry("stdout", 4, "two\n")];
    let line = format!("GET /api/gpu-claims/{ID}/logs?follow=false");
    api.answer(&line, 200, messages(entries.clone()));
    let shell = Shell::at(&api.url);
    let plain = shell.run(&["claims", "logs", ID]).await;
    assert_eq!((plain.stdout.as_str(), plain.stderr.as_str(), plain.code), ("one\ntwo\n", "careful\n", 0));
    let timed = shell.run(&["claims", "logs", "--timestamps", ID]).await;
    assert_eq!(timed.stderr, "2026-01-01T00:00:02.5Z careful\n");
    assert_eq!(timed.ok(), "2026-01-01T00:00:01.5Z one\n2026-01-01T00:00:04.5Z two\n");
    let json = shell.run(&["claims", "logs", "-o", "json", ID]).await.ok();
    assert_eq!(json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>(), entries);

    let line = format!("GET /api/gpu-claims/{ID}/logs?follow=false&since=2026-01-01T00%3A00%3A00Z&tail=5");
    api.answer(&line, 200, messages([entry("stdout", 1, "one\n")]));
    let some = shell.run(&["claims", "logs", "--since", "2026-01-01T00:00:00Z", "--tail", "5", ID]).await;
    assert_eq!(some.ok(), "one\n");
}

#[tokio::test]
async fn logs_that_break_are_read_on_from_where_they_were() {
    let api = FakeApi::start().await;
    let lost = r#"{"error":"node gpu-01 disconnected before it answered","code":"NodeDisconnected"}"#;
    let first = format!("{}{lost}\n", messages([entry("stdout", 1, "one\n"), entry("stdout", 2, "two\n")]));
    let away = r#"{"error":"node gpu-01 is not Online","code":"NodeNotOnline"}"#;
    let resumed = format!("GET /api/gpu-claims/{ID}/logs?follow=true&since=2026-01-01T00%3A00%3A02.5Z");
    api.answer(&format!("GET /api/gpu-claims/{ID}/logs?follow=true&tail=2"), 200, first).answer(&resumed, 409, away).answer(
        &resumed,
        200,
        messages([entry("stdout", 2, "two\n"), entry("stdout", 3, "three\n")]),
    );
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["claims", "logs", "-f", "-n", "2", ID]).await.ok(), "one\ntwo\nthree\n");

    let api = FakeApi::start().await;
    api.answer(&format!("GET /api/gpu-claims/{ID}/logs?follow=true"), 409, away);
    assert!(Shell::at(&api.url).run(&["claims", "logs", "-f", ID]).await.failed(5).contains("(NodeNotOnline)"));
}
