//! The log-in: shared, renewed and refused.

use std::fs;

use serde_json::json;

use super::{
    Real, execute, real,
    relay::{Relay, granted, page, returned},
    with,
};

/// Where no Salt is asked, anybody's password will do.
pub(super) fn anybody(url: &str, directory: &tempfile::TempDir) -> Real {
    let file = directory.path().join("password");
    fs::write(&file, "hunter2-of-salt\n").unwrap();
    Real { url: url.to_owned(), user: "utopia".to_owned(), password_file: file.to_str().unwrap().to_owned() }
}

#[tokio::test]
async fn a_session_that_has_ended_is_made_anew_and_nothing_runs_twice() {
    let Some(salt) = real() else { return };
    let relay = Relay::start(Some(salt.url.clone()), |asked, before| {
        (asked.function() == "test.echo" && before == 0).then(|| page(401, "No permission -- see authorization schemes"))
    })
    .await;
    with(&salt.at(&relay.url), &[], async |plane| {
        let command = json!({"target": "node01", "function": "test.echo", "args": ["once"], "async": true});
        execute(plane, &command).await.expect(200);
        assert_eq!(relay.logins(), 2);
        let tokens = relay.asked().into_iter().filter(|asked| asked.function() == "test.echo").map(|asked| asked.token);
        let tokens = tokens.collect::<Vec<_>>();
        assert!(tokens.len() == 2 && tokens[0] != tokens[1], "one is refused and one is not: {tokens:?}");
        execute(plane, &command).await.expect(200);
        assert_eq!(relay.logins(), 2, "the new one is kept");
    })
    .await;
}

#[tokio::test]
async fn calls_at_the_same_time_share_one_login() {
    let directory = tempfile::tempdir().unwrap();
    let relay = Relay::start(None, |asked, _| {
        Some(if asked.is_login() { granted("t", 43_200.0) } else { returned(&json!({"up": [], "down": []})) })
    })
    .await;
    with(&anybody(&relay.url, &directory), &[], async |plane| {
        let user = plane.as_user();
        let calls = (0..16).map(|_| user.get("/api/saltstack/minions"));
        for answer in futures_util::future::join_all(calls).await {
            answer.expect(200);
        }
        assert_eq!(relay.logins(), 1);
        let login = &relay.asked()[0];
        assert_eq!(login.body, json!({"username": "utopia", "password": "hunter2-of-salt", "eauth": "sharedsecret"}));
    })
    .await;
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let relay = Relay::start(None, |asked, _| {
        Some(if asked.is_login() { granted("t", 0.0) } else { returned(&json!({"up": [], "down": []})) })
    })
    .await;
    with(&anybody(&relay.url, &directory), &[], async |plane| {
        for _ in 0..3 {
            plane.as_user().get("/api/saltstack/minions").await.expect(200);
        }
        assert_eq!(relay.logins(), 3, "none of them had any life left");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_names_its_setting_and_is_not_tried_again_and_again() {
    let Some(salt) = real() else { return };
    let directory = tempfile::tempdir().unwrap();
    let relay = Relay::start(Some(salt.url.clone()), |_, _| None).await;
    with(&anybody(&relay.url, &directory), &[], async |plane| {
        for _ in 0..5 {
            let answer = plane.as_user().get("/api/saltstack/minions").await;
            assert!(!answer.text.contains("hunter2"), "{}", answer.text);
            let sentence = answer.expect_error(503, "SaltRefused");
            assert!(sentence.contains("UTOPIA_SALT_PASSWORD_FILE"), "{sentence}");
        }
        let logins = relay.logins();
        assert!(logins < 5, "{logins}");
    })
    .await;
}

#[tokio::test]
async fn a_user_who_may_not_is_told_which_function() {
    let Some(salt) = real() else { return };
    with(&Real { user: "limited".to_owned(), ..salt }, &[], async |plane| {
        let sentence = plane.as_user().get("/api/saltstack/minions").await.expect_error(503, "SaltRefused");
        assert!(sentence.contains("manage.status") && sentence.contains("external_auth"), "{sentence}");
        let command = json!({"target": "node01", "function": "test.echo", "args": [1]});
        let sentence = execute(plane, &command).await.expect_error(503, "SaltRefused");
        assert!(sentence.contains("test.echo"), "{sentence}");
    })
    .await;
}
