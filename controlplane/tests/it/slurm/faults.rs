//! A Slurm that is not there, or not what it should be.

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::{JOBS, Real, cluster::Cluster, start};
use crate::{
    databases::with_sqlite,
    http::{Answer, Http},
    plane::{Plane, text},
    stand_in::{StandIn, Talker, json as answer, nobody},
};

/// Asks everything that only Slurm can answer.
async fn ask_all(http: &Http) -> Vec<Answer> {
    let mut answers = Vec::new();
    for path in ["/api/slurm/clusters", JOBS, "/api/slurm/jobs/1", "/api/slurm/nodes"] {
        answers.push(http.get(path).await);
    }
    answers.push(http.delete("/api/slurm/jobs/1").await);
    answers.push(http.post(JOBS, &json!({"script": "#!/bin/sh\n"})).await);
    answers
}

/// Everything fails with this reason, and names the setting.
async fn all_fail(http: &Http, status: u16, reason: &str) -> Vec<String> {
    let said = ask_all(http).await.into_iter().map(|answer| answer.expect_error(status, reason)).collect::<Vec<_>>();
    assert!(said.iter().all(|said| said.contains("UTOPIA_SLURM")), "{said:?}");
    said
}

/// Runs a test with a control plane that is told of a cluster at this URL.
async fn with_cluster_at(url: &str, test: impl AsyncFnOnce(&Plane)) {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "the key of Slurm's tokens").unwrap();
    let setting = format!("default={url} key-file={}", key.path().display());
    with_sqlite(async |database| {
        let plane = Plane::start_as(database, &["--slurm", &setting, "--slurm-users", "*"]).await;
        test(&plane).await;
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_setting_there_is_no_slurm() {
    with_sqlite(async |url| {
        let plane = Plane::start(url).await;
        all_fail(&plane.as_operator(), 503, "SlurmNotConfigured").await;
        let gpus = plane.as_user().get("/api/gpus").await.expect(200);
        assert_eq!((&gpus["gpus"], &gpus["warnings"]), (&json!([]), &json!([])));
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slurm_that_is_away_is_named() {
    let url = nobody().await;
    with_cluster_at(&url, async |plane| {
        let said = all_fail(&plane.as_operator(), 503, "SlurmUnreachable").await;
        assert!(said[0].contains(&url), "{said:?}");
        let gpus = plane.as_user().get("/api/gpus").await.expect(200);
        assert_eq!(gpus["gpus"], json!([]));
        assert!(gpus["warnings"][0].as_str().unwrap().contains("UTOPIA_SLURM"), "{gpus}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_garbage_are_no_slurm() {
    type Play = fn() -> Response;
    let plays: [Play; 4] = [
        || (StatusCode::OK, [("content-type", "text/html")], "<html><title>Log in</title>").into_response(),
        || (StatusCode::OK, "{\"paths\": {\"/slurm/v0.0.38/jobs\": {}}, \"jobs\": [{\"job_id\": [").into_response(),
        || answer(200, &json!({"paths": {"/slurm/v0.0.36/jobs": {}}})),
        || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    ];
    for play in plays {
        let server = StandIn::start(move |_| play()).await;
        with_cluster_at(&server.url, async |plane| {
            all_fail(&plane.as_operator(), 503, "SlurmUnreachable").await;
        })
        .await;
    }
    // It speaks a version, and then says what nobody asked for.
    let server = StandIn::start(|asked| match asked.path() {
        "/openapi/v3" => answer(200, &json!({"paths": {"/slurm/v0.0.38/jobs": {}}})),
        _ => answer(200, &json!({"jobs": "none", "nodes": 7, "errors": []})),
    })
    .await;
    with_cluster_at(&server.url, async |plane| {
        all_fail(&plane.as_operator(), 503, "SlurmUnreachable").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_is_none() {
    let server = Talker::start("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"paths\": {".to_owned()).await;
    with_cluster_at(&server.url, async |plane| {
        // Whoever waits for the rest waits until the deadline.
        let answer = plane.as_user().get("/api/slurm/nodes").await;
        assert!([503, 504].contains(&answer.status), "{} {}", answer.status, answer.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_refused_and_never_shown() {
    let Some(real) = Real::find() else { return };
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "a key that nobody else has").unwrap();
    let setting = format!("default={} key-file={}", real.url, key.path().display());
    let arguments = ["--slurm".to_owned(), setting, "--slurm-users".to_owned(), format!("uma={}", real.users[0])];
    with_sqlite(async |url| {
        let plane = start(url, &arguments).await;
        let http = plane.as_user();
        for answer in ask_all(&http).await {
            let said = answer.expect_error(503, "SlurmRefused");
            assert!(said.contains("UTOPIA_SLURM") && !said.contains("nobody else"), "{said}");
        }
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_slurm_is_spoken_to_in_its_own_shapes() {
    let cluster = Cluster::start().await;
    with_sqlite(async |url| {
        let plane = Plane::start_as(url, &cluster.arguments()).await;
        let http = plane.as_user();
        let clusters = http.get("/api/slurm/clusters").await.expect(200);
        let found = &clusters["clusters"][0];
        assert_eq!((text(found, "api_version"), text(found, "slurm_version")), ("v0.0.41", "24.11.1"));
        let body = json!({
            "script": "#!/bin/sh\ntrue\n", "nodes": 2, "gpus_per_node": 2, "gpu_type": "h100", "environment": {"A": "b\n\"c\""},
        });
        let id = http.post(JOBS, &body).await.expect(201)["job_id"].as_i64().unwrap();
        let sent = cluster.submitted();
        assert_eq!((&sent["job"]["tres_per_node"], &sent["job"]["maximum_nodes"]), (&json!("gres/gpu:h100:2"), &json!(2)));
        assert!(sent["job"]["environment"].as_array().unwrap().contains(&json!("A=b\n\"c\"")), "{sent}");
        cluster.set(id, "RUNNING");
        let job = http.get(&format!("{JOBS}/{id}")).await.expect(200);
        assert_eq!((&job["nodes"], &job["gpus"], text(&job, "status")), (&json!(["n1", "n2"]), &json!(4), "running"));
        let nodes = http.get("/api/slurm/nodes").await.expect(200);
        assert_eq!((text(&nodes["nodes"][0], "state"), &nodes["nodes"][0]["jobs"]), ("mixed", &json!([id])));
        let gpus = http.get("/api/gpus").await.expect(200);
        let statuses = gpus["gpus"].as_array().unwrap().iter().map(|gpu| text(gpu, "status")).collect::<Vec<_>>();
        assert_eq!(statuses, ["free", "allocated"]);
        let asked = cluster.server.asked();
        let submission = asked.iter().find(|asked| asked.method == Method::POST).unwrap();
        assert_eq!(submission.headers["x-slurm-user-name"], "uma");
        // Nobody's token but the caller's own went with it.
        let token = submission.headers["x-slurm-user-token"].to_str().unwrap().split('.').nth(1).unwrap().to_owned();
        assert_eq!(claims(&token)["sun"], "uma");
        http.delete(&format!("{JOBS}/{id}")).await.expect(200);
        let cancelled = cluster.server.asked().into_iter().find(|asked| asked.method == Method::DELETE).unwrap();
        assert_eq!(cancelled.headers["x-slurm-user-name"], "uma");
        plane.stop().await;
    })
    .await;
}

/// What a token says.
fn claims(part: &str) -> Json {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
