//! One request through everything that a control plane puts before its services: transcoder, meters, guard, routing.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use axum::{Router, body::Body, extract::ConnectInfo};
use clap::Parser as _;
use http::{Method, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use utopia_controlplane::Config;

use crate::counted_section;

/// So many that one that meets a growing table makes no difference, so few that they are done before what the guard remembers is old.
const TIMES: usize = 100;

/// Enough that whatever is made on first use is there.
const WARM_UP: usize = 20;

const PASSWORD: &str = "correct horse battery";

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    /// For the caller's account, with a person's token.
    Account,
    /// To take note of a host's heartbeat, with the host's token.
    Heartbeat,
}

#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

/// Starts a control plane, and asks; answers how often.
pub(crate) fn go(request: Request) -> anyhow::Result<usize> {
    let directory = tempfile::tempdir()?;
    let data_dir = directory.path().to_str().context("the temporary directory has no name")?;
    let fixed = ["instructions", "--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--limits", "general=6000000"];
    let arguments = fixed.into_iter().chain(["--admin-password", PASSWORD, "--data-dir", data_dir]);
    let config = Arguments::parse_from(arguments).config;

    // The control plane has threads of its own, and this one counts.
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (started, ready) = oneshot::channel();
    let cancel = CancellationToken::new();
    let running = server.spawn(Box::pin(utopia_controlplane::run(config, Some(started), cancel.clone())));
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Ok(started) = client.block_on(ready) else {
        return client.block_on(running)?.context("start").map(|()| 0);
    };
    let prepared = client.block_on(prepare(&started.api, request))?;
    counted_section(|| {
        client.block_on(async {
            for _ in 0..TIMES {
                prepared.send(&started.api).await?;
            }
            anyhow::Ok(())
        })
    })?;
    cancel.cancel();
    client.block_on(running)??;
    Ok(TIMES)
}

/// A request that can be sent again and again.
#[derive(Debug, Clone)]
struct Prepared {
    method: Method,
    path: String,
    credential: (&'static str, String),
    body: Option<String>,
}

impl Prepared {
    fn get(path: &str, credential: (&'static str, String)) -> Self {
        Self { method: Method::GET, path: path.to_owned(), credential, body: None }
    }

    fn post(path: &str, credential: (&'static str, String), body: &Value) -> Self {
        Self { method: Method::POST, path: path.to_owned(), credential, body: Some(body.to_string()) }
    }

    async fn send(&self, api: &Router) -> anyhow::Result<bytes::Bytes> {
        let request = http::Request::builder().method(self.method.clone()).uri(&self.path);
        let mut request = request.header(self.credential.0, &self.credential.1).header(header::ACCEPT, "*/*");
        request = request.header(header::HOST, "127.0.0.1:8080").header(header::USER_AGENT, "instructions");
        if self.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
        let body = self.body.clone().map_or_else(Body::empty, Body::from);
        let answer = api.clone().oneshot(request.body(body)?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{} {}: {status} {body:?}", self.method, self.path);
        Ok(body)
    }

    async fn json(&self, api: &Router) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.send(api).await?)?)
    }
}

async fn prepare(api: &Router, request: Request) -> anyhow::Result<Prepared> {
    let login = json!({ "username": "admin", "password": PASSWORD });
    let session = Prepared::post("/api/v1/auth/login", ("x-request-id", "login".to_owned()), &login).json(api).await?;
    let bearer = ("authorization", format!("Bearer {}", text(&session, "token")?));
    let prepared = match request {
        Request::Account => Prepared::get("/api/v1/auth/profile", bearer),
        Request::Heartbeat => {
            let host = json!({ "name": "gpu-1", "ip_address": "192.0.2.1", "total_cpu": 64 });
            let host = Prepared::post("/api/v1/hosts", bearer, &host).json(api).await?;
            let report = json!({
                "status": "online", "health_status": "healthy", "used_cpu": 8.5, "used_memory": 34_359_738_368_u64, "used_gpu": 2,
            });
            let path = format!("/api/v1/hosts/{}/heartbeat", text(&host, "host_id")?);
            Prepared::post(&path, ("x-agent-token", text(&host, "agent_token")?.to_owned()), &report)
        }
    };
    // What the guard remembers of the credentials is made young: it would be loaded anew halfway otherwise.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    for _ in 0..WARM_UP {
        prepared.send(api).await?;
    }
    Ok(prepared)
}

/// A text in the data of an answer.
fn text<'a>(answer: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    answer["data"][name].as_str().with_context(|| format!("the answer has no {name}"))
}
