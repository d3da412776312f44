//! Hosts as rows: who counts as one, and what maintenance and agent tokens hold against what happens at the same time.

use uuid::Uuid;

use crate::{
    auth::{Caller, agent_token::AgentTokens},
    error::Error,
    model::{
        PageRequest, Role,
        host::{MaintenanceClaims, Registration},
    },
    store::{
        HostChange, NewAgentToken, PlaceOutcome, Store,
        testing::{at, claim, gpus, node, on_both_databases, trail, user},
    },
};

on_both_databases!(
    registered_and_enrolled_nodes_are_hosts_and_announced_ones_are_not,
    a_change_leaves_the_rest,
    nothing_is_placed_on_a_node_after_its_maintenance_began,
    hosts_of_full_fleets_are_read_in_batches,
    agent_tokens_are_remembered_until_they_are_revoked,
);

fn named(name: &str) -> Registration {
    Registration {
        name: name.to_owned(),
        ip_address: "10.0.0.1".to_owned(),
        os_type: "linux".to_owned(),
        os_version: "Debian 12".to_owned(),
        deployment_mode: "container".to_owned(),
        total_cpu: 4,
        total_memory: 1 << 40,
        total_disk: i64::MAX,
        labels: [("rack".to_owned(), "r2".to_owned())].into(),
    }
}

async fn register(store: &Store, name: &str, second: i64) -> Uuid {
    let id = Uuid::new_v4();
    let token = NewAgentToken { id: &id.to_string(), secret_hash: b"hash" };
    store.create_host(id, &named(name), token, at(second), trail()).await.unwrap();
    id
}

async fn registered_and_enrolled_nodes_are_hosts_and_announced_ones_are_not(store: Store) {
    let registered = register(&store, "h", 5).await;
    let enrolled = node(&store, "n", 2).await;
    let announced = store.register_node(Uuid::new_v4(), "a", None, at(0), trail()).await.unwrap();
    assert!(store.host(announced).await.unwrap().is_none());
    assert!(store.host_gpus(announced).await.unwrap().is_none());
    assert!(store.set_maintenance(announced, None, at(6), trail()).await.unwrap().is_none());

    let page = store.list_hosts("", PageRequest::new(1, 10, 0)).await.unwrap();
    assert_eq!(page.items.iter().map(|host| host.node.id).collect::<Vec<_>>(), [enrolled, registered]);
    assert_eq!(page.items[1].registration, named("h"));
    assert_eq!((page.items[0].name(), page.items[0].node.gpus.len()), ("n", 2));
    assert_eq!(store.list_hosts("windows", PageRequest::new(1, 10, 0)).await.unwrap().total, 0);
    let index = store.host_index("linux").await.unwrap();
    assert_eq!(index.iter().map(|host| host.id).collect::<Vec<_>>(), [enrolled, registered]);
    assert_eq!((&index[0].labels().unwrap()["rack"], &index[1].labels().unwrap()["rack"]), (&"r1".to_owned(), &"r2".to_owned()));
    let found = store.host_gpus(enrolled).await.unwrap().unwrap();
    assert_eq!(found.into_iter().unzip::<_, _, Vec<_>, Vec<_>>(), (gpus("n", 2), vec![None, None]));
    assert_eq!(store.host_gpus(registered).await.unwrap(), Some(Vec::new()));

    // Only what was announced expires.
    assert_eq!(store.expire_pending_nodes(at(1000)).await.unwrap(), 1);
    assert!(store.host(registered).await.unwrap().is_some());
}

async fn a_change_leaves_the_rest(store: Store) {
    let id = register(&store, "h", 0).await;
    register(&store, "other", 0).await;
    let change = HostChange { labels: Some([("zone".to_owned(), "a".to_owned())].into()), ..HostChange::default() };
    let changed = store.update_host(id, change, at(1), trail()).await.unwrap().unwrap();
    let expected = Registration { labels: [("zone".to_owned(), "a".to_owned())].into(), ..named("h") };
    assert_eq!(changed.registration, expected);
    assert_eq!(store.host(id).await.unwrap().unwrap(), changed);
    let taken = HostChange { name: Some("OTHER".to_owned()), ..HostChange::default() };
    let refused = store.update_host(id, taken, at(2), trail()).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { reason: "HostExists", .. })), "{refused:?}");
    assert_eq!(store.host(id).await.unwrap().unwrap().registration, expected);
    assert!(store.update_host(Uuid::new_v4(), HostChange::default(), at(3), trail()).await.unwrap().is_none());
}

