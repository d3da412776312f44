//! The audit log: the chain holds whoever writes, what was done to it shows, and a change and its event are one.

use futures_util::future::join_all;
use serde_json::json;
use utopia_proto::{
    audit::v1::AuditLink,
    chain::{Broken, Chain, verify},
};

use crate::{
    model::{
        PageRequest, Role,
        audit::{AuditResult, Change, Event, Trail},
    },
    store::{
        EventFilter, Store,
        testing::{at, new_claim, on_both_databases, trail, user},
    },
};

on_both_databases!(
    the_chain_holds_however_many_write,
    what_was_done_to_the_log_shows,
    a_change_and_its_event_are_one,
    an_event_tells_all,
    events_are_found_by_every_filter,
    the_oldest_events_go_and_the_rest_still_holds,
);

async fn links(store: &Store) -> Vec<AuditLink> {
    store.links(0, i64::MAX, i64::MAX).await.unwrap()
}

async fn note(store: &Store, number: i64) {
    store.record(trail(), Change::touched(number), AuditResult::Success, at(number)).await.unwrap();
}

async fn the_chain_holds_however_many_write(store: Store) {
    let alice = user(&store, "alice", Role::Admin).await;
    let before = store.audit_head().await.unwrap();
    let claims =
        (0..32).map(|_| async { drop(store.admit_claim(new_claim(&alice, 1, at(0)), Role::Admin, trail()).await.unwrap()) });
    let event = Event { trail: trail().clone(), change: Change::touched("x"), result: AuditResult::Success, at: at(0) };
    let batch = [event.clone(), event];
    let notes = (0..32).map(|number| {
        let (store, batch) = (&store, &batch);
        async move { if number % 2 == 0 { note(store, number).await } else { store.record_all(batch).await.unwrap() } }
    });
    tokio::join!(join_all(claims), join_all(notes));

    let written = links(&store).await;
    let chain = verify(&written).unwrap();
    assert_eq!(chain.first(), Some(1));
    assert_eq!(chain.head().unwrap().0, before + 32 + 16 + 2 * 16);
    assert_eq!(store.audit_head().await.unwrap(), chain.head().unwrap().0);
}

async fn what_was_done_to_the_log_shows(store: Store) {
    for number in 1..=6 {
        note(&store, number).await;
    }
    verify(&links(&store).await).unwrap();
    // Each change is undone before the next.
    let tamper = async |sql: &'static str, undo: &'static str| {
        sqlx::raw_sql(sql).execute(&store.write).await.unwrap();
        let broken = verify(&links(&store).await).unwrap_err();
        sqlx::raw_sql(undo).execute(&store.write).await.unwrap();
        verify(&links(&store).await).unwrap();
        broken
    };
    let changed = tamper(
        "update audit_events set payload = payload || ' ' where sequence = 3",
        "update audit_events set payload = substr(payload, 1, length(payload) - 1) where sequence = 3",
    );
    assert_eq!(changed.await, Broken::Hash { sequence: 3 });
    let removed = tamper(
        "update audit_events set sequence = 1000 where sequence = 4",
        "update audit_events set sequence = 4 where sequence = 1000",
    );
    assert_eq!(removed.await, Broken::Sequence { expected: 4, found: 5 });
    let swap = "update audit_events set sequence = -2 where sequence = 2; update audit_events set sequence = 2 where sequence = 3; \
                update audit_events set sequence = 3 where sequence = -2";
    assert_eq!(tamper(swap, swap).await, Broken::Previous { sequence: 2 });
}

async fn a_change_and_its_event_are_one(store: Store) {
    let alice = user(&store, "alice", Role::Admin).await;
    let kept = store.admit_claim(new_claim(&alice, 1, at(0)), Role::Admin, trail()).await.unwrap().claim;
    let before = links(&store).await;
    // What is refused leaves nothing.
    store.admit_claim(new_claim(&alice, 1, at(0)), Role::Readonly, trail()).await.unwrap_err();
    assert!(!store.delete_claim(uuid::Uuid::new_v4(), None, at(1), trail()).await.unwrap());
    assert!(!store.revoke_join_token("none", at(1), trail()).await.unwrap());
    assert_eq!(links(&store).await, before);

    // What cannot be written down does not happen.
    sqlx::raw_sql("update audit_head set id = 1, sequence = 0").execute(&store.write).await.unwrap();
    store.admit_claim(new_claim(&alice, 1, at(0)), Role::Admin, trail()).await.unwrap_err();
    store.delete_claim(kept.id, None, at(1), trail()).await.unwrap_err();
    assert_eq!(store.unsettled_claims().await.unwrap(), [kept]);
    assert_eq!(links(&store).await, before);
}

