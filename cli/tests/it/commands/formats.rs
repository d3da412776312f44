//! How answers are written for people and for programs.

use serde_json::json;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const LIST: &str = "GET /api/nodes?page=1&limit=100";

async fn nodes() -> FakeApi {
    let api = FakeApi::start().await;
    let node = |id: &str, status: &str| json!({"id": id, "hostname": format!("host: {id}"), "status": status, "gpus": [], "added_later": [1, null, "no"]});
    let list = json!({"nodes": [node("a", "online"), node("b", "offline")], "total": 2, "page": 1, "limit": 100});
    api.answer(LIST, 200, list).answer("DELETE /api/nodes/a?force=false", 204, "");
    api
}

#[tokio::test]
async fn yaml_is_what_the_server_answered() {
    let api = nodes().await;
    let text = Shell::at(&api.url).run(&["nodes", "list", "-o", "yaml"]).await.ok();
    for line in ["total: 2", "  status: online", "    - null", "    - \"no\""] {
        assert!(
            text.lines()
                .any(|found| found == line || found.trim_start_matches(['-', ' ']) == line.trim_start_matches(['-', ' '])),
            "{line}\n{text}"
        );
    }
    assert!(!text.contains('{') && text.contains("host: a"), "{text}");
}

#[tokio::test]
async fn names_are_for_pipes() {
    let api = nodes().await;
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["nodes", "list", "-o", "name"]).await.ok(), "a\nb\n");
    assert_eq!(shell.run(&["nodes", "delete", "a", "-o", "name"]).await.ok(), "");
}

#[tokio::test]
async fn colours_are_for_those_who_want_them() {
    let api = nodes().await;
    let mut shell = Shell::at(&api.url);
    let plain = shell.run(&["nodes", "list"]).await.ok();
    assert!(!plain.contains('\u{1b}'), "a pipe has no colours: {plain:?}");
    shell.set("CLICOLOR_FORCE", "1");
    let coloured = shell.run(&["nodes", "list"]).await.ok();
    assert!(coloured.contains("\u{1b}[32monline") && coloured.contains("\u{1b}[31moffline"), "{coloured:?}");
    assert!(!shell.run(&["nodes", "list", "-o", "json"]).await.ok().contains('\u{1b}'));
    let said = shell.run(&["nodes", "get", "x"]).await.failed(4);
    assert!(said.contains('\u{1b}'), "{said:?}");
    shell.set("NO_COLOR", "1");
    assert_eq!(shell.run(&["nodes", "list"]).await.ok(), plain);
}

#[tokio::test]
async fn quiet_says_nothing_and_verbose_says_more() {
    let api = nodes().await;
    let shell = Shell::at(&api.url);
    let finished = shell.run(&["nodes", "delete", "a", "-q"]).await;
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str(), finished.code), ("", "", 0));
    let finished = shell.run(&["nodes", "list", "--verbose"]).await;
    assert!(finished.stderr.starts_with(&format!("200 GET {}/api/nodes?page=1&limit=100 in ", api.url)), "{finished:?}");
}

#[tokio::test]
async fn exit_codes_say_what_went_wrong_and_help_says_them() {
    let help = Shell::new().run(&["--help"]).await.ok();
    for (status, code) in [(400, 1), (401, 3), (403, 3), (404, 4), (409, 5), (429, 6), (500, 1), (501, 1), (504, 6)] {
        let api = FakeApi::start().await;
        api.answer("DELETE /api/gpu-claims/x", status, r#"{"error":"no","code":"No"}"#);
        Shell::at(&api.url).run(&["claims", "delete", "x"]).await.failed(code);
        assert!(help.contains(&format!("\n  {code}    ")), "{help}");
    }
}

#[tokio::test]
async fn reads_are_tried_again_when_the_server_says_so_and_changes_are_not() {
    let api = FakeApi::start().await;
    let busy = r#"{"error":"busy","code":"TooManyRequests"}"#;
    api.answer_later("GET /api/nodes/x", busy, 1).answer("GET /api/nodes/x", 503, busy);
    api.answer("GET /api/nodes/x", 200, r#"{"id":"x"}"#);
    api.answer("DELETE /api/nodes/x?force=false", 503, busy);
    let shell = Shell::at(&api.url);
    shell.run(&["nodes", "get", "x"]).await.ok();
    assert_eq!(api.asked().len(), 3);
    shell.run(&["nodes", "delete", "x"]).await.failed(6);
    assert_eq!(api.asked().len(), 4);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    // It accepts, and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let said = Shell::at(&url).run(&["nodes", "list", "--request-timeout", "1s"]).await.failed(6);
    assert!(said.contains("it did not answer in time"), "{said}");
}
