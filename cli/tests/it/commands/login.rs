//! Users, tokens and the file of settings.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const LOGIN: &str = "POST /api/auth/login";
const LOGGED_IN: &str = r#"{"token":"secret-token","user":{"id":7,"username":"alice","role":"user"}}"#;
const NO_NODES: &str = r#"{"nodes":[],"total":0,"page":1,"limit":100}"#;
const LIST_NODES: &str = "GET /api/nodes?page=1&limit=100";

#[tokio::test]
async fn a_log_in_is_kept_privately_for_its_server_only() {
    let api = FakeApi::start().await;
    api.answer(LOGIN, 200, LOGGED_IN).answer(LIST_NODES, 200, NO_NODES);
    let other = FakeApi::start().await;
    other.answer(LIST_NODES, 200, NO_NODES);
    let shell = Shell::new();

    let said = shell.run_with_input(&["--url", &api.url, "login", "alice", "--password-stdin"], "pass word\n").await.ok();
    assert_eq!(said, format!("logged in to {}/ as alice (user)\n", api.url));
    assert_eq!(api.asked_once().body, json!({"username": "alice", "password": "pass word"}));
    assert_eq!(fs::metadata(shell.config_file()).unwrap().permissions().mode() & 0o777, 0o600);

    shell.run(&["--url", &api.url, "nodes", "list"]).await.ok();
    assert_eq!(api.asked()[1].authorization.as_deref(), Some("Bearer secret-token"));
    shell.run(&["--url", &other.url, "nodes", "list"]).await.ok();
    assert_eq!(other.asked_once().authorization, None);

    shell.run(&["--url", &api.url, "logout"]).await.ok();
    shell.run(&["--url", &api.url, "nodes", "list"]).await.ok();
    assert_eq!(api.asked()[2].authorization, None);
    shell.run(&["--url", &api.url, "logout"]).await.failed(1);
}

#[tokio::test]
async fn the_environment_gives_password_and_token() {
    let api = FakeApi::start().await;
    api.answer(LOGIN, 200, LOGGED_IN).answer(LIST_NODES, 200, NO_NODES);
    let mut shell = Shell::at(&api.url);
    shell.set("UTOPIA_PASSWORD", "from the environment");
    shell.run(&["login", "alice"]).await.ok();
    assert_eq!(api.asked()[0].body["password"], "from the environment");

    shell.set("UTOPIA_TOKEN", "another-token");
    shell.run(&["nodes", "list"]).await.ok();
    assert_eq!(api.asked()[1].authorization.as_deref(), Some("Bearer another-token"));
}

#[tokio::test]
async fn a_password_is_asked_for_where_nobody_can_answer() {
    let api = FakeApi::start().await;
    let shell = Shell::at(&api.url);
    let said = shell.run(&["login", "alice"]).await.failed(1);
    assert_eq!(said, "error: no password: pass it with --password-stdin, or set UTOPIA_PASSWORD\n");
    shell.run(&["login", "alice", "--password-stdin"]).await.failed(1);
    shell.run(&["login"]).await.failed(1);
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn a_refused_log_in_keeps_nothing() {
    let api = FakeApi::start().await;
    api.answer(LOGIN, 401, r#"{"error":"wrong user name or password","code":"InvalidCredentials"}"#);
    let shell = Shell::at(&api.url);
    let said = shell.run_with_input(&["login", "alice", "--password-stdin"], "wrong\n").await.failed(1);
    assert_eq!(said, "error: wrong user name or password (InvalidCredentials)\n");
    assert!(!shell.config_file().exists());
}

#[tokio::test]
async fn registering_says_how_to_go_on() {
    let api = FakeApi::start().await;
    api.answer("POST /api/auth/register", 201, r#"{"id":7,"username":"alice","role":"user"}"#);
    let said = Shell::at(&api.url).run_with_input(&["register", "alice", "--password-stdin"], "password123\n").await.ok();
    assert_eq!(said, "registered alice with the role user; log in with `aiinfra login alice`\n");
    assert_eq!(api.asked_once().body, json!({"username": "alice", "password": "password123"}));
}

#[tokio::test]
async fn the_server_is_settable_and_shown_without_secrets() {
    let api = FakeApi::start().await;
    api.answer(LOGIN, 200, LOGGED_IN);
    let shell = Shell::new();
    shell.run(&["config", "set-url", &format!("{}/", api.url)]).await.ok();
    shell.run_with_input(&["login", "alice", "--password-stdin"], "x\n").await.ok();
    let shown = shell.run(&["config", "show"]).await.ok();
    assert!(shown.contains(&api.url) && shown.contains("alice") && shown.contains("config.json"), "{shown}");
    assert!(!shown.contains("secret-token"), "{shown}");
    shell.run(&["config", "set-url", "nonsense"]).await.failed(1);
}