async fn nothing_is_placed_on_a_node_after_its_maintenance_began(store: Store) {
    let user = user(&store, "alice", Role::Admin).await;
    for round in 0..20 {
        let hostname = format!("n{round}");
        let node_id = node(&store, &hostname, 1).await;
        let (early, late) = (claim(&store, &user, 0).await, claim(&store, &user, 0).await);
        let maintenance = async {
            let keep = Some(("fans", MaintenanceClaims::Move));
            store.set_maintenance(node_id, keep, at(2), trail()).await.unwrap().unwrap();
            store.place_claim(late, 1, node_id, &[], at(3)).await.unwrap()
        };
        let (placed, after) = tokio::join!(store.place_claim(early, 1, node_id, &[], at(1)), maintenance);
        assert_eq!(after, PlaceOutcome::Stale);
        let count = i64::from(matches!(placed.unwrap(), PlaceOutcome::Placed { .. }));
        assert_eq!(store.live_claims(&[node_id]).await.unwrap().get(&node_id).copied().unwrap_or(0), count);
        assert_eq!(store.maintenances().await.unwrap().get(&node_id), Some(&MaintenanceClaims::Move));
        let ended = store.set_maintenance(node_id, None, at(4), trail()).await.unwrap().unwrap();
        assert!(ended.maintenance.is_none() && store.maintenances().await.unwrap().is_empty());
        assert!(matches!(store.place_claim(late, 1, node_id, &[], at(5)).await.unwrap(), PlaceOutcome::Placed { .. }));
    }
}

async fn hosts_of_full_fleets_are_read_in_batches(store: Store) {
    let mut ids = (0..1_200).map(|_| Uuid::new_v4()).collect::<Vec<_>>();
    ids[0] = node(&store, "n", 1).await;
    ids[1_199] = register(&store, "h", 9).await;
    let user = user(&store, "alice", Role::Admin).await;
    let claim = claim(&store, &user, 1).await;
    store.place_claim(claim, 1, ids[0], &["GPU-n-0".to_owned()], at(1)).await.unwrap();
    let found = store.hosts_by_id(&ids).await.unwrap();
    assert_eq!(found.iter().map(|host| host.node.id).collect::<Vec<_>>(), [ids[0], ids[1_199]]);
    assert_eq!(store.allocations(&ids).await.unwrap(), [("GPU-n-0".to_owned(), claim)].into());
    assert_eq!(store.live_claims(&ids).await.unwrap(), [(ids[0], 1)].into());
    assert!(store.allocations(&[]).await.unwrap().is_empty());
}

async fn agent_tokens_are_remembered_until_they_are_revoked(store: Store) {
    let tokens = AgentTokens::new(store.clone());
    let token = utopia_certs::JoinToken::generate_agent().unwrap();
    let (id, text) = (Uuid::new_v4(), token.to_string());
    let new = NewAgentToken { id: &token.id, secret_hash: &token.secret_hash() };
    store.create_host(id, &named("h"), new, at(0), trail()).await.unwrap();
    assert!(tokens.at_hand(&text).is_none());
    assert_eq!(tokens.caller(&text).await.unwrap(), Caller::Host(id));
    // From memory, and also by a wrong secret.
    assert_eq!(tokens.at_hand(&text).unwrap().unwrap(), Caller::Host(id));
    let forged = format!("uta_{}_{}", token.id, "A".repeat(43));
    assert!(matches!(tokens.at_hand(&forged), Some(Err(Error::Unauthenticated { .. }))));
    assert!(matches!(tokens.at_hand("uta_nonsense"), Some(Err(Error::Unauthenticated { .. }))));

    let other = NewAgentToken { id: "another", secret_hash: b"hash" };
    store.set_agent_token(id, other, at(1), trail()).await.unwrap().unwrap();
    tokens.revoke(id);
    assert!(tokens.at_hand(&text).is_none());
    assert!(matches!(tokens.caller(&text).await, Err(Error::Unauthenticated { .. })));
}
