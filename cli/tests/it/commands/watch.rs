//! `aiinfra watch`.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

fn event(cursor: u32, kind: &str, data: Value) -> Value {
    let resource = kind.split('.').next().unwrap_or_default();
    json!({
        "cursor": cursor.to_string(), "id": "e", "type": kind, "resource": resource, "resource_id": "thing",
        "timestamp": "2026-11-21T08:00:00Z", "data": data,
    })
}

fn lines<const N: usize>(events: [Value; N]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

fn bookmark(cursor: u32) -> Value {
    json!({"cursor": cursor.to_string(), "type": "bookmark", "timestamp": null, "data": {}})
}

#[tokio::test]
async fn events_are_lines_and_bookmarks_are_not_told() {
    let api = FakeApi::start().await;
    let failed = json!({"phase": "Failed", "reason": "ContainerExited", "message": "exit code 3\u{1b}[2J"});
    let events = [bookmark(7), event(8, "node.up", json!({"hostname": "gpu-01"})), event(9, "claim.failed", failed)];
    api.answer("GET /api/events?types=node.*&types=claim.*&resource_id=thing&once=true&cursor=0", 200, lines(events));
    let watch = ["watch", "--type", "node.*", "--type", "claim.*", "--resource", "thing", "--since", "0", "--once"];
    let text = Shell::at(&api.url).run(&watch).await.ok();
    let expected = "2026-11-21T08:00:00Z  node.up                  thing  gpu-01\n\
                    2026-11-21T08:00:00Z  claim.failed             thing  ContainerExited: exit code 3 [2J\n";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_broken_watch_goes_on_after_the_last_event() {
    let api = FakeApi::start().await;
    api.answer("GET /api/events", 200, lines([bookmark(7), event(8, "node.up", json!({}))]));
    api.answer("GET /api/events?cursor=8", 200, lines([bookmark(8), bookmark(12)]));
    let expired = json!({"error": "events after this cursor are gone", "code": "CursorExpired"});
    api.answer("GET /api/events?cursor=12", 410, expired);
    let finished = Shell::at(&api.url).run(&["watch", "-o", "json"]).await;
    assert_eq!(finished.stdout.lines().count(), 1, "{}", finished.stdout);
    let said = finished.failed(1);
    assert!(said.contains("events after this cursor are gone (CursorExpired)"), "{said}");
    let asked = api.asked().into_iter().map(|asked| asked.line).collect::<Vec<_>>();
    assert_eq!(asked, ["GET /api/events", "GET /api/events?cursor=8", "GET /api/events?cursor=12"]);
}
