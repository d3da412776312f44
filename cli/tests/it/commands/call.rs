//! `aiinfra api`.

use std::fs;

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

#[tokio::test]
async fn any_operation_is_called_by_its_path() {
    let api = FakeApi::start().await;
    api.answer("GET /api/things?b=2&a=1+x", 200, r#"{"id":"x"}"#)
        .answer_data("PUT /api/things/x", 200, json!({"id": "y"}))
        .answer("POST /api/things", 201, r#"{"id":"z"}"#)
        .answer("DELETE /api/things/x", 204, "")
        .answer("GET /metrics", 200, "# TYPE a counter\na 1\n");
    let mut shell = Shell::at(&api.url);
    shell.set("UTOPIA_TOKEN", "t");
    let answer = shell.run(&["api", "get", "api/things?b=2", "--query", "a=1 x"]).await.ok();
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), json!({"id": "x"}));
    assert_eq!(api.asked_once().authorization.as_deref(), Some("Bearer t"));

    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, r#"{"from": "file"}"#).unwrap();
    let data = format!("@{}", file.path().display());
    assert_eq!(shell.run(&["api", "PUT", "/api/things/x", "--data", &data, "-o", "name"]).await.ok(), "y\n");
    let posted = shell.run_with_input(&["api", "POST", "/api/things", "-d", "-", "-o", "yaml"], r#"{"from": "stdin"}"#).await;
    assert_eq!(posted.ok(), "id: z\n");
    assert_eq!(shell.run(&["api", "DELETE", "/api/things/x"]).await.ok(), "");
    assert_eq!(shell.run(&["api", "GET", "/metrics"]).await.ok(), "# TYPE a counter\na 1\n");
    let bodies: Vec<_> = api.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies[1..3], [json!({"from": "file"}), json!({"from": "stdin"})]);

    let said = shell.run(&["api", "POST", "/api/things", "--data", "{"]).await.failed(1);
    assert!(said.starts_with("error: --data is no JSON"), "{said}");
    shell.run(&["api", "GET", "/api/nothing"]).await.failed(4);
}

#[tokio::test]
async fn all_pages_are_one_list() {
    let api = FakeApi::start().await;
    let page = |things: std::ops::Range<u32>, number: u32| {
        let things = things.map(|id| json!({"id": id.to_string()})).collect::<Vec<_>>();
        json!({"things": things, "total": 150, "page": number, "limit": 100})
    };
    api.answer("GET /api/things?kind=a", 200, page(0..20, 1))
        .answer("GET /api/things?page=1&limit=100&kind=a", 200, page(0..100, 1))
        .answer("GET /api/things?page=2&limit=100&kind=a", 200, page(100..150, 2));
    let shell = Shell::at(&api.url);
    let names = shell.run(&["api", "GET", "/api/things", "--query", "kind=a", "--all-pages", "-o", "name"]).await.ok();
    assert_eq!(names.lines().count(), 150);
    shell.run(&["api", "DELETE", "/api/things", "--all-pages"]).await.failed(1);
}
