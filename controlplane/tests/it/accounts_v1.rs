//! Registration, log-in, sessions and lock-out, in the envelope style; and that both log-ins are one.

use futures_util::future::join_all;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::{
    databases::{on_both_databases, with_postgres, with_sqlite},
    people::{Member, PASSWORD, data, holds, log_in, refusal},
    plane::{Plane, Running, config, text},
    tokens::{Opened, signed},
};

on_both_databases!(
    somebody_registers_logs_in_and_out,
    both_logins_know_the_same_people,
    a_role_at_registration_is_an_administrators_to_give,
    bad_input_is_refused_by_field,
    a_token_is_exchanged_for_one_other,
    a_name_is_locked_after_failures,
    a_storm_of_logins_is_answered,
    there_is_no_test_token_outside_development,
);

async fn somebody_registers_logs_in_and_out(plane: &Plane) {
    let new = json!({"username": "Ada", "email": "ada@example.com", "password": PASSWORD});
    let account = data(plane.http.post("/api/v1/auth/register", &new).await, 201);
    assert_eq!(
        (&account["username"], &account["email"], &account["role"]),
        (&json!("Ada"), &json!("ada@example.com"), &json!("user"))
    );
    assert_eq!((text(&account, "id").len(), &account["last_login_at"]), (36, &Json::Null));
    let created_at = text(&account, "created_at").parse::<Timestamp>().unwrap();

    for taken in [
        json!({"username": "aDA", "password": PASSWORD}),
        json!({"username": "other", "email": "ADA@example.com", "password": PASSWORD}),
    ] {
        refusal(plane.http.post("/api/v1/auth/register", &taken).await, 409);
    }
    for _ in 0..2 {
        // Any number may do without an address.
        let name = format!("n{}", uuid::Uuid::new_v4().simple());
        data(plane.http.post("/api/v1/auth/register", &json!({"username": name, "password": PASSWORD})).await, 201);
    }

    let session = plane.http.post("/api/v1/auth/login", &json!({"username": "ada", "password": PASSWORD})).await;
    let session = data(session, 200);
    assert_eq!((&session["expires_in"], &session["user"]["id"]), (&json!(86_400), &account["id"]));
    assert!(text(&session["user"], "last_login_at").parse::<Timestamp>().unwrap() >= created_at);
    let http = plane.http.with_token(text(&session, "token"));
    assert_eq!(data(http.get("/api/v1/auth/profile").await, 200), session["user"]);
    let again = data(plane.http.post("/api/v1/auth/login", &json!({"username": "ada", "password": PASSWORD})).await, 200);
    assert_ne!(again["user"], session["user"]);
    assert_eq!(data(http.get("/api/v1/auth/profile").await, 200), again["user"]);

    let answer = data(http.post("/api/v1/auth/logout", &json!({})).await, 200);
    assert_eq!(answer, json!({"message": "Logged out"}));
    let message = refusal(http.get("/api/v1/auth/profile").await, 401);
    assert!(message.contains("revoked"), "{message}");
    http.get("/api/gpu-claims").await.expect_error(401, "TokenRevoked");
    refusal(http.post("/api/v1/auth/logout", &json!({})).await, 401);
    for path in ["/api/v1/auth/profile", "/api/v1/users", "/api/v1/tokens"] {
        refusal(plane.http.get(path).await, 401);
    }
}

async fn both_logins_know_the_same_people(plane: &Plane) {
    let ada = Member::new(plane, "ada", "operator").await;
    let bare = plane.http.post("/api/auth/login", &json!({"username": "ADA", "password": PASSWORD})).await.expect(200);
    assert_eq!((&bare["user"]["username"], &bare["user"]["role"]), (&json!("ada"), &json!("operator")));
    let same = data(plane.http.with_token(text(&bare, "token")).get("/api/v1/auth/profile").await, 200);
    assert_eq!(same["id"], ada.id);

    let register = json!({"username": "bob", "password": PASSWORD});
    plane.http.post("/api/auth/register", &register).await.expect(201);
    log_in(plane, "bob", PASSWORD).await;
    refusal(plane.http.post("/api/v1/auth/register", &register).await, 409);

    for path in ["/api/auth/login", "/api/v1/auth/login"] {
        let wrong = plane.http.post(path, &json!({"username": "ada", "password": "incorrect horse"})).await;
        let unknown = plane.http.post(path, &json!({"username": "eve", "password": PASSWORD})).await;
        assert_eq!((wrong.status, unknown.status), (401, 401), "{path}");
        assert_eq!(wrong.text, unknown.text, "{path}");
    }
}

