//! API tokens: what they open, what they do not, and what ends them.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::{
    databases::on_both_databases,
    http::Http,
    people::{Member, PASSWORD, data, holds, refusal},
    plane::{Plane, claim, text},
    wait::eventually,
};

on_both_databases!(
    a_script_acts_as_its_owner,
    an_api_token_may_no_more_than_its_owner_now,
    an_api_token_makes_no_credentials,
    tokens_are_their_owners_and_administrators,
    bad_tokens_and_bad_input_are_refused,
    nobody_has_more_than_a_hundred,
);

async fn create(http: &Http, body: Json) -> Json {
    data(http.post("/api/v1/tokens", &body).await, 201)
}

async fn a_script_acts_as_its_owner(plane: &Plane) {
    let ada = Member::new(plane, "ada", "user").await;
    let token = create(&ada.http, json!({"name": "nightly training", "ttl_seconds": 3600})).await;
    let secret = text(&token, "token").to_owned();
    assert!(secret.starts_with(&format!("utp_{}_", text(&token, "id").replace('-', ""))), "the id can be told from the token");
    assert_eq!((&token["role"], &token["username"], &token["last_used_at"]), (&json!("user"), &json!("ada"), &Json::Null));
    let expires_at = text(&token, "expires_at").parse::<Timestamp>().unwrap();
    let life = expires_at.duration_since(text(&token, "created_at").parse().unwrap());
    assert_eq!(life, SignedDuration::from_hours(1));

    let script = plane.http.with_token(&secret);
    assert_eq!(data(script.get("/api/v1/auth/profile").await, 200)["id"], ada.id);
    let made = claim(&script, 1).await;
    ada.http.get(&format!("/api/gpu-claims/{}", text(&made, "id"))).await.expect(200);

    let list = data(ada.http.get("/api/v1/tokens").await, 200);
    assert_eq!((&list["total"], &list["tokens"][0]["id"], &list["tokens"][0]["token"]), (&json!(1), &token["id"], &json!("")));
    assert!(!list.to_string().contains(&secret[37..]));
    let store = plane.store().await;
    let state = store.api_token_state(text(&token, "id").parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(state.secret_hash.len(), 32);
    store.close().await;

    refusal(ada.http.post("/api/v1/tokens", &json!({"name": "nightly training"})).await, 409);
    let path = format!("/api/v1/tokens/{}", text(&token, "id"));
    assert_eq!(data(ada.http.delete(&path).await, 200), json!({"message": "Token revoked"}));
    assert!(!holds(&script).await, "at once");
    refusal(ada.http.delete(&path).await, 404);
    create(&ada.http, json!({"name": "nightly training"})).await;
}

async fn an_api_token_may_no_more_than_its_owner_now(plane: &Plane) {
    let (ada, admin) = (Member::new(plane, "ada", "operator").await, plane.as_admin());
    let own = plane.http.with_token(text(&create(&ada.http, json!({"name": "own"})).await, "token"));
    let less = plane.http.with_token(text(&create(&ada.http, json!({"name": "less", "role": "readonly"})).await, "token"));
    refusal(ada.http.post("/api/v1/tokens", &json!({"name": "more", "role": "admin"})).await, 403);
    let spec = json!({"image": "i"});
    own.get("/api/roles").await.expect(200);
    less.get("/api/roles").await.expect_error(403, "PermissionDenied");
    less.post("/api/gpu-claims", &spec).await.expect_error(403, "PermissionDenied");

    data(admin.put(&ada.path(), &json!({"role": "user"})).await, 200);
    own.get("/api/roles").await.expect_error(403, "PermissionDenied");
    own.post("/api/gpu-claims", &spec).await.expect(202);
    data(admin.put(&ada.path(), &json!({"role": "admin"})).await, 200);
    own.get("/api/roles").await.expect(200);
    refusal(own.get("/api/v1/users").await, 403);
    less.post("/api/gpu-claims", &spec).await.expect_error(403, "PermissionDenied");
}

async fn an_api_token_makes_no_credentials(plane: &Plane) {
    let boss = Member::new(plane, "boss", "admin").await;
    let token = create(&boss.http, json!({"name": "script"})).await;
    let script = plane.http.with_token(text(&token, "token"));
    refusal(script.post("/api/v1/tokens", &json!({"name": "another"})).await, 403);
    let change = json!({"old_password": PASSWORD, "new_password": "battery staple"});
    refusal(script.put(&format!("{}/password", boss.path()), &change).await, 403);
    let someone = Member::new(plane, "ada", "user").await;
    refusal(script.put(&format!("{}/password", someone.path()), &change).await, 403);
    refusal(script.post("/api/v1/auth/logout", &json!({})).await, 409);
    refusal(plane.http.post("/api/v1/auth/refresh", &json!({"token": token["token"]})).await, 401);
    assert!(holds(&script).await);
}

async fn tokens_are_their_owners_and_administrators(plane: &Plane) {
    let (ada, bob) = (Member::new(plane, "ada", "user").await, Member::new(plane, "bob", "operator").await);
    let first = create(&ada.http, json!({"name": "first"})).await;
    let second = create(&bob.http, json!({"name": "first"})).await;
    let names = async |http: &Http, query: &str| {
        let list = data(http.get(&format!("/api/v1/tokens{query}")).await, 200);
        let owners = list["tokens"].as_array().unwrap().iter().map(|token| text(token, "username").to_owned());
        (owners.collect::<Vec<_>>().join(" "), list["total"].as_i64().unwrap())
    };
    assert_eq!(names(&ada.http, "").await, ("ada".to_owned(), 1));
    assert_eq!(names(&bob.http, "").await, ("bob".to_owned(), 1));
    assert_eq!(names(&plane.as_admin(), "").await, ("bob ada".to_owned(), 2));
    assert_eq!(names(&plane.as_admin(), "?limit=1&page=2").await, ("ada".to_owned(), 2));

    let of = |token: &Json| format!("/api/v1/tokens/{}", text(token, "id"));
    refusal(bob.http.delete(&of(&first)).await, 404);
    data(plane.as_admin().delete(&of(&first)).await, 200);
    data(bob.http.delete(&of(&second)).await, 200);
    for token in [first, second] {
        assert!(!holds(&plane.http.with_token(text(&token, "token"))).await);
    }
    for id in ["1", "nonsense", &ada.id, "%00"] {
        refusal(ada.http.delete(&format!("/api/v1/tokens/{id}")).await, 404);
    }
}

async fn bad_tokens_and_bad_input_are_refused(plane: &Plane) {
    let ada = Member::new(plane, "ada", "user").await;
    let token = create(&ada.http, json!({"name": "script", "ttl_seconds": 1})).await;
    let secret = text(&token, "token").to_owned();
    let other = text(&create(&ada.http, json!({"name": "other"})).await, "token").to_owned();
    let swapped = format!("{}{}", &secret[..37], &other[37..]);
    for bad in
        [&secret[..79], &format!("{secret}A"), &swapped, "utp_", "utp__", &secret.to_uppercase(), &secret.replace("utp", "uta")]
    {
        refusal(plane.http.with_token(bad).get("/api/v1/auth/profile").await, 401);
    }
    let script = plane.http.with_token(&secret);
    eventually("the token to expire", async || (!holds(&script).await).then_some(())).await;
    assert_eq!(data(ada.http.get("/api/v1/tokens").await, 200)["total"], 1, "one that expired is not shown");

    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "n".repeat(65)}), "name"),
        (json!({"name": "a\u{7}b"}), "name"),
        (json!({"name": " a"}), "name"),
        (json!({"name": 5}), "name"),
        (json!({"name": "x", "role": "root"}), "role"),
        (json!({"name": "x", "ttl_seconds": -1}), "ttl_seconds"),
        (json!({"name": "x", "ttl_seconds": 31_536_001}), "ttl_seconds"),
        (json!({"name": "x", "ttl_seconds": "long"}), "ttl_seconds"),
    ] {
        let message = refusal(ada.http.post("/api/v1/tokens", &body).await, 400);
        assert!(message.contains(field), "{body}: {message}");
    }
    refusal(plane.http.post("/api/v1/tokens", &json!({"name": "x"})).await, 401);
}

async fn nobody_has_more_than_a_hundred(plane: &Plane) {
    let ada = Member::new(plane, "ada", "user").await;
    for start in (0..96).step_by(16) {
        join_all((start..start + 16).map(|index| create(&ada.http, json!({"name": format!("token {index}")})))).await;
    }
    let last =
        join_all((96..104).map(async |index| ada.http.post("/api/v1/tokens", &json!({"name": format!("token {index}")})).await));
    let statuses = last.await.into_iter().map(|answer| answer.status).collect::<Vec<_>>();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 4, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 201 | 429)), "{statuses:?}");
}
