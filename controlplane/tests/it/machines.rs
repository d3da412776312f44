//! Machines over the API, with a real SSH server behind the checks.

use std::{net::TcpListener, time::Instant};

use serde_json::{Value as Json, json};
use utopia_controlplane::model::{audit::Trail, machine::word};
use utopia_proto::machine::v1::MachineStatus;
use uuid::Uuid;

use crate::{
    databases::on_both_databases,
    http::{Answer, Http},
    plane::{Plane, text},
    sshd::{PASSWORD, Sshd, private_key},
    wait::eventually,
};

on_both_databases!(
    every_operation_of_the_document,
    bad_requests_are_refused_by_kind,
    only_operators_change_machines,
    lists_have_pages_and_filters,
    a_status_is_set_by_hand_within_its_rules,
    a_machine_of_a_cluster_is_left_alone,
    log_ins_with_keys_and_passwords,
    a_host_key_is_pinned,
    what_cannot_be_reached_says_why,
    secrets_are_nowhere,
    every_change_is_in_the_audit_log,
);

const PATH: &str = "/api/v1/machines";

/// An address that nobody has: a check of it fails, or waits.
const NOWHERE: &str = "192.0.2.1";

fn machine(name: &str, address: &str) -> Json {
    json!({"name": name, "ip_address": address, "user": "root", "password": "unknown to all", "role": "master"})
}

fn with(mut json: Json, more: Json) -> Json {
    for (key, value) in more.as_object().unwrap() {
        json[key] = value.clone();
    }
    json
}

/// What an answer in an envelope carries.
#[track_caller]
fn data(answer: Answer, status: u16) -> Json {
    let mut envelope = answer.expect(status);
    assert_eq!((&envelope["code"], &envelope["message"]), (&json!(0), &json!("success")), "{envelope}");
    envelope["data"].take()
}

/// The sentence of an error in an envelope.
#[track_caller]
fn refused(answer: Answer, status: u16) -> String {
    let envelope = answer.expect(status);
    assert_eq!((&envelope["code"], &envelope["data"]), (&json!(status), &Json::Null), "{envelope}");
    text(&envelope, "message").to_owned()
}

async fn add(http: &Http, machine: &Json) -> Json {
    data(http.post(PATH, machine).await, 201)
}

async fn check(http: &Http, id: &str) -> (String, String) {
    let machine = data(http.post(&format!("{PATH}/{id}/check"), &json!({})).await, 200);
    (text(&machine, "status").to_owned(), text(&machine, "message").to_owned())
}

async fn every_operation_of_the_document(plane: &Plane) {
    let http = plane.as_operator();
    let sent = json!({
        "name": "machine-1", "ip_address": NOWHERE, "internal_address": "10.0.0.10", "user": "root", "password": "p",
        "role": "master", "artifact_path": "k8s/v1.28", "image_repo": "registry/k8s", "registry_address": "registry:5000",
        "labels": {"rack": "rack1"}, "unknown": true,
    });
    let made = add(&http, &sent).await;
    let id = text(&made, "id").to_owned();
    assert_eq!(id.parse::<Uuid>().unwrap().get_version_num(), 4);
    let expected = json!({
        "id": id, "name": "machine-1", "ip_address": NOWHERE, "internal_address": "10.0.0.10", "user": "root",
        "role": "master", "status": "offline", "message": "", "artifact_path": "k8s/v1.28", "image_repo": "registry/k8s",
        "registry_address": "registry:5000", "labels": {"rack": "rack1"}, "ssh_port": 22, "host_key": "",
        "has_password": true, "has_private_key": false, "last_checked_at": null, "created_at": made["created_at"],
        "updated_at": made["created_at"],
    });
    assert_eq!(made, expected);
    let path = format!("{PATH}/{id}");
    let status = json!({"status": "maintenance", "message": "planned"});
    let set = data(http.put(&format!("{path}/status"), &status).await, 200);
    assert_eq!((&set["status"], &set["message"]), (&json!("maintenance"), &json!("planned")));
    let got = data(http.get(&path).await, 200);
    // The first check may have come before the status.
    let changed = json!({
        "status": "maintenance", "message": "planned", "updated_at": set["updated_at"], "last_checked_at": got["last_checked_at"],
    });
    assert_eq!(got, with(expected, changed));

    let replaced =
        data(http.put(&path, &json!({"name": "m", "ip_address": "H.example", "user": "ada", "role": "etcd"})).await, 200);
    assert_eq!((&replaced["ip_address"], &replaced["labels"]), (&json!("h.example"), &json!({})));
    assert_eq!((&replaced["artifact_path"], &replaced["has_password"]), (&json!(""), &json!(true)));
    assert_eq!((&replaced["created_at"], &replaced["status"]), (&got["created_at"], &json!("maintenance")));

    let list = data(http.get(PATH).await, 200);
    assert_eq!(list, json!({"machines": [replaced], "total": 1, "page": 1, "limit": 10}));
    assert_eq!(data(http.delete(&path).await, 200), json!({"message": "Machine deleted successfully"}));
    for answer in [http.get(&path).await, http.delete(&path).await, http.put(&path, &machine("m", NOWHERE)).await] {
        assert!(refused(answer, 404).contains(&id));
    }
    refused(http.post(&format!("{path}/check"), &json!({})).await, 404);
    refused(http.put(&format!("{path}/status"), &json!({"status": "error"})).await, 404);
}