async fn a_role_at_registration_is_an_administrators_to_give(plane: &Plane) {
    let register = async |http: &crate::http::Http, username: &str, role: &str| {
        http.post("/api/v1/auth/register", &json!({"username": username, "password": PASSWORD, "role": role})).await
    };
    for (username, http) in [("ann", &plane.http), ("bob", &plane.as_user()), ("cid", &plane.as_operator())] {
        assert_eq!(data(register(http, username, "admin").await, 201)["role"], "user", "{username}");
    }
    assert_eq!(data(register(&plane.http, "dan", "no such role").await, 201)["role"], "user");
    assert_eq!(data(register(&plane.as_admin(), "eve", "operator").await, 201)["role"], "operator");
    assert_eq!(data(register(&plane.as_admin(), "fay", "developer").await, 201)["role"], "user");
    assert!(refusal(register(&plane.as_admin(), "gus", "root").await, 422).starts_with("role"));
}

async fn bad_input_is_refused_by_field(plane: &Plane) {
    let long = "a".repeat(65);
    for (path, body, status, field) in [
        ("register", json!({"password": PASSWORD}), 400, "username"),
        ("register", json!({"username": "", "password": PASSWORD}), 400, "username"),
        ("register", json!({"username": "ada"}), 400, "password"),
        ("register", json!({"username": 7, "password": PASSWORD}), 400, "username"),
        ("register", json!({"username": ["ada"], "password": PASSWORD}), 400, "username"),
        ("register", json!({"username": "a b", "password": PASSWORD}), 422, "username"),
        ("register", json!({"username": "ada\u{0}", "password": PASSWORD}), 422, "username"),
        ("register", json!({"username": long, "password": PASSWORD}), 422, "username"),
        ("register", json!({"username": "ada", "password": "short"}), 422, "password"),
        ("register", json!({"username": "ada", "password": "p".repeat(257)}), 422, "password"),
        ("register", json!({"username": "Admin", "password": "admin123"}), 422, "password"),
        ("register", json!({"username": "ada", "password": PASSWORD, "email": "ada"}), 422, "email"),
        ("register", json!({"username": "ada", "password": PASSWORD, "email": "a@b\r\nBcc: c@d"}), 422, "email"),
        ("login", json!({"password": PASSWORD}), 400, "username"),
        ("login", json!({"username": "ada"}), 400, "password"),
        ("login", json!({"username": "ada", "password": {}}), 400, "password"),
        ("refresh", json!({}), 400, "token"),
        ("refresh", json!({"token": 1}), 400, "token"),
    ] {
        let message = refusal(plane.http.post(&format!("/api/v1/auth/{path}"), &body).await, status);
        assert!(message.contains(field), "{body}: {message}");
        assert!(!message.contains(PASSWORD) && !message.contains("admin123"), "a password is repeated: {message}");
    }
    for body in ["{", "[]", "\"ada\"", ""] {
        refusal(plane.http.send_json(Method::POST, "/api/v1/auth/login", body.to_owned()).await, 400);
    }
    let huge = json!({"username": "ada", "password": "p".repeat(2 << 20)}).to_string();
    refusal(plane.http.send_json(Method::POST, "/api/v1/auth/login", huge).await, 413);
    // Names that nobody can have are answered like any other.
    for username in ["ada\u{0}", &long, "'; drop table users; --", "ädä"] {
        let answer = plane.http.post("/api/v1/auth/login", &json!({"username": username, "password": PASSWORD})).await;
        assert_eq!(refusal(answer, 401), "the user name or the password is wrong");
    }
}

