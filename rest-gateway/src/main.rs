//! The gateway as a process of its own, before a remote control plane.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, http::StatusCode, routing::get};
use clap::Parser;
use http::Uri;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use utopia_gateway::{
    front, listener,
    metrics::RequestMetrics,
    observe, process,
    remote::{Remote, Settings},
    serve,
    telemetry::{self, LogFormat},
};

/// A call makes and frees some dozens of small things, on several threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long requests in flight may go on after a signal.
const GRACE: Duration = Duration::from_secs(20);

/// Serves the JSON API of a remote control plane.
#[derive(Debug, Parser)]
#[command(name = "utopia-gateway", version)]
struct Options {
    /// The address to listen on.
    #[arg(long, env = "UTOPIA_HTTP_ADDR", default_value = "127.0.0.1:8080")]
    http_addr: SocketAddr,
    /// The control plane, https:// or http:// with host and port.
    #[arg(long, env = "UTOPIA_UPSTREAM", default_value = "https://127.0.0.1:8443")]
    upstream: Uri,
    /// The authority that signed the control plane's certificate (PEM).
    #[arg(long, env = "UTOPIA_CA_CERTIFICATE")]
    ca_certificate: Option<PathBuf>,
    /// The gateway's certificate (PEM).
    #[arg(long, env = "UTOPIA_CLIENT_CERTIFICATE", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// The gateway's key (PEM).
    #[arg(long, env = "UTOPIA_CLIENT_KEY", requires = "client_certificate")]
    client_key: Option<PathBuf>,
    /// Connections to the control plane.
    #[arg(long, env = "UTOPIA_UPSTREAM_CONNECTIONS", default_value_t = 4)]
    connections: usize,
    #[command(flatten)]
    front: front::Settings,
    /// `text` or `json`.
    #[arg(long, env = "UTOPIA_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    telemetry::init(options.log_format, "info");
    let shutdown = CancellationToken::new();
    process::main(run(options, shutdown.clone()), shutdown).await
}

async fn run(options: Options, shutdown: CancellationToken) -> anyhow::Result<()> {
    let remote = Remote::new(&Settings {
        upstream: options.upstream.clone(),
        connections: options.connections,
        ca_certificate: options.ca_certificate,
        client_certificate: options.client_certificate,
        client_key: options.client_key,
    })?;
    let pool = utopia_proto::descriptor_pool();
    let mut registry = Registry::with_prefix("utopia_gateway");
    let metrics = RequestMetrics::register_for(&mut registry, &pool);
    let routes = front::router(&pool, metrics.layer(remote.clone()), &options.front)?;
    let routes = routes.merge(observe::metrics_router(Arc::new(registry))).merge(readiness(remote));

    let listener = listener::bind(options.http_addr)?;
    tracing::info!(address = %listener.local_addr().context("read the address")?, upstream = %options.upstream, "listening");
    serve::http(listener, routes, shutdown, GRACE).await.context("serve")
}

fn readiness(remote: Remote) -> Router {
    let ready = async move || {
        if remote.is_ready().await {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "the control plane does not answer\n")
        }
    };
    Router::new().route("/ready", get(ready))
}
