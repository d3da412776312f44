//! Many who ask at once, and what each of them hears.

use futures_util::{FutureExt as _, future::join_all};
use tokio_util::sync::CancellationToken;
use utopia_proto::chain::verify;
use uuid::Uuid;

use super::{Admission, Writer};
use crate::{
    error::Error,
    model::{Refusal, Role, RolePolicy},
    store::{
        AdmitError, NewClaim, Store,
        testing::{at, new_claim, on_both_databases, spec, trail, user},
    },
};

on_both_databases!(
    as_many_writers_as_there_are_stop_at_the_quota,
    whoever_hangs_up_takes_nothing_along,
    one_that_cannot_be_written_fails_alone,
);

/// Runs the writer until the others have asked.
async fn with_writer<T>(store: &Store, writer: Writer, asking: impl Future<Output = T>) -> T {
    let cancel = CancellationToken::new();
    let asking = async {
        let answers = asking.await;
        cancel.cancel();
        answers
    };
    tokio::join!(writer.run(store.clone(), cancel.clone()), asking).1
}

async fn as_many_writers_as_there_are_stop_at_the_quota(store: Store) {
    store.set_role_policy(Role::User, RolePolicy { allow_all: false, max_gpu_count: Some(40) }, at(0), trail()).await.unwrap();
    let alice = user(&store, "alice", Role::User).await;
    let before = store.audit_head().await.unwrap();
    let (admission, writer) = Admission::new();
    let ask = || async {
        let mut admitted = Vec::new();
        for _ in 0..4 {
            match admission.admit(new_claim(&alice, 1, at(0))).await {
                // It can be read as soon as it is answered.
                Ok(new) => admitted.push(store.claim(new.claim.id).await.unwrap().unwrap().id),
                Err(AdmitError::QuotaExceeded { limit: 40, in_use: 40, requested: 1 }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        admitted
    };
    let admitted = with_writer(&store, writer, join_all((0..64).map(|_| ask()))).await.concat();
    assert_eq!(admitted.len(), 40);
    assert_eq!(store.unsettled_claims().await.unwrap().len(), 40);
    let links = store.links(0, i64::MAX, i64::MAX).await.unwrap();
    assert_eq!(verify(&links).unwrap().head().unwrap().0, before + 40);
}

async fn whoever_hangs_up_takes_nothing_along(store: Store) {
    let alice = user(&store, "alice", Role::Admin).await;
    let (admission, writer) = Admission::new();
    let claims: Vec<_> = (0..64).map(|_| new_claim(&alice, 1, at(0))).collect();
    let mut waiting: Vec<_> = claims.iter().map(|new| Box::pin(admission.admit(new.clone()))).collect();
    // Everybody is in the queue, and every other one hangs up there.
    assert!(waiting.iter_mut().all(|waiting| waiting.now_or_never().is_none()));
    let mut number = 0;
    waiting.retain(|_| {
        number += 1;
        number % 2 == 0
    });
    let heard = with_writer(&store, writer, join_all(waiting)).await;
    let mut heard: Vec<_> = heard.into_iter().map(|admitted| admitted.unwrap().claim.id).collect();
    let mut kept: Vec<_> = store.unsettled_claims().await.unwrap().iter().map(|claim| claim.id).collect();
    heard.sort();
    kept.sort();
    assert_eq!(heard, kept);
    let mut expected: Vec<_> = claims.iter().skip(1).step_by(2).map(|new| new.id).collect();
    expected.sort();
    assert_eq!(kept, expected);
}

async fn one_that_cannot_be_written_fails_alone(store: Store) {
    let alice = user(&store, "alice", Role::Admin).await;
    let taken = new_claim(&alice, 1, at(0));
    store.admit_claim(taken.clone(), Role::Admin, trail()).await.unwrap();
    let (admission, writer) = Admission::new();
    let claims = (0..16).map(|number| if number == 7 { taken.clone() } else { new_claim(&alice, 1, at(0)) });
    let answers = with_writer(&store, writer, join_all(claims.map(|new| admission.admit(new)))).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(admitted) => assert!(admitted.created && number != 7, "{number}"),
            Err(AdmitError::Store(Error::Internal { .. })) => assert_eq!(number, 7),
            Err(error) => panic!("{number}: {error}"),
        }
    }
    assert_eq!(store.unsettled_claims().await.unwrap().len(), 16);
}

#[tokio::test]
async fn without_a_writer_everybody_hears_so() {
    let (admission, writer) = Admission::new();
    drop(writer);
    let (role, trail) = (Role::User, trail().clone());
    let new = NewClaim {
        id: Uuid::nil(),
        user_id: 1,
        role,
        request_id: None,
        spec: spec(1),
        refusal: Refusal::default(),
        trail,
        now: at(0),
    };
    let refused = admission.admit(new).await;
    assert!(matches!(refused, Err(AdmitError::Store(Error::Unavailable { .. }))), "{refused:?}");
}
