//! Hubs that are not there, away, slow, strange, or refuse us.

use std::time::{Duration, Instant};

use axum::response::{Html, IntoResponse as _, Response};
use http::{Method, StatusCode, header};
use serde_json::{Value as Json, json};

use super::{Hub, PLAYED_TOKEN as TOKEN, USERS, path, progress, start, with_hub, with_played};
use crate::{
    databases::with_sqlite,
    http::Http,
    plane::{Plane, text},
    stand_in::{Asked, Relay, StandIn, Talker, json, nobody},
    wait::{eventually, soon},
};

/// Every operation as an operator, of which each must fail so; answers the sentences.
async fn all_fail(http: &Http, status: u16, reason: &str) -> Vec<String> {
    let (user, server) = (path("ada"), format!("{}/server", path("ada")));
    let answers = [
        http.get(USERS).await,
        http.get(&user).await,
        http.post(USERS, &json!({"username": "ada"})).await,
        http.delete(&user).await,
        start(http, &server).await,
        http.delete(&server).await,
        http.get(&format!("{server}/progress")).await,
    ];
    answers.into_iter().map(|answer| answer.expect_error(status, reason)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_hub_the_setting_is_named() {
    with_sqlite(async |url| {
        let plane = Plane::start(url).await;
        for said in all_fail(&plane.as_operator(), 503, "JupyterHubNotConfigured").await {
            assert!(said.contains("UTOPIA_JUPYTERHUB_URL"), "{said}");
        }
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_away_is_named_with_its_setting() {
    let url = nobody().await;
    with_played(&url, async |plane| {
        for said in all_fail(&plane.as_operator(), 503, "JupyterHubUnreachable").await {
            assert!(said.contains(&url) && said.contains("UTOPIA_JUPYTERHUB_URL"), "{said}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_hub_is_not_believed() {
    let html = |status: StatusCode| (status, Html("<html><body>Welcome</body></html>")).into_response();
    let garbage = |status: StatusCode| (status, [(header::CONTENT_TYPE, "application/json")], "{\"items\":").into_response();
    let answers: [(Response, &str); 5] = [
        (html(StatusCode::OK), "HTML"),
        (html(StatusCode::NOT_FOUND), "HTML"),
        (garbage(StatusCode::OK), "cannot be understood"),
        (json(200, &json!({"items": "many"})), "cannot be understood"),
        (StatusCode::SEE_OTHER.into_response(), "303"),
    ];
    for (answer, cause) in answers {
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let played = StandIn::start(move |_| Response::from_parts(head.clone(), body.clone().into())).await;
        with_played(&played.url, async |plane| {
            let operator = plane.as_operator();
            for path in [USERS.to_owned(), path("ada"), format!("{}/server/progress", path("ada"))] {
                let said = operator.get(&path).await.expect_error(503, "JupyterHubUnreachable");
                assert!(said.contains("UTOPIA_JUPYTERHUB_URL"), "{said}");
                assert!(said.contains(cause) || said.contains("no stream of events"), "{said}");
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_hub_does_not_know_is_named() {
    let Some(hub) = Hub::real() else { return };
    with_played(&hub.url, async |plane| {
        for said in all_fail(&plane.as_operator(), 503, "JupyterHubRefused").await {
            assert!(said.contains("UTOPIA_JUPYTERHUB_TOKEN_FILE") && !said.contains(TOKEN), "{said}");
        }
    })
    .await;
    let page = StandIn::start(|_| (StatusCode::FORBIDDEN, Html("<html>no</html>")).into_response()).await;
    with_played(&page.url, async |plane| {
        plane.as_operator().get(USERS).await.expect_error(503, "JupyterHubRefused");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_token_may_not_is_told_apart_in_words() {
    with_hub(async |plane| {
        let new = json!({"username": "quick-admin", "admin": true});
        let said = plane.as_operator().post(USERS, &new).await.expect_error(503, "JupyterHubRefused");
        assert!(said.contains("Only admins can grant admin permissions") && said.contains("_TOKEN_FILE"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_does_not_answer_ends_with_a_deadline() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    with_played(&format!("http://{}", silent.local_addr().unwrap()), async |plane| {
        let began = Instant::now();
        let said = plane.as_operator().get(&path("ada")).await.expect_error(504, "DeadlineExceeded");
        assert!(said.contains("JupyterHub") && began.elapsed() < Duration::from_secs(20), "{said} {:?}", began.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_comes_back_is_used_again() {
    let Some(mut hub) = Hub::real() else { return };
    let relay = Relay::before(&hub.url).await;
    hub.url.clone_from(&relay.url);
    with_sqlite(async |url| {
        let plane = Plane::start_as(url, &hub.arguments()).await;
        let operator = plane.as_operator();
        operator.get(USERS).await.expect(200);
        relay.cut();
        for _ in 0..10 {
            operator.get(USERS).await.expect_error(503, "JupyterHubUnreachable");
        }
        relay.mend();
        eventually("the hub again", async || (operator.get(USERS).await.status == 200).then_some(())).await;
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_reach_the_hub_in_one_segment() {
    let nobody = |_: &Asked| json(404, &json!({"status": 404, "message": null}));
    let played = StandIn::start(nobody).await;
    with_played(&played.url, async |plane| {
        let operator = plane.as_operator();
        let table = [
            ("a%2Fb", "/hub/api/users/a%2Fb"),
            ("..%2F..%2Fshutdown", "/hub/api/users/..%2F..%2Fshutdown"),
            ("a%20b", "/hub/api/users/a%20b"),
            ("a%252Fb", "/hub/api/users/a%252Fb"),
            ("a%3Fb%23c", "/hub/api/users/a%3Fb%23c"),
        ];
        for (name, expected) in table {
            operator.get(&path(name)).await.expect_error(404, "NotFound");
            let asked = played.asked().pop().unwrap();
            assert_eq!((&asked.method, asked.path()), (&Method::GET, expected));
            assert_eq!(asked.headers["authorization"], format!("token {TOKEN}"));
        }
        // A name that is new is in no path at all.
        operator.post(USERS, &json!({"username": "ada@example.com", "admin": true})).await.expect_error(404, "NotFound");
        let asked = played.asked().pop().unwrap();
        assert_eq!((&asked.method, asked.path()), (&Method::POST, "/hub/api/users"));
        let body: Json = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(body, json!({"usernames": ["ada@example.com"], "admin": true}));
        let before = played.asked().len();
        for name in ["%2E%2E", "a%00b", &"a".repeat(300)] {
            operator.delete(&path(name)).await.expect_error(404, "NotFound");
        }
        assert_eq!(played.asked().len(), before, "nothing of this could be asked");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_within_the_hub_is_not_ours() {
    let failed = |_: &Asked| json(500, &json!({"status": 500, "message": "Internal Server Error"}));
    let played = StandIn::start(failed).await;
    with_played(&played.url, async |plane| {
        let said = plane.as_operator().get(&path("ada")).await.expect_error(503, "JupyterHubFailed");
        assert!(said.contains(&played.url) && said.contains("Internal Server Error"), "{said}");
    })
    .await;
}

/// The head of a stream of events, and some of them.
fn said(events: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{events}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_following_a_start_lets_the_hub_go() {
    let talker = Talker::start(said("data: {\"progress\": 10, \"message\": \"pulling\"}\n\n")).await;
    let url = talker.url.clone();
    with_played(&url, async |plane| {
        let mut lines = progress(&plane.as_operator(), &format!("{}/server/progress", path("ada")), "*/*").await;
        let first: Json = serde_json::from_str(&lines.line().await.unwrap()).unwrap();
        let expected = json!({"progress": 10, "message": "pulling", "ready": false, "failed": false, "url": ""});
        assert_eq!(first, expected);
        drop(lines);
        soon("the end of the call to the hub", talker.hung_up()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_whose_progress_breaks_off_ends_with_an_error() {
    let table = [
        ("data: {\"progress\": 10}\n\n", "broke off"),
        ("data: {\"progress\": 10}\n\ndata: nonsense\n\n", "an event is wrong"),
        ("data: {\"progress\": 10}\n\ndata: {\"message\": 7}\n\n", "an event is wrong"),
    ];
    for (events, cause) in table {
        let response = move |_: &Asked| ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response();
        let played = StandIn::start(response).await;
        with_played(&played.url, async |plane| {
            let mut lines = progress(&plane.as_operator(), &format!("{}/server/progress", path("ada")), "*/*").await;
            let first: Json = serde_json::from_str(&lines.line().await.unwrap()).unwrap();
            assert_eq!(first["progress"], 10);
            let last: Json = serde_json::from_str(&lines.line().await.unwrap()).unwrap();
            assert_eq!(text(&last, "code"), "JupyterHubUnreachable");
            assert!(text(&last, "error").contains(cause), "{last}");
            assert_eq!(lines.line().await, None);
        })
        .await;
    }
}
