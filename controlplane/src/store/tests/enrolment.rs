//! Join tokens, and who may become which node.

use futures_util::future::join_all;
use utopia_certs::join_token::TokenKind;
use utopia_proto::link::v1::MachineFacts;
use uuid::Uuid;

use crate::{
    error::Error,
    model::{NodeStage, PageRequest},
    store::{
        EnrolError, EnrolNode, NewJoinToken, Store,
        testing::{at, machine, node, on_both_databases, open_token, trail},
    },
};

on_both_databases!(
    a_machine_becomes_a_new_node_and_stays_it,
    an_announced_machine_becomes_the_pending_node,
    nobody_becomes_an_enrolled_node_that_they_are_not,
    a_bound_token_is_for_its_node_only,
    bad_tokens_are_told_apart,
    a_token_is_used_no_more_often_than_it_may,
    one_machine_that_enrols_twice_at_once_is_one_node,
    only_usable_tokens_are_listed,
);

fn request<'a>(token: &'a str, machine_id: &'a str, facts: &'a MachineFacts) -> EnrolNode<'a> {
    EnrolNode {
        token_kind: TokenKind::Join,
        token_id: token,
        token_secret_hash: b"hash",
        machine_id,
        node_id: None,
        facts,
        now: at(10),
        new_id: Uuid::new_v4(),
    }
}

fn token(id: &str, max_uses: i32) -> NewJoinToken<'_> {
    NewJoinToken {
        id,
        secret_hash: b"hash",
        node_id: None,
        max_uses,
        description: "a rack",
        expires_at: at(100),
        created_by: None,
    }
}

async fn uses(store: &Store, id: &str) -> i32 {
    let page = store.list_join_tokens(PageRequest::new(1, 100, 0), at(10)).await.unwrap();
    page.items.into_iter().find(|token| token.id == id).unwrap().uses
}

async fn a_machine_becomes_a_new_node_and_stays_it(store: Store) {
    open_token(&store, "t").await;
    let facts = machine("a");
    let first = request("t", "m1", &facts);
    let id = store.enrol(first, trail()).await.unwrap();
    assert_eq!(id, first.new_id);
    let again = machine("renamed");
    assert_eq!(store.enrol(request("t", "m1", &again), trail()).await.unwrap(), id);
    assert_ne!(store.enrol(request("t", "m2", &again), trail()).await.unwrap(), id);

    let found = store.node(id).await.unwrap().unwrap();
    assert_eq!((found.stage, found.machine_id.as_deref(), found.facts), (NodeStage::Enrolled, Some("m1"), again));
    assert_eq!(uses(&store, "t").await, 3);
    let refused = store.enrol(request("t", "", &machine("a")), trail()).await;
    assert!(matches!(refused, Err(EnrolError::Store(Error::Invalid { .. }))));
}

async fn an_announced_machine_becomes_the_pending_node(store: Store) {
    open_token(&store, "t").await;
    let by_machine = store.register_node(Uuid::new_v4(), "a", Some("m1"), at(0), trail()).await.unwrap();
    let by_id = store.register_node(Uuid::new_v4(), "b", None, at(0), trail()).await.unwrap();
    let facts = machine("x");
    assert_eq!(store.enrol(request("t", "m1", &facts), trail()).await.unwrap(), by_machine);
    let asked = EnrolNode { node_id: Some(by_id), ..request("t", "m2", &facts) };
    assert_eq!(store.enrol(asked, trail()).await.unwrap(), by_id);
    let index = store.node_index().await.unwrap();
    assert!(index.iter().all(|(_, hostname, stage)| hostname == "x" && *stage == NodeStage::Enrolled), "{index:?}");
}

async fn nobody_becomes_an_enrolled_node_that_they_are_not(store: Store) {
    open_token(&store, "t").await;
    let victim = node(&store, "m1", 0).await;
    let facts = machine("x");
    for asked in [victim, Uuid::new_v4()] {
        let refused = store.enrol(EnrolNode { node_id: Some(asked), ..request("t", "m2", &facts) }, trail()).await;
        assert!(matches!(refused, Err(EnrolError::NodeUnknown(id)) if id == asked), "{refused:?}");
    }
    let bound = NewJoinToken { node_id: Some(victim), ..token("bound", 0) };
    store.create_join_token(bound, at(0), trail()).await.unwrap();
    let refused = store.enrol(request("bound", "m2", &facts), trail()).await;
    assert!(matches!(refused, Err(EnrolError::TokenForOtherNode)), "{refused:?}");
    assert_eq!((uses(&store, "t").await, uses(&store, "bound").await), (0, 0));
}