async fn bad_requests_are_refused_by_kind(plane: &Plane) {
    let http = plane.as_operator();
    let without = |field: &str| {
        let mut machine = machine("m", NOWHERE);
        machine.as_object_mut().unwrap().remove(field);
        machine
    };
    for field in ["name", "ip_address", "user", "role", "password"] {
        let message = refused(http.post(PATH, &without(field)).await, 400);
        assert!(message.contains(field), "{field}: {message}");
    }
    let encrypted = private_key(&["-t", "ed25519", "-N", "a passphrase"]);
    let table = [
        (400, json!({"name": 1})),
        (400, json!({"labels": ["a"]})),
        (400, json!({"labels": {"a": 1}})),
        (400, json!({"ssh_port": "x"})),
        (422, json!({"role": "captain"})),
        (422, json!({"name": "a\u{1}b"})),
        (422, json!({"name": "a".repeat(129)})),
        (422, json!({"ip_address": "300.1.1.1"})),
        (422, json!({"ip_address": "a b"})),
        (422, json!({"internal_address": "::g"})),
        (422, json!({"user": "a b"})),
        (422, json!({"ssh_port": -1})),
        (422, json!({"ssh_port": 65_536})),
        (422, json!({"password": "a".repeat(1025)})),
        (422, json!({"artifact_path": "../etc"})),
        (422, json!({"registry_address": "a:b"})),
        (422, json!({"labels": {"a b": ""}})),
        (422, json!({"private_key": "no key"})),
        (422, json!({"private_key": encrypted})),
        (422, json!({"private_key": "a".repeat(20_000)})),
        (422, json!({"host_key": "ssh-dss AAAA"})),
    ];
    for (status, change) in table {
        let sentence = refused(http.post(PATH, &with(machine("m", NOWHERE), change.clone())).await, status);
        let field = change.as_object().unwrap().keys().next().unwrap();
        assert!(sentence.contains(field.as_str()), "{change} is refused without its field's name: {sentence}");
    }
    // Little more than the bound, so that the server reads enough of it for the rest to be sent.
    refused(http.post(PATH, &with(machine("m", NOWHERE), json!({"name": "a".repeat(1 << 20)}))).await, 413);
    assert_eq!(http.send_json(http::Method::POST, PATH, "{".to_owned()).await.status, 400);
    for (method, path) in [("GET", PATH), ("POST", PATH)] {
        let request = plane.http.request(method.parse().unwrap(), path).body(Default::default()).unwrap();
        refused(plane.http.send(request).await, 401);
    }
    let claim = Uuid::now_v7();
    for id in ["x", "1", &claim.to_string(), "00000000-0000-0000-0000-000000000000", "%00"] {
        refused(http.get(&format!("{PATH}/{id}")).await, 404);
    }

    let first = add(&http, &machine("first", NOWHERE)).await;
    let second = add(&http, &machine("second", "192.0.2.2")).await;
    for taken in [machine("FIRST", "192.0.2.3"), machine("third", NOWHERE)] {
        refused(http.post(PATH, &taken).await, 409);
        refused(http.put(&format!("{PATH}/{}", text(&second, "id")), &taken).await, 409);
    }
    let other_port = with(machine("third", NOWHERE), json!({"ssh_port": 2222}));
    add(&http, &other_port).await;
    // A machine does not stand in its own way.
    data(http.put(&format!("{PATH}/{}", text(&first, "id")), &machine("First", NOWHERE)).await, 200);
}

