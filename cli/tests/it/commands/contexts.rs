//! Named contexts: servers with tokens of their own.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const LOGIN: &str = "POST /api/auth/login";
const PROFILE: &str = "GET /api/v1/auth/profile";

async fn server(token: &str) -> FakeApi {
    let api = FakeApi::start().await;
    api.answer(LOGIN, 200, json!({"token": token, "user": {"id": 7, "username": "alice", "role": "user"}})).answer_data(
        PROFILE,
        200,
        json!({"id": "x", "username": "alice", "role": "user"}),
    );
    api
}

fn last_token(api: &FakeApi) -> Option<String> {
    api.asked().last().unwrap().authorization.clone()
}

#[tokio::test]
async fn each_context_has_its_server_and_its_token() {
    let (home, lab) = (server("home-token").await, server("lab-token").await);
    let shell = Shell::new();
    shell.run(&["config", "set-url", &home.url]).await.ok();
    let said = shell.run(&["config", "set-context", "lab", "--url", &lab.url]).await.ok();
    assert_eq!(said, "context lab is kept; use it with `aiinfra config use-context lab`\n");
    for context in ["default", "lab"] {
        shell.run_with_input(&["--context", context, "login", "alice", "--password-stdin"], "x\n").await.ok();
    }
    shell.run(&["whoami"]).await.ok();
    assert_eq!(last_token(&home).as_deref(), Some("Bearer home-token"));
    assert_eq!(shell.run(&["config", "use-context", "lab"]).await.ok(), "lab is the context from now on\n");
    assert_eq!(shell.run(&["config", "current-context"]).await.ok(), "lab\n");
    shell.run(&["whoami"]).await.ok();
    assert_eq!(last_token(&lab).as_deref(), Some("Bearer lab-token"));

    // A token goes to no other server, whichever is named.
    shell.run(&["--url", &home.url, "whoami"]).await.ok();
    assert_eq!(last_token(&home), None);

    let listed = shell.run(&["config", "get-contexts"]).await.ok();
    let rows: Vec<Vec<_>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    let (home_url, lab_url) = (format!("{}/", home.url), format!("{}/", lab.url));
    assert_eq!(rows[1], ["-", "default", &home_url, "alice", "-"]);
    assert_eq!(rows[2], ["*", "lab", &lab_url, "alice", "-"]);
    assert_eq!(shell.run(&["config", "get-contexts", "-o", "name"]).await.ok(), "default\nlab\n");
    let view = shell.run(&["config", "view", "-o", "json"]).await.ok();
    assert!(!view.contains("-token"), "{view}");
    assert_eq!(serde_json::from_str::<Value>(&view).unwrap()["current_context"], "lab");

    shell.run(&["config", "delete-context", "lab"]).await.ok();
    assert_eq!(shell.run(&["config", "current-context"]).await.ok(), "default\n");
    assert!(!std::fs::read_to_string(shell.config_file()).unwrap().contains("lab-token"));
}

#[tokio::test]
async fn the_environment_names_a_context_and_is_not_taken_for_its_server() {
    let api = server("t").await;
    let mut shell = Shell::new();
    shell.run(&["config", "set-context", "lab", "--url", &api.url]).await.ok();
    shell.set("UTOPIA_CONTEXT", "lab");
    shell.run(&["whoami"]).await.ok();
    assert_eq!(api.asked().len(), 1);
    shell.set("UTOPIA_URL", "http://127.0.0.1:9");
    shell.run(&["config", "set-context", "lab", "--server-ca", "ca.pem"]).await.ok();
    let view: Value = serde_json::from_str(&shell.run(&["config", "view", "-o", "json"]).await.ok()).unwrap();
    assert_eq!(view["contexts"][0]["url"], format!("{}/", api.url));
    let server_ca = view["contexts"][0]["server_ca"].as_str().unwrap();
    assert!(server_ca.starts_with('/') && server_ca.ends_with("/ca.pem"), "{server_ca}");
}

#[tokio::test]
async fn a_context_that_is_not_there_is_exit_code_4() {
    let shell = Shell::new();
    for arguments in
        [&["--context", "lab", "whoami"] as &[_], &["config", "use-context", "lab"], &["config", "delete-context", "lab"]]
    {
        let said = shell.run(arguments).await.failed(4);
        assert!(said.contains("make it with `aiinfra config set-context lab --url URL`"), "{said}");
    }
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_new_one() {
    let api = server("old-token").await;
    api.answer_data("POST /api/v1/auth/refresh", 200, json!({"token": "new-token", "expires_in": 86400}));
    let shell = Shell::at(&api.url);
    let said = shell.run(&["refresh"]).await.failed(3);
    assert!(said.contains("use `aiinfra login NAME`"), "{said}");
    shell.run_with_input(&["login", "alice", "--password-stdin"], "x\n").await.ok();
    shell.run(&["refresh"]).await.ok();
    assert_eq!(api.asked().last().unwrap().body, json!({"token": "old-token"}));
    shell.run(&["whoami"]).await.ok();
    assert_eq!(last_token(&api).as_deref(), Some("Bearer new-token"));
}
