//! Hosts that have an agent, got by their own token or another.

use serde_json::{Value as Json, json};
use tonic::{Code, Status};
use utopia_proto::{
    link::v1::{GpuReading, Heartbeat, agent_frame::Frame as Say},
    status::reason,
};

use super::{beat, data, healthy, path, refused, register, shown};
use crate::{
    agent::{Agent, heartbeat},
    databases::on_both_databases,
    machine::{Machine, enrol},
    plane::{Plane, claim, reaches, text},
    wait::eventually,
};

on_both_databases!(
    an_agent_token_is_exchanged_once_for_a_certificate,
    an_agent_token_gives_no_other_identity,
    what_the_agent_reports_takes_the_place_of_what_was_registered,
    gpus_say_what_they_are_doing,
    a_host_with_claims_is_deleted_only_by_force,
);

fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    (status.code(), reason(&status))
}

fn word(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

async fn an_agent_token_is_exchanged_once_for_a_certificate(plane: &Plane) {
    let admin = plane.as_admin();
    let host = register(plane, "h").await;
    let token = text(&host, "agent_token");
    data(beat(plane, &host, &healthy()).await, 200);
    let machine = Machine::new("n1", 1);
    let first = enrol(plane, machine.enrolment(token)).await.unwrap();
    assert_eq!(first.node_id, text(&host, "host_id"));
    // The machine may not have got the answer.
    let node = machine.enrol(plane, token).await.unwrap();
    assert_eq!(node.id, first.node_id);
    let second = Machine::new("n2", 0);
    assert_eq!(refusal(enrol(plane, second.enrolment(token)).await), word(Code::Unauthenticated, "AgentTokenUsed"));

    let agent = Agent::obedient(plane, &node).await;
    let detail = shown(&admin, &host).await;
    assert_eq!((&detail["name"], &detail["hostname"]), (&json!("h"), &json!("n1")));
    assert_eq!((&detail["status"], &detail["agent_connected"]), (&json!("online"), &json!(true)));
    assert_eq!(data(admin.get("/api/v1/hosts").await, 200)["pagination"]["total"], 1);
    data(beat(plane, &host, &healthy()).await, 200);

    // Another token takes nothing from the machine, and gives its place to nobody.
    let rotated = data(admin.post(&format!("{}/agent-token", path(&host)), &json!({})).await, 201);
    let result = enrol(plane, second.enrolment(text(&rotated, "agent_token"))).await;
    assert_eq!(refusal(result), word(Code::PermissionDenied, "JoinTokenForOtherNode"));
    assert_eq!(refusal(enrol(plane, node.machine.enrolment(token)).await), word(Code::Unauthenticated, "AgentTokenInvalid"));
    node.renew(plane).await.unwrap();
    assert_eq!(enrol(plane, node.machine.enrolment(text(&rotated, "agent_token"))).await.unwrap().node_id, node.id);
    data(beat(plane, &rotated, &healthy()).await, 200);

    admin.delete(&path(&host)).await.expect(204);
    assert_eq!(agent.is_cut().await.code(), Code::PermissionDenied);
    assert_eq!(refusal(node.renew(plane).await), word(Code::PermissionDenied, "NodeDeleted"));
    let result = enrol(plane, node.machine.enrolment(text(&rotated, "agent_token"))).await;
    assert_eq!(refusal(result), word(Code::Unauthenticated, "AgentTokenInvalid"));
}

async fn an_agent_token_gives_no_other_identity(plane: &Plane) {
    let (host, other) = (register(plane, "h").await, register(plane, "other").await);
    let token = text(&host, "agent_token");
    let (last, rest) = (token.chars().last().unwrap(), &token[..token.len() - 1]);
    let forged = format!("{rest}{}", if last == 'A' { 'E' } else { 'A' });
    for bad in [&*forged, "uta_aaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let result = enrol(plane, Machine::new("n1", 0).enrolment(bad)).await;
        assert_eq!(refusal(result), word(Code::Unauthenticated, "AgentTokenInvalid"), "{bad}");
    }
    let mut elsewhere = Machine::new("n1", 0).enrolment(token);
    elsewhere.node_id = text(&other, "host_id").to_owned();
    assert_eq!(refusal(enrol(plane, elsewhere).await), word(Code::PermissionDenied, "JoinTokenForOtherNode"));
    let node = Machine::new("n1", 0).join(plane).await;
    let result = enrol(plane, node.machine.enrolment(token)).await;
    assert_eq!(refusal(result), word(Code::PermissionDenied, "JoinTokenForOtherNode"));

    // The refusals have not used it up; many at once use it once.
    let machines = (2..8).map(|at| Machine::new(&format!("n{at}"), 0)).collect::<Vec<_>>();
    let enrolled = machines.iter().map(|machine| enrol(plane, machine.enrolment(token)));
    let enrolled = futures_util::future::join_all(enrolled).await;
    let (won, lost): (Vec<_>, Vec<_>) = enrolled.into_iter().partition(Result::is_ok);
    assert_eq!(won.iter().map(|won| &*won.as_ref().unwrap().node_id).collect::<Vec<_>>(), [text(&host, "host_id")]);
    assert!(lost.into_iter().all(|lost| refusal(lost) == word(Code::Unauthenticated, "AgentTokenUsed")));
}

async fn what_the_agent_reports_takes_the_place_of_what_was_registered(plane: &Plane) {
    let admin = plane.as_admin();
    let new = json!({
        "name": "h", "total_cpu": 2, "total_memory": 1024, "os_version": "Ubuntu 20.04", "labels": {"rack": "7", "zone": "a"},
    });
    let host = data(admin.post("/api/v1/hosts", &new).await, 201);
    let mut machine = Machine::new("n1", 2);
    machine.facts.labels = [("rack".to_owned(), "of the agent".to_owned()), ("role".to_owned(), "train".to_owned())].into();
    machine.facts.disk_bytes = 4 << 40;
    let node = machine.enrol(plane, text(&host, "agent_token")).await.unwrap();
    let agent = Agent::obedient(plane, &node).await;
    let busy = GpuReading { foreign_use: true, ..GpuReading::default() };
    let reading = Heartbeat {
        sequence: 2,
        runtime_ready: true,
        cpu_usage_percent: 25.0,
        memory_used_bytes: 1 << 30,
        gpus: vec![GpuReading::default(), busy],
        ..Heartbeat::default()
    };
    let health = async |said: Heartbeat, expected: &str| {
        agent.say(Say::Heartbeat(said)).await;
        eventually(&format!("health {expected}"), async || {
            let host = shown(&admin, &host).await;
            (host["health_status"] == expected && host["used_memory"] == 1 << 30).then_some(host)
        })
        .await
    };
    let detail = health(reading.clone(), "healthy").await;
    assert_eq!((&detail["total_cpu"], &detail["used_cpu"]), (&json!(64), &json!(16.0)));
    assert_eq!((&detail["total_memory"], &detail["total_disk"]), (&json!(512_i64 << 30), &json!(4_i64 << 40)));
    assert_eq!((&detail["total_gpu"], &detail["used_gpu"]), (&json!(2), &json!(1)));
    assert_eq!((&detail["os_version"], &detail["ip_address"]), (&json!("Debian 12"), &json!("127.0.0.1")));
    assert_eq!(detail["labels"], json!({"rack": "7", "role": "train", "zone": "a"}));
    let filter =
        async |labels: &str| data(admin.get(&format!("/api/v1/hosts?labels={labels}")).await, 200)["pagination"]["total"].clone();
    assert_eq!((filter("role%3Dtrain").await, filter("rack!%3D7").await), (json!(1), json!(0)));

    let faulty = GpuReading { faulty: true, ..GpuReading::default() };
    health(Heartbeat { gpus: vec![faulty; 2], ..reading.clone() }, "degraded").await;
    health(Heartbeat { runtime_ready: false, ..reading.clone() }, "unhealthy").await;
    health(reading, "healthy").await;
    data(beat(plane, &host, &json!({"health_status": "critical"})).await, 200);
    assert_eq!(shown(&admin, &host).await["health_status"], "unhealthy");

    // An enrolled node that was never registered is a host as well, and can be named.
    let plain = Machine::new("n2", 0).join(plane).await;
    let plain = json!({"host_id": plain.id});
    assert_eq!(shown(&admin, &plain).await["name"], "n2");
    data(admin.put(&path(&plain), &json!({"name": "named"})).await, 200);
    let named = shown(&admin, &plain).await;
    assert_eq!((&named["name"], &named["hostname"], &named["status"]), (&json!("named"), &json!("n2"), &json!("offline")));
    refused(admin.put(&path(&plain), &json!({"name": "H"})).await, 409);
}

async fn gpus_say_what_they_are_doing(plane: &Plane) {
    let (user, reader) = (plane.as_user(), plane.as_person(&plane.people.readonly));
    let node = Machine::new("n1", 4).join(plane).await;
    let host = json!({"host_id": node.id});
    let gpus = async || data(reader.get(&format!("{}/gpus", path(&host))).await, 200)["items"].clone();
    let agent = Agent::obedient(plane, &node).await;
    let id = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &id, "Running", "").await;
    let free = GpuReading { temperature_c: 68, usage_percent: 85.5, memory_used_bytes: 1 << 30, ..GpuReading::default() };
    let busy = GpuReading { locally_allocated: true, ..free };
    let faulty = GpuReading { faulty: true, ..free };
    agent.say(Say::Heartbeat(Heartbeat { gpus: vec![free, busy, faulty, free], ..heartbeat(&node) })).await;
    let items = eventually("the readings", async || Some(gpus().await).filter(|gpus| gpus[2]["status"] == "error")).await;
    assert_eq!(
        items[0],
        json!({
            "gpu_id": 1, "gpu_index": 0, "name": "NVIDIA H100 80GB HBM3", "memory_total": 80_i64 << 30, "status": "allocated",
            "allocated_to": id, "temperature": 68.0, "utilization": 85.5, "uuid": "GPU-n1-0", "memory_used": 1 << 30,
        })
    );
    let of = |key: &str| items.as_array().unwrap().iter().map(|gpu| gpu[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("status"), ["allocated", "busy", "error", "available"]);
    assert_eq!(of("gpu_id"), [1, 2, 3, 4]);
    assert_eq!(of("allocated_to")[1..], [Json::Null, Json::Null, Json::Null]);
    assert_eq!(of("temperature"), [json!(68.0), json!(68.0), Json::Null, json!(68.0)]);
    let detail = shown(&reader, &host).await;
    assert_eq!((&detail["total_gpu"], &detail["used_gpu"]), (&json!(4), &json!(2)));

    drop(agent);
    let items =
        eventually("the host to be offline", async || Some(gpus().await).filter(|gpus| gpus[3]["status"] == "unknown")).await;
    assert_eq!(
        (&items[0]["status"], &items[0]["allocated_to"], &items[0]["temperature"]),
        (&json!("allocated"), &json!(id), &Json::Null)
    );
}

async fn a_host_with_claims_is_deleted_only_by_force(plane: &Plane) {
    let (admin, user) = (plane.as_admin(), plane.as_user());
    let host = register(plane, "h").await;
    let node = Machine::new("n1", 1).enrol(plane, text(&host, "agent_token")).await.unwrap();
    let agent = Agent::obedient(plane, &node).await;
    let id = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &id, "Running", "").await;
    let message = refused(admin.delete(&path(&host)).await, 409);
    assert!(message.starts_with("1 live claims are placed on this host"), "{message}");
    data(beat(plane, &host, &healthy()).await, 200);
    admin.delete(&format!("{}?force=true", path(&host))).await.expect(204);
    assert_eq!(agent.is_cut().await.code(), Code::PermissionDenied);
    refused(beat(plane, &host, &healthy()).await, 401);
    reaches(&user, &id, "Failed", "NodeDeleted").await;

    // The node API ends a host as well.
    let host = register(plane, "h").await;
    data(beat(plane, &host, &healthy()).await, 200);
    admin.delete(&format!("/api/nodes/{}", text(&host, "host_id"))).await.expect(204);
    refused(beat(plane, &host, &healthy()).await, 401);
    refused(admin.get(&path(&host)).await, 404);
}
