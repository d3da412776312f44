//! Accounts of others, and one's own.

use futures_util::future::join_all;
use serde_json::{Value as Json, json};

use crate::{
    databases::on_both_databases,
    http::Http,
    people::{Member, PASSWORD, data, holds, log_in, refusal},
    plane::{Plane, Running, SEAL_KEY, claim, config, text},
};

on_both_databases!(
    an_administrator_makes_users_of_every_role,
    users_are_listed_by_role_and_by_what_they_are_called,
    everybody_sees_themselves_and_only_an_administrator_others,
    an_address_and_a_role_are_changed,
    a_password_is_changed_by_its_owner_or_an_administrator,
    a_user_is_deleted_with_everything_they_are_logged_in_with,
    one_administrator_always_remains,
    an_administrator_who_is_gone_is_not_made_again,
);

async fn an_administrator_makes_users_of_every_role(plane: &Plane) {
    for role in ["admin", "operator", "user", "readonly"] {
        let member = Member::new(plane, &format!("a-{role}"), role).await;
        assert_eq!(data(member.http.get("/api/v1/auth/profile").await, 200)["role"], role);
    }
    let create = async |http: &Http, body: Json| http.post("/api/v1/users", &body).await;
    let admin = plane.as_admin();
    let plain = data(create(&admin, json!({"username": "ada", "password": PASSWORD})).await, 201);
    assert_eq!((&plain["role"], &plain["email"]), (&json!("user"), &json!("")));
    for (body, status) in [
        (json!({"username": "ADA", "password": PASSWORD}), 409),
        (json!({"username": "eve", "password": PASSWORD, "email": "A-USER@example.com"}), 409),
        (json!({"username": "eve", "password": PASSWORD, "role": "root"}), 422),
        (json!({"username": "eve", "password": PASSWORD, "email": "@"}), 422),
        (json!({"username": "eve"}), 400),
        (json!({"username": "eve", "password": PASSWORD, "role": 1}), 400),
    ] {
        refusal(create(&admin, body).await, status);
    }
    let new = json!({"username": "eve", "password": PASSWORD});
    for http in [plane.as_operator(), plane.as_user()] {
        refusal(create(&http, new.clone()).await, 403);
    }
    refusal(create(&plane.http, new).await, 401);
}

async fn users_are_listed_by_role_and_by_what_they_are_called(plane: &Plane) {
    let admin = plane.as_admin();
    for name in ["under_score", "percent-x", "Ada"] {
        Member::new(plane, name, "user").await;
    }
    let list = async |query: &str| {
        let list = data(admin.get(&format!("/api/v1/users{query}")).await, 200);
        let names = list["users"].as_array().unwrap().iter().map(|user| text(user, "username").to_owned()).collect::<Vec<_>>();
        (names.join(" "), list["total"].as_i64().unwrap(), list["page"].as_i64().unwrap(), list["limit"].as_i64().unwrap())
    };
    let table = [
        ("", "admin olga uma otto rita under_score percent-x Ada", 8, 1, 20),
        ("?limit=3", "admin olga uma", 8, 1, 3),
        ("?page=2&page_size=3", "otto rita under_score", 8, 2, 3),
        ("?page=9&limit=3", "", 8, 9, 3),
        ("?limit=1000&page=0", "admin olga uma otto rita under_score percent-x Ada", 8, 1, 100),
        ("?role=user", "uma otto under_score percent-x Ada", 5, 1, 20),
        ("?role=admin", "admin", 1, 1, 20),
        ("?search=ADA", "Ada", 1, 1, 20),
        ("?search=_score@EXAMPLE", "under_score", 1, 1, 20),
        ("?search=_", "under_score", 1, 1, 20),
        ("?search=%25", "", 0, 1, 20),
        ("?search='%20or%201=1", "", 0, 1, 20),
        ("?search=t&role=user", "otto percent-x", 2, 1, 20),
    ];
    for (query, names, total, page, limit) in table {
        assert_eq!(list(query).await, (names.to_owned(), total, page, limit), "{query}");
    }
    refusal(admin.get("/api/v1/users?role=root").await, 422);
    refusal(admin.get("/api/v1/users?search=%00").await, 422);
    refusal(admin.get("/api/v1/users?limit=many").await, 400);
    for http in [plane.as_operator(), plane.as_user()] {
        refusal(http.get("/api/v1/users").await, 403);
    }
}