async fn only_operators_change_machines(plane: &Plane) {
    let id = text(&add(&plane.as_admin(), &machine("m", NOWHERE)).await, "id").to_owned();
    let path = format!("{PATH}/{id}");
    for http in [plane.as_user(), plane.as_person(&plane.people.readonly)] {
        data(http.get(PATH).await, 200);
        data(http.get(&path).await, 200);
        refused(http.post(PATH, &machine("n", "192.0.2.2")).await, 403);
        refused(http.put(&path, &machine("n", "192.0.2.2")).await, 403);
        refused(http.put(&format!("{path}/status"), &json!({"status": "error"})).await, 403);
        refused(http.post(&format!("{path}/check"), &json!({})).await, 403);
        refused(http.delete(&path).await, 403);
    }
}

async fn lists_have_pages_and_filters(plane: &Plane) {
    let http = plane.as_operator();
    for at in 0..12 {
        let role = ["master", "worker", "etcd", "registry"][at % 4];
        let more = json!({"role": role, "labels": {"rack": format!("r{}", at % 3)}});
        let made = add(&http, &with(machine(&format!("m{at:02}"), &format!("192.0.2.{at}")), more)).await;
        let status = json!({"status": "maintenance"});
        data(http.put(&format!("{PATH}/{}/status", text(&made, "id")), &status).await, 200);
    }
    let names = async |query: &str| {
        let list = data(http.get(&format!("{PATH}?{query}")).await, 200);
        let names = list["machines"].as_array().unwrap().iter().map(|machine| text(machine, "name").to_owned());
        (names.collect::<Vec<_>>().join(" "), list["total"].as_i64().unwrap(), list["limit"].as_i64().unwrap())
    };
    assert_eq!(names("").await, ("m00 m01 m02 m03 m04 m05 m06 m07 m08 m09".into(), 12, 10));
    assert_eq!(names("page=2").await, ("m10 m11".into(), 12, 10));
    assert_eq!(names("page=3&page_size=5").await, ("m10 m11".into(), 12, 5));
    assert_eq!(names("page=-1&limit=2").await, ("m00 m01".into(), 12, 2));
    assert_eq!(names("limit=1000000").await.2, 100);
    assert_eq!(names("page=2147483647").await.0, "");
    assert_eq!(names("role=etcd").await, ("m02 m06 m10".into(), 3, 10));
    assert_eq!(names("status=maintenance&limit=1").await, ("m00".into(), 12, 1));
    assert_eq!(names("status=in-use").await.1, 0);
    assert_eq!(names("status=in_use").await.1, 0);
    assert_eq!(names("labels=rack%3Dr1,rack&limit=2").await, ("m01 m04".into(), 4, 2));
    assert_eq!(names("labels=rack%21%3Dr1&role=worker").await, ("m05 m09".into(), 2, 10));
    for (bad, status) in [("status=broken", 422), ("role=captain", 422), ("labels=a%20b", 422), ("page=x", 400)] {
        refused(http.get(&format!("{PATH}?{bad}")).await, status);
    }
}

async fn a_status_is_set_by_hand_within_its_rules(plane: &Plane) {
    let http = plane.as_operator();
    let id = text(&add(&http, &machine("m", NOWHERE)).await, "id").to_owned();
    let path = format!("{PATH}/{id}/status");
    for status in ["available", "unavailable", "error", "maintenance"] {
        let set = data(http.put(&path, &json!({"status": status, "message": "by hand"})).await, 200);
        assert_eq!((text(&set, "status"), text(&set, "message")), (status, "by hand"));
    }
    for status in ["in_use", "in-use", "deploying", "offline"] {
        assert!(refused(http.put(&path, &json!({"status": status})).await, 422).contains("status"));
    }
    refused(http.put(&path, &json!({})).await, 400);
    refused(http.put(&path, &json!({"status": "broken"})).await, 422);
    refused(http.put(&path, &json!({"status": "error", "message": "a".repeat(501)})).await, 422);
    data(http.put(&path, &json!({"status": "maintenance", "message": "ä".repeat(500)})).await, 200);
}

