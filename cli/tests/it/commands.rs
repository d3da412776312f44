//! What each command asks of the server, and what people and programs then see.

mod audit;
mod backends;
mod call;
mod claims;
mod completion;
mod contexts;
mod formats;
mod hosts;
mod jupyter;
mod lists;
mod login;
mod machines;
mod man;
mod metrics;
mod nodes;
mod operations;
mod roles;
mod s3;
mod salt;
mod slurm;
mod tokens;
mod users;
mod watch;
mod watching;
mod webhooks;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

#[tokio::test]
async fn help_teaches_the_first_steps() {
    let help = Shell::new().run(&["--help"]).await.ok();
    for step in ["aiinfra up", "aiinfra login", "aiinfra claims create", "aiinfra join-token create", "UTOPIA_URL"] {
        assert!(help.contains(step), "{step}\n{help}");
    }
    for (command, example) in [
        (&["claims", "create"] as &[_], "aiinfra claims create --gpus 2"),
        (&["hosts", "create"], "aiinfra hosts create gpu-01"),
        (&["hosts", "update"], "--no-labels"),
        (&["hosts", "maintenance"], "aiinfra hosts maintenance start gpu-01"),
        (&["users", "create"], "aiinfra users create bob"),
        (&["users", "passwd"], "aiinfra users passwd bob"),
        (&["tokens", "create"], "UTOPIA_TOKEN=$(cat token)"),
        (&["machines", "create"], "--private-key-file ~/.ssh/id_ed25519"),
        (&["machines", "update"], "aiinfra machines update web-1"),
        (&["machines", "status"], "aiinfra machines status web-1 maintenance"),
        (&["slurm", "jobs", "submit"], "aiinfra slurm jobs submit --script job.sh"),
        (&["salt", "run"], "aiinfra salt run 'node*' test.ping"),
        (&["salt", "deploy"], "aiinfra salt deploy 'node*' slurm.compute"),
        (&["webhooks", "create"], "aiinfra webhooks create https://"),
        (&["webhooks", "update"], "--pause"),
        (&["metrics"], "aiinfra metrics --node gpu-01"),
        (&["audit", "list"], "aiinfra audit list --since 2h"),
        (&["audit", "verify"], "aiinfra audit verify --head 1234:"),
    ] {
        let help = Shell::new().run(&[command, &["--help"]].concat()).await.ok();
        assert!(help.contains(example), "{example}\n{help}");
    }
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
        &["hosts", "update", "gpu-01"],
        &["hosts", "update", "gpu-01", "--no-labels", "-l", "a=b"],
        &["hosts", "create", "gpu-01", "--memory", "128", "--disk", "x"],
        &["users", "update", "bob"],
        &["users", "create", "bob", "--password", "secret"],
        &["users", "create", "bob", "--role", "root"],
        &["machines", "update", "web-1"],
        &["machines", "status", "web-1", "in-use"],
        &["webhooks", "create", "https://example.com"],
        &["webhooks", "update", "w"],
        &["webhooks", "update", "w", "--pause", "--resume"],
        &["audit", "verify", "--head", "7"],
        &["audit", "list", "--all", "--page", "2"],
        &["audit", "list", "--since", "yesterday"],
        &["roles", "set", "user"],
        &["api", "GET", "http://elsewhere/api/nodes"],
        &["api", "FETCH", "/api/nodes"],
        &["completions", "csh"],
        &["nodes", "list", "-o", "xml"],
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
        .answer("GET /api/nodes/z", 502, "<html>Bad Gateway</html>")
        .answer(
            "GET /api/v1/hosts/0197a5b0-0000-7000-8000-000000000001",
            404,
            r#"{"code":404,"message":"host x does not exist","data":null}"#,
        );
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["nodes", "get", "x"]).await.failed(4), "error: node x does not exist (NotFound)\n");
    let said = shell.run(&["nodes", "get", "y"]).await.failed(3);
    assert_eq!(said, "error: a token is needed (TokenMissing)\nhint: log in with `aiinfra login NAME`\n");
    assert_eq!(shell.run(&["nodes", "get", "z"]).await.failed(6), "error: the server answered Bad Gateway (502)\n");
    let said = shell.run(&["hosts", "get", "0197a5b0-0000-7000-8000-000000000001"]).await.failed(4);
    assert_eq!(said, "error: host x does not exist (404)\n");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let said = Shell::at(&url).run(&["nodes", "list"]).await.failed(6);
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
    Shell::at(&api.url).run(&["claims", "get", "../nodes?x=1"]).await.failed(4);
    assert_eq!(api.asked_once().line, "GET /api/gpu-claims/..%2Fnodes%3Fx=1");
}

#[tokio::test]
async fn what_servers_send_cannot_drive_the_terminal() {
    let api = FakeApi::start().await;
    api.answer("GET /api/nodes/x", 409, r#"{"error":"evil\u001b[2J","code":"Conflict"}"#);
    let said = Shell::at(&api.url).run(&["nodes", "get", "x"]).await.failed(5);
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

#[tokio::test]
async fn too_many_calls_are_answered_with_when_to_try_again() {
    let api = FakeApi::start().await;
    api.answer_later("POST /api/auth/login", r#"{"error":"alice is locked after too many failures","code":"LoginLocked"}"#, 7);
    let said = Shell::at(&api.url).run_with_input(&["login", "alice", "--password-stdin"], "x\n").await.failed(6);
    assert_eq!(said, "error: alice is locked after too many failures (LoginLocked)\nhint: try again in 7 s\n");
}

#[tokio::test]
async fn an_envelope_is_opened_for_programs_too() {
    let api = FakeApi::start().await;
    let profile = serde_json::json!({"id": "x", "username": "alice", "role": "user", "email": "", "added_later": 1});
    api.answer("GET /api/v1/auth/profile", 200, serde_json::json!({"code": 0, "message": "success", "data": profile}));
    let printed = Shell::at(&api.url).run(&["whoami", "-o", "json"]).await.ok();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), profile);
}
