//! Hosts as their administrators and their own heartbeats see them.

mod agents;
mod input;
mod maintenance;

use http::Method;
use serde_json::{Value as Json, json};

use crate::{
    databases::on_both_databases,
    http::{Answer, Http},
    plane::{Plane, text},
    wait::eventually,
};

mod running {
    use super::{
        a_host_lives_as_the_document_says, an_agent_token_opens_its_own_host_only, heartbeats_say_how_a_host_is,
        hosts_are_filtered, pages_stay_the_same_while_hosts_are_added,
    };

    crate::databases::on_both_databases!(
        a_host_lives_as_the_document_says,
        an_agent_token_opens_its_own_host_only,
        heartbeats_say_how_a_host_is,
        hosts_are_filtered,
        pages_stay_the_same_while_hosts_are_added,
    );
}

on_both_databases!(urls: a_restart_loses_no_host, a_host_that_falls_silent_is_offline);

/// Registers a host; answers what came back.
async fn register(plane: &Plane, name: &str) -> Json {
    data(plane.as_admin().post("/api/v1/hosts", &json!({"name": name})).await, 201)
}

/// What is in the envelope of an answer that must have this status.
#[track_caller]
fn data(answer: Answer, status: u16) -> Json {
    let body = answer.expect(status);
    assert_eq!(body["code"], 0, "{body}");
    body["data"].clone()
}

/// An error in the envelope's style; answers its sentence.
#[track_caller]
fn refused(answer: Answer, status: u16) -> String {
    let body = answer.expect(status);
    assert_eq!((&body["code"], &body["data"]), (&json!(status), &Json::Null), "{body}");
    text(&body, "message").to_owned()
}

fn path(host: &Json) -> String {
    format!("/api/v1/hosts/{}", text(host, "host_id"))
}

async fn shown(http: &Http, host: &Json) -> Json {
    data(http.get(&path(host)).await, 200)
}

/// Sends a heartbeat with the host's token.
async fn beat(plane: &Plane, host: &Json, body: &Json) -> Answer {
    plane.http.with_token(text(host, "agent_token")).post(&format!("{}/heartbeat", path(host)), body).await
}

fn healthy() -> Json {
    json!({"status": "online", "health_status": "healthy", "used_cpu": 8, "used_memory": 34_359_738_368_i64, "used_gpu": 2})
}

