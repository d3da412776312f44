//! How the servers of others are found: in the list, in the details of readiness, and in the metrics.

use std::time::{Duration, Instant};

use axum::response::Response;
use http::{HeaderValue, Method};
use http_body_util::Full;
use serde_json::{Value as Json, json};

use crate::{
    databases::with_sqlite,
    http::Http,
    jupyterhub::{with_hub_as, with_played_as},
    plane::{CHECKS, Plane, text},
    stand_in::{self, Asked, StandIn, nobody},
    wait::eventually,
};

const LABELS: &str = r#"{kind="jupyterhub",name="jupyterhub"}"#;

/// The backend of a kind that has one server at most.
async fn backend(http: &Http, kind: &str) -> Json {
    let list = http.get("/api/backends").await.expect(200);
    let found = list["backends"].as_array().unwrap().iter().find(|backend| backend["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {list}")).clone()
}

/// Waits until the hub is found so; answers what the list says of it.
async fn hub_is(plane: &Plane, status: &str) -> Json {
    let operator = plane.as_operator();
    let what = format!("the hub {status}");
    eventually(&what, async || Some(backend(&operator, "jupyterhub").await).filter(|hub| hub["status"] == status)).await
}

/// The details of readiness, which anybody may ask for.
async fn details(plane: &Plane) -> Json {
    let answer = plane.http.get("/ready?details").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    answer.expect(200)
}

/// A metric of the hub.
async fn metric(plane: &Plane, name: &str) -> Option<f64> {
    let metrics = plane.http.get("/metrics").await.text;
    let prefix = format!("{name}{LABELS} ");
    metrics.lines().find_map(|line| line.strip_prefix(&*prefix)?.parse().ok())
}

/// A hub that answers this to everything.
async fn hub(status: u16, body: Json) -> StandIn {
    let answer = move |_: &Asked| -> Response {
        let mut response = stand_in::json(status, &body);
        response.headers_mut().insert("x-jupyterhub-version", HeaderValue::from_static("5.4.0"));
        response
    };
    StandIn::start(answer).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_settings_there_are_none() {
    with_sqlite(async |url| {
        let plane = Plane::start_as(url, &CHECKS).await;
        let list = plane.as_operator().get("/api/backends").await.expect(200);
        let none = |kind: &str, setting: &str| {
            json!({"kind": kind, "name": kind, "url": "", "status": "not_configured", "version": "", "latency_ms": 0.0,
                "last_error": "", "checked_at": null, "setting": setting})
        };
        let expected = [
            none("jupyterhub", "UTOPIA_JUPYTERHUB_URL"),
            none("prometheus", "UTOPIA_PROMETHEUS_URL"),
            none("salt", "UTOPIA_SALT_URL"),
            none("slurm", "UTOPIA_SLURM"),
        ];
        assert_eq!(list, json!({"backends": expected}));
        plane.as_user().get("/api/backends").await.expect_error(403, "PermissionDenied");
        let expected = json!({"ready": true, "message": "ready", "database": "up", "backends": []});
        assert_eq!(details(&plane).await, expected);
        let request = plane.http.request(Method::GET, "/ready").header("accept", "text/html, application/json;q=0.9");
        assert_eq!(plane.http.send(request.body(Full::default()).unwrap()).await.expect(200), expected);
        assert_eq!(plane.http.get("/ready").await.text, "ready\n");
        assert!(!plane.http.get("/metrics").await.text.contains("utopia_backend"));
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_answers_is_up() {
    let users = json!({"items": [], "_pagination": {"offset": 0, "limit": 1, "total": 0, "next": null}});
    let played = hub(200, users).await;
    with_played_as(&played.url, &CHECKS, async |plane| {
        let hub = hub_is(plane, "up").await;
        assert_eq!((text(&hub, "name"), text(&hub, "url")), ("jupyterhub", &*format!("{}/", played.url)));
        assert_eq!((text(&hub, "version"), text(&hub, "last_error")), ("5.4.0", ""));
        assert!(hub["latency_ms"].as_f64().unwrap() > 0.0 && text(&hub, "checked_at").ends_with('Z'), "{hub}");
        let up = json!([{"kind": "jupyterhub", "name": "jupyterhub", "status": "up"}]);
        assert_eq!(details(plane).await["backends"], up);
        assert_eq!(metric(plane, "utopia_backend_up").await, Some(1.0));
        assert!(metric(plane, "utopia_backend_latency_seconds").await.unwrap() > 0.0);
        assert!(metric(plane, "utopia_backend_calls_total").await.unwrap() >= 1.0);
        assert_eq!(metric(plane, "utopia_backend_failures_total").await, Some(0.0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_hub_is_up_with_its_version() {
    with_hub_as(&CHECKS, async |plane| {
        let hub = hub_is(plane, "up").await;
        assert!(text(&hub, "version").starts_with(|c: char| c.is_ascii_digit()), "{hub}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_away_is_down_and_the_control_plane_is_ready() {
    let url = nobody().await;
    with_played_as(&url, &CHECKS, async |plane| {
        let hub = hub_is(plane, "down").await;
        let said = text(&hub, "last_error");
        assert!(said.contains(&url) && said.contains("UTOPIA_JUPYTERHUB_URL"), "{said}");
        let found = details(plane).await;
        assert_eq!((&found["ready"], &found["database"]), (&json!(true), &json!("up")));
        // Where it is and what is wrong is not for everybody.
        assert_eq!(found["backends"], json!([{"kind": "jupyterhub", "name": "jupyterhub", "status": "down"}]));
        assert_eq!(plane.http.get("/ready").await.text, "ready\n");
        assert_eq!(metric(plane, "utopia_backend_up").await, Some(0.0));
        assert!(metric(plane, "utopia_backend_failures_total").await.unwrap() >= 1.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_refuses_us_or_is_something_else_is_down() {
    let refused = json!({"status": 403, "message": "Missing or invalid credentials."});
    for (status, body, cause) in [(403, refused, "UTOPIA_JUPYTERHUB_TOKEN_FILE"), (200, json!("hello"), "cannot be understood")] {
        let played = hub(status, body).await;
        with_played_as(&played.url, &CHECKS, async |plane| {
            let hub = hub_is(plane, "down").await;
            assert!(text(&hub, "last_error").contains(cause), "{hub}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_answer_is_down_after_a_while() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    with_played_as(&format!("http://{}", silent.local_addr().unwrap()), &CHECKS, async |plane| {
        let began = Instant::now();
        let before = backend(&plane.as_operator(), "jupyterhub").await;
        assert_eq!((text(&before, "status"), &before["checked_at"]), ("unknown", &Json::Null));
        assert_eq!(details(plane).await["backends"][0]["status"], "unknown");
        let hub = hub_is(plane, "down").await;
        assert!(text(&hub, "last_error").contains("did not answer within 5s"), "{hub}");
        assert!(began.elapsed() < Duration::from_secs(20));
    })
    .await;
}
