//! Users, roles and signing keys.

use futures_util::future::join_all;

use crate::{
    error::{Error, Result},
    model::{
        Role, RolePolicy,
        people::{NewUser, User},
    },
    store::{
        KeptSecret, Store,
        testing::{at, on_both_databases, trail, user},
    },
};

on_both_databases!(
    people_are_found_by_name_and_id,
    a_name_is_taken_once_whoever_comes_first,
    roles_allow_what_they_were_set_to,
    of_many_first_keys_one_wins,
    a_retired_key_stays_until_it_is_forgotten,
);

async fn people_are_found_by_name_and_id(store: Store) {
    let alice = user(&store, "Alice", Role::User).await;
    let bob = user(&store, "bob", Role::Admin).await;
    assert_eq!((alice.id, bob.id), (1, 2));

    let found = store.user_by_name("aLICE").await.unwrap().unwrap();
    assert_eq!((found.id, found.uuid, found.username.as_str(), found.role), (1, alice.uuid, "Alice", Role::User));
    assert_eq!((found.password_hash.as_str(), found.created_at), ("$argon2id$hash", at(0)));
    assert_eq!(store.user_by_id(2).await.unwrap().unwrap().username, "bob");
    assert!(store.user_by_name("carol").await.unwrap().is_none());
    assert!(store.user_by_id(3).await.unwrap().is_none());
}

async fn a_name_is_taken_once_whoever_comes_first(store: Store) {
    let names = ["eve", "Eve", "EVE", "eVe", "evE", "EvE"];
    let made = join_all(names.map(|name| create(&store, name, ""))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in made.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, Error::AlreadyExists { reason: "UsernameTaken", .. }), "{refused:?}");
    }
    assert_eq!(user(&store, "frank", Role::User).await.id, 2);
}

async fn create(store: &Store, username: &str, email: &str) -> Result<User> {
    let new = NewUser { username, email, password_hash: "hash", role: Role::User };
    store.create_user(new, at(0), trail()).await
}

async fn roles_allow_what_they_were_set_to(store: Store) {
    let everything = RolePolicy { allow_all: true, max_gpu_count: None };
    let gpus = |count| RolePolicy { allow_all: false, max_gpu_count: Some(count) };
    let seeded = [(Role::Admin, everything), (Role::Operator, everything), (Role::Readonly, gpus(0)), (Role::User, gpus(2))];
    assert_eq!(store.role_policies().await.unwrap(), seeded);

    store.set_role_policy(Role::User, gpus(8), at(0), trail()).await.unwrap();
    assert!(store.role_policies().await.unwrap().contains(&(Role::User, gpus(8))));
    store.set_role_policy(Role::User, RolePolicy::default(), at(0), trail()).await.unwrap();
    assert!(store.role_policies().await.unwrap().contains(&(Role::User, RolePolicy::default())));
    assert_eq!(RolePolicy::default().gpu_limit(), Some(0));
}

async fn of_many_first_keys_one_wins(store: Store) {
    let kids = ["a", "b", "c", "d"];
    let won = join_all(kids.map(|kid| store.insert_first_signing_key(kid, kid.as_bytes(), at(0)))).await;
    assert_eq!(won.into_iter().filter(|won| *won.as_ref().unwrap()).count(), 1);
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
}

async fn a_retired_key_stays_until_it_is_forgotten(store: Store) {
    store.insert_signing_key("old", b"1", at(0)).await.unwrap();
    store.insert_signing_key("new", b"2", at(1)).await.unwrap();
    assert!(store.retire_signing_key("old", at(2)).await.unwrap());
    assert!(!store.retire_signing_key("old", at(3)).await.unwrap());
    assert!(!store.retire_signing_key("none", at(3)).await.unwrap());

    let keys = store.signing_keys().await.unwrap();
    let keys: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), &key.secret, key.retired_at)).collect();
    let sealed = |secret: &[u8]| KeptSecret::Sealed(secret.to_vec());
    assert_eq!(keys, [("new", &sealed(b"2"), None), ("old", &sealed(b"1"), Some(at(2)))]);
}