async fn a_host_lives_as_the_document_says(plane: &Plane) {
    let (admin, reader) = (plane.as_admin(), plane.as_person(&plane.people.readonly));
    let new = json!({
        "name": "GPU-Server-01", "ip_address": "192.168.1.10", "os_type": "linux", "os_version": "Ubuntu 20.04",
        "deployment_mode": "traditional", "total_cpu": 32, "total_memory": 137_438_953_472_i64, "total_disk": 2_199_023_255_552_i64,
    });
    for (http, status) in [(&plane.http, 401), (&reader, 403), (&plane.as_user(), 403), (&plane.as_operator(), 403)] {
        refused(http.post("/api/v1/hosts", &new).await, status);
    }
    let created = admin.post("/api/v1/hosts", &new).await.expect(201);
    assert_eq!((&created["code"], &created["message"]), (&json!(0), &json!("主机注册成功")));
    let host = created["data"].clone();
    assert_eq!((&host["name"], &host["status"]), (&json!("GPU-Server-01"), &json!("offline")));
    assert!(text(&host, "agent_token").starts_with("uta_"), "{host}");
    refused(admin.post("/api/v1/hosts", &json!({"name": "gpu-server-01"})).await, 409);

    refused(plane.http.get("/api/v1/hosts").await, 401);
    let list = data(reader.get("/api/v1/hosts").await, 200);
    assert_eq!(list["pagination"], json!({"page": 1, "page_size": 20, "total": 1, "total_pages": 1}));
    let item = &list["items"][0];
    assert_eq!((&item["host_id"], &item["total_cpu"], &item["used_gpu"]), (&host["host_id"], &json!(32), &json!(0)));
    let detail = shown(&reader, &host).await;
    assert_eq!(*item, detail);
    for (key, value) in new.as_object().unwrap() {
        assert_eq!(detail[key], *value, "{key}");
    }
    assert_eq!((&detail["health_status"], &detail["labels"]), (&json!("unknown"), &json!({})));
    assert_eq!((&detail["last_heartbeat"], &detail["maintenance"]), (&Json::Null, &Json::Null));
    assert_eq!(data(reader.get(&format!("{}/gpus", path(&host))).await, 200), json!({"items": []}));

    let change = json!({"name": "GPU-Server-01-Updated", "labels": {"region": "us-west", "zone": "b"}});
    refused(plane.as_operator().put(&path(&host), &change).await, 403);
    let changed = admin.put(&path(&host), &change).await.expect(200);
    assert_eq!((&changed["code"], &changed["message"]), (&json!(0), &json!("更新成功")));
    data(admin.put(&path(&host), &json!({"labels": {"rack": "7"}})).await, 200);
    let detail = shown(&reader, &host).await;
    assert_eq!((&detail["name"], &detail["labels"]), (&json!("GPU-Server-01-Updated"), &json!({"rack": "7"})));
    assert_eq!((&detail["ip_address"], &detail["os_version"]), (&json!("192.168.1.10"), &json!("Ubuntu 20.04")));
    let other = register(plane, "other").await;
    refused(admin.put(&path(&other), &json!({"name": "gpu-server-01-UPDATED"})).await, 409);
    data(admin.put(&path(&other), &json!({"name": "OTHER", "labels": {}, "ip_address": "::1"})).await, 200);

    refused(plane.as_operator().delete(&path(&host)).await, 403);
    let gone = admin.delete(&path(&host)).await;
    assert_eq!((gone.status, &*gone.text), (204, ""));
    for answer in [admin.get(&path(&host)).await, admin.delete(&path(&host)).await, admin.put(&path(&host), &change).await] {
        refused(answer, 404);
    }
    assert_eq!(data(reader.get("/api/v1/hosts").await, 200)["pagination"]["total"], 1);
    // The name is free again.
    register(plane, "GPU-Server-01-Updated").await;
}

async fn an_agent_token_opens_its_own_host_only(plane: &Plane) {
    let admin = plane.as_admin();
    let (first, second) = (register(plane, "first").await, register(plane, "second").await);
    let answer = beat(plane, &first, &healthy()).await.expect(200);
    assert_eq!((&answer["code"], &answer["message"]), (&json!(0), &json!("心跳上报成功")));
    let by_header = |token: &str| {
        let request = plane.http.request(Method::POST, &format!("{}/heartbeat", path(&first))).header("X-Agent-Token", token);
        plane.http.send(request.header("content-type", "application/json").body(healthy().to_string().into()).unwrap())
    };
    data(by_header(text(&first, "agent_token")).await, 200);
    refused(by_header(text(&second, "agent_token")).await, 403);
    refused(by_header("nonsense").await, 401);

    let heartbeat = format!("{}/heartbeat", path(&first));
    refused(plane.http.post(&heartbeat, &healthy()).await, 401);
    for person in [&plane.as_user(), &admin] {
        refused(person.post(&heartbeat, &healthy()).await, 403);
    }
    let own = plane.http.with_token(text(&first, "agent_token"));
    refused(own.post(&format!("{}/heartbeat", path(&second)), &healthy()).await, 403);
    for unknown in ["no-uuid", "00000000-0000-4000-8000-000000000000"] {
        refused(own.post(&format!("/api/v1/hosts/{unknown}/heartbeat"), &healthy()).await, 403);
    }
    for answer in [own.get("/api/v1/hosts").await, own.delete(&path(&first)).await] {
        refused(answer, 403);
    }
    own.get("/api/nodes").await.expect_error(403, "PermissionDenied");
    let (rest, last) = text(&first, "agent_token").split_at(text(&first, "agent_token").len() - 1);
    let forged = format!("{rest}{}", if last == "A" { 'E' } else { 'A' });
    let unknown = "uta_aaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for bad in [&*forged, unknown, "uta_", "uta_x_y"] {
        refused(plane.http.with_token(bad).post(&heartbeat, &healthy()).await, 401);
    }

    refused(plane.as_operator().post(&format!("{}/agent-token", path(&first)), &json!({})).await, 403);
    let rotated = data(admin.post(&format!("{}/agent-token", path(&first)), &json!({})).await, 201);
    assert_eq!((&rotated["host_id"], &rotated["status"]), (&first["host_id"], &json!("online")));
    refused(beat(plane, &first, &healthy()).await, 401);
    data(beat(plane, &rotated, &healthy()).await, 200);
    admin.delete(&path(&first)).await.expect(204);
    refused(beat(plane, &rotated, &healthy()).await, 401);
    refused(admin.post(&format!("{}/agent-token", path(&first)), &json!({})).await, 404);
    data(beat(plane, &second, &healthy()).await, 200);
}

