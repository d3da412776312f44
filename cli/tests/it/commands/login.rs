//! Users, tokens and the file of settings.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const LOGIN: &str = "POST /api/auth/login";
const LOGOUT: &str = "POST /api/v1/auth/logout";
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

    api.answer_data(LOGOUT, 200, json!({"message": "Logged out"}));
    let said = shell.run(&["--url", &api.url, "logout"]).await.ok();
    assert_eq!(said, format!("logged out of {}/\n", api.url));
    assert_eq!(api.asked()[2].line, LOGOUT);
    assert_eq!(api.asked()[2].authorization.as_deref(), Some("Bearer secret-token"));
    shell.run(&["--url", &api.url, "nodes", "list"]).await.ok();
    assert_eq!(api.asked()[3].authorization, None);
    shell.run(&["--url", &api.url, "logout"]).await.failed(3);
    assert_eq!(api.asked().len(), 4);
}

#[tokio::test]
async fn logging_out_forgets_the_token_whatever_the_server_says() {
    for (status, body, code) in [
        (401, r#"{"code":401,"message":"the token has expired","data":null}"#, 0),
        (503, r#"{"code":503,"message":"the database is away","data":null}"#, 6),
    ] {
        let api = FakeApi::start().await;
        api.answer(LOGIN, 200, LOGGED_IN).answer(LOGOUT, status, body);
        let shell = Shell::at(&api.url);
        shell.run_with_input(&["login", "alice", "--password-stdin"], "x\n").await.ok();
        let finished = shell.run(&["logout"]).await;
        assert_eq!(finished.code, code, "{finished:?}");
        if code != 0 {
            let expected =
                "error: the token is forgotten here, but not revoked, and good until it expires: the database is away (503)\n";
            assert_eq!(finished.stderr, expected);
        }
        assert!(!fs::read_to_string(shell.config_file()).unwrap().contains("secret-token"));
    }
}

#[tokio::test]
async fn who_one_is() {
    let api = FakeApi::start().await;
    let account = json!({"id": "0197", "username": "alice", "email": "", "role": "operator", "created_at": "2026-01-01T00:00:00Z",
                         "updated_at": null, "last_login_at": null});
    api.answer_data("GET /api/v1/auth/profile", 200, account);
    let said = Shell::at(&api.url).run(&["whoami"]).await.ok();
    assert!(said.starts_with("ID:          0197\nUser name:   alice\nRole:        operator\nRegistered:  "), "{said}");
}

#[tokio::test]
async fn a_password_can_come_from_a_file() {
    let api = FakeApi::start().await;
    api.answer(LOGIN, 200, LOGGED_IN);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, "from a file\nsecond line\n").unwrap();
    let shell = Shell::at(&api.url);
    shell.run(&["login", "alice", "--password-file", file.path().to_str().unwrap()]).await.ok();
    assert_eq!(api.asked_once().body["password"], "from a file");
    let said = shell.run(&["login", "alice", "--password-file", "/nowhere/at-all"]).await.failed(1);
    assert!(said.starts_with("error: read the password from /nowhere/at-all: "), "{said}");
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
    assert_eq!(said, "error: no password: pass it with --password-stdin or --password-file, or set UTOPIA_PASSWORD\n");
    shell.run(&["login", "alice", "--password-stdin"]).await.failed(1);
    shell.run(&["login"]).await.failed(1);
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn a_refused_log_in_keeps_nothing() {
    let api = FakeApi::start().await;
    api.answer(LOGIN, 401, r#"{"error":"wrong user name or password","code":"InvalidCredentials"}"#);
    let shell = Shell::at(&api.url);
    let said = shell.run_with_input(&["login", "alice", "--password-stdin"], "wrong\n").await.failed(3);
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
