//! Hosts.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const ID: &str = "0197a5b0-0000-7000-8000-000000000001";

fn host(maintenance: Value) -> Value {
    json!({
        "host_id": ID, "name": "gpu-01", "hostname": "gpu-01.internal", "ip_address": "192.0.2.10", "os_type": "linux",
        "os_version": "Debian 12", "deployment_mode": "container", "status": "online", "health_status": "healthy",
        "total_cpu": 64, "used_cpu": 12.5, "total_memory": 274_877_906_944_i64, "used_memory": 68_719_476_736_i64,
        "total_disk": 2_199_023_255_552_i64, "total_gpu": 8, "used_gpu": 2, "labels": {"region": "us-west", "rack": "7"},
        "last_heartbeat": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z", "maintenance": maintenance,
        "agent_connected": true,
    })
}

fn in_maintenance(remaining: u32) -> Value {
    host(json!({"reason": "new power supply", "claims": "move", "since": "2026-01-01T00:00:00Z", "remaining_claims": remaining}))
}

fn gpus() -> Value {
    json!({"items": [
        {"gpu_id": 1, "gpu_index": 0, "name": "A100", "memory_total": 42_949_672_960_i64, "status": "allocated",
         "allocated_to": "claim-1", "temperature": 55.0, "utilization": 41.0, "uuid": "GPU-1", "memory_used": 1_073_741_824},
        {"gpu_id": 2, "gpu_index": 1, "name": "A100", "memory_total": 42_949_672_960_i64, "status": "unknown",
         "allocated_to": null, "temperature": null, "utilization": null, "uuid": "GPU-2", "memory_used": null},
    ]})
}

fn at(method: &str, further: &str) -> String {
    format!("{method} /api/v1/hosts/{ID}{further}")
}

