//! Lists of more than one page, and things that are named.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const TOO_MANY: &str = r#"{"code":429,"message":"too many requests","data":null}"#;

fn hosts(ids: impl IntoIterator<Item = usize>, page: u32) -> Value {
    let items = ids.into_iter().map(|id| json!({"host_id": format!("id-{id}"), "name": format!("host-{id}")}));
    json!({"items": items.collect::<Vec<_>>(), "pagination": {"page": page, "page_size": 100, "total": 103, "total_pages": 2}})
}

#[tokio::test]
async fn all_pages_are_shown_as_one_without_doubles() {
    let api = FakeApi::start().await;
    api.answer_data("GET /api/v1/hosts?page=1&limit=100", 200, hosts(0..100, 1));
    // One was deleted meanwhile and one was added: what was on the first page comes again.
    api.answer_later("GET /api/v1/hosts?page=2&limit=100", TOO_MANY, 1);
    api.answer_data("GET /api/v1/hosts?page=2&limit=100", 200, hosts(99..103, 2));
    let shell = Shell::at(&api.url);
    let finished = shell.run(&["hosts", "list", "-o", "json"]).await;
    assert_eq!(finished.stderr, "");
    let list: Value = serde_json::from_str(&finished.ok()).unwrap();
    assert_eq!(list["pagination"], json!({"page": 1, "page_size": 103, "total": 103, "total_pages": 1}));
    let ids = list["items"].as_array().unwrap().iter().map(|host| host["host_id"].as_str().unwrap().to_owned());
    assert!(ids.eq((0..103).map(|id| format!("id-{id}"))), "{list:#}");
    assert_eq!(shell.run(&["hosts", "list"]).await.ok().lines().count(), 1 + 103);
}

#[tokio::test]
async fn one_page_is_shown_when_it_is_asked_for() {
    let api = FakeApi::start().await;
    api.answer_data("GET /api/v1/hosts?page=2&limit=100", 200, hosts(100..103, 2));
    let finished = Shell::at(&api.url).run(&["hosts", "list", "--page", "2"]).await;
    assert_eq!(finished.stderr, "page 2: 3 of 103; choose with --page and --limit\n");
    assert_eq!(finished.ok().lines().count(), 1 + 3);
    api.asked_once();
}

#[tokio::test]
async fn a_list_that_shrinks_meanwhile_ends() {
    let api = FakeApi::start().await;
    api.answer_data("GET /api/v1/hosts?page=1&limit=100", 200, hosts(0..100, 1));
    api.answer_data("GET /api/v1/hosts?page=2&limit=100", 200, hosts(0..0, 2));
    let list = Shell::at(&api.url).run(&["hosts", "list"]).await.ok();
    assert_eq!(list.lines().count(), 1 + 100);
}

#[tokio::test]
async fn a_name_stands_for_its_id_wherever_it_is_in_the_list() {
    let api = FakeApi::start().await;
    api.answer_data("GET /api/v1/hosts?page=1&limit=100", 200, hosts(0..100, 1));
    api.answer_data("GET /api/v1/hosts?page=2&limit=100", 200, hosts(100..103, 2));
    api.answer("DELETE /api/v1/hosts/id-102?force=false", 204, "");
    let shell = Shell::at(&api.url);
    assert_eq!(shell.run(&["hosts", "delete", "HOST-102"]).await.ok(), "host HOST-102 is deleted\n");
    assert_eq!(shell.run(&["hosts", "delete", "host-1000"]).await.failed(4), "error: no host is called host-1000\n");
}
