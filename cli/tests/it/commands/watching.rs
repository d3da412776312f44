//! `--watch`.

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const LIST: &str = "GET /api/gpu-claims?page=1&limit=100";

/// A claim that waits beside one that runs, and then runs as well.
async fn claims() -> FakeApi {
    let api = FakeApi::start().await;
    let claim = |id: &str, phase: &str| json!({"id": id, "status": {"phase": phase}});
    let list = |phase: &str| json!({"claims": [claim("a", phase), claim("b", "Running")], "total": 2, "page": 1, "limit": 100});
    api.answer(LIST, 200, list("Pending")).answer(LIST, 200, list("Pending")).answer(LIST, 200, list("Running"));
    api
}

/// The first words of the lines that come, up to the number of lines.
async fn lines(shell: &Shell, arguments: &[&str], count: usize) -> Vec<String> {
    let mut child = shell.start(arguments);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(lines.next_line().await.unwrap().unwrap());
    }
    seen
}

#[tokio::test]
async fn what_changes_is_appended_where_there_is_no_terminal() {
    let api = claims().await;
    let seen = lines(&Shell::at(&api.url), &["claims", "list", "--watch", "--interval", "1s"], 4).await;
    let words: Vec<_> = seen.iter().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(words, ["ID PHASE", "a Pending", "b Running", "a Running"]);
}

#[tokio::test]
async fn an_event_is_a_reason_to_look() {
    let api = claims().await;
    // An event of each stream; without one it would be an hour until the next look.
    api.answer("GET /api/events?types=claim.*", 200, r#"{"type":"claim.running","resource_id":"a","cursor":"1"}"#);
    let seen = lines(&Shell::at(&api.url), &["claims", "list", "-w", "--interval", "1s", "-o", "json"], 3).await;
    let phases = seen.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["status"]["phase"].clone());
    assert_eq!(phases.collect::<Vec<_>>(), ["Pending", "Running", "Running"]);
    assert!(api.asked().iter().any(|asked| asked.line.starts_with("GET /api/events")));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_watched() {
    let api = FakeApi::start().await;
    let said = Shell::at(&api.url).run(&["claims", "get", "x", "--watch"]).await.failed(4);
    assert!(said.starts_with("error: "), "{said}");
    Shell::new().run(&["claims", "delete", "x", "--watch"]).await.failed(2);
    Shell::new().run(&["claims", "list", "--interval", "5s"]).await.failed(2);
}
