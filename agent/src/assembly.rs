//! Puts the agent together, runs it, and takes it down in order.
//!
//! Invariant: whichever critical part ends takes the whole agent down; what it was is what [`run`] answers. On the way down
//! the listener goes first, then the link, then the work on containers; containers that run stay.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use axum::{Router, http::StatusCode, routing::get};
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use utopia_gateway::metrics::RequestMetrics;

use crate::{
    api::{self, NodeApi},
    config::Config,
    containers::{self, Containers},
    gpu::{self, GpuSource},
    host::Host,
    identity::{self, Identity, IdentitySettings},
    metrics::{self, CommandCounts},
    node::Node,
    readings::{self, Readings},
    runtime::docker::Docker,
    session::{self, SessionSettings, SessionStatus},
    token_file,
};

/// How long requests of the node API may go on after the agent was told to stop.
const HTTP_GRACE: Duration = Duration::from_secs(5);

/// How long everything else may take to stop.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// Runs an agent until it is cancelled or cannot go on.
///
/// # Errors
/// A sentence that says why the agent cannot run: the address is taken, the machine has not joined and has no join token, or
/// the control plane refuses it.
pub async fn run(config: Config, cancel: CancellationToken) -> anyhow::Result<()> {
    // The error's sentence holds its cause already.
    let listener = utopia_gateway::listener::bind(config.http_addr).map_err(|error| anyhow!("{error}"))?;
    run_on(listener, config, cancel).await
}

/// As [`run`], with the node API on a listener of the caller's.
///
/// # Errors
/// As [`run`].
pub async fn run_on(listener: TcpListener, config: Config, cancel: CancellationToken) -> anyhow::Result<()> {
    let tracker = TaskTracker::new();
    let stop = CancellationToken::new();
    let agent = Agent::assemble(&config, &tracker, &stop).await?;
    let result = agent.serve(config, listener, &tracker, cancel, &stop).await;
    stop.cancel();
    tracker.close();
    if tokio::time::timeout(STOP_GRACE, tracker.wait()).await.is_err() {
        warn!("parts of the agent did not stop in time");
    }
    info!("stopped");
    result
}

/// The parts of a running agent.
struct Agent {
    containers: Arc<Containers>,
    readings: Arc<Readings>,
    node: Arc<Node>,
    session: watch::Sender<SessionStatus>,
    router: Router,
}

impl Agent {
    async fn assemble(config: &Config, tracker: &TaskTracker, stop: &CancellationToken) -> anyhow::Result<Self> {
        let dir = config.agent_dir();
        let machine_id = identity::machine_id(&dir)?.to_string();
        let token = match &config.api_token {
            Some(token) => token.clone(),
            None => token_file::read_or_make(&dir)?,
        };
        let gpus = open_gpus(config, machine_id).await?;
        let host = Arc::new(Host::new(dir));
        let containers = open_containers(config, &*gpus, tracker, stop);
        let settings = readings::Settings::new(config.gpu_busy_percent);
        let readings = Arc::new(Readings::new(Arc::clone(&host), Arc::clone(&gpus), containers.clone(), settings));
        let api = NodeApi::new(Arc::clone(&containers), readings.clone());
        let (session, session_status) = watch::channel(SessionStatus::default());
        let commands = CommandCounts::default();

        let mut registry = Registry::default();
        let requests = RequestMetrics::register(&mut registry);
        let sources = metrics::Sources {
            readings: Arc::clone(&readings),
            containers: Arc::clone(&containers),
            session: session_status.clone(),
            hostname: host.facts().hostname,
        };
        metrics::register(&mut registry, &commands, sources);
        let router = api::router(api.clone(), token.expose(), &requests)?
            .merge(utopia_gateway::observe::metrics_router(Arc::new(registry)))
            .merge(ready_router(session_status, stop.clone()));

        let labels = config.labels.clone();
        let node =
            Arc::new(Node { containers: containers.clone(), api, readings: readings.clone(), host, gpus, labels, commands });
        Ok(Self { containers, readings, node, session, router })
    }

