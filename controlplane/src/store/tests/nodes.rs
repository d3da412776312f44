//! Nodes, their GPUs, and what becomes of their claims.

use utopia_proto::claim::v1::ClaimPhase;
use uuid::Uuid;

use crate::{
    error::Error,
    model::{NodeStage, PageRequest, Role},
    store::{
        DeleteNodeOutcome, PlaceOutcome, Store,
        testing::{at, claim, gpus, machine, node, on_both_databases, trail, user},
    },
};

on_both_databases!(
    the_same_machine_is_announced_once,
    nodes_are_listed_by_host_name,
    facts_and_gpus_are_as_last_reported,
    a_gpu_moves_with_its_uuid,
    ten_thousand_nodes_are_touched_in_one_go,
    a_node_with_claims_is_only_deleted_by_force,
    no_claim_is_left_on_a_node_that_is_deleted_meanwhile,
    pending_nodes_are_forgotten_after_a_time,
);

async fn the_same_machine_is_announced_once(store: Store) {
    let (first, other) = (Uuid::new_v4(), Uuid::new_v4());
    assert_eq!(store.register_node(first, "a", Some("m1"), at(0), trail()).await.unwrap(), first);
    assert_eq!(store.register_node(Uuid::new_v4(), "a2", Some("m1"), at(1), trail()).await.unwrap(), first);
    assert_eq!(store.register_node(other, "a2", None, at(2), trail()).await.unwrap(), other);

    let found = store.node(first).await.unwrap().unwrap();
    assert_eq!((found.hostname.as_str(), found.stage, found.machine_id.as_deref()), ("a2", NodeStage::Pending, Some("m1")));
    assert_eq!((found.created_at, found.last_seen_at), (at(0), Some(at(1))));

    node(&store, "m2", 0).await;
    let refused = store.register_node(Uuid::new_v4(), "a", Some("m2"), at(3), trail()).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { reason: "NodeAlreadyEnrolled", .. })), "{refused:?}");
}

