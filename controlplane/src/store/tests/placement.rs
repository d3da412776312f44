//! Placing, reporting, unplacing, forgetting: compare-and-swap and the GPU ledger.

use utopia_proto::claim::v1::ClaimPhase;
use uuid::Uuid;

use crate::{
    model::{LedgerRow, Role},
    store::{
        PlaceOutcome, Placement, StatusChange, Store, Waiting,
        testing::{at, claim, node, on_both_databases, status, trail, user},
    },
};

on_both_databases!(
    a_claim_goes_from_waiting_to_its_end,
    changes_decided_on_an_older_generation_are_not_done,
    a_gpu_is_booked_once,
    of_two_claims_for_the_last_gpu_exactly_one_gets_it,
    placements_that_want_the_same_gpus_in_any_order_do_not_deadlock,
    in_a_group_each_change_is_done_or_not_by_itself,
    waiting_reasons_are_written_in_bulk,
    unsettled_claims_come_oldest_first_with_their_gpus,
    claims_that_were_read_before_are_brought_up_to_date,
);

fn uuids(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn a_claim_goes_from_waiting_to_its_end(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let node_id = node(&store, "a", 2).await;
    let id = claim(&store, &user, 2).await;
    let gpus = uuids(&["GPU-a-1", "GPU-a-0"]);

    assert_eq!(store.place_claim(id, 1, node_id, &gpus, at(1)).await.unwrap(), PlaceOutcome::Placed { epoch: 1 });
    let placed = store.claim(id).await.unwrap().unwrap();
    assert_eq!((placed.phase, placed.node_id, placed.epoch, placed.generation), (ClaimPhase::Scheduled, Some(node_id), 1, 2));
    assert_eq!((placed.gpu_uuids, placed.updated_at), (uuids(&["GPU-a-0", "GPU-a-1"]), at(1)));
    let row = |gpu: &str| LedgerRow { gpu_uuid: gpu.to_owned(), node_id, claim_id: id, epoch: 1 };
    assert_eq!(store.ledger().await.unwrap(), [row("GPU-a-0"), row("GPU-a-1")]);

    assert!(store.set_claim_status(id, 2, status(ClaimPhase::Running, "Because"), at(2)).await.unwrap());
    let running = store.claim(id).await.unwrap().unwrap();
    assert_eq!((running.phase, running.container_id.as_str(), running.gpu_uuids.len()), (ClaimPhase::Running, "c1", 2));
    assert_eq!((running.reason.as_str(), running.message.as_str()), ("Because", "it is so"));

    assert!(store.unplace_claim(id, 3, at(3)).await.unwrap());
    let waiting = store.claim(id).await.unwrap().unwrap();
    assert_eq!((waiting.phase, waiting.node_id, waiting.container_id.as_str()), (ClaimPhase::Pending, None, ""));
    assert_eq!((waiting.reason.as_str(), waiting.epoch, waiting.gpu_uuids.len()), ("NodeLost", 1, 0));

    assert_eq!(store.place_claim(id, 4, node_id, &gpus, at(4)).await.unwrap(), PlaceOutcome::Placed { epoch: 2 });
    assert_eq!(store.claim(id).await.unwrap().unwrap().reason, "");
    assert!(store.set_claim_status(id, 5, status(ClaimPhase::Completed, "Because"), at(5)).await.unwrap());
    let ended = store.claim(id).await.unwrap().unwrap();
    assert_eq!((ended.phase, ended.node_id, ended.gpu_uuids.len()), (ClaimPhase::Completed, Some(node_id), 0));
    assert!(store.ledger().await.unwrap().is_empty());
    assert!(store.unsettled_claims().await.unwrap().is_empty());
}

async fn changes_decided_on_an_older_generation_are_not_done(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let node_id = node(&store, "a", 2).await;
    let id = claim(&store, &user, 1).await;
    let gpus = uuids(&["GPU-a-0"]);
    assert_eq!(store.place_claim(id, 2, node_id, &gpus, at(1)).await.unwrap(), PlaceOutcome::Stale);
    assert_eq!(store.place_claim(Uuid::new_v4(), 1, node_id, &gpus, at(1)).await.unwrap(), PlaceOutcome::Stale);
    assert_eq!(store.place_claim(id, 1, Uuid::new_v4(), &gpus, at(1)).await.unwrap(), PlaceOutcome::Stale);
    assert!(!store.set_claim_status(id, 2, status(ClaimPhase::Failed, "Because"), at(1)).await.unwrap());
    store.place_claim(id, 1, node_id, &gpus, at(1)).await.unwrap();
    let placed = store.claim(id).await.unwrap().unwrap();

    assert_eq!(store.place_claim(id, 1, node_id, &uuids(&["GPU-a-1"]), at(2)).await.unwrap(), PlaceOutcome::Stale);
    assert_eq!(store.place_claim(id, 2, node_id, &uuids(&["GPU-a-1"]), at(2)).await.unwrap(), PlaceOutcome::Stale);
    assert!(!store.set_claim_status(id, 1, status(ClaimPhase::Failed, "Because"), at(2)).await.unwrap());
    assert!(!store.unplace_claim(id, 1, at(2)).await.unwrap());
    assert_eq!(store.claim(id).await.unwrap().unwrap(), placed);

    // Deleting is a change too: what was decided before does not hold, and nothing places the claim again.
    store.delete_claim(id, None, at(3), trail()).await.unwrap();
    assert!(!store.set_claim_status(id, 2, status(ClaimPhase::Running, "Because"), at(4)).await.unwrap());
    assert!(!store.unplace_claim(id, 3, at(4)).await.unwrap());
    assert_eq!(store.ledger().await.unwrap().len(), 1);
    assert!(store.forget_claim(id).await.unwrap());
    assert!(store.ledger().await.unwrap().is_empty());
}

async fn a_gpu_is_booked_once(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let node_id = node(&store, "a", 3).await;
    let first = claim(&store, &user, 1).await;
    let second = claim(&store, &user, 2).await;
    store.place_claim(first, 1, node_id, &uuids(&["GPU-a-1"]), at(1)).await.unwrap();
    let before = store.claim(second).await.unwrap().unwrap();
    let taken = store.place_claim(second, 1, node_id, &uuids(&["GPU-a-0", "GPU-a-1"]), at(1)).await.unwrap();
    assert_eq!(taken, PlaceOutcome::GpuTaken);
    assert_eq!(store.claim(second).await.unwrap().unwrap(), before);
    let placed = store.place_claim(second, 1, node_id, &uuids(&["GPU-a-0", "GPU-a-2"]), at(1)).await.unwrap();
    assert_eq!(placed, PlaceOutcome::Placed { epoch: 1 });
}

async fn of_two_claims_for_the_last_gpu_exactly_one_gets_it(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    // The same GPU as two nodes see it, so that not even the node's lock keeps the two apart.
    let nodes = [node(&store, "a", 1).await, node(&store, "b", 0).await];
    let gpu = uuids(&["GPU-a-0"]);
    let claims = [claim(&store, &user, 1).await, claim(&store, &user, 1).await];
    let mut generations = [1, 1];
    for round in 0..1_000 {
        let (one, other) = (round % 2, (round + 1) % 2);
        let place = |claim: usize| store.place_claim(claims[claim], generations[claim], nodes[claim], &gpu, at(1));
        let outcomes = tokio::join!(place(one), place(other));
        let (winner, epoch) = match (outcomes.0.unwrap(), outcomes.1.unwrap()) {
            (PlaceOutcome::Placed { epoch }, PlaceOutcome::GpuTaken) => (one, epoch),
            (PlaceOutcome::GpuTaken, PlaceOutcome::Placed { epoch }) => (other, epoch),
            outcomes => panic!("round {round}: {outcomes:?}"),
        };
        let row = LedgerRow { gpu_uuid: gpu[0].clone(), node_id: nodes[winner], claim_id: claims[winner], epoch };
        assert_eq!(store.ledger().await.unwrap(), [row], "round {round}");
        assert!(store.unplace_claim(claims[winner], generations[winner] + 1, at(1)).await.unwrap(), "round {round}");
        generations[winner] += 2;
    }
}

async fn placements_that_want_the_same_gpus_in_any_order_do_not_deadlock(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let nodes = [node(&store, "a", 8).await, node(&store, "b", 0).await];
    let forward: Vec<_> = (0..8).map(|index| format!("GPU-a-{index}")).collect();
    let backward: Vec<_> = forward.iter().rev().cloned().collect();
    let claims = [claim(&store, &user, 8).await, claim(&store, &user, 8).await];
    let mut generations = [1, 1];
    for _ in 0..50 {
        let (first, second) = tokio::join!(
            store.place_claim(claims[0], generations[0], nodes[0], &forward, at(1)),
            store.place_claim(claims[1], generations[1], nodes[1], &backward, at(1)),
        );
        let winner = usize::from(first.unwrap() == PlaceOutcome::GpuTaken);
        assert_eq!(second.unwrap() == PlaceOutcome::GpuTaken, winner == 0);
        assert!(store.unplace_claim(claims[winner], generations[winner] + 1, at(1)).await.unwrap());
        generations[winner] += 2;
    }
}

async fn in_a_group_each_change_is_done_or_not_by_itself(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let node_id = node(&store, "a", 300).await;
    let mut claims = Vec::new();
    for _ in 0..300 {
        claims.push(claim(&store, &user, 1).await);
    }
    let place = |number: usize| {
        let gpu_uuids = vec![format!("GPU-a-{number}")];
        Placement { id: claims[number], generation: 1, node_id, gpu_uuids }
    };
    store.place_claim(claims[0], 1, node_id, &uuids(&["GPU-a-7"]), at(1)).await.unwrap();
    let mut group: Vec<_> = (0..300).map(place).collect();
    group[3].generation = 9;
    group[4].node_id = Uuid::new_v4();
    let outcomes = store.place_claims(&group, at(2)).await.unwrap();
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = match number {
            0 | 3 | 4 => PlaceOutcome::Stale,
            7 => PlaceOutcome::GpuTaken,
            _ => PlaceOutcome::Placed { epoch: 1 },
        };
        assert_eq!(*outcome, expected, "{number}");
    }
    assert_eq!(store.ledger().await.unwrap().len(), 297);

    let change = |number: usize, phase| StatusChange { id: claims[number], generation: 2, ..status(phase, "Because") };
    let changes: Vec<_> = (0..300)
        .map(|number| match number % 3 {
            0 => change(number, ClaimPhase::Running),
            1 => change(number, ClaimPhase::Completed),
            _ => change(number, ClaimPhase::Pending),
        })
        .collect();
    let changed = store.set_claim_statuses(&changes, at(3)).await.unwrap();
    let stale: Vec<_> = (0..300).filter(|number| !changed.contains(&claims[*number])).collect();
    assert_eq!(stale, [3, 4, 7]);
    let found = store.claims_by_id(&claims).await.unwrap();
    let count = |phase| found.iter().filter(|claim| claim.phase == phase && claim.generation == 3).count();
    assert_eq!([ClaimPhase::Running, ClaimPhase::Completed, ClaimPhase::Pending].map(count), [99, 98, 100]);
    assert!(found.iter().all(|claim| (claim.phase == ClaimPhase::Pending) == claim.node_id.is_none()));
    assert_eq!(store.ledger().await.unwrap().len(), 99);

    for id in &claims[..2] {
        assert!(store.delete_claim(*id, None, at(4), trail()).await.unwrap());
    }
    assert_eq!(store.forget_claims(&claims).await.unwrap(), 2);
    assert_eq!(store.claims_by_id(&claims).await.unwrap().len(), 298);
    assert_eq!(store.ledger().await.unwrap().len(), 98);
}