async fn an_event_tells_all(store: Store) {
    let trail = Trail {
        user: "ada".into(),
        address: Some("10.0.0.7".parse().unwrap()),
        resource: "thing".into(),
        action: "ChangeThing".into(),
        method: "/things/ChangeThing".into(),
        request_id: "r1".into(),
    };
    let change = Change::updated("t1", json!({"size": 1}), json!({"size": 2}));
    store.record(&trail, change, AuditResult::Success, at(5)).await.unwrap();
    let denied = AuditResult::Denied("PermissionDenied".into(), "you may not".into());
    store.record(&trail, Change::touched("t2"), denied, at(6)).await.unwrap();

    let page = store.list_events(&EventFilter::default(), PageRequest::new(1, 10, 0)).await.unwrap();
    assert_eq!(page.total, 2);
    let id = page.items[1].payload["id"].as_str().unwrap();
    assert_eq!(store.event(id).await.unwrap().unwrap(), page.items[1]);
    assert_eq!(store.event("none").await.unwrap(), None);
    assert_eq!(
        page.items[1].payload,
        json!({
            "id": id, "sequence": 1, "timestamp": at(5).to_string(), "resource": "thing", "resource_id": "t1",
            "action": "ChangeThing", "user": "ada", "ip_address": "10.0.0.7", "old_value": {"size": 1}, "new_value": {"size": 2},
            "details": {"method": "/things/ChangeThing", "request_id": "r1"}, "result": "success",
        })
    );
    let denied = &page.items[0].payload;
    assert_eq!((&denied["result"], &denied["old_value"], &denied["new_value"]), (&json!("denied"), &json!({}), &json!({})));
    assert_eq!(
        (&denied["details"]["reason"], &denied["details"]["message"]),
        (&json!("PermissionDenied"), &json!("you may not"))
    );
}

async fn events_are_found_by_every_filter(store: Store) {
    let trail = |user: &str, resource: &str, action: &str| Trail { user: user.into(), ..Trail::system(resource, action) };
    let failure = AuditResult::Failure("NotFound".into(), "there is none".into());
    for (second, trail, id, result) in [
        (1, trail("ada", "claim", "CreateClaim"), "c1", AuditResult::Success),
        (2, trail("bob", "claim", "DeleteClaim"), "c1", AuditResult::Success),
        (3, trail("ada", "claim", "DeleteClaim"), "c2", failure),
        (4, trail("ada", "user", "UpdateUser"), "c1", AuditResult::Success),
    ] {
        store.record(&trail, Change::touched(id), result, at(second)).await.unwrap();
    }
    let find = async |filter: EventFilter| {
        let page = store.list_events(&filter, PageRequest::new(1, 100, 0)).await.unwrap();
        assert_eq!(page.total, i64::try_from(page.items.len()).unwrap());
        page.items.iter().map(|event| event.sequence).collect::<Vec<_>>()
    };
    let all = EventFilter::default();
    assert_eq!(find(all.clone()).await, [4, 3, 2, 1]);
    assert_eq!(find(EventFilter { resource: "claim".into(), ..all.clone() }).await, [3, 2, 1]);
    assert_eq!(find(EventFilter { resource_id: "c1".into(), ..all.clone() }).await, [4, 2, 1]);
    assert_eq!(find(EventFilter { action: "DeleteClaim".into(), ..all.clone() }).await, [3, 2]);
    assert_eq!(find(EventFilter { user: "ada".into(), ..all.clone() }).await, [4, 3, 1]);
    assert_eq!(find(EventFilter { result: "failure", ..all.clone() }).await, [3]);
    assert_eq!(find(EventFilter { from: Some(at(2)), before: Some(at(4)), ..all.clone() }).await, [3, 2]);
    let several =
        EventFilter { resource: "claim".into(), user: "ada".into(), result: "success", before: Some(at(9)), ..all.clone() };
    assert_eq!(find(several).await, [1]);
    assert_eq!(find(EventFilter { user: "' or 1 = 1 --".into(), ..all.clone() }).await, [0; 0]);

    let second = store.list_events(&all, PageRequest::new(2, 3, 0)).await.unwrap();
    assert_eq!((second.total, second.items.len(), second.items[0].sequence), (4, 1, 1));
}

async fn the_oldest_events_go_and_the_rest_still_holds(store: Store) {
    for number in 1..=5 {
        note(&store, number).await;
    }
    let whole = links(&store).await;
    assert_eq!(store.forget_events(at(1)).await.unwrap(), 0);
    assert_eq!(store.forget_events(at(3)).await.unwrap(), 2);
    assert_eq!(links(&store).await, whole[2..]);
    let mut chain = verify(&links(&store).await).unwrap();
    assert_eq!(chain.first(), Some(3));

    // The newest stays, so that the next has something to follow that anybody can see.
    assert_eq!(store.forget_events(at(99)).await.unwrap(), 2);
    assert_eq!(store.forget_events(at(99)).await.unwrap(), 0);
    note(&store, 6).await;
    let rest = links(&store).await;
    assert_eq!(rest[0], whole[4]);
    chain.push(&rest[1]).unwrap();
    let mut later = Chain::after(5, &whole[4].hash);
    later.push(&rest[1]).unwrap();
}