async fn heartbeats_say_how_a_host_is(plane: &Plane) {
    let reader = plane.as_person(&plane.people.readonly);
    let host = register(plane, "h").await;
    let id = text(&host, "host_id");
    let summary = async || {
        let host = shown(&reader, &host).await;
        assert_eq!(host["host_id"], id);
        (host["status"].clone(), host["health_status"].clone())
    };
    assert_eq!(summary().await, (json!("offline"), json!("unknown")));
    data(beat(plane, &host, &healthy()).await, 200);
    let detail = shown(&reader, &host).await;
    assert_eq!((&detail["status"], &detail["health_status"]), (&json!("online"), &json!("healthy")));
    assert_eq!((&detail["used_cpu"], &detail["used_gpu"]), (&json!(8.0), &json!(2)));
    assert_eq!((&detail["used_memory"], &detail["agent_connected"]), (&json!(34_359_738_368_i64), &json!(false)));
    assert!(detail["last_heartbeat"].is_string());
    for (said, found) in
        [("degraded", "degraded"), ("warning", "degraded"), ("critical", "unhealthy"), ("unhealthy", "unhealthy")]
    {
        data(beat(plane, &host, &json!({"health_status": said})).await, 200);
        assert_eq!(summary().await, (json!("online"), json!(found)), "{said}");
    }
    // What a host says of its status is a hint.
    data(beat(plane, &host, &json!({"status": "maintenance", "health_status": "healthy"})).await, 200);
    assert_eq!(summary().await, (json!("online"), json!("healthy")));
    data(plane.as_operator().put(&format!("{}/maintenance", path(&host)), &json!({})).await, 200);
    data(beat(plane, &host, &healthy()).await, 200);
    assert_eq!(summary().await, (json!("maintenance"), json!("healthy")));

    // A heartbeat makes no node of it.
    assert_eq!(reader.get(&format!("/api/nodes/{id}")).await.expect(200)["status"], "Pending");
}

async fn hosts_are_filtered(plane: &Plane) {
    let (admin, reader) = (plane.as_admin(), plane.as_person(&plane.people.readonly));
    let mut hosts = Vec::new();
    for (name, os_type, labels) in [
        ("a", "linux", json!({"region": "west", "zone": "a"})),
        ("b", "windows", json!({"region": "west", "zone": "b"})),
        ("c", "linux", json!({"region": "east", "retired": ""})),
        ("d", "linux", json!({})),
    ] {
        let new = json!({"name": name, "os_type": os_type, "labels": labels});
        hosts.push(data(admin.post("/api/v1/hosts", &new).await, 201));
    }
    data(beat(plane, &hosts[0], &healthy()).await, 200);
    data(beat(plane, &hosts[1], &healthy()).await, 200);
    data(plane.as_operator().put(&format!("{}/maintenance", path(&hosts[1])), &json!({})).await, 200);
    // Announced, and nothing more: no host.
    let announced = plane.http.post("/api/nodes/register", &json!({"hostname": "e"})).await.expect(201);
    refused(reader.get(&format!("/api/v1/hosts/{}", text(&announced, "id"))).await, 404);
    refused(admin.delete(&format!("/api/v1/hosts/{}", text(&announced, "id"))).await, 404);

    for (filter, names, total) in [
        ("", "a b c d", 4),
        ("status=online", "a", 1),
        ("status=offline", "c d", 2),
        ("status=maintenance", "b", 1),
        ("os_type=windows", "b", 1),
        ("os_type=linux&status=offline", "c d", 2),
        ("labels=region%3Dwest", "a b", 2),
        ("labels=region%20in%20(west,east),!retired", "a b", 2),
        ("labels=zone!%3Da", "b c d", 3),
        ("labels=region&status=offline", "c", 1),
        ("page_size=2", "a b", 4),
        ("limit=3&page=2", "d", 4),
        ("labels=!retired&page_size=2&page=2", "d", 3),
        ("page=9", "", 4),
        ("page=-1&page_size=1000", "a b c d", 4),
    ] {
        let list = data(reader.get(&format!("/api/v1/hosts?{filter}")).await, 200);
        let found = list["items"].as_array().unwrap().iter().map(|host| text(host, "name")).collect::<Vec<_>>().join(" ");
        assert_eq!((&*found, &list["pagination"]["total"]), (names, &json!(total)), "{filter}");
    }
    let last = data(reader.get("/api/v1/hosts?limit=3&page=2").await, 200);
    assert_eq!(last["pagination"], json!({"page": 2, "page_size": 3, "total": 4, "total_pages": 2}));
    for bad in ["status=busy", "os_type=plan9", "labels=a%20b", "labels=-", "page=x"] {
        refused(reader.get(&format!("/api/v1/hosts?{bad}")).await, 400);
    }
}

