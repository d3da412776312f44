//! The gateway as a process of its own, before a remote control plane.

use std::{io, net::SocketAddr, num::NonZeroUsize, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, http::StatusCode, routing::get};
use clap::Parser;
use http::Uri;
use prometheus_client::registry::Registry;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use utopia_gateway::{
    front, listener,
    metrics::RequestMetrics,
    objects::{self, S3Upstream},
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
    /// Threads that serve calls. A call that stays on one thread costs a third less, and one thread serves some ten thousand
    /// calls a second, so half of the CPUs, and at least one, when absent.
    #[arg(long, env = "UTOPIA_GATEWAY_THREADS")]
    threads: Option<NonZeroUsize>,
    /// Connections to the control plane; as many as threads when absent.
    #[arg(long, env = "UTOPIA_UPSTREAM_CONNECTIONS")]
    connections: Option<NonZeroUsize>,
    /// Where the control plane serves S3: the address of its JSON API, `http://` with host and port. `/minio` is passed on to it
    /// as it comes.
    #[arg(long, env = "UTOPIA_S3_UPSTREAM", value_name = "URL")]
    s3_upstream: Option<S3Upstream>,
    #[command(flatten)]
    front: front::Settings,
    /// `text` or `json`.
    #[arg(long, env = "UTOPIA_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

fn main() -> ExitCode {
    let options = Options::parse();
    telemetry::init(options.log_format, "info");
    let threads = options.threads.unwrap_or_else(default_threads);
    match runtime(threads).context("start threads") {
        Ok(runtime) => {
            let shutdown = CancellationToken::new();
            runtime.block_on(process::main(run(options, threads, shutdown.clone()), shutdown))
        }
        Err(error) => process::exit_code(Err(error)),
    }
}

fn default_threads() -> NonZeroUsize {
    let cpus = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    NonZeroUsize::new(cpus.get() / 2).unwrap_or(NonZeroUsize::MIN)
}

fn runtime(threads: NonZeroUsize) -> io::Result<Runtime> {
    match threads.get() {
        1 => Builder::new_current_thread().enable_all().build(),
        several => Builder::new_multi_thread().worker_threads(several).enable_all().build(),
    }
}

async fn run(options: Options, threads: NonZeroUsize, shutdown: CancellationToken) -> anyhow::Result<()> {
    let remote = Remote::new(&Settings {
        upstream: options.upstream.clone(),
        connections: options.connections.unwrap_or(threads).get(),
        ca_certificate: options.ca_certificate,
        client_certificate: options.client_certificate,
        client_key: options.client_key,
    })?;
    let pool = utopia_proto::descriptor_pool();
    let mut registry = Registry::with_prefix("utopia_gateway");
    let metrics = RequestMetrics::register_for(&mut registry, &pool);
    let routes = front::router(&pool, metrics.layer(remote.clone()), &options.front)?;
    let routes = routes
        .merge(observe::metrics_router(Arc::new(registry)))
        .merge(readiness(remote))
        .merge(objects::router(options.s3_upstream));

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