async fn nodes_are_listed_by_host_name(store: Store) {
    let mut ids = Vec::new();
    for hostname in ["c", "a", "e", "b", "d"] {
        ids.push(node(&store, hostname, 2).await);
    }
    let pending = store.register_node(Uuid::new_v4(), "aa", None, at(0), trail()).await.unwrap();

    let page = store.list_nodes(PageRequest::new(2, 2, 0)).await.unwrap();
    assert_eq!(page.total, 6);
    assert_eq!(page.items.iter().map(|node| node.hostname.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(page.items[0].gpus, gpus("b", 2));
    assert!(store.list_nodes(PageRequest::new(9, 2, 0)).await.unwrap().items.is_empty());

    let index = store.node_index().await.unwrap();
    assert_eq!(index.iter().map(|(_, hostname, _)| hostname.as_str()).collect::<Vec<_>>(), ["a", "aa", "b", "c", "d", "e"]);
    assert_eq!(index[1], (pending, "aa".to_owned(), NodeStage::Pending));

    let enrolled = store.enrolled_nodes().await.unwrap();
    assert_eq!(enrolled.iter().map(|node| node.hostname.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    assert!(enrolled.iter().all(|node| node.gpus == gpus(&node.hostname, 2)));

    let some = store.nodes_by_id(&[ids[0], Uuid::new_v4(), ids[4]]).await.unwrap();
    let mut some: Vec<_> = some.into_iter().map(|node| node.hostname).collect();
    some.sort();
    assert_eq!(some, ["c", "d"]);
    assert!(store.nodes_by_id(&[]).await.unwrap().is_empty());
}

async fn facts_and_gpus_are_as_last_reported(store: Store) {
    let id = node(&store, "a", 4).await;
    let facts = machine("renamed");
    // Reported out of order, one of them twice, one gone.
    let mut reported = gpus("a", 3);
    reported[1].memory_bytes = 96 << 30;
    let mut shuffled = vec![reported[2].clone(), reported[0].clone(), reported[1].clone(), reported[0].clone()];
    assert!(store.update_node(id, &facts, &shuffled, at(9)).await.unwrap());

    let found = store.node(id).await.unwrap().unwrap();
    assert_eq!((&found.facts, found.hostname.as_str(), found.last_seen_at), (&facts, "renamed", Some(at(9))));
    assert_eq!(found.gpus, reported);

    shuffled.clear();
    assert!(store.update_node(id, &facts, &shuffled, at(10)).await.unwrap());
    assert!(store.node(id).await.unwrap().unwrap().gpus.is_empty());
    assert!(!store.update_node(Uuid::new_v4(), &facts, &reported, at(9)).await.unwrap());

    reported[0].uuid = "a,b".to_owned();
    assert!(matches!(store.update_node(id, &facts, &reported, at(11)).await, Err(Error::Invalid { .. })));
    assert_eq!(store.node(id).await.unwrap().unwrap().last_seen_at, Some(at(10)));
}

async fn a_gpu_moves_with_its_uuid(store: Store) {
    let a = node(&store, "a", 2).await;
    let b = node(&store, "b", 0).await;
    assert!(store.update_node(b, &machine("b"), &gpus("a", 1), at(1)).await.unwrap());
    assert_eq!(store.node(a).await.unwrap().unwrap().gpus, gpus("a", 2)[1..]);
    assert_eq!(store.node(b).await.unwrap().unwrap().gpus, gpus("a", 1));
}

async fn ten_thousand_nodes_are_touched_in_one_go(store: Store) {
    let known = node(&store, "a", 0).await;
    let ahead = node(&store, "b", 0).await;
    store.touch_nodes(&[(ahead, at(100))]).await.unwrap();
    let mut seen: Vec<_> = (0..10_001).map(|_| (Uuid::new_v4(), at(50))).collect();
    seen[5_000].0 = known;
    seen[10_000].0 = ahead;
    store.touch_nodes(&seen).await.unwrap();
    assert_eq!(store.node(known).await.unwrap().unwrap().last_seen_at, Some(at(50)));
    assert_eq!(store.node(ahead).await.unwrap().unwrap().last_seen_at, Some(at(100)));
    store.touch_nodes(&[]).await.unwrap();
}

async fn a_node_with_claims_is_only_deleted_by_force(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let node_id = node(&store, "a", 2).await;
    let live = claim(&store, &user, 1).await;
    let deleted = claim(&store, &user, 1).await;
    for (id, gpu) in [(live, "GPU-a-0"), (deleted, "GPU-a-1")] {
        let placed = store.place_claim(id, 1, node_id, &[gpu.to_owned()], at(1)).await.unwrap();
        assert_eq!(placed, PlaceOutcome::Placed { epoch: 1 });
    }
    assert!(store.delete_claim(deleted, None, at(2), trail()).await.unwrap());

    assert_eq!(store.delete_node(node_id, false, at(3), trail()).await.unwrap(), DeleteNodeOutcome::HasClaims(1));
    assert_eq!(store.ledger().await.unwrap().len(), 2);
    assert_eq!(store.delete_node(node_id, true, at(4), trail()).await.unwrap(), DeleteNodeOutcome::Deleted);
    assert_eq!(store.delete_node(node_id, true, at(5), trail()).await.unwrap(), DeleteNodeOutcome::NotFound);

    let failed = store.claim(live).await.unwrap().unwrap();
    assert_eq!((failed.phase, failed.reason.as_str(), failed.node_id), (ClaimPhase::Failed, "NodeDeleted", None));
    assert_eq!((failed.generation, failed.updated_at), (3, at(4)));
    assert!(store.ledger().await.unwrap().is_empty());
    assert!(store.node(node_id).await.unwrap().is_none());
    let left = store.unsettled_claims().await.unwrap();
    assert_eq!(left.iter().map(|claim| (claim.id, claim.node_id)).collect::<Vec<_>>(), [(deleted, None)]);

    let waiting = claim(&store, &user, 0).await;
    assert_eq!(store.place_claim(waiting, 1, node_id, &[], at(6)).await.unwrap(), PlaceOutcome::Stale);
}

async fn no_claim_is_left_on_a_node_that_is_deleted_meanwhile(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    for round in 0..40 {
        let hostname = format!("n{round}");
        let node_id = node(&store, &hostname, 1).await;
        let id = claim(&store, &user, 1).await;
        let gpu = [format!("GPU-{hostname}-0")];
        let place = store.place_claim(id, 1, node_id, &gpu, at(1));
        let delete = store.delete_node(node_id, true, at(1), trail());
        let (placed, deleted) = if round % 2 == 0 {
            tokio::join!(place, delete)
        } else {
            let (deleted, placed) = tokio::join!(delete, place);
            (placed, deleted)
        };
        assert_eq!(deleted.unwrap(), DeleteNodeOutcome::Deleted);
        let expected = match placed.unwrap() {
            PlaceOutcome::Placed { .. } => (ClaimPhase::Failed, None),
            PlaceOutcome::Stale => (ClaimPhase::Pending, None),
            PlaceOutcome::GpuTaken => panic!("the GPU of a node that is gone is taken"),
        };
        let left = store.claim(id).await.unwrap().unwrap();
        assert_eq!((left.phase, left.node_id), expected);
        assert!(store.ledger().await.unwrap().is_empty());
    }
}

async fn pending_nodes_are_forgotten_after_a_time(store: Store) {
    let enrolled = node(&store, "a", 0).await;
    let old = store.register_node(Uuid::new_v4(), "b", None, at(0), trail()).await.unwrap();
    let again = store.register_node(Uuid::new_v4(), "c", Some("c"), at(0), trail()).await.unwrap();
    store.register_node(Uuid::new_v4(), "c", Some("c"), at(100), trail()).await.unwrap();
    assert_eq!(store.expire_pending_nodes(at(50)).await.unwrap(), 1);
    assert!(store.node(old).await.unwrap().is_none());
    assert!(store.node(again).await.unwrap().is_some());
    assert!(store.node(enrolled).await.unwrap().is_some());
}
