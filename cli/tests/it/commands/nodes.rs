//! Nodes and join tokens.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const ID: &str = "0197a5b0-0000-7000-8000-000000000001";

fn node() -> Value {
    json!({
        "id": ID, "hostname": "gpu-01", "status": "Online", "cpu_count": 64, "memory_mb": 262_144,
        "os": "Debian 12", "kernel": "6.1", "agent_version": "0.1.0", "runtime": "docker 20.10", "labels": {"zone": "a"},
        "last_seen_at": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
        "gpus": [
            {"uuid": "GPU-1", "index": 0, "name": "A100", "memory_mb": 40_960, "claim_id": "", "unavailable": ""},
            {"uuid": "GPU-2", "index": 1, "name": "A100", "memory_mb": 40_960, "claim_id": "c1", "unavailable": ""},
            {"uuid": "GPU-3", "index": 2, "name": "A100", "memory_mb": 40_960, "claim_id": "", "unavailable": "Faulty"},
        ],
    })
}

#[tokio::test]
async fn nodes_are_listed_with_whole_ids_and_free_gpus() {
    let api = FakeApi::start().await;
    let list = json!({"nodes": [node()], "total": 3, "page": 2, "limit": 1});
    api.answer("GET /api/nodes?page=2&limit=1&status=online", 200, list);
    let finished = Shell::at(&api.url).run(&["nodes", "list", "--page", "2", "--limit", "1", "--status", "online"]).await;
    assert_eq!(finished.stderr, "page 2: 1 of 3; choose with --page and --limit\n");
    let text = finished.ok();
    let lines = text.lines().collect::<Vec<_>>();
    let cells =
        |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells(lines[0]), ["ID", "HOSTNAME", "STATUS", "GPUS", "FREE", "GPU", "CPUS", "MEMORY", "SEEN", "AGE"]);
    assert_eq!(cells(lines[1])[..8], [ID, "gpu-01", "Online", "3", "1", "A100", "64", "256 GiB"]);
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn one_node_is_shown_with_its_gpus() {
    let api = FakeApi::start().await;
    api.answer(&format!("GET /api/nodes/{ID}"), 200, node());
    let text = Shell::at(&api.url).run(&["nodes", "get", ID]).await.ok();
    for part in ["gpu-01", "Debian 12", "zone=a", "GPU-2", "c1", "Faulty", "40 GiB"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[tokio::test]
async fn readings_of_a_node() {
    let api = FakeApi::start().await;
    let metrics = json!({
        "node_id": ID,
        "gpus": [{"id": 0, "name": "A100", "usage_percent": 41.5, "memory_total_mb": 40_960, "memory_used_mb": 1_024,
                  "temperature_c": 55, "busy": true, "error": ""}],
        "system": {"cpu_usage_percent": 12.0, "load_average": 0.5, "memory_total_mb": 2_048, "memory_used_mb": 1_024,
                   "memory_usage_percent": 50.0, "disk_usage_percent": 70.0, "uptime": 7_200},
    });
    api.answer(&format!("GET /api/nodes/{ID}/status"), 200, metrics);
    let text = Shell::at(&api.url).run(&["nodes", "status", ID]).await.ok();
    for part in ["12 %", "0.50", "50 % (1 GiB of 2 GiB)", "2h", "1 GiB of 40 GiB", "55 °C", "yes"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[tokio::test]
async fn a_node_is_deleted_by_force_only_when_asked() {
    let api = FakeApi::start().await;
    let refusal = r#"{"error":"2 claims are placed on node gpu-01","code":"NodeHasClaims"}"#;
    api.answer(&format!("DELETE /api/nodes/{ID}?force=false"), 409, refusal);
    api.answer(&format!("DELETE /api/nodes/{ID}?force=true"), 204, "");
    let shell = Shell::at(&api.url);
    assert!(shell.run(&["nodes", "delete", ID]).await.failed(5).contains("NodeHasClaims"));
    assert_eq!(shell.run(&["nodes", "delete", ID, "--force"]).await.ok(), format!("node {ID} is deleted\n"));
}

#[tokio::test]
async fn the_join_command_is_the_whole_output() {
    let api = FakeApi::start().await;
    let command = "utopia-agent --server https://127.0.0.1:8443 --join-token utj_a_b --ca-hash sha256:00";
    let token = json!({"id": "a", "command": command, "expires_at": "2999-01-01T00:00:00Z", "max_uses": 2, "uses": 0});
    api.answer("POST /api/join-tokens", 201, &token).answer(&format!("POST /api/nodes/{ID}/approve"), 200, &token);
    let shell = Shell::at(&api.url);

    let created = shell.run(&["join-token", "create", "--ttl", "2h", "--max-uses", "2", "--description", "rack 4"]).await;
    assert!(created.stderr.contains("for 2 machines"), "{created:?}");
    assert_eq!(created.ok(), format!("{command}\n"));
    assert_eq!(api.asked()[0].body, json!({"ttl_seconds": 7_200, "max_uses": 2, "description": "rack 4"}));
    assert_eq!(shell.run(&["nodes", "approve", ID]).await.ok(), format!("{command}\n"));
}

#[tokio::test]
async fn join_tokens_are_listed_and_revoked() {
    let api = FakeApi::start().await;
    let list = json!({"join_tokens": [
        {"id": "a", "expires_at": "2000-01-01T00:00:00Z", "max_uses": 3, "uses": 1, "node_id": "", "description": "rack 4"},
    ], "total": 1, "page": 1, "limit": 100});
    api.answer("GET /api/join-tokens?page=1&limit=100", 200, list).answer("DELETE /api/join-tokens/a", 204, "");
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["join-token", "list"]).await;
    assert_eq!(listed.stderr, "");
    assert_eq!(listed.ok(), "ID  EXPIRES IN  USES    NODE  DESCRIPTION\na   0s          1 of 3  -     rack 4\n");
    assert_eq!(shell.run(&["join-token", "revoke", "a"]).await.ok(), "join token a is revoked\n");
}