fn waiting(id: Uuid, generation: i64) -> Waiting {
    Waiting { id, generation, reason: "InsufficientGPUs".to_owned(), message: "no node has 1 free GPU".to_owned() }
}

async fn waiting_reasons_are_written_in_bulk(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let first = claim(&store, &user, 1).await;
    let changed = claim(&store, &user, 1).await;
    let deleted = claim(&store, &user, 1).await;
    store.delete_claim(deleted, None, at(1), trail()).await.unwrap();
    let mut batch: Vec<_> = (0..1_200).map(|_| waiting(Uuid::new_v4(), 1)).collect();
    batch.extend([waiting(first, 1), waiting(changed, 7), waiting(deleted, 2)]);
    assert_eq!(store.set_waiting(&batch, at(2)).await.unwrap(), 1);

    let found = store.claim(first).await.unwrap().unwrap();
    assert_eq!((found.reason.as_str(), found.message.as_str()), ("InsufficientGPUs", "no node has 1 free GPU"));
    assert_eq!((found.generation, found.updated_at), (2, at(2)));
    assert_eq!(store.claim(changed).await.unwrap().unwrap().reason, "");
    // The same again changes nothing.
    assert_eq!(store.set_waiting(&[waiting(first, 2)], at(3)).await.unwrap(), 0);
    assert_eq!(store.set_waiting(&[], at(3)).await.unwrap(), 0);
}

