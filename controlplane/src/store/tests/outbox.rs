//! The log of events.

use std::ops::ControlFlow;

use utopia_proto::claim::v1::ClaimPhase;
use uuid::Uuid;

use crate::{
    error::Error,
    model::{Role, event::Event},
    store::{
        OutboxEnds, Store,
        testing::{at, claim, new_claim, node, on_both_databases, status, trail, user},
    },
};

on_both_databases!(
    every_change_of_a_claim_has_its_event,
    what_is_not_done_has_no_event,
    nodes_come_up_and_go_down_once,
    simultaneous_changes_are_numbered_without_gaps,
    old_events_are_forgotten_and_cursors_expire,
);

async fn events(store: &Store, after: i64) -> Vec<Event> {
    store.events_after(after, 1_000).await.unwrap()
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| &*event.kind).collect()
}

async fn every_change_of_a_claim_has_its_event(store: Store) {
    let owner = user(&store, "alice", Role::Admin).await;
    let node_id = node(&store, "a", 1).await;
    let begin = store.outbox_ends().await.unwrap().newest;
    let id = claim(&store, &owner, 1).await;
    store.place_claim(id, 1, node_id, &["GPU-a-0".to_owned()], at(1)).await.unwrap();
    let from = |before, phase, reason| {
        let change = status(phase, reason);
        crate::store::StatusChange { before, ..change }
    };
    let (scheduled, running) = (ClaimPhase::Scheduled, ClaimPhase::Running);
    assert!(store.set_claim_status(id, 2, from(scheduled, scheduled, "Pulling"), at(2)).await.unwrap());
    assert!(store.set_claim_status(id, 3, from(scheduled, running, ""), at(3)).await.unwrap());
    assert!(store.set_claim_status(id, 4, from(running, ClaimPhase::Failed, "ContainerExited"), at(4)).await.unwrap());
    assert!(store.delete_claim(id, None, at(5), trail()).await.unwrap());

    let events = events(&store, begin).await;
    let expected = ["claim.pending", "claim.scheduled", "claim.updated", "claim.running", "claim.failed", "claim.deleted"];
    assert_eq!(kinds(&events), expected);
    for (number, event) in (begin + 1..).zip(&events) {
        assert_eq!((event.sequence, &*event.resource_id, event.owner_id), (number, &*id.to_string(), Some(owner.id)));
        assert_eq!((event.data["id"].as_str(), event.data["gpu_count"].as_i64()), (Some(&*id.to_string()), Some(1)));
    }
    let times: Vec<_> = events.iter().map(|event| event.at).collect();
    assert_eq!(times, [at(0), at(1), at(2), at(3), at(4), at(5)]);
    assert_eq!(events[1].data["node_id"], node_id.to_string());
    assert_eq!((&events[4].data["phase"], &events[4].data["reason"]), (&"Failed".into(), &"ContainerExited".into()));
}

async fn what_is_not_done_has_no_event(store: Store) {
    let owner = user(&store, "alice", Role::User).await;
    let id = claim(&store, &owner, 1).await;
    let begin = store.outbox_ends().await.unwrap().newest;
    // Of another generation, over the quota, of another owner.
    assert!(!store.set_claim_status(id, 7, status(ClaimPhase::Failed, "Late"), at(1)).await.unwrap());
    assert!(store.admit_claim(new_claim(&owner, 64, at(1)), Role::User, trail()).await.is_err());
    assert!(!store.delete_claim(id, Some(owner.id + 1), at(1), trail()).await.unwrap());
    assert_eq!(kinds(&events(&store, begin).await), [""; 0]);
}

async fn nodes_come_up_and_go_down_once(store: Store) {
    let (first, second) = (node(&store, "a", 0).await, node(&store, "b", 0).await);
    let begin = store.outbox_ends().await.unwrap().newest;
    store.set_nodes_up(&[(first, true), (second, true), (Uuid::new_v4(), true)], at(1)).await.unwrap();
    store.set_nodes_up(&[(first, true), (second, false)], at(2)).await.unwrap();
    assert_eq!(store.nodes_up().await.unwrap(), [first].into());
    let events = events(&store, begin).await;
    assert_eq!(kinds(&events), ["node.up", "node.up", "node.down"]);
    assert_eq!((&*events[2].resource_id, &events[2].data["hostname"]), (&*second.to_string(), &"b".into()));
    assert_eq!(events[2].owner_id, None);
}

async fn simultaneous_changes_are_numbered_without_gaps(store: Store) {
    let owner = user(&store, "alice", Role::Admin).await;
    let begin = store.outbox_ends().await.unwrap().newest;
    let admit = async || {
        for _ in 0..10 {
            claim(&store, &owner, 1).await;
        }
    };
    tokio::join!(admit(), admit(), admit(), admit());
    let numbers: Vec<_> = events(&store, begin).await.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (begin + 1..=begin + 40).collect::<Vec<_>>());
}

async fn old_events_are_forgotten_and_cursors_expire(store: Store) {
    let owner = user(&store, "alice", Role::Admin).await;
    let begin = store.outbox_ends().await.unwrap().newest;
    for second in 0..4 {
        store.admit_claim(new_claim(&owner, 1, at(second)), Role::Admin, trail()).await.unwrap();
    }
    // Webhooks have had the first only.
    assert!(store.fan_out(begin, begin + 1, &[], at(2)).await.unwrap());
    while store.forget_outbox(at(2)).await.unwrap() == ControlFlow::Continue(()) {}
    assert_eq!(store.outbox_ends().await.unwrap(), OutboxEnds { forgotten: begin + 1, newest: begin + 4 });
    assert!(store.fan_out(begin + 1, begin + 4, &[], at(2)).await.unwrap());
    while store.forget_outbox(at(2)).await.unwrap() == ControlFlow::Continue(()) {}
    assert_eq!(store.outbox_ends().await.unwrap(), OutboxEnds { forgotten: begin + 2, newest: begin + 4 });
    assert_eq!(events(&store, begin + 2).await.len(), 2);
    for expired in [begin + 1, begin + 5] {
        let error = store.events_after(expired, 10).await.unwrap_err();
        assert!(matches!(error, Error::Expired { reason: "CursorExpired", .. }), "{error}");
    }
    // The numbers go on when nothing is left.
    while store.forget_outbox(at(100)).await.unwrap() == ControlFlow::Continue(()) {}
    claim(&store, &owner, 1).await;
    assert_eq!(events(&store, begin + 4).await[0].sequence, begin + 5);
}
