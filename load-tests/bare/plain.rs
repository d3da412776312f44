//! The same JSON without any gRPC: axum's handlers and serde's types, written by hand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utopia_gateway::{listener, serve};
use utopia_load_tests::peer::Ready;
use utopia_proto::host::v1 as wire;
use utopia_proto::iam::v1 as iam;

use crate::answers;

/// How long requests may go on after the end.
const GRACE: Duration = Duration::from_secs(1);

/// Serves until cancelled.
pub(crate) async fn serve(address: SocketAddr, cancel: CancellationToken) -> anyhow::Result<()> {
    let answers = Answers { host: Host::from(answers::host()), account: Account::from(answers::account()) };
    let router = Router::new()
        .route("/api/v1/hosts/{host_id}", get(get_host))
        .route("/api/v1/hosts/{host_id}/heartbeat", post(report_heartbeat))
        .route("/api/v1/auth/profile", get(get_profile))
        .with_state(Arc::new(answers));
    let listener = listener::bind(address)?;
    Ready { address: listener.local_addr()?, token: String::new(), ca_hash: String::new(), trigger: None }.announce()?;
    Ok(serve::http(listener, router, cancel, GRACE).await?)
}

async fn get_host(State(answers): State<Arc<Answers>>, Path(host_id): Path<String>) -> Json<Envelope<Host>> {
    Json(Envelope::of(Host { host_id, ..answers.host.clone() }))
}

async fn get_profile(State(answers): State<Arc<Answers>>) -> Json<Envelope<Account>> {
    Json(Envelope::of(answers.account.clone()))
}

async fn report_heartbeat(Path(host_id): Path<String>, Json(heartbeat): Json<Heartbeat>) -> Json<Envelope<Option<()>>> {
    // What a service would keep.
    std::hint::black_box((host_id, heartbeat));
    Json(Envelope::of(None))
}

struct Answers {
    host: Host,
    account: Account,
}

#[derive(Serialize)]
struct Envelope<T> {
    code: u16,
    message: &'static str,
    data: T,
}

impl<T> Envelope<T> {
    fn of(data: T) -> Self {
        Self { code: 0, message: "success", data }
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only decoding is measured")]
struct Heartbeat {
    status: String,
    health_status: String,
    used_cpu: f64,
    used_memory: i64,
    used_gpu: i32,
}

#[derive(Clone, Serialize)]
struct Account {
    id: String,
    username: String,
    email: String,
    role: String,
    created_at: String,
    updated_at: String,
    last_login_at: String,
}

impl From<iam::Account> for Account {
    fn from(account: iam::Account) -> Self {
        Self {
            id: account.id,
            username: account.username,
            email: account.email,
            role: account.role,
            created_at: time(account.created_at),
            updated_at: time(account.updated_at),
            last_login_at: time(account.last_login_at),
        }
    }
}

#[derive(Clone, Serialize)]
struct Host {
    host_id: String,
    name: String,
    hostname: String,
    ip_address: String,
    os_type: String,
    os_version: String,
    deployment_mode: String,
    status: &'static str,
    health_status: &'static str,
    total_cpu: i32,
    used_cpu: f64,
    total_memory: i64,
    used_memory: i64,
    total_disk: i64,
    total_gpu: i32,
    used_gpu: i32,
    labels: BTreeMap<String, String>,
    last_heartbeat: String,
    created_at: String,
    maintenance: Option<()>,
    agent_connected: bool,
}

impl From<wire::Host> for Host {
    fn from(host: wire::Host) -> Self {
        Self {
            host_id: host.host_id,
            name: host.name,
            hostname: host.hostname,
            ip_address: host.ip_address,
            os_type: host.os_type,
            os_version: host.os_version,
            deployment_mode: host.deployment_mode,
            status: "online",
            health_status: "healthy",
            total_cpu: host.total_cpu,
            used_cpu: host.used_cpu,
            total_memory: host.total_memory,
            used_memory: host.used_memory,
            total_disk: host.total_disk,
            total_gpu: host.total_gpu,
            used_gpu: host.used_gpu,
            labels: host.labels,
            last_heartbeat: time(host.last_heartbeat),
            created_at: time(host.created_at),
            maintenance: None,
            agent_connected: host.agent_connected,
        }
    }
}

fn time(timestamp: Option<prost_types::Timestamp>) -> String {
    timestamp.unwrap_or_default().to_string()
}
