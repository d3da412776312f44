//! Webhooks.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

fn webhook(active: bool, secret: &str) -> Value {
    json!({"id": "w", "url": "https://example.com/", "events": ["job.*", "node.down"], "active": active, "description": "mine",
           "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "secret": secret})
}

fn delivery(status: &str, error: &str) -> Value {
    json!({"id": "d", "webhook_id": "w", "event_id": "e", "event_type": "node.down", "status": status, "attempts": 1,
           "response_status": if error.is_empty() { 204 } else { 0 }, "error": error, "duration_ms": 12, "created_at": null,
           "attempted_at": null, "next_attempt_at": null})
}

#[tokio::test]
async fn the_secret_that_the_server_makes_is_the_whole_output() {
    let api = FakeApi::start().await;
    api.answer("POST /api/webhooks", 201, webhook(true, "whsec_abc"));
    let shell = Shell::at(&api.url);
    let created = shell.run(&["webhooks", "create", "https://example.com", "--event", "job.*", "--event", "node.down"]).await;
    assert!(created.stderr.contains("webhook w is added") && !created.stderr.contains("whsec_"), "{created:?}");
    assert_eq!(created.ok(), "whsec_abc\n");
    assert_eq!(api.asked_once().body, json!({"url": "https://example.com", "events": ["job.*", "node.down"]}));

    let create = ["webhooks", "create", "https://example.com", "--event", "*", "--secret-file", "-", "--paused"];
    let created = shell.run_with_input(&create, "my own secret\n").await.ok();
    assert_eq!(created, "webhook w is added\n");
    let body = json!({"url": "https://example.com", "events": ["*"], "secret": "my own secret", "paused": true});
    assert_eq!(api.asked()[1].body, body);
}

#[tokio::test]
async fn webhooks_are_listed_shown_and_deleted() {
    let api = FakeApi::start().await;
    let list = json!({"webhooks": [webhook(false, "")], "total": 1, "page": 1, "limit": 100});
    api.answer("GET /api/webhooks?page=1&limit=100", 200, list).answer("GET /api/webhooks/w", 200, webhook(true, "")).answer(
        "DELETE /api/webhooks/w",
        204,
        "",
    );
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["webhooks", "list"]).await.ok();
    assert!(listed.contains("w   https://example.com/  job.*,node.down  paused"), "{listed}");
    let shown = shell.run(&["webhooks", "get", "w"]).await.ok();
    assert!(shown.contains("State:        active\n") && !shown.to_lowercase().contains("secret"), "{shown}");
    let printed = shell.run(&["webhooks", "get", "w", "-o", "json"]).await.ok();
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), webhook(true, ""));
    assert_eq!(shell.run(&["webhooks", "delete", "w"]).await.ok(), "webhook w is deleted\n");
}

#[tokio::test]
async fn what_is_not_typed_stays() {
    let api = FakeApi::start().await;
    api.answer("GET /api/webhooks/w", 200, webhook(false, "")).answer("PUT /api/webhooks/w", 200, webhook(true, ""));
    let shell = Shell::at(&api.url);
    let put = |more: Value| {
        let mut body =
            json!({"url": "https://example.com/", "events": ["job.*", "node.down"], "description": "mine", "paused": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (arguments, body) in [
        (&["--resume"] as &[_], put(json!({"paused": false}))),
        (&["--to", "https://example.org"], put(json!({"url": "https://example.org"}))),
        (&["--event", "claim.*"], put(json!({"events": ["claim.*"]}))),
        (&["--description", ""], put(json!({"description": ""}))),
    ] {
        shell.run(&[&["webhooks", "update", "w"], arguments].concat()).await.ok();
        assert_eq!(api.asked().last().unwrap().body, body, "{arguments:?}");
    }
    shell.run_with_input(&["webhooks", "update", "w", "--secret-file", "-"], "a new secret\n").await.ok();
    assert_eq!(api.asked().last().unwrap().body, put(json!({"secret": "a new secret"})));
}

#[tokio::test]
async fn a_test_that_is_not_taken_is_an_error() {
    let api = FakeApi::start().await;
    api.answer("POST /api/webhooks/w/test", 200, delivery("delivered", "")).answer(
        "POST /api/webhooks/w/test",
        200,
        delivery("failed", "nobody was reached: connection refused"),
    );
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["webhooks", "test", "w"]).await.ok(), "delivered: 204 in 12 ms\n");
    let said = shell.run(&["webhooks", "test", "w"]).await.failed(7);
    assert_eq!(said, "error: the test was not delivered: nobody was reached: connection refused\n");
}

#[tokio::test]
async fn deliveries_are_listed_and_sent_again() {
    let api = FakeApi::start().await;
    let list = json!({"deliveries": [delivery("failed", "no")], "total": 1, "page": 1, "limit": 100});
    api.answer("GET /api/webhooks/w/deliveries?page=1&limit=100&status=failed", 200, list).answer(
        "POST /api/webhooks/w/deliveries/d/redeliver",
        202,
        delivery("pending", ""),
    );
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["webhooks", "deliveries", "w", "--status", "failed"]).await.ok();
    let expected = "ID  EVENT      STATUS  ATTEMPTS  ANSWER  NEXT IN  AGE  ERROR\nd   node.down  failed  1         -       -        -    no\n";
    assert_eq!(listed, expected);
    assert_eq!(shell.run(&["webhooks", "redeliver", "w", "d"]).await.ok(), "event e is sent again soon\n");
}