async fn pages_stay_the_same_while_hosts_are_added(plane: &Plane) {
    for number in 0..7 {
        register(plane, &format!("before-{number}")).await;
    }
    let mut seen = Vec::new();
    for page in 1..=4 {
        let list = data(plane.as_admin().get(&format!("/api/v1/hosts?page={page}&page_size=2")).await, 200);
        seen.extend(list["items"].as_array().unwrap().iter().map(|host| text(host, "name").to_owned()));
        let (first, second) = (format!("a-{page}"), format!("z-{page}"));
        tokio::join!(register(plane, &first), register(plane, &second));
    }
    let expected = (0..7).map(|number| format!("before-{number}")).collect::<Vec<_>>();
    assert_eq!(seen[..7], expected);
}

async fn a_restart_loses_no_host(url: &str) {
    let plane = Plane::start(url).await;
    let new = json!({"name": "kept", "labels": {"rack": "7"}, "total_cpu": 4});
    let host = data(plane.as_admin().post("/api/v1/hosts", &new).await, 201);
    let silent = register(&plane, "silent").await;
    let maintained = register(&plane, "maintained").await;
    let reason = json!({"reason": "new fans", "claims": "move"});
    data(plane.as_operator().put(&format!("{}/maintenance", path(&maintained)), &reason).await, 200);
    data(beat(&plane, &host, &healthy()).await, 200);
    let before = shown(&plane.as_admin(), &maintained).await;

    let plane = plane.restart().await;
    let kept = shown(&plane.as_admin(), &host).await;
    assert_eq!((&kept["name"], &kept["labels"], &kept["total_cpu"]), (&json!("kept"), &json!({"rack": "7"}), &json!(4)));
    // It was heard of not long ago, and what it said is gone with the old process.
    assert_eq!((&kept["status"], &kept["health_status"], &kept["used_gpu"]), (&json!("online"), &json!("unknown"), &json!(0)));
    assert_eq!(shown(&plane.as_admin(), &silent).await["status"], "offline");
    assert_eq!(shown(&plane.as_admin(), &maintained).await, before);
    assert_eq!(before["maintenance"]["claims"], "move");
    data(beat(&plane, &host, &healthy()).await, 200);
    plane.stop().await;
}

async fn a_host_that_falls_silent_is_offline(url: &str) {
    let plane = Plane::start_as(url, &["--host-offline-after-seconds", "1"]).await;
    let host = register(&plane, "h").await;
    data(beat(&plane, &host, &healthy()).await, 200);
    let admin = plane.as_admin();
    let silent = eventually("the host to be offline", async || {
        let host = shown(&admin, &host).await;
        (host["status"] == "offline").then_some(host)
    });
    let silent = silent.await;
    assert_eq!((&silent["health_status"], &silent["used_cpu"]), (&json!("unknown"), &json!(0.0)));
    assert!(silent["last_heartbeat"].is_string(), "{silent}");
    data(beat(&plane, &host, &healthy()).await, 200);
    assert_eq!(shown(&admin, &host).await["status"], "online");
    plane.stop().await;
}