async fn a_machine_of_a_cluster_is_left_alone(plane: &Plane) {
    let http = plane.as_operator();
    let store = plane.store().await;
    for status in [MachineStatus::InUse, MachineStatus::Deploying] {
        let machine = with(machine(word(status), "127.0.0.1"), json!({"ssh_port": closed_port()}));
        let id = text(&add(&http, &machine).await, "id").to_owned();
        let path = format!("{PATH}/{id}");
        let (uuid, trail, now) = (id.parse().unwrap(), Trail::system("machine", "Test"), jiff::Timestamp::now());
        store.set_machine_status(uuid, status, String::new(), now, &trail).await.unwrap();

        assert!(refused(http.put(&format!("{path}/status"), &json!({"status": "error"})).await, 409).contains("cluster"));
        assert!(refused(http.delete(&path).await, 409).contains("cluster"));
        data(http.put(&path, &with(machine, json!({"password": "another"}))).await, 200);
        let (seen, message) = check(&http, &id).await;
        assert_eq!(seen, word(status));
        assert!(message.contains("refused"), "the answer says what was found: {message}");
        assert_eq!(data(http.get(&path).await, 200)["message"], "", "what was found is not kept");
    }
    store.close().await;
}

/// A port on loopback that refuses connections.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn log_ins_with_keys_and_passwords(plane: &Plane) {
    let Some(sshd) = Sshd::start().await else { return };
    let http = plane.as_operator();
    let strange = private_key(&["-t", "ed25519"]);
    let mut id = String::new();
    let kinds: [&[&str]; 5] = [
        &["-t", "ed25519"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
        &["-t", "ecdsa", "-b", "256", "-m", "PKCS8"],
    ];
    for options in kinds {
        let machine = with(sshd.machine("m"), json!({"private_key": sshd.private_key(options)}));
        if id.is_empty() {
            id = text(&add(&http, &machine).await, "id").to_owned();
            let seen = eventually("the first check", async || {
                let machine = data(http.get(&format!("{PATH}/{id}")).await, 200);
                (machine["status"] != "offline").then_some(machine)
            });
            let seen = seen.await;
            assert_eq!((&seen["status"], &seen["host_key"]), (&json!("available"), &json!(sshd.host_key())), "{seen}");
            assert!(seen["last_checked_at"].is_string());
        } else {
            data(http.put(&format!("{PATH}/{id}"), &machine).await, 200);
        }
        assert_eq!(check(&http, &id).await, ("available".into(), "logged in with the private key".into()), "{options:?}");
    }
    let path = format!("{PATH}/{id}");
    let outcomes = [
        (json!({"private_key": strange}), "unavailable", "the private key was refused for this user"),
        (json!({"password": "wrong"}), "unavailable", "the private key and the password were refused for this user"),
        (json!({"password": PASSWORD}), "available", "the private key was refused; logged in with the password"),
    ];
    for (change, status, message) in outcomes {
        let updated = data(http.put(&path, &with(sshd.machine("m"), change)).await, 200);
        assert_eq!(updated["status"], "offline");
        assert_eq!(check(&http, &id).await, (status.to_owned(), message.to_owned()));
    }
    data(http.delete(&path).await, 200);

    let id = add(&http, &with(sshd.machine("p"), json!({"password": "wrong"}))).await;
    assert_eq!(check(&http, text(&id, "id")).await.1, "the password was refused for this user");
}

async fn a_host_key_is_pinned(plane: &Plane) {
    let Some(sshd) = Sshd::start().await else { return };
    let http = plane.as_operator();
    let machine = with(sshd.machine("m"), json!({"password": PASSWORD}));
    let made = add(&http, &machine).await;
    let id = text(&made, "id");
    let path = format!("{PATH}/{id}");
    assert_eq!(check(&http, id).await.0, "available");
    let pinned = sshd.host_key();

    sshd.change_host_key();
    let (status, message) = check(&http, id).await;
    assert_eq!(status, "unavailable");
    assert!(message.contains("host key has changed"), "{message}");
    assert_eq!(data(http.get(&path).await, 200)["host_key"], pinned, "the pinned key stays");
    assert_eq!(check(&http, id).await.0, "unavailable");

    data(http.put(&path, &with(machine.clone(), json!({"host_key": format!("{} root@m", sshd.host_key())}))).await, 200);
    assert_eq!(check(&http, id).await.0, "available");
    assert_eq!(data(http.get(&path).await, 200)["host_key"], sshd.host_key());
    let moved = data(http.put(&path, &with(machine, json!({"ssh_port": closed_port()}))).await, 200);
    assert_eq!((&moved["host_key"], &moved["status"]), (&json!(""), &json!("offline")));
}

