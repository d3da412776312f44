//! Another S3 server behind the interface: a real one, which verifies what is signed anew.

use std::{future::IntoFuture as _, path::Path};

use axum::{Router, extract::Request};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

use super::{Tls, python, settings, suite};
use crate::{databases, plane::Plane, stand_in::nobody};

/// What boto3 does that this server can keep, which has keys for paths.
const SCENARIOS: [&str; 12] = [
    "documented_example",
    "objects",
    "lists",
    "multipart",
    "buckets",
    "strangers",
    "presigned",
    "signatures",
    "chunks",
    "frames",
    "interrupted",
    "expects",
];

/// A server of `s3s-fs` on a port of its own.
struct Other {
    url: String,
    _server: JoinSet<()>,
}

impl Other {
    async fn start(root: &Path) -> Self {
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
        builder.set_auth(SimpleAuth::from_single("behind", "the secret behind"));
        let service = builder.build();
        let handler = move |request: Request| {
            let service = service.clone();
            async move { service.call(request.map(s3s::Body::http_body_unsync)).await.unwrap().map(axum::body::Body::new) }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, Router::new().fallback(handler)).into_future().await.unwrap() });
        Self { url, _server: server }
    }
}

/// Gives a test a control plane in front of the server at an address.
async fn before(url: &str, directory: &TempDir, test: impl AsyncFnOnce(&Plane)) {
    let file = directory.path().join("secret");
    std::fs::write(&file, "the secret behind\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    databases::with_sqlite(async |database| {
        let secret = file.to_str().unwrap();
        let flags = ["--s3-url", url, "--s3-access-key", "behind", "--s3-secret-key-file", secret];
        let plane = Plane::start_as(database, &flags).await;
        test(&plane).await;
        plane.stop().await;
    })
    .await;
}

/// What the suite is told, with what this server is known to lack.
async fn lacking(plane: &Plane) -> Json {
    let mut settings = settings(plane).await;
    settings["lacks"] = json!(["replace", "parts", "trailing sums", "full buckets"]);
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_does_the_same_in_front_of_another_server() {
    let Some(python) = python() else { return };
    let (root, directory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let other = Other::start(root.path()).await;
    before(&other.url, &directory, async |plane| {
        suite(&python, &lacking(plane).await, &SCENARIOS).await.unwrap_or_else(|error| panic!("{error}"));
        let kept = std::fs::read(root.path().join("b-documented-example/remote.txt")).unwrap();
        assert_eq!(kept, b"as documented");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_does_the_same_over_https_in_front_of_another_server() {
    let Some(python) = python() else { return };
    let (root, directory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let other = Other::start(root.path()).await;
    before(&other.url, &directory, async |plane| {
        let tls = Tls::before(plane).await;
        let mut through = tls.through(lacking(plane).await);
        through["megabytes"] = json!(20);
        suite(&python, &through, &SCENARIOS).await.unwrap_or_else(|error| panic!("{error}"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_named_by_its_setting() {
    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    before(&nobody().await, &directory, async |plane| {
        suite(&python, &settings(plane).await, &["away"]).await.unwrap_or_else(|error| panic!("{error}"));
    })
    .await;
}