async fn everybody_sees_themselves_and_only_an_administrator_others(plane: &Plane) {
    let (ada, bob) = (Member::new(plane, "ada", "user").await, Member::new(plane, "bob", "operator").await);
    for http in [&ada.http, &plane.as_admin()] {
        let shown = data(http.get(&ada.path()).await, 200);
        assert_eq!(
            (&shown["id"], &shown["username"], &shown["email"]),
            (&json!(ada.id), &json!("ada"), &json!("ada@example.com"))
        );
    }
    let change = json!({"email": "x@example.com"});
    let password = json!({"old_password": PASSWORD, "new_password": "battery staple"});
    let nobody = format!("/api/v1/users/{}", uuid::Uuid::new_v4());
    for path in [&ada.path(), &nobody, "/api/v1/users/1", "/api/v1/users/x%00y"] {
        // Whether there is such a user is not told: the answers differ in the id alone.
        for answer in [
            bob.http.get(path).await,
            bob.http.put(path, &change).await,
            bob.http.put(&format!("{path}/password"), &password).await,
        ] {
            assert!(refusal(answer, 404).ends_with("does not exist"), "{path}");
        }
        refusal(bob.http.delete(path).await, 403);
        refusal(plane.http.get(path).await, 401);
    }
    for answer in [
        plane.as_admin().get(&nobody).await,
        plane.as_admin().put(&nobody, &change).await,
        plane.as_admin().delete(&nobody).await,
        plane.as_admin().post(&format!("{nobody}/unlock"), &json!({})).await,
        plane.as_admin().put(&format!("{nobody}/password"), &password).await,
    ] {
        refusal(answer, 404);
    }
}

async fn an_address_and_a_role_are_changed(plane: &Plane) {
    let (ada, admin) = (Member::new(plane, "ada", "user").await, plane.as_admin());
    Member::new(plane, "bob", "user").await;
    let put = async |http: &Http, body: Json| http.put(&ada.path(), &body).await;
    let changed = data(put(&ada.http, json!({"email": "lovelace@example.com"})).await, 200);
    assert_eq!((&changed["email"], &changed["role"]), (&json!("lovelace@example.com"), &json!("user")));
    assert_eq!(
        data(put(&ada.http, json!({"email": "", "role": "user"})).await, 200)["email"],
        "",
        "the present role is no change"
    );
    for (body, status) in [
        (json!({"email": "BOB@example.com"}), 409),
        (json!({"email": "nonsense"}), 422),
        (json!({"email": 3}), 400),
        (json!({"role": "root"}), 422),
        (json!({"role": ""}), 422),
        (json!({"role": "admin"}), 403),
        (json!({"role": "readonly"}), 403),
    ] {
        refusal(put(&ada.http, body).await, status);
    }
    assert!(ada.is_in().await);

    assert_eq!(data(put(&admin, json!({"email": "ada@example.com"})).await, 200)["role"], "user");
    assert!(ada.is_in().await, "an address revokes nothing");
    assert_eq!(data(put(&admin, json!({"role": "operator"})).await, 200)["email"], "ada@example.com");
    assert!(!ada.is_in().await, "a role does, at once");
    let again = plane.http.with_token(&log_in(plane, "ada", PASSWORD).await);
    assert_eq!(data(again.get("/api/v1/auth/profile").await, 200)["role"], "operator");
    again.get("/api/roles").await.expect(200);
}

async fn a_password_is_changed_by_its_owner_or_an_administrator(plane: &Plane) {
    let ada = Member::new(plane, "ada", "user").await;
    let path = format!("{}/password", ada.path());
    for (body, status) in [
        (json!({"old_password": "incorrect horse", "new_password": "battery staple"}), 403),
        (json!({"new_password": "battery staple"}), 400),
        (json!({"old_password": PASSWORD}), 400),
        (json!({"old_password": PASSWORD, "new_password": "short"}), 422),
        (json!({"old_password": PASSWORD, "new_password": ["battery staple"]}), 400),
    ] {
        let message = refusal(ada.http.put(&path, &body).await, status);
        assert!(!message.contains(PASSWORD) && !message.contains("battery"), "a password is repeated: {message}");
    }
    let change = json!({"old_password": PASSWORD, "new_password": "battery staple"});
    let second = plane.http.with_token(&log_in(plane, "ada", PASSWORD).await);
    assert_eq!(data(ada.http.put(&path, &change).await, 200), json!({"message": "Password updated successfully"}));
    assert!(!ada.is_in().await && !holds(&second).await);
    refusal(plane.http.post("/api/v1/auth/login", &json!({"username": "ada", "password": PASSWORD})).await, 401);
    let session = plane.http.with_token(&log_in(plane, "ada", "battery staple").await);

    data(plane.as_admin().put(&path, &json!({"new_password": "something else"})).await, 200);
    assert!(!holds(&session).await);
    log_in(plane, "ada", "something else").await;
    // For their own password an administrator needs the old one.
    let boss = Member::new(plane, "boss", "admin").await;
    let path = format!("{}/password", boss.path());
    refusal(boss.http.put(&path, &json!({"new_password": "something else"})).await, 400);
}

