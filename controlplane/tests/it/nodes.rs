//! Nodes as people see them: announced, online, offline, and what their agents answer.

use serde_json::json;
use tonic::Code;
use utopia_proto::{
    link::v1::command_result::Outcome,
    node::v1::{GpuMetrics, NodeMetrics},
};

use crate::{
    agent::{Agent, failure, result},
    databases::on_both_databases,
    machine::Machine,
    plane::{Plane, claim, reaches, text},
    wait::eventually,
};

on_both_databases!(
    an_announced_node_has_no_authority,
    the_status_of_a_node_is_asked_of_its_agent,
    nodes_are_listed_by_state,
    a_node_with_claims_is_deleted_only_by_force,
);

async fn an_announced_node_has_no_authority(plane: &Plane) {
    let register = json!({"hostname": "gpu-node-01", "machine_id": "m1"});
    let node = plane.http.post("/api/nodes/register", &register).await.expect(201);
    assert_eq!(node, plane.http.post("/api/nodes/register", &register).await.expect(201));
    let anonymous = plane.http.post("/api/nodes/register", &json!({"hostname": "gpu-node-01"})).await.expect(201);
    assert_ne!(node, anonymous, "a host name alone is no identity");
    plane.http.post("/api/nodes/register", &json!({"hostname": "no spaces"})).await.expect_error(400, "InvalidField");

    let (reader, path) = (plane.as_person(&plane.people.readonly), format!("/api/nodes/{}/status", text(&node, "id")));
    plane.http.get(&path).await.expect_error(401, "MissingToken");
    reader.get(&path).await.expect_error(409, "NodeNotOnline");
    for unknown in ["00000000-0000-4000-8000-000000000000", "no-uuid"] {
        reader.get(&format!("/api/nodes/{unknown}/status")).await.expect_error(404, "NotFound");
    }
    let shown = reader.get(&format!("/api/nodes/{}", text(&node, "id"))).await.expect(200);
    assert_eq!((&shown["status"], &shown["hostname"]), (&json!("Pending"), &json!("gpu-node-01")));
}

async fn the_status_of_a_node_is_asked_of_its_agent(plane: &Plane) {
    let node = Machine::new("n1", 1).join(plane).await;
    let (user, path) = (plane.as_user(), format!("/api/nodes/{}/status", node.id));
    user.get(&path).await.expect_error(409, "NodeNotOnline");

    let gpu = GpuMetrics { uuid: "GPU-n1-0".into(), memory_total_mb: 81_920, temperature_c: 40, ..GpuMetrics::default() };
    let metrics = NodeMetrics { node_id: node.id.clone(), cpu_usage_percent: 12.5, gpus: vec![gpu], ..NodeMetrics::default() };
    let agent = Agent::scripted(plane, &node, move |command| vec![result(command, Outcome::Metrics(metrics.clone()))]).await;
    let status = user.get(&path).await.expect(200);
    assert_eq!((&status["node_id"], &status["cpu_usage_percent"]), (&json!(node.id), &json!(12.5)));
    assert_eq!(status["gpus"][0]["temperature_c"], 40);
    assert_eq!(status["system"], json!(null));
    drop(agent);

    let unavailable = |command: &_| vec![failure(command, Code::Unavailable, "NvmlUnavailable", "the driver does not answer")];
    let agent = Agent::scripted(plane, &node, unavailable).await;
    let message = user.get(&path).await.expect_error(502, "NvmlUnavailable");
    assert_eq!(message, "the driver does not answer");
    drop(agent);

    let silent = Agent::scripted(plane, &node, |_| Vec::new()).await;
    user.get(&path).await.expect_error(502, "DeadlineExceeded");
    drop(silent);
    eventually("the node to be offline", async || (user.get(&path).await.status == 409).then_some(())).await;
}

async fn nodes_are_listed_by_state(plane: &Plane) {
    let reader = plane.as_person(&plane.people.readonly);
    plane.http.post("/api/nodes/register", &json!({"hostname": "c"})).await.expect(201);
    let _offline = Machine::new("b", 0).join(plane).await;
    let online = Machine::new("a", 2).join(plane).await;
    let _agent = Agent::obedient(plane, &online).await;
    for (filter, hostnames) in [
        ("", vec!["a", "b", "c"]),
        ("status=Online", vec!["a"]),
        ("status=Offline", vec!["b"]),
        ("status=pending", vec!["c"]),
        ("limit=1&page=2", vec!["b"]),
    ] {
        let list = reader.get(&format!("/api/nodes?{filter}")).await.expect(200);
        let found = list["nodes"].as_array().unwrap().iter().map(|node| text(node, "hostname")).collect::<Vec<_>>();
        assert_eq!(found, hostnames, "{filter}");
    }
    let node = reader.get(&format!("/api/nodes/{}", online.id)).await.expect(200);
    assert_eq!((&node["cpu_count"], &node["memory_mb"]), (&json!(64), &json!(512 * 1024)));
    assert_eq!(
        node["gpus"][1],
        json!({
            "uuid": "GPU-a-1", "index": 1, "name": "NVIDIA H100 80GB HBM3", "memory_mb": 80 * 1024, "claim_id": "", "unavailable": "",
        })
    );
}

async fn a_node_with_claims_is_deleted_only_by_force(plane: &Plane) {
    let (admin, user) = (plane.as_admin(), plane.as_user());
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::obedient(plane, &node).await;
    let id = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &id, "Running", "").await;
    let path = format!("/api/nodes/{}", node.id);
    assert_eq!(user.get(&path).await.expect(200)["gpus"][0]["claim_id"], id);
    plane.as_operator().delete(&path).await.expect_error(403, "PermissionDenied");
    admin.delete(&path).await.expect_error(409, "NodeHasClaims");
    admin.delete(&format!("{path}?force=true")).await.expect(204);
    assert_eq!(agent.is_cut().await.code(), Code::PermissionDenied);
    reaches(&user, &id, "Failed", "NodeDeleted").await;
    admin.delete(&path).await.expect_error(404, "NotFound");
}