async fn a_token_is_exchanged_for_one_other(plane: &Plane) {
    let ada = Member::new(plane, "ada", "user").await;
    let old = json!({"token": ada.token});
    let answers = join_all((0..6).map(|_| plane.http.post("/api/v1/auth/refresh", &old))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 5));
    for answer in lost {
        refusal(answer, 401);
    }
    let session = data(won.into_iter().next().unwrap(), 200);
    assert_eq!((&session["user"]["id"], &session["expires_in"]), (&json!(ada.id), &json!(86_400)));
    assert!(!ada.is_in().await && holds(&plane.http.with_token(text(&session, "token"))).await);

    let store = plane.store().await;
    let key = Opened::new(store.signing_keys().await.unwrap().remove(0));
    let user = store.user_by_name("ada").await.unwrap().unwrap();
    store.close().await;
    let expired = |ago: i64| {
        let exp = (Timestamp::now() - SignedDuration::from_secs(ago)).as_second();
        let claims = json!({
            "iss": "utopia", "aud": "utopia-user", "sub": user.id.to_string(), "jti": uuid::Uuid::new_v4().to_string(),
            "iat": exp - 86_400, "exp": exp, "epoch": user.token_epoch,
        });
        signed(&key, &claims)
    };
    let just_expired = expired(300);
    assert!(!holds(&plane.http.with_token(&just_expired)).await);
    data(plane.http.post("/api/v1/auth/refresh", &json!({"token": just_expired})).await, 200);
    let join_token = plane.join_token(1).await;
    for token in [&just_expired, &expired(700), "nonsense", text(&join_token, "token")] {
        refusal(plane.http.post("/api/v1/auth/refresh", &json!({"token": token})).await, 401);
    }
}

async fn a_name_is_locked_after_failures(plane: &Plane) {
    let ada = Member::new(plane, "ada", "user").await;
    let guess = async |username: &str, password: &str| {
        plane.http.post("/api/v1/auth/login", &json!({"username": username, "password": password})).await
    };
    for username in ["ada", "nobody"] {
        for _ in 0..4 {
            refusal(guess(username, "incorrect horse").await, 401);
        }
    }
    // More of them than anybody would wait for.
    let store = plane.store().await;
    for username in ["ada", "nobody"] {
        let lock = |_| Timestamp::now() + SignedDuration::from_secs(600);
        assert_eq!(store.count_login_failure(username, Timestamp::now(), lock).await.unwrap(), 5);
    }
    store.close().await;
    for (username, password) in [("ada", "incorrect horse"), ("ADA", PASSWORD), ("nobody", PASSWORD)] {
        let answer = guess(username, password).await;
        let seconds = answer.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap();
        assert!((570..=600).contains(&seconds), "{seconds}");
        assert!(refusal(answer, 429).contains("too many failed"));
    }
    let bare = plane.http.post("/api/auth/login", &json!({"username": "ada", "password": PASSWORD})).await;
    bare.expect_error(429, "LoginLocked");
    // The lock is on guessing; who is in stays in, and guesses no old password either.
    assert!(ada.is_in().await);
    let change = json!({"old_password": PASSWORD, "new_password": "battery staple"});
    refusal(ada.http.put(&format!("{}/password", ada.path()), &change).await, 429);

    let unlock = format!("{}/unlock", ada.path());
    refusal(ada.http.post(&unlock, &json!({})).await, 403);
    assert_eq!(data(plane.as_admin().post(&unlock, &json!({})).await, 200)["id"], ada.id);
    log_in(plane, "ada", PASSWORD).await;
    refusal(guess("nobody", PASSWORD).await, 429);
}

async fn a_storm_of_logins_is_answered(plane: &Plane) {
    let names = ["ann", "bob", "cid", "dan"];
    for name in names {
        Member::new(plane, name, "user").await;
    }
    let storm = (0..48).map(|index| async move { log_in(plane, names[index % names.len()], PASSWORD).await });
    let tokens = join_all(storm).await;
    assert!(
        join_all(tokens.iter().map(async |token| holds(&plane.http.with_token(token)).await))
            .await
            .into_iter()
            .all(|holds| holds)
    );
}

async fn there_is_no_test_token_outside_development(plane: &Plane) {
    refusal(plane.http.get("/api/v1/auth/token").await, 404);
    refusal(plane.as_admin().get("/api/v1/auth/token").await, 404);
}

async fn a_test_token_is_a_plain_users(database_url: &str) {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(config(&directory, &["--database-url", database_url, "--development"])).await;
    let http = crate::http::Http::new(running.started.http_addr);
    for _ in 0..2 {
        let token = data(http.get("/api/v1/auth/token").await, 200);
        let developer = data(http.with_token(text(&token, "token")).get("/api/v1/auth/profile").await, 200);
        assert_eq!((&developer["username"], &developer["role"]), (&json!("developer"), &json!("user")));
    }
    let guess = json!({"username": "developer", "password": "developer"});
    refusal(http.post("/api/v1/auth/login", &guess).await, 401);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn development_has_test_tokens() {
    with_sqlite(async |url| a_test_token_is_a_plain_users(url).await).await;
    with_postgres(async |url| a_test_token_is_a_plain_users(url).await).await;
}
