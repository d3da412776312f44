//! Lists and deletion.

use utopia_proto::claim::v1::ClaimPhase;

use crate::{
    model::{PageRequest, Role},
    store::{
        Store,
        testing::{at, claim, new_claim, node, on_both_databases, spec, trail, user},
    },
};

on_both_databases!(claims_are_listed_newest_first, a_deleted_claim_is_gone_for_its_owner_only,);

async fn claims_are_listed_newest_first(store: Store) {
    let alice = user(&store, "alice", Role::User).await;
    let bob = user(&store, "bob", Role::User).await;
    let node_id = node(&store, "a", 1).await;
    let mut ids = Vec::new();
    for (second, user) in [&alice, &bob, &alice, &alice].into_iter().enumerate() {
        let new = new_claim(user, 1, at(i64::try_from(second).unwrap()));
        ids.push(store.admit_claim(new, Role::Admin, trail()).await.unwrap().claim.id);
    }
    store.place_claim(ids[2], 1, node_id, &["GPU-a-0".to_owned()], at(9)).await.unwrap();
    store.delete_claim(ids[0], None, at(9), trail()).await.unwrap();

    let list = |owner, phase, page| {
        let store = store.clone();
        async move {
            let page = store.list_claims(owner, phase, PageRequest::new(page, 2, 0)).await.unwrap();
            (page.items.into_iter().map(|claim| claim.id).collect::<Vec<_>>(), page.total)
        }
    };
    assert_eq!(list(None, None, 1).await, (vec![ids[3], ids[2]], 3));
    assert_eq!(list(None, None, 2).await, (vec![ids[1]], 3));
    assert_eq!(list(Some(alice.id), None, 1).await, (vec![ids[3], ids[2]], 2));
    assert_eq!(list(Some(alice.id), Some(ClaimPhase::Scheduled), 1).await, (vec![ids[2]], 1));
    assert_eq!(list(None, Some(ClaimPhase::Pending), 1).await, (vec![ids[3], ids[1]], 2));
    assert_eq!(list(None, Some(ClaimPhase::Completed), 1).await, (vec![], 0));
    let scheduled = store.list_claims(None, Some(ClaimPhase::Scheduled), PageRequest::new(1, 2, 0)).await.unwrap();
    assert_eq!(scheduled.items[0].gpu_uuids, ["GPU-a-0"]);
    assert_eq!(scheduled.items[0].spec, spec(1));
}

async fn a_deleted_claim_is_gone_for_its_owner_only(store: Store) {
    let alice = user(&store, "alice", Role::User).await;
    let bob = user(&store, "bob", Role::User).await;
    let id = claim(&store, &alice, 1).await;
    assert!(!store.forget_claim(id).await.unwrap());
    assert!(!store.delete_claim(id, Some(bob.id), at(1), trail()).await.unwrap());
    assert!(store.delete_claim(id, Some(alice.id), at(1), trail()).await.unwrap());
    assert!(!store.delete_claim(id, Some(alice.id), at(2), trail()).await.unwrap());
    assert!(store.claim(id).await.unwrap().is_none());

    let left = store.unsettled_claims().await.unwrap();
    assert_eq!((left.len(), left[0].id, left[0].deleted_at, left[0].generation), (1, id, Some(at(1)), 2));
    assert!(store.forget_claim(id).await.unwrap());
    assert!(!store.forget_claim(id).await.unwrap());
    assert!(store.unsettled_claims().await.unwrap().is_empty());
}
