//! Admission: quotas, repeated requests, and many claims in one transaction.

use futures_util::future::join_all;
use utopia_proto::{chain::verify, claim::v1::ClaimPhase};
use uuid::Uuid;

use crate::{
    error::Error,
    model::{PageRequest, Refusal, Role, RolePolicy},
    store::{
        AdmitError, NewClaim, Store,
        testing::{at, new_claim, on_both_databases, status, trail, user},
    },
};

on_both_databases!(
    an_admitted_claim_is_pending,
    a_repeated_request_answers_the_first_claim,
    quota_counts_live_claims_only,
    no_number_of_simultaneous_claims_exceeds_the_quota,
    in_a_batch_each_is_judged_by_itself_and_in_order,
    a_batch_is_admitted_whole_or_not_at_all,
    batches_of_the_same_owners_in_any_order_do_not_deadlock,
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

    let refusal = Refusal { reason: "NoNodes", message: "no node has joined".to_owned() };
    let queued = NewClaim { refusal, ..new_claim(&alice, 0, at(7)) };
    let queued = store.admit_claim(queued, Role::User, trail()).await.unwrap().claim;
    assert_eq!((queued.reason.as_str(), queued.message.as_str()), ("NoNodes", "no node has joined"));
    assert_eq!(store.claim(queued.id).await.unwrap().unwrap(), queued);

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
    let failed = status(ClaimPhase::Failed, "ImagePullFailed");
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

async fn in_a_batch_each_is_judged_by_itself_and_in_order(store: Store) {
    let alice = user(&store, "alice", Role::User).await;
    let bob = user(&store, "bob", Role::User).await;
    let keyed = |user, gpu_count, key: &str| NewClaim { request_id: Some(key.to_owned()), ..new_claim(user, gpu_count, at(0)) };
    let before = store.admit_claim(keyed(&bob, 1, "before"), Role::User, trail()).await.unwrap().claim;
    let events = store.audit_head().await.unwrap();
    let batch = [
        keyed(&alice, 3, "a"),
        keyed(&alice, 1, "a"),
        keyed(&alice, 1, "a"),
        NewClaim { user_id: 99, ..new_claim(&alice, 1, at(0)) },
        new_claim(&alice, 2, at(0)),
        keyed(&bob, 1, "a"),
        keyed(&bob, 2, "before"),
        new_claim(&alice, 1, at(0)),
        new_claim(&alice, 1, at(0)),
        NewClaim { role: Role::Readonly, ..new_claim(&bob, 0, at(0)) },
    ];
    let answers = store.admit_claims(&batch).await.unwrap();
    let told: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(admitted) => (admitted.created.to_string(), admitted.claim.id),
            Err(error) => (error.to_string(), Uuid::nil()),
        })
        .collect();
    let quota = |in_use, requested| {
        let error = AdmitError::QuotaExceeded { limit: 2, in_use, requested };
        (error.to_string(), Uuid::nil())
    };
    let created = |index: usize| ("true".to_owned(), batch[index].id);
    let expected = [
        quota(0, 3),
        created(1),
        ("false".to_owned(), batch[1].id),
        ("user 99 does not exist".to_owned(), Uuid::nil()),
        quota(1, 2),
        created(5),
        ("false".to_owned(), before.id),
        created(7),
        quota(2, 1),
        created(9),
    ];
    assert_eq!(told, expected);
    for answer in answers.into_iter().flatten() {
        assert_eq!(store.claim(answer.claim.id).await.unwrap().unwrap(), answer.claim);
    }
    let links = store.links(0, i64::MAX, i64::MAX).await.unwrap();
    assert_eq!(verify(&links).unwrap().head().unwrap().0, events + 4);
}

async fn a_batch_is_admitted_whole_or_not_at_all(store: Store) {
    let alice = user(&store, "alice", Role::Admin).await;
    let events = store.audit_head().await.unwrap();
    let mut batch: Vec<_> = (0..100).map(|_| new_claim(&alice, 1, at(0))).collect();
    batch[99].id = batch[0].id;
    store.admit_claims(&batch).await.unwrap_err();
    assert!(store.unsettled_claims().await.unwrap().is_empty());
    assert_eq!(store.audit_head().await.unwrap(), events);

    batch.pop();
    assert!(store.admit_claims(&batch).await.unwrap().iter().all(Result::is_ok));
    assert_eq!(store.unsettled_claims().await.unwrap().len(), 99);
    assert!(store.admit_claims(&[]).await.unwrap().is_empty());
}

async fn batches_of_the_same_owners_in_any_order_do_not_deadlock(store: Store) {
    let mut users = Vec::new();
    for number in 0..8 {
        users.push(user(&store, &format!("user-{number}"), Role::Admin).await);
    }
    let forward = || users.iter().map(|user| new_claim(user, 1, at(0))).collect::<Vec<_>>();
    let backward = || users.iter().rev().map(|user| new_claim(user, 1, at(0))).collect::<Vec<_>>();
    for _ in 0..20 {
        let (one, other) = (forward(), backward());
        let (one, other) = tokio::join!(store.admit_claims(&one), store.admit_claims(&other));
        assert!(one.unwrap().iter().chain(&other.unwrap()).all(Result::is_ok));
    }
    verify(&store.links(0, i64::MAX, i64::MAX).await.unwrap()).unwrap();
}
