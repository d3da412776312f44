//! What each command asks of the server, and what people and programs then see.

mod claims;
mod login;
mod machines;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

#[tokio::test]
async fn help_teaches_the_first_steps() {
    let help = Shell::new().run(&["--help"]).await.ok();
    for step in ["aiinfra up", "aiinfra login", "aiinfra claims create", "aiinfra join-token create", "UTOPIA_URL"] {
        assert!(help.contains(step), "{step}\n{help}");
    }
    let help = Shell::new().run(&["claims", "create", "--help"]).await.ok();
    assert!(help.contains("Examples:"), "{help}");
}

#[tokio::test]
async fn a_command_that_cannot_be_understood_is_exit_code_2() {
    let shell = Shell::new();
    for arguments in [
        &["claims", "creat"] as &[_],
        &["claims", "get"],
        &["claims", "get", ""],
        &["claims", "create", "image", "--port", "x"],
        &["claims", "create", "image", "--timeout", "5m"],
        &["nodes", "list", "--page", "0"],
    ] {
        let said = shell.run(arguments).await.failed(2);
        assert!(said.contains("error:"), "{said}");
    }
}

#[tokio::test]
async fn an_error_is_the_servers_sentence_with_its_code() {
    let api = FakeApi::start().await;
    api.answer("GET /api/nodes/x", 404, r#"{"error":"node x does not exist","code":"NotFound"}"#)
        .answer("GET /api/nodes/y", 401, r#"{"error":"a token is needed","code":"TokenMissing"}"#)
        .answer("GET /api/nodes/z", 502, "<html>Bad Gateway</html>");
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["nodes", "get", "x"]).await.failed(1), "error: node x does not exist (NotFound)\n");
    let said = shell.run(&["nodes", "get", "y"]).await.failed(1);
    assert_eq!(said, "error: a token is needed (TokenMissing)\nhint: log in with `aiinfra login`\n");
    assert_eq!(shell.run(&["nodes", "get", "z"]).await.failed(1), "error: the server answered Bad Gateway (502)\n");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let said = Shell::at(&url).run(&["nodes", "list"]).await.failed(1);
    assert!(said.starts_with(&format!("error: cannot reach the server at {url}/: connection refused\nhint: ")), "{said}");
}

#[tokio::test]
async fn something_else_on_the_port_is_no_control_plane() {
    let api = FakeApi::start().await;
    api.answer("GET /api/nodes/x", 200, "<html>It works!</html>");
    let said = Shell::at(&api.url).run(&["nodes", "get", "x"]).await.failed(1);
    assert!(said.contains("does not answer like a control plane"), "{said}");
}

#[tokio::test]
async fn an_id_cannot_leave_its_path() {
    let api = FakeApi::start().await;
    Shell::at(&api.url).run(&["claims", "get", "../nodes?x=1"]).await.failed(1);
    assert_eq!(api.asked_once().line, "GET /api/gpu-claims/..%2Fnodes%3Fx=1");
}

#[tokio::test]
async fn what_servers_send_cannot_drive_the_terminal() {
    let api = FakeApi::start().await;
    api.answer("GET /api/nodes/x", 409, r#"{"error":"evil\u001b[2J","code":"Conflict"}"#);
    let said = Shell::at(&api.url).run(&["nodes", "get", "x"]).await.failed(1);
    assert_eq!(said, "error: evil [2J (Conflict)\n");
}

#[tokio::test]
async fn json_is_what_the_server_answered_fields_unknown_here_too() {
    let api = FakeApi::start().await;
    let answer = serde_json::json!({"id": "x", "added_later": [1, {"a": null}], "big": 9_007_199_254_740_993_i64});
    api.answer("GET /api/nodes/x", 200, &answer);
    let printed = Shell::at(&api.url).run(&["nodes", "get", "x", "-o", "json"]).await.ok();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), answer);
}
