//! A Salt that is away, slow, restarting, or answers what nobody understands.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    execute, real,
    relay::{Asked, Relay, granted, page, returned},
    results,
    session::anybody,
    with,
};

/// A server that lets everybody log in, and answers every call so.
async fn answering(answer: impl Fn(&Asked) -> Response + Clone + Send + Sync + 'static) -> Relay {
    Relay::start(None, move |asked, _| Some(if asked.is_login() { granted("t", 43_200.0) } else { answer(asked) })).await
}

#[tokio::test]
async fn a_disabled_client_is_named() {
    let disabled = |asked: &Asked| {
        let client = asked.body["client"].as_str().unwrap();
        page(400, &format!("Client disabled: '{client}'. Add to 'netapi_enable_clients' master config option to enable."))
    };
    let relay = answering(disabled).await;
    let directory = tempfile::tempdir().unwrap();
    with(&anybody(&relay.url, &directory), &[], async |plane| {
        let sentence = plane.as_user().get("/api/saltstack/minions").await.expect_error(503, "SaltClientDisabled");
        assert!(sentence.contains("client runner") && sentence.contains("netapi_enable_clients"), "{sentence}");
        let command = json!({"target": "node01", "function": "test.ping"});
        let sentence = execute(plane, &command).await.expect_error(503, "SaltClientDisabled");
        assert!(sentence.contains("client local_async") && sentence.contains("netapi_enable_clients"), "{sentence}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_away_is_named_by_its_setting() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    with(&anybody(&format!("http://{address}"), &directory), &[], async |plane| {
        let command = json!({"target": "node01", "function": "test.ping", "state": "motd"});
        for answer in [
            plane.as_user().get("/api/saltstack/minions").await,
            plane.as_user().get("/api/saltstack/minions/node01").await,
            execute(plane, &command).await,
            super::deploy(plane, &command).await,
            plane.as_operator().get("/api/saltstack/jobs/20261120215136422127").await,
        ] {
            let sentence = answer.expect_error(503, "SaltUnreachable");
            assert!(sentence.contains("UTOPIA_SALT_URL"), "{sentence}");
        }
        let log = plane.as_admin().get("/api/v1/audit?event_type=salt&result=success").await.expect(200);
        assert_eq!(log["data"]["total"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_says_nothing_ends_with_a_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let directory = tempfile::tempdir().unwrap();
    with(&anybody(&url, &directory), &[], async |plane| {
        // They wait for one log-in together: one after the other they would take too long.
        let user = plane.as_user();
        let calls = (0..8).map(|_| user.get("/api/saltstack/minions"));
        for answer in futures_util::future::join_all(calls).await {
            let sentence = answer.expect_error(504, "DeadlineExceeded");
            assert!(sentence.starts_with("Salt at"), "{sentence}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_not_shown() {
    let trace = "Exception occurred in runner: Traceback /srv/secret.py";
    let answers: [fn(&str) -> Response; 6] = [
        |_| "<html>an inn".into_response(),
        |_| "{\"return\": [".into_response(),
        |_| "".into_response(),
        |trace| returned(&json!(trace)),
        |trace| (StatusCode::INTERNAL_SERVER_ERROR, json!({"status": 500, "return": trace}).to_string()).into_response(),
        |_| page(404, "The path '/' was not found."),
    ];
    for answer in answers {
        let relay = answering(move |_| answer(trace)).await;
        let directory = tempfile::tempdir().unwrap();
        with(&anybody(&relay.url, &directory), &[], async |plane| {
            let command = json!({"target": "node01", "function": "test.ping"});
            for answer in [plane.as_user().get("/api/saltstack/minions").await, execute(plane, &command).await] {
                assert!(!answer.text.contains("secret"), "{}", answer.text);
                let sentence = answer.expect_error(503, "SaltUnreachable");
                assert!(sentence.contains("cannot be understood") && sentence.contains("UTOPIA_SALT_URL"), "{sentence}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_master_that_restarts_midway_loses_no_result() {
    let Some(salt) = real() else { return };
    let relay = Relay::start(Some(salt.url.clone()), |asked, before| {
        (asked.function() == "jobs.list_job" && before < 2).then(|| page(503, "Salt Master is not available."))
    })
    .await;
    with(&salt.at(&relay.url), &[], async |plane| {
        let command = json!({"target": "node01", "function": "test.echo", "args": ["still here"]});
        assert_eq!(results(&execute(plane, &command).await.expect(200)), json!({"node01": "still here"}));
    })
    .await;
}

#[tokio::test]
async fn a_job_that_has_begun_keeps_its_id_whatever_happens_next() {
    let relay = answering(|asked| match asked.function() {
        "test.ping" => returned(&json!({"jid": "20261120215136422127", "minions": ["node01"]})),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    with(&anybody(&relay.url, &directory), &[], async |plane| {
        let command = json!({"target": "node01", "function": "test.ping", "timeout_seconds": 1});
        let job = execute(plane, &command).await.expect(200);
        assert_eq!((&job["job_id"], &job["complete"]), (&json!("20261120215136422127"), &json!(false)));
        assert_eq!((&job["missing"], &job["results"]), (&json!(["node01"]), &json!([])));
        plane.as_operator().get("/api/saltstack/jobs/20261120215136422127").await.expect_error(503, "SaltUnreachable");
    })
    .await;
}