#[tokio::test]
async fn hosts_are_listed_at_a_glance() {
    let api = FakeApi::start().await;
    let list = json!({"items": [host(Value::Null)], "pagination": {"page": 1, "page_size": 100, "total": 1, "total_pages": 1}});
    let line = "GET /api/v1/hosts?page=1&limit=100&status=online&os_type=linux&labels=region%3Dus-west%2C%21old";
    api.answer_data(line, 200, list);
    let arguments = ["hosts", "list", "--status", "online", "--os-type", "linux", "-l", "region=us-west,!old"];
    let text = Shell::at(&api.url).run(&arguments).await.ok();
    assert_eq!(text.lines().count(), 2, "{text}");
    for part in [ID, "gpu-01", "online", "healthy", "2 of 8", "12.5 of 64", "64 GiB of 256 GiB", "192.0.2.10"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[tokio::test]
async fn one_host_is_shown_with_its_maintenance_and_gpus() {
    let api = FakeApi::start().await;
    api.answer_data(&at("GET", ""), 200, in_maintenance(2)).answer_data(&at("GET", "/gpus"), 200, gpus());
    let shell = Shell::at(&api.url);
    let text = shell.run(&["hosts", "get", ID]).await.ok();
    for part in
        ["gpu-01.internal", "linux Debian 12", "rack=7, region=us-west", "new power supply; claims are moved, 2 left", "2.0 TiB"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let table = "\
GPU  UUID   NAME  STATUS     CLAIM    USE   MEMORY           TEMPERATURE
0    GPU-1  A100  allocated  claim-1  41 %  1 GiB of 40 GiB  55 °C
1    GPU-2  A100  unknown    -        -     40 GiB           -
";
    assert!(text.ends_with(&format!("\n\n{table}")), "{text}");
    assert_eq!(shell.run(&["hosts", "gpus", ID]).await.ok(), table);
    let for_programs = shell.run(&["hosts", "get", ID, "-o", "json"]).await.ok();
    assert_eq!(serde_json::from_str::<Value>(&for_programs).unwrap(), in_maintenance(2));
}

#[tokio::test]
async fn the_agent_token_is_the_whole_output() {
    let api = FakeApi::start().await;
    let made = json!({"host_id": ID, "name": "gpu-01", "status": "offline", "agent_token": "uta_a_b"});
    api.answer_data("POST /api/v1/hosts", 201, made.clone()).answer_data(&at("POST", "/agent-token"), 201, made);
    let shell = Shell::at(&api.url);
    let arguments = "hosts create gpu-01 --ip-address 192.0.2.10 --os-version 12 --deployment-mode container --cpus 32 --memory 128GiB \
                     --disk 2TiB -l region=us-west --label rack=7";
    let created = shell.run(&arguments.split_whitespace().collect::<Vec<_>>()).await;
    assert!(created.stderr.contains(ID) && !created.stderr.contains("uta_a_b"), "{created:?}");
    assert_eq!(created.ok(), "uta_a_b\n");
    let expected = json!({
        "name": "gpu-01", "ip_address": "192.0.2.10", "os_version": "12", "deployment_mode": "container", "total_cpu": 32,
        "total_memory": 137_438_953_472_i64, "total_disk": 2_199_023_255_552_i64, "labels": {"region": "us-west", "rack": "7"},
    });
    assert_eq!(api.asked_once().body, expected);
    assert_eq!(shell.run(&["hosts", "rotate-token", ID]).await.ok(), "uta_a_b\n");
}

#[tokio::test]
async fn only_what_is_named_changes() {
    let api = FakeApi::start().await;
    api.answer_data(&at("PUT", ""), 200, host(Value::Null));
    let shell = Shell::at(&api.url);
    shell.run(&["hosts", "update", ID, "--name", "gpu-01-west", "--ip-address", ""]).await.ok();
    shell.run(&["hosts", "update", ID, "-l", "zone=b"]).await.ok();
    shell.run(&["hosts", "update", ID, "--no-labels"]).await.ok();
    let bodies = api.asked().into_iter().map(|asked| asked.body).collect::<Vec<_>>();
    assert_eq!(
        bodies,
        [json!({"name": "gpu-01-west", "ip_address": ""}), json!({"labels": {"zone": "b"}}), json!({"labels": {}})]
    );
}

#[tokio::test]
async fn a_host_is_deleted_by_force_only_when_asked() {
    let api = FakeApi::start().await;
    api.answer(&at("DELETE", "?force=false"), 409, r#"{"code":409,"message":"2 claims are placed on host gpu-01","data":null}"#);
    api.answer(&at("DELETE", "?force=true"), 204, "");
    let shell = Shell::at(&api.url);
    let said = shell.run(&["hosts", "delete", ID]).await.failed(5);
    assert_eq!(said, "error: 2 claims are placed on host gpu-01 (409)\n");
    assert_eq!(shell.run(&["hosts", "delete", ID, "--force"]).await.ok(), format!("host {ID} is deleted\n"));
}

#[tokio::test]
async fn maintenance_begins_waits_until_claims_are_gone_and_ends() {
    let api = FakeApi::start().await;
    api.answer_data(&at("PUT", "/maintenance"), 200, in_maintenance(2));
    api.answer(&at("GET", ""), 503, r#"{"code":503,"message":"the server stops","data":null}"#);
    api.answer_data(&at("GET", ""), 200, in_maintenance(1)).answer_data(&at("GET", ""), 200, in_maintenance(0));
    api.answer_data(&at("DELETE", "/maintenance"), 200, host(Value::Null));
    let shell = Shell::at(&api.url);
    let begun =
        shell.run(&["hosts", "maintenance", "start", ID, "--reason", "new power supply", "--claims", "move", "--wait"]).await;
    assert_eq!(begun.stderr, "claims left: 2\nclaims left: 1\n");
    assert!(begun.ok().contains("claims are moved, 0 left"));
    assert_eq!(api.asked()[0].body, json!({"reason": "new power supply", "claims": "move"}));
    let ended = shell.run(&["hosts", "maintenance", "end", ID]).await.ok();
    assert!(ended.contains("gpu-01") && !ended.contains("Maintenance"), "{ended}");
}
