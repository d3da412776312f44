//! People.

use std::fs;

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const ADMIN: &str = "0197a5b0-0000-7000-8000-000000000001";
const BOB: &str = "0197a5b0-0000-7000-8000-000000000002";
const PROFILE: &str = "GET /api/v1/auth/profile";
const SEARCH_BOB: &str = "GET /api/v1/users?page=1&limit=100&search=bob";

fn account(id: &str, username: &str, role: &str) -> Value {
    json!({"id": id, "username": username, "email": format!("{username}@example.com"), "role": role,
           "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "last_login_at": null})
}

fn list(users: &[Value]) -> Value {
    json!({"users": users, "total": users.len(), "page": 1, "limit": 100})
}

fn at(method: &str, id: &str, further: &str) -> String {
    format!("{method} /api/v1/users/{id}{further}")
}

/// Someone who is logged in as the administrator of this server.
async fn administrator(api: &FakeApi) -> Shell {
    api.answer("POST /api/auth/login", 200, json!({"token": "t", "user": {"id": 1, "username": "admin", "role": "admin"}}));
    api.answer_data(PROFILE, 200, account(ADMIN, "admin", "admin"));
    api.answer_data(SEARCH_BOB, 200, list(&[account(ADMIN, "bobby", "user"), account(BOB, "Bob", "user")]));
    let shell = Shell::at(&api.url);
    shell.run_with_input(&["login", "admin", "--password-stdin"], "x\n").await.ok();
    shell
}

#[tokio::test]
async fn users_are_listed_and_shown() {
    let api = FakeApi::start().await;
    let shell = administrator(&api).await;
    let users = [account(ADMIN, "admin", "admin"), account(BOB, "bob", "user")];
    api.answer_data("GET /api/v1/users?page=1&limit=100&role=user&search=o", 200, list(&users));
    api.answer_data(&at("GET", BOB, ""), 200, account(BOB, "bob", "user"));
    let listed = shell.run(&["users", "list", "--role", "user", "--search", "o"]).await.ok();
    assert!(listed.starts_with("ID ") && listed.lines().count() == 3, "{listed}");
    let by_id = shell.run(&["users", "get", BOB]).await.ok();
    assert!(by_id.contains("bob@example.com"), "{by_id}");
    assert_eq!(shell.run(&["users", "get", "bob"]).await.ok(), by_id);
    assert_eq!(shell.run(&["users", "get", "BOB"]).await.failed(4).lines().count(), 1, "nothing is scripted for it");
}

#[tokio::test]
async fn a_user_is_made_with_a_password_from_outside() {
    let api = FakeApi::start().await;
    let mut shell = Shell::at(&api.url);
    shell.set("UTOPIA_PASSWORD", "the administrator's own");
    api.answer_data("POST /api/v1/users", 201, account(BOB, "bob", "operator"));
    let arguments = ["users", "create", "bob", "--role", "operator", "--email", "bob@example.com"];
    let said = shell.run(&arguments).await.failed(1);
    assert_eq!(said, "error: no password: pass it with --password-stdin or --password-file\n");
    assert!(api.asked().is_empty());

    let said = shell.run_with_input(&[&arguments[..], &["--password-stdin"]].concat(), "correct horse\n").await.ok();
    assert_eq!(said, "user bob is made with the role operator\n");
    let expected = json!({"username": "bob", "password": "correct horse", "role": "operator", "email": "bob@example.com"});
    assert_eq!(api.asked_once().body, expected);
}

#[tokio::test]
async fn users_are_changed_unlocked_and_deleted_by_name() {
    let api = FakeApi::start().await;
    let shell = administrator(&api).await;
    api.answer_data(&at("PUT", BOB, ""), 200, account(BOB, "bob", "operator"));
    api.answer_data(&at("POST", BOB, "/unlock"), 200, account(BOB, "bob", "operator"));
    api.answer(&at("DELETE", BOB, "?force=false"), 409, r#"{"code":409,"message":"bob has 2 live claims","data":null}"#);
    api.answer_data(&at("DELETE", BOB, "?force=true"), 200, json!({"message": "User deleted successfully"}));

    assert!(shell.run(&["users", "update", "bob", "--role", "operator", "--email", ""]).await.ok().contains("operator"));
    assert_eq!(api.asked().last().unwrap().body, json!({"role": "operator", "email": ""}));
    assert_eq!(shell.run(&["users", "unlock", "bob"]).await.ok(), "user bob can log in again\n");
    assert_eq!(shell.run(&["users", "delete", "bob"]).await.failed(5), "error: bob has 2 live claims (409)\n");
    assert_eq!(shell.run(&["users", "delete", "bob", "--force"]).await.ok(), "user bob is deleted\n");
}

#[tokio::test]
async fn an_administrator_needs_no_old_password_for_somebody_else() {
    let api = FakeApi::start().await;
    let shell = administrator(&api).await;
    api.answer_data(&at("PUT", BOB, "/password"), 200, json!({"message": "Password updated successfully"}));
    let changed = shell.run_with_input(&["users", "passwd", "bob", "--password-stdin"], "battery staple\n").await;
    assert_eq!(changed.stderr, "");
    assert_eq!(changed.ok(), "the password of bob is changed\n");
    assert_eq!(api.asked().last().unwrap().body, json!({"new_password": "battery staple"}));
    assert!(shell.run(&["config", "show"]).await.ok().contains("admin"), "the log-in is kept");
}

#[tokio::test]
async fn ones_own_password_needs_the_old_one_and_ends_the_log_in() {
    let api = FakeApi::start().await;
    api.answer_data(&at("PUT", ADMIN, "/password"), 200, json!({"message": "Password updated successfully"}));
    let expected = json!({"old_password": "correct horse", "new_password": "battery staple"});
    let directory = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| directory.path().join(name).to_str().unwrap().to_owned());
    fs::write(&old, "correct horse\n").unwrap();
    fs::write(&new, "battery staple").unwrap();
    for (arguments, input) in [
        (vec!["users", "passwd", "--password-stdin"], "correct horse\nbattery staple\n"),
        (vec!["users", "passwd", "Admin", "--old-password-file", &old, "--password-file", &new], ""),
    ] {
        let shell = administrator(&api).await;
        let changed = shell.run_with_input(&arguments, input).await;
        assert!(changed.stderr.contains("log in again with `aiinfra login admin`"), "{changed:?}");
        assert_eq!(changed.ok(), "the password of admin is changed\n");
        assert_eq!(api.asked().last().unwrap().body, expected);
        assert!(!shell.run(&["config", "show"]).await.ok().contains("admin"));
    }
    let shell = administrator(&api).await;
    shell.run(&["users", "passwd", "--password-file", &new]).await.failed(1);
    assert!(shell.run(&["config", "show"]).await.ok().contains("admin"), "the log-in is kept");
}
