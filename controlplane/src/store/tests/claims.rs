//! Admission and quota, lists, deletion.

use futures_util::future::join_all;
use utopia_proto::claim::v1::ClaimPhase;
use uuid::Uuid;

use crate::{
    error::Error,
    model::{PageRequest, Role, RolePolicy},
    store::{
        AdmitError, NewClaim, StatusChange, Store,
        testing::{at, claim, new_claim, node, on_both_databases, spec, trail, user},
    },
};

on_both_databases!(
    an_admitted_claim_is_pending,
    a_repeated_request_answers_the_first_claim,
    quota_counts_live_claims_only,
    no_number_of_simultaneous_claims_exceeds_the_quota,
    claims_are_listed_newest_first,
    a_deleted_claim_is_gone_for_its_owner_only,
);

async fn an_admitted_claim_is_pending(store: Store) {
    let alice = user(&store, "alice", Role::User).await;
    let new = new_claim(&alice, 2, at(7));
    let admitted = store.admit_claim(new.clone(), Role::User, trail()).await.unwrap();
    assert!(admitted.created);
    let found = store.claim(new.id).await.unwrap().unwrap();
    assert_eq!(found, admitted.claim);
    assert_eq!((found.user_id, found.phase, &found.spec), (alice.id, ClaimPhase::Pending, &new.spec));
    assert_eq!((found.generation, found.epoch, found.created_at, found.updated_at), (1, 0, at(7), at(7)));

    let nobody = NewClaim { id: Uuid::new_v4(), user_id: 99, ..new };
    let refused = store.admit_claim(nobody, Role::User, trail()).await;
    assert!(matches!(refused, Err(AdmitError::Store(Error::NotFound { kind: "user", .. }))), "{refused:?}");
    assert!(store.claim(Uuid::new_v4()).await.unwrap().is_none());
}

async fn a_repeated_request_answers_the_first_claim(store: Store) {
    let alice = user(&store, "alice", Role::User).await;
    let bob = user(&store, "bob", Role::User).await;
    let request = |user, gpu_count| NewClaim { request_id: Some("key".to_owned()), ..new_claim(user, gpu_count, at(0)) };
    let admitted = join_all((0..8).map(|_| store.admit_claim(request(&alice, 2), Role::User, trail()))).await;
    let admitted: Vec<_> = admitted.into_iter().map(Result::unwrap).collect();
    assert_eq!(admitted.iter().filter(|admitted| admitted.created).count(), 1);
    assert!(admitted.iter().all(|one| one.claim.id == admitted[0].claim.id));
    // Also when it would not be admitted any more.
    assert!(!store.admit_claim(request(&alice, 100), Role::User, trail()).await.unwrap().created);
    assert!(store.admit_claim(request(&bob, 1), Role::User, trail()).await.unwrap().created);
}

async fn quota_counts_live_claims_only(store: Store) {
    let alice = user(&store, "alice", Role::User).await;
    let admit = |gpu_count, role| store.admit_claim(new_claim(&alice, gpu_count, at(0)), role, trail());
    let first = admit(1, Role::User).await.unwrap().claim;
    let second = admit(1, Role::User).await.unwrap().claim;
    let refused = admit(1, Role::User).await;
    assert!(matches!(refused, Err(AdmitError::QuotaExceeded { limit: 2, in_use: 2, requested: 1 })), "{refused:?}");
    assert!(matches!(Error::from(refused.unwrap_err()), Error::Denied { reason: "QuotaExceeded", .. }));
    assert!(matches!(admit(1, Role::Readonly).await, Err(AdmitError::QuotaExceeded { limit: 0, .. })));
    // Without GPUs there is nothing to count.
    admit(0, Role::Readonly).await.unwrap();

    assert!(store.delete_claim(first.id, None, at(1), trail()).await.unwrap());
    let failed = StatusChange {
        phase: ClaimPhase::Failed,
        reason: "ImagePullFailed".to_owned(),
        message: String::new(),
        container_id: None,
        free_gpus: true,
    };
    assert!(store.set_claim_status(second.id, 1, failed, at(1)).await.unwrap());
    assert!(matches!(admit(3, Role::User).await, Err(AdmitError::QuotaExceeded { limit: 2, in_use: 0, requested: 3 })));
    admit(2, Role::User).await.unwrap();
    admit(1000, Role::Admin).await.unwrap();
    store.set_role_policy(Role::User, RolePolicy { allow_all: true, max_gpu_count: None }, at(0), trail()).await.unwrap();
    admit(1, Role::User).await.unwrap();
}

async fn no_number_of_simultaneous_claims_exceeds_the_quota(store: Store) {
    store.set_role_policy(Role::User, RolePolicy { allow_all: false, max_gpu_count: Some(10) }, at(0), trail()).await.unwrap();
    let alice = user(&store, "alice", Role::User).await;
    let bob = user(&store, "bob", Role::User).await;
    let owner = |number: i32| if number % 2 == 0 { &alice } else { &bob };
    let admits =
        (0..128).map(|number| store.admit_claim(new_claim(owner(number), 1 + number / 2 % 3, at(0)), Role::User, trail()));
    for admitted in join_all(admits).await {
        assert!(matches!(admitted, Ok(_) | Err(AdmitError::QuotaExceeded { limit: 10, .. })), "{admitted:?}");
    }
    for user in [alice, bob] {
        let claims = store.list_claims(Some(user.id), None, PageRequest::new(1, 100, 0)).await.unwrap().items;
        // Somebody always asked for one GPU less than was left.
        assert_eq!(claims.iter().map(crate::model::Claim::gpu_count).sum::<usize>(), 10);
    }
}

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