    /// Runs every part until `cancel`, or until a critical one ends.
    async fn serve(
        self,
        config: Config,
        listener: TcpListener,
        tracker: &TaskTracker,
        cancel: CancellationToken,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let cancel = cancel.child_token();
        let address = listener.local_addr().context("the listener has no address")?;
        info!(%address, server = %config.server, "the agent runs");
        let Self { containers, readings, node, session, router } = self;

        let sampler = stop.clone();
        tracker.spawn(async move { readings.run(sampler).await });
        tracker.spawn(containers.clone().run(stop.clone()));
        let link = link(config, containers, node, session, stop.clone());
        let link = critical(tracker, &cancel, link);
        let served = critical(tracker, &cancel, {
            let cancel = cancel.clone();
            async move { utopia_gateway::serve::http(listener, router, cancel, HTTP_GRACE).await.context("the node API ended") }
        });

        cancel.cancelled().await;
        let served = outcome(served).await;
        stop.cancel();
        outcome(link).await.and(served)
    }
}

async fn open_gpus(config: &Config, machine_id: String) -> anyhow::Result<Arc<dyn GpuSource>> {
    let (mode, library) = (config.gpus, config.nvml_library.clone());
    let opened = tokio::task::spawn_blocking(move || gpu::open(mode, &machine_id, library)).await;
    opened.context("the GPUs cannot be read")
}

fn open_containers(config: &Config, gpus: &dyn GpuSource, tracker: &TaskTracker, stop: &CancellationToken) -> Arc<Containers> {
    let docker = Arc::new(Docker::new(&config.docker_socket));
    let gpus = gpus.inventory().iter().map(containers::Gpu::from).collect();
    let settings = containers::Settings { volume_allow_list: config.volume_allow.clone(), pull_timeout: config.pull_timeout };
    Containers::new(docker, gpus, settings, tracker.clone(), stop.clone())
}

/// Joins if need be, then keeps the certificate fresh and the session open.
async fn link(
    config: Config,
    containers: Arc<Containers>,
    node: Arc<Node>,
    status: watch::Sender<SessionStatus>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let settings =
        IdentitySettings { dir: config.agent_dir(), server: config.server, join: config.join, announced_node_id: String::new() };
    let identity = match Identity::ensure(settings, node.facts().await, &stop).await {
        Ok(identity) => identity,
        Err(identity::Fatal::Stopped) => return Ok(()),
        Err(fatal) => return Err(fatal.into()),
    };
    containers.set_node_id(identity.node_id());
    // Whichever of the two ends takes the other along.
    let stop = stop.child_token();
    let _ended = stop.clone().drop_guard();
    let session = session::run(node, Arc::clone(&identity), SessionSettings::default(), status, stop.clone());
    let renewal = identity.renew_loop(stop);
    tokio::try_join!(session, renewal)?;
    Ok(())
}

/// Spawns a part without which the agent is of no use: its end begins the shutdown.
fn critical(
    tracker: &TaskTracker,
    cancel: &CancellationToken,
    part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> JoinHandle<anyhow::Result<()>> {
    let cancel = cancel.clone().drop_guard();
    tracker.spawn(async move {
        let _cancel = cancel;
        part.await
    })
}

async fn outcome(part: JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    part.await.context("a part of the agent failed")?
}

/// `/ready`: the agent is linked to its control plane.
fn ready_router(session: watch::Receiver<SessionStatus>, stop: CancellationToken) -> Router {
    let ready = move || {
        let (status, text) = match session.borrow().is_connected() {
            _ if stop.is_cancelled() => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            true => (StatusCode::OK, "ready\n"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "not connected to the control plane\n"),
        };
        std::future::ready((status, text))
    };
    Router::new().route("/ready", get(ready))
}

#[cfg(test)]
mod tests;