async fn a_user_is_deleted_with_everything_they_are_logged_in_with(plane: &Plane) {
    let (ada, admin) = (Member::new(plane, "ada", "user").await, plane.as_admin());
    let script = data(ada.http.post("/api/v1/tokens", &json!({"name": "script"})).await, 201);
    let script = plane.http.with_token(text(&script, "token"));
    assert!(holds(&script).await);
    let mine = claim(&ada.http, 0).await;
    let message = refusal(admin.delete(&ada.path()).await, 409);
    assert!(message.contains("1 live claim"), "{message}");
    assert!(ada.is_in().await);
    refusal(ada.http.delete(&ada.path()).await, 403);

    let deleted = data(admin.delete(&format!("{}?force=true", ada.path())).await, 200);
    assert_eq!(deleted, json!({"message": "User deleted successfully"}));
    assert!(!ada.is_in().await && !holds(&script).await);
    refusal(admin.get(&ada.path()).await, 404);
    refusal(admin.delete(&ada.path()).await, 404);
    plane.as_operator().get(&format!("/api/gpu-claims/{}", text(&mine, "id"))).await.expect_error(404, "NotFound");
    refusal(plane.http.post("/api/v1/auth/login", &json!({"username": "ada", "password": PASSWORD})).await, 401);
    refusal(plane.http.post("/api/v1/auth/refresh", &json!({"token": ada.token})).await, 401);

    let again = Member::new(plane, "ada", "user").await;
    assert_ne!(again.id, ada.id);
    assert!(!ada.is_in().await);
    assert!(data(again.http.get("/api/v1/tokens").await, 200)["tokens"].as_array().unwrap().is_empty());
}

async fn one_administrator_always_remains(plane: &Plane) {
    let admin = plane.as_admin();
    let me = format!("/api/v1/users/{}", plane.people.admin.uuid);
    refusal(admin.delete(&me).await, 409);
    refusal(admin.put(&me, &json!({"role": "user"})).await, 403);

    let (ann, bob) = (Member::new(plane, "ann", "admin").await, Member::new(plane, "bob", "admin").await);
    data(ann.http.delete(&me).await, 200);
    let demote = json!({"role": "user"});
    let (first, second) = (bob.path(), ann.path());
    let outcomes = join_all([ann.http.put(&first, &demote), bob.http.put(&second, &demote)]).await;
    let won = outcomes.iter().filter(|answer| answer.status == 200).count();
    // Who was first ended the other's session or administration: either way one of them is left.
    assert_eq!(won, 1, "{outcomes:?}");
    let remaining = if ann.is_in().await { ann } else { bob };
    refusal(remaining.http.delete(&remaining.path()).await, 409);
    let admins = data(remaining.http.get("/api/v1/users?role=admin").await, 200);
    assert_eq!((&admins["total"], &admins["users"][0]["username"]), (&json!(1), &json!(remaining.username)));
}

async fn an_administrator_who_is_gone_is_not_made_again(plane: &Plane) {
    let ann = Member::new(plane, "ann", "admin").await;
    data(ann.http.delete(&format!("/api/v1/users/{}", plane.people.admin.uuid)).await, 200);
    let store = plane.store().await;
    assert!(store.has_administrator().await.unwrap());
    store.close().await;
    let second = tempfile::tempdir().unwrap();
    // Another replica that starts on the same database finds an administrator, and makes none.
    let settings = ["--database-url", plane.database_url(), "--seal-key", SEAL_KEY];
    let replica = Running::start(config(&second, &settings)).await;
    let admins = data(ann.http.get("/api/v1/users?role=admin").await, 200);
    assert_eq!((&admins["total"], &admins["users"][0]["username"]), (&json!(1), &json!("ann")));
    assert!(!second.path().join("data/admin-password").exists());
    replica.stop().await;
}
