//! API tokens.

use serde_json::json;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

#[tokio::test]
async fn the_token_is_the_whole_output() {
    let api = FakeApi::start().await;
    let token = json!({"id": "a", "token": "utp_a_b", "name": "nightly", "role": "user", "username": "alice",
                       "expires_at": "2999-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z", "last_used_at": null});
    api.answer_data("POST /api/v1/tokens", 201, token);
    let shell = Shell::at(&api.url);
    let created = shell.run(&["tokens", "create", "nightly", "--role", "user", "--ttl", "90d"]).await;
    assert!(created.stderr.contains("nightly as user") && !created.stderr.contains("utp_"), "{created:?}");
    assert_eq!(created.ok(), "utp_a_b\n");
    assert_eq!(api.asked_once().body, json!({"name": "nightly", "role": "user", "ttl_seconds": 7_776_000}));
    shell.run(&["tokens", "create", "nightly"]).await.ok();
    assert_eq!(api.asked()[1].body, json!({"name": "nightly"}));
    let by_name = shell.run(&["tokens", "create", "nightly", "-o", "name"]).await.ok();
    assert_eq!(by_name, "utp_a_b\n", "its name alone would lose it");
}

#[tokio::test]
async fn tokens_are_listed_and_revoked() {
    let api = FakeApi::start().await;
    let list = json!({"tokens": [
        {"id": "a", "token": "", "name": "nightly", "role": "user", "username": "alice", "expires_at": "2000-01-01T00:00:00Z",
         "created_at": null, "last_used_at": null},
    ], "total": 1, "page": 1, "limit": 100});
    api.answer_data("GET /api/v1/tokens?page=1&limit=100", 200, list);
    api.answer_data("DELETE /api/v1/tokens/a", 200, json!({"message": "Token revoked"}));
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["tokens", "list"]).await.ok();
    assert_eq!(listed, "ID  NAME     USER   ROLE  EXPIRES IN  USED  AGE\na   nightly  alice  user  0s          -     -\n");
    assert_eq!(shell.run(&["tokens", "revoke", "a"]).await.ok(), "API token a is revoked\n");
}