async fn what_cannot_be_reached_says_why(plane: &Plane) {
    let http = plane.as_operator();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let table = [
        ("closed", "127.0.0.1", closed_port(), "connection refused"),
        ("silent", "127.0.0.1", silent_port, "no SSH server answered within 5 s"),
        ("unknown", "no-such-host.invalid", 22, "cannot be resolved"),
        // Not SSH: the control plane's own API.
        ("other", "127.0.0.1", plane.running.started.http_addr.port(), "does not speak SSH"),
    ];
    for (name, address, port, why) in table {
        let made = add(&http, &with(machine(name, address), json!({"ssh_port": port}))).await;
        let begun = Instant::now();
        let (status, message) = check(&http, text(&made, "id")).await;
        assert_eq!(status, "unavailable");
        assert!(message.contains(why), "{name}: {message}");
        assert!(begun.elapsed().as_secs() < 15, "{name} took {:?}", begun.elapsed());
    }
}

async fn secrets_are_nowhere(plane: &Plane) {
    let Some(sshd) = Sshd::start().await else { return };
    let http = plane.as_operator();
    let key = sshd.private_key(&["-t", "ed25519"]);
    let machine = with(sshd.machine("m"), json!({"private_key": key, "password": PASSWORD}));
    let made = add(&http, &machine).await;
    let id = text(&made, "id");
    let path = format!("{PATH}/{id}");
    let body = key.lines().nth(1).unwrap();
    let answers = [
        made.to_string(),
        http.put(&path, &machine).await.text,
        http.post(&format!("{path}/check"), &json!({})).await.text,
        http.put(&path, &with(machine.clone(), json!({"name": "\u{1}"}))).await.text,
        http.get(PATH).await.text,
        http.delete(&path).await.text,
        plane.as_admin().get("/api/v1/audit?limit=100").await.text,
    ];
    for answer in &answers {
        assert!(!answer.contains(PASSWORD) && !answer.contains(body), "{answer}");
    }
    data(http.post(PATH, &machine).await, 201);
    let store = plane.store().await;
    let kept = store.list_machines(&Default::default(), utopia_controlplane::model::PageRequest::new(1, 1, 0)).await.unwrap();
    store.close().await;
    let login = &kept.items[0].login;
    let secrets = [(&login.password, PASSWORD), (&login.private_key, body)];
    for (sealed, plain) in secrets {
        let sealed = sealed.as_ref().expect("it is kept");
        assert!(!sealed.windows(plain.len()).any(|window| window == plain.as_bytes()), "it lies in plain");
    }
    for file in plane.database_files() {
        let bytes = std::fs::read(&file).unwrap();
        for plain in [PASSWORD, body] {
            let found = bytes.windows(plain.len()).any(|window| window == plain.as_bytes());
            assert!(!found, "a secret lies in {}", file.display());
        }
    }
}

async fn every_change_is_in_the_audit_log(plane: &Plane) {
    let http = plane.as_operator();
    let machine = with(machine("m", "127.0.0.1"), json!({"ssh_port": closed_port()}));
    let made = add(&http, &machine).await;
    let path = format!("{PATH}/{}", text(&made, "id"));
    data(http.put(&path, &machine).await, 200);
    data(http.post(&format!("{path}/check"), &json!({})).await, 200);
    data(http.put(&format!("{path}/status"), &json!({"status": "error"})).await, 200);
    data(http.delete(&path).await, 200);
    let log = plane.as_admin().get(&format!("/api/v1/audit?event_type=machine&resource_id={}", text(&made, "id"))).await;
    let events = data(log, 200)["events"].take();
    let events = events.as_array().expect("a list of events");
    let seen = events.iter().map(|event| (text(event, "action"), text(event, "user"), text(event, "result")));
    let expected = ["DeleteMachine", "SetMachineStatus", "CheckMachine", "UpdateMachine", "CreateMachine"];
    assert_eq!(seen.collect::<Vec<_>>(), expected.map(|action| (action, "olga", "success")));
}
