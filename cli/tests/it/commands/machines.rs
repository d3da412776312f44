//! Machines reached over SSH.

use std::fs;

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const ID: &str = "0197a5b0-0000-7000-8000-000000000001";

fn machine(status: &str, message: &str) -> Value {
    json!({
        "id": ID, "name": "web-1", "ip_address": "192.0.2.10", "internal_address": "10.0.0.10", "user": "root", "role": "worker",
        "status": status, "message": message, "artifact_path": "", "image_repo": "", "registry_address": "",
        "labels": {"rack": "7"}, "ssh_port": 2222, "host_key": "ssh-ed25519 AAAA", "has_password": true, "has_private_key": false,
        "last_checked_at": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    })
}

fn at(method: &str, further: &str) -> String {
    format!("{method} /api/v1/machines/{ID}{further}")
}

#[tokio::test]
async fn machines_are_listed_and_shown() {
    let api = FakeApi::start().await;
    let unavailable = machine("unavailable", "connection refused");
    let list = json!({"machines": [&unavailable], "total": 1, "page": 1, "limit": 100});
    api.answer_data("GET /api/v1/machines?page=1&limit=100&status=in-use&role=worker&labels=rack%3D7", 200, list);
    api.answer_data(&at("GET", ""), 200, unavailable);
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["machines", "list", "--status", "in-use", "--role", "worker", "-l", "rack=7"]).await.ok();
    for part in [ID, "web-1", "unavailable", "root@192.0.2.10:2222", "connection refused"] {
        assert!(listed.contains(part), "{part}\n{listed}");
    }
    let shown = shell.run(&["machines", "get", ID]).await.ok();
    for part in ["With:           password\n", "ssh-ed25519 AAAA", "rack=7", "10.0.0.10"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
}

#[tokio::test]
async fn credentials_come_from_files_and_standard_input_only() {
    let api = FakeApi::start().await;
    api.answer_data("POST /api/v1/machines", 201, machine("offline", ""));
    let shell = Shell::at(&api.url);
    let arguments = ["machines", "create", "web-1", "192.0.2.10", "--user", "root", "--role", "worker"];
    let said = shell.run(&arguments).await.failed(1);
    assert!(said.starts_with("error: no password: ") && said.contains("--private-key-file"), "{said}");
    assert!(api.asked().is_empty());

    let key = tempfile::NamedTempFile::new().unwrap();
    fs::write(&key, "-----BEGIN OPENSSH PRIVATE KEY-----\nkey\n-----END OPENSSH PRIVATE KEY-----\n").unwrap();
    let further = ["--ssh-port", "2222", "-l", "rack=7", "--private-key-file", key.path().to_str().unwrap(), "--password-stdin"];
    let said = shell.run_with_input(&[&arguments[..], &further].concat(), "correct horse\n").await.ok();
    assert!(said.starts_with(&format!("machine web-1 is added as {ID}")) && !said.contains("correct horse"), "{said}");
    let expected = json!({
        "name": "web-1", "ip_address": "192.0.2.10", "user": "root", "role": "worker", "ssh_port": 2222, "labels": {"rack": "7"},
        "password": "correct horse",
        "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nkey\n-----END OPENSSH PRIVATE KEY-----\n",
    });
    assert_eq!(api.asked_once().body, expected);

    let said = shell.run_with_input(&[&arguments[..], &["--private-key-file", "-"]].concat(), "a key\nof two lines\n").await;
    said.ok();
    assert_eq!(api.asked()[1].body["private_key"], "a key\nof two lines\n");
}

#[tokio::test]
async fn what_is_not_named_stays_as_it_is() {
    let api = FakeApi::start().await;
    api.answer_data(&at("GET", ""), 200, machine("available", "")).answer_data(&at("PUT", ""), 200, machine("available", ""));
    let shell = Shell::at(&api.url);
    shell.run(&["machines", "update", ID, "--address", "192.0.2.20"]).await.ok();
    let expected = json!({
        "name": "web-1", "ip_address": "192.0.2.20", "internal_address": "10.0.0.10", "user": "root", "role": "worker",
        "artifact_path": "", "image_repo": "", "registry_address": "", "labels": {"rack": "7"}, "ssh_port": 2222,
    });
    assert_eq!(api.asked()[1].body, expected);
    shell.run_with_input(&["machines", "update", ID, "--no-labels", "--password-stdin"], "new\n").await.ok();
    let body = &api.asked()[3].body;
    assert_eq!((&body["labels"], &body["password"], &body["ip_address"]), (&json!({}), &json!("new"), &json!("192.0.2.10")));
}

#[tokio::test]
async fn a_machine_that_cannot_be_logged_in_to_fails_its_check() {
    let api = FakeApi::start().await;
    api.answer_data(&at("POST", "/check"), 200, machine("available", ""));
    api.answer_data(&at("POST", "/check"), 200, machine("unavailable", "the password was refused"));
    let shell = Shell::at(&api.url);
    assert!(shell.run(&["machines", "check", ID]).await.ok().contains("available"));
    let finished = shell.run(&["machines", "check", ID]).await;
    assert!(finished.stdout.contains("unavailable"), "{finished:?}");
    assert_eq!(finished.failed(7), "error: machine web-1 cannot be logged in to: the password was refused\n");
}

#[tokio::test]
async fn a_status_is_set_and_a_machine_is_deleted() {
    let api = FakeApi::start().await;
    api.answer_data(&at("PUT", "/status"), 200, machine("maintenance", "new disk"));
    api.answer_data(&at("DELETE", ""), 200, json!({"message": "Machine deleted successfully"}));
    let shell = Shell::at(&api.url);
    let said = shell.run(&["machines", "status", ID, "maintenance", "--message", "new disk"]).await.ok();
    assert!(said.contains("maintenance") && said.contains("new disk"), "{said}");
    assert_eq!(api.asked_once().body, json!({"status": "maintenance", "message": "new disk"}));
    assert_eq!(shell.run(&["machines", "delete", ID]).await.ok(), format!("machine {ID} is deleted\n"));
}
