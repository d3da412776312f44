//! The audit log, and the proof of its chain.

use serde_json::{Value, json};
use utopia_proto::chain::{GENESIS, link_hash};

use crate::fake_api::FakeApi;
use crate::invoke::{Finished, Shell};

const CHAIN: &str = "GET /api/v1/audit/chain";

/// Links from `first` on that follow each other.
fn links(first: i64, count: i64) -> Vec<Value> {
    let mut previous = if first == 1 { GENESIS.to_owned() } else { "ab".repeat(32) };
    let link = |sequence: i64| {
        let payload = json!({"sequence": sequence, "action": "CreateClaim", "user": "ada"}).to_string();
        let hash = link_hash(&previous, &payload);
        let link = json!({"sequence": sequence, "previous_hash": previous, "payload": payload, "hash": hash});
        previous = hash;
        link
    };
    (first..first + count).map(link).collect()
}

fn head(link: &Value) -> String {
    format!("{}:{}", link["sequence"], link["hash"].as_str().unwrap())
}

async fn verify(links: &[Value], arguments: &[&str]) -> Finished {
    let api = FakeApi::start().await;
    api.answer(CHAIN, 200, links.iter().map(|link| format!("{link}\n")).collect::<String>());
    Shell::at(&api.url).run(&[&["audit", "verify"], arguments].concat()).await
}

#[tokio::test]
async fn a_whole_chain_is_proved_and_its_head_printed() {
    let chain = links(1, 5);
    let said = verify(&chain, &[]).await.ok();
    assert_eq!(said, format!("5 links are proved, 1 to 5; nothing between them was changed\nhead {}\n", head(&chain[4])));
    let answer: Value = serde_json::from_str(&verify(&chain, &["-o", "json"]).await.ok()).unwrap();
    let expected = json!({"links": 5, "first_sequence": 1, "head": {"sequence": 5, "hash": chain[4]["hash"]}});
    assert_eq!(answer, expected);
    assert_eq!(verify(&[], &[]).await.ok(), "the audit log is empty\n");
    assert!(verify(&links(7, 3), &[]).await.ok().starts_with("3 links are proved, 7 to 9;"));
}

#[tokio::test]
async fn every_break_is_an_error_with_its_place() {
    let chain = links(1, 5);
    let tampered = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut chain = chain.clone();
        change(&mut chain);
        chain
    };
    for (broken, place) in [
        (
            tampered(&|chain| chain[2]["payload"] = chain[2]["payload"].as_str().unwrap().replace("ada", "bob").into()),
            "link 3 was changed",
        ),
        (tampered(&|chain| drop(chain.remove(2))), "link 3 was expected, and link 4 came"),
        (tampered(&|chain| chain.swap(1, 2)), "link 2 was expected, and link 3 came"),
        (tampered(&|chain| chain[0]["previous_hash"] = "0f".repeat(32).into()), "link 1 does not follow"),
        (
            tampered(&|chain| {
                let payload = chain[1]["payload"].as_str().unwrap().replace("ada", "bob");
                chain[1]["hash"] = link_hash(chain[1]["previous_hash"].as_str().unwrap(), &payload).into();
                chain[1]["payload"] = payload.into();
            }),
            "link 3 does not follow",
        ),
        (
            tampered(&|chain| {
                let payload = r#"{"sequence":50}"#;
                chain[4]["hash"] = link_hash(chain[4]["previous_hash"].as_str().unwrap(), payload).into();
                chain[4]["payload"] = payload.into();
            }),
            "link 5 has an event that says it is link 50",
        ),
    ] {
        let said = verify(&broken, &[]).await.failed(1);
        assert!(said.starts_with("error: the audit log is broken: ") && said.contains(place), "{place}\n{said}");
    }
}

#[tokio::test]
async fn a_noted_head_shows_what_the_chain_alone_cannot() {
    let chain = links(1, 5);
    for link in &chain {
        verify(&chain, &["--head", &head(link)]).await.ok();
    }
    // Retention took what was noted, and the first link that is left has its hash.
    verify(&chain[3..], &["--head", &head(&chain[2])]).await.ok();

    let forged = format!("3:{}", "0f".repeat(32));
    for (links, noted, said) in [
        (&chain[..], forged.as_str(), "link 3 has not the hash that was noted"),
        (&chain[..3], &head(&chain[4]), "it ends at link 3, and link 5 was cut off"),
        (&[], &head(&chain[0]), "it is empty, and link 1 was removed"),
        (&chain[3..], &head(&chain[0]), "link 1 is gone, the audit log begins at 4 and ends at 5"),
    ] {
        let error = verify(links, &["--head", noted]).await.failed(1);
        assert!(error.contains(said), "{said}\n{error}");
    }
}

#[tokio::test]
async fn a_stream_that_fails_proves_nothing() {
    let api = FakeApi::start().await;
    let lines = [links(1, 1)[0].clone(), json!({"error": "the database is away", "code": "Unavailable"})];
    api.answer(CHAIN, 200, lines.map(|line| format!("{line}\n")).concat());
    let said = Shell::at(&api.url).run(&["audit", "verify"]).await;
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", "error: the database is away (Unavailable)\n"));
}

#[tokio::test]
async fn the_newest_events_are_listed_with_filters() {
    let api = FakeApi::start().await;
    let event = json!({
        "id": "e1", "event_type": "user", "action": "UpdateUser", "resource": "user", "resource_id": "u1", "user": "ada",
        "ip_address": "192.0.2.1", "old_value": {"role": "user"}, "new_value": {"role": "admin"}, "details": {"request_id": "r1"},
        "result": "denied", "timestamp": "2026-01-01T00:00:00.123456Z", "sequence": 7, "hash": "00ff",
    });
    let list = json!({"events": [&event], "total": 300, "page": 1, "limit": 100});
    let line = "GET /api/v1/audit?page=1&limit=100&event_type=user&action=UpdateUser&user=ada&result=denied&resource_id=u1\
                &start_time=2026-01-01T00%3A00%3A00Z&end_time=2026-02-01T00%3A00%3A00Z";
    api.answer_data(line, 200, list).answer_data("GET /api/v1/audit/e1", 200, event);
    let shell = Shell::at(&api.url);
    let arguments = "audit list --type user --action UpdateUser --user ada --result denied --resource-id u1 \
                     --since 2026-01-01T00:00:00Z --until 2026-02-01T01:00:00+01:00";
    let listed = shell.run(&arguments.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!(listed.stderr, "page 1: 1 of 300; choose with --page and --limit, or --all\n");
    let expected = "\
TIME                  USER  ACTION      RESOURCE  RESOURCE ID  RESULT  FROM       ID
2026-01-01T00:00:00Z  ada   UpdateUser  user      u1           denied  192.0.2.1  e1
";
    assert_eq!(listed.ok(), expected);
    let shown = shell.run(&["audit", "get", "e1"]).await.ok();
    for part in [r#"{"role":"user"}"#, r#"{"role":"admin"}"#, r#"{"request_id":"r1"}"#, "user u1", "00ff"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
}