async fn claims_that_were_read_before_are_brought_up_to_date(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let node_id = node(&store, "a", 3).await;
    let mut known = Vec::new();
    let mut renewed = async || {
        store.renew_unsettled_claims(&mut known).await.unwrap();
        known.sort_by_key(|claim| (claim.created_at, claim.id));
        assert_eq!(known, store.unsettled_claims().await.unwrap());
        known.len()
    };
    assert_eq!(renewed().await, 0);
    let (moves, ends, stays) = (claim(&store, &user, 1).await, claim(&store, &user, 1).await, claim(&store, &user, 1).await);
    assert_eq!(renewed().await, 3);
    store.place_claim(moves, 1, node_id, &uuids(&["GPU-a-1"]), at(1)).await.unwrap();
    store.set_claim_status(ends, 1, status(ClaimPhase::Failed, "Because"), at(2)).await.unwrap();
    assert_eq!(renewed().await, 2);
    store.set_waiting(&[waiting(stays, 1)], at(3)).await.unwrap();
    claim(&store, &user, 1).await;
    assert_eq!(renewed().await, 3);
    store.delete_node(node_id, true, at(4), trail()).await.unwrap();
    assert_eq!(renewed().await, 2);
    store.delete_claim(stays, None, at(5), trail()).await.unwrap();
    assert_eq!(renewed().await, 2);
    store.forget_claims(&[stays]).await.unwrap();
    assert_eq!(renewed().await, 1);
}

async fn unsettled_claims_come_oldest_first_with_their_gpus(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    let node_id = node(&store, "a", 3).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(claim(&store, &user, 1).await);
    }
    ids.sort();
    store.place_claim(ids[1], 1, node_id, &uuids(&["GPU-a-2", "GPU-a-0"]), at(1)).await.unwrap();
    store.place_claim(ids[2], 1, node_id, &uuids(&["GPU-a-1"]), at(1)).await.unwrap();
    store.delete_claim(ids[2], None, at(2), trail()).await.unwrap();
    store.set_claim_status(ids[3], 1, status(ClaimPhase::Failed, "Because"), at(2)).await.unwrap();
    let found = store.unsettled_claims().await.unwrap();
    let found: Vec<_> = found.into_iter().map(|claim| (claim.id, claim.gpu_uuids)).collect();
    let expected = [(ids[0], uuids(&[])), (ids[1], uuids(&["GPU-a-0", "GPU-a-2"])), (ids[2], uuids(&["GPU-a-1"]))];
    assert_eq!(found, expected);
}
