//! `aiinfra jupyter`.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

fn server(name: &str, status: &str, url: &str) -> Value {
    json!({"username": "alice", "server_name": name, "status": status, "url": url, "started_at": null, "last_activity": null})
}

fn user(servers: &[Value]) -> Value {
    json!({"username": "alice", "admin": true, "groups": ["a", "b"], "servers": servers, "created_at": null, "last_activity": null})
}

fn progress(percent: u32, message: &str, ready: bool, failed: bool) -> String {
    format!("{}\n", json!({"progress": percent, "message": message, "ready": ready, "failed": failed, "url": ""}))
}

#[tokio::test]
async fn users_are_listed_with_their_servers() {
    let api = FakeApi::start().await;
    let alice = user(&[server("", "ready", "/user/alice/"), server("gpu", "stopped", "")]);
    api.answer("GET /api/jupyterhub/users?page=1&limit=100", 200, json!({"users": [alice], "total": 1, "page": 1, "limit": 100}));
    api.answer("GET /api/jupyterhub/users/alice", 200, &alice);
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["jupyter", "users"]).await.ok();
    assert_eq!(listed, "USER   ADMIN  SERVERS              SEEN  AGE\nalice  yes    ready, gpu: stopped  -     -\n");
    let shown = shell.run(&["jupyter", "get", "alice"]).await.ok();
    let expected = "User:       alice\nAdmin:      yes\nGroups:     a, b\n\n\
                    SERVER  STATUS   URL           STARTED  USED\n-       ready    /user/alice/  -        -\ngpu     stopped  -             -        -\n";
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn users_are_made_and_removed() {
    let api = FakeApi::start().await;
    api.answer("POST /api/jupyterhub/users", 201, user(&[])).answer("DELETE /api/jupyterhub/users/alice", 204, "");
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["jupyter", "create", "alice", "--admin"]).await.ok(), "alice is a user of the hub\n");
    assert_eq!(api.asked_once().body, json!({"username": "alice", "admin": true}));
    assert_eq!(shell.run(&["jupyter", "delete", "alice"]).await.ok(), "alice is no user of the hub any more\n");
}

#[tokio::test]
async fn a_start_of_ones_own_server_is_followed_until_it_is_ready() {
    let api = FakeApi::start().await;
    let profile = json!({"code": 0, "message": "success", "data": {"id": "x", "username": "alice", "role": "user"}});
    let events = progress(10, "pulling\u{1b}[2J", false, false) + &progress(100, "Server ready", true, false);
    let ready = server("", "ready", "/user/alice/");
    api.answer("GET /api/v1/auth/profile", 200, profile)
        .answer("POST /api/jupyterhub/users/alice/server", 202, server("", "starting", "/user/alice/"))
        .answer("GET /api/jupyterhub/users/alice/server/progress", 200, events)
        .answer("GET /api/jupyterhub/users/alice", 200, user(&[server("gpu", "stopped", ""), ready.clone()]));
    let shell = Shell::at(&api.url);
    let started = shell.run(&["jupyter", "start", "--wait"]).await;
    assert_eq!(started.stderr, " 10%  pulling [2J\n100%  Server ready\n");
    assert_eq!(started.ok(), "alice's server is ready at /user/alice/\n");
    let printed = shell.run(&["jupyter", "start", "--wait", "-o", "json"]).await;
    assert_eq!((serde_json::from_str::<Value>(&printed.stdout).unwrap(), &*printed.stderr), (ready, ""));
    let said = shell.run(&["jupyter", "start", "alice"]).await.ok();
    assert_eq!(said, "alice's server is starting; `aiinfra jupyter progress` follows it\n");
}

#[tokio::test]
async fn a_start_that_fails_says_so() {
    let api = FakeApi::start().await;
    let events = progress(10, "pulling", false, false) + &progress(100, "Spawn failed: no room", false, true);
    api.answer("GET /api/jupyterhub/users/alice/servers/gpu/progress", 200, events).answer(
        "POST /api/jupyterhub/users/alice/servers/gpu",
        202,
        server("gpu", "starting", ""),
    );
    let shell = Shell::at(&api.url);
    for arguments in
        [&["jupyter", "progress", "alice", "--server", "gpu"][..], &["jupyter", "start", "alice", "--server", "gpu", "--wait"]]
    {
        let said = shell.run(arguments).await.failed(7);
        assert!(said.ends_with("error: alice's server gpu did not start: Spawn failed: no room\n"), "{said}");
    }
}

#[tokio::test]
async fn servers_are_stopped() {
    let api = FakeApi::start().await;
    api.answer("DELETE /api/jupyterhub/users/alice/server", 202, "{}").answer(
        "DELETE /api/jupyterhub/users/alice/servers/g%2Fpu?remove=true",
        204,
        "",
    );
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["jupyter", "stop", "alice"]).await.ok(), "alice's server stops\n");
    let gone = shell.run(&["jupyter", "stop", "alice", "--server", "g/pu", "--remove"]).await.ok();
    assert_eq!(gone, "alice's server g/pu has stopped\n");
    shell.run(&["jupyter", "stop", "alice", "--remove"]).await.failed(2);
}