async fn a_bound_token_is_for_its_node_only(store: Store) {
    let pending = store.register_node(Uuid::new_v4(), "a", None, at(0), trail()).await.unwrap();
    let other = node(&store, "m2", 0).await;
    store.create_join_token(NewJoinToken { node_id: Some(pending), ..token("t", 2) }, at(0), trail()).await.unwrap();
    let facts = machine("x");
    let refused = store.enrol(request("t", "m2", &facts), trail()).await;
    assert!(matches!(refused, Err(EnrolError::TokenForOtherNode)), "{refused:?}");
    let refused = store.enrol(EnrolNode { node_id: Some(other), ..request("t", "m1", &facts) }, trail()).await;
    assert!(matches!(refused, Err(EnrolError::TokenForOtherNode)), "{refused:?}");

    assert_eq!(store.enrol(request("t", "m1", &facts), trail()).await.unwrap(), pending);
    assert_eq!(store.enrol(request("t", "m1", &facts), trail()).await.unwrap(), pending);
    let refused = store.enrol(request("t", "m1", &facts), trail()).await;
    assert!(matches!(refused, Err(EnrolError::TokenUsedUp)), "{refused:?}");
}

async fn bad_tokens_are_told_apart(store: Store) {
    store.create_join_token(token("t", 1), at(0), trail()).await.unwrap();
    let facts = machine("a");
    let good = request("t", "m1", &facts);
    let refused = |request| {
        let store = store.clone();
        async move { Error::from(store.enrol(request, trail()).await.unwrap_err()) }
    };
    let reason = |error| {
        let Error::Unauthenticated { reason, .. } = error else { panic!("{error:?}") };
        reason
    };
    assert_eq!(reason(refused(EnrolNode { token_id: "none", ..good }).await), "JoinTokenInvalid");
    assert_eq!(reason(refused(EnrolNode { token_secret_hash: b"hasx", ..good }).await), "JoinTokenInvalid");
    assert_eq!(reason(refused(EnrolNode { token_secret_hash: b"", ..good }).await), "JoinTokenInvalid");
    assert_eq!(reason(refused(EnrolNode { now: at(100), ..good }).await), "JoinTokenExpired");
    store.enrol(good, trail()).await.unwrap();
    assert_eq!(reason(refused(good).await), "JoinTokenUsedUp");
    assert!(store.revoke_join_token("t", at(11), trail()).await.unwrap());
    assert!(!store.revoke_join_token("t", at(11), trail()).await.unwrap());
    assert_eq!(reason(refused(good).await), "JoinTokenInvalid");
}

async fn a_token_is_used_no_more_often_than_it_may(store: Store) {
    store.create_join_token(token("t", 5), at(0), trail()).await.unwrap();
    let machines: Vec<_> = (0..24).map(|number| (format!("m{number}"), machine("a"))).collect();
    let enrolled = join_all(machines.iter().map(|(id, facts)| store.enrol(request("t", id, facts), trail()))).await;
    assert_eq!(enrolled.iter().filter(|enrolled| enrolled.is_ok()).count(), 5);
    for refused in enrolled.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, EnrolError::TokenUsedUp), "{refused:?}");
    }
    assert_eq!(store.node_index().await.unwrap().len(), 5);
}

async fn one_machine_that_enrols_twice_at_once_is_one_node(store: Store) {
    let tokens: Vec<_> = (0..8).map(|number| format!("t{number}")).collect();
    for token in &tokens {
        open_token(&store, token).await;
    }
    let facts = machine("a");
    let ids = join_all(tokens.iter().map(|token| store.enrol(request(token, "m1", &facts), trail()))).await;
    let ids: Vec<_> = ids.into_iter().map(Result::unwrap).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(store.node_index().await.unwrap().len(), 1);
}

async fn only_usable_tokens_are_listed(store: Store) {
    let pending = store.register_node(Uuid::new_v4(), "a", None, at(0), trail()).await.unwrap();
    for (second, id) in ["used-up", "revoked", "first", "second", "third"].into_iter().enumerate() {
        let bound = NewJoinToken { node_id: (id == "third").then_some(pending), ..token(id, 1) };
        store.create_join_token(bound, at(i64::try_from(second).unwrap()), trail()).await.unwrap();
    }
    store.create_join_token(NewJoinToken { expires_at: at(20), ..token("expired", 1) }, at(9), trail()).await.unwrap();
    store.enrol(request("used-up", "m1", &machine("x")), trail()).await.unwrap();
    store.revoke_join_token("revoked", at(10), trail()).await.unwrap();

    let page = store.list_join_tokens(PageRequest::new(1, 2, 0), at(20)).await.unwrap();
    assert_eq!(page.total, 3);
    assert_eq!(page.items.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), ["third", "second"]);
    let third = &page.items[0];
    assert_eq!((third.node_id, third.max_uses, third.uses, third.expires_at), (Some(pending), 1, 0, at(100)));
    assert_eq!(third.description, "a rack");
}
