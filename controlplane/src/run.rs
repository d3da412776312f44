//! Puts the parts together, runs them, and ends them in order.

mod http;
mod services;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;
use tower::Layer as _;
use utopia_certs::{
    Authority, secret_file,
    tls::{self, ServerIdentity},
};
use utopia_gateway::{
    listener,
    metrics::{Measured, RequestMetrics},
    serve,
};

use crate::{
    accounts::Accounts,
    auth::{
        agent_token::AgentTokens,
        credentials::Credentials,
        guard::{Guard, GuardLayer, Journal},
        jwt::Tokens,
        keys::KeyRing,
        limits::{Limits, Sharing},
        password::Passwords,
        sessions::Sessions,
    },
    authority,
    backend::{self, Backends},
    bootstrap,
    checks::{self, Checker},
    clock::Clock,
    config::Config,
    events::EventLog,
    link::{Hub, Reports, liveness},
    model::audit::Trail,
    monitoring::history::History,
    reconcile::{changes::Changes, driver::Driver, execute::Executor, forecast::Forecast, plan},
    s3::ObjectStorage,
    seal::Sealer,
    server::{Peers, Room, Server},
    service::join_token::JoinTokens,
    store::{self, Store},
    telemetry::Metrics,
    upkeep::{self, Upkeep},
    watcher::Watcher,
    webhooks::Webhooks,
};

/// How long what was asked before a shutdown may take.
const GRACE: Duration = Duration::from_secs(10);

/// A control plane that is ready.
#[derive(Debug)]
pub struct Started {
    /// Where the JSON API is.
    pub http_addr: SocketAddr,
    /// Where gRPC is.
    pub grpc_addr: SocketAddr,
    /// Where gRPC is for gateways, if it is on.
    pub internal_addr: Option<SocketAddr>,
    /// Where the S3 interface is alone, if it is.
    pub s3_addr: Option<SocketAddr>,
    /// The CA that agents pin.
    pub ca_hash: String,
    /// A join token for one agent, good for ten minutes.
    pub local_join_token: String,
    /// What answers at `http_addr`, for callers within this process.
    pub api: axum::Router,
}

/// Runs a control plane until it is cancelled, and ends it in order.
///
/// # Errors
/// When it cannot start, or a part that it cannot do without ends.
pub async fn run(config: Config, started: Option<oneshot::Sender<Started>>, cancel: CancellationToken) -> anyhow::Result<()> {
    secret_file::create_private_dir(&config.data_dir)?;
    let http = listener::bind(config.http_addr)?;
    let grpc = listener::bind(config.grpc_addr)?;
    let internal = config.internal_addr.map(listener::bind).transpose()?;
    let s3 = config.s3.s3_addr.map(listener::bind).transpose()?;
    let listeners = Listeners { http, grpc, internal, s3 };
    let is_postgres = config.database_url().starts_with("postgres");
    anyhow::ensure!(is_postgres || !config.limits_shared, "UTOPIA_LIMITS_SHARED needs PostgreSQL: see UTOPIA_DATABASE_URL");
    let store = Store::open(&config.database_url(), store::Options::default()).await?;
    let control_plane = Box::pin(ControlPlane::new(config, store.clone(), &listeners)).await?;
    let result = Box::pin(control_plane.run(listeners, started, cancel)).await;
    store.close().await;
    result
}

struct Listeners {
    http: TcpListener,
    grpc: TcpListener,
    internal: Option<TcpListener>,
    s3: Option<TcpListener>,
}

struct ControlPlane {
    config: Config,
    clock: Clock,
    store: Store,
    sealer: Sealer,
    hub: Hub,
    reports: Reports,
    agent_tokens: AgentTokens,
    facts: tokio::sync::mpsc::Receiver<(uuid::Uuid, utopia_proto::link::v1::Hello)>,
    changes: Changes,
    forecast: Forecast,
    events: EventLog,
    backends: Backends,
    webhooks: Webhooks,
    history: History,
    authority: Arc<Authority>,
    server_names: Vec<String>,
    join_tokens: JoinTokens,
    accounts: Accounts,
    tokens: Tokens,
    limits: Limits,
    sessions: Sessions,
    storage: ObjectStorage,
    registry: Registry,
    metrics: Arc<Metrics>,
}

impl ControlPlane {
    async fn new(config: Config, store: Store, listeners: &Listeners) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let passwords = Passwords::new();
        bootstrap::administrator(&config, &store, &passwords, &clock).await?;
        let sealer = bootstrap::sealer(&config, &store).await?;
        let tokens = Tokens::new(KeyRing::load(store.clone(), sealer.clone(), clock.clone()).await?, clock.clone());
        let sessions = Sessions::new(store.clone(), clock.clone());
        let accounts =
            Accounts::new(store.clone(), passwords, tokens.clone(), sessions.clone(), clock.clone(), config.development);
        let authority = Arc::new(authority::open(&config, &clock)?);
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let limits = Limits::new(config.limits, config.limits_shared, metrics.clone());
        let (hub, facts) = Hub::new(clock.clone(), metrics.clone());
        hub.learn(store.enrolled_nodes().await?);
        let grpc_addr = listeners.grpc.local_addr()?;
        let advertised = config.advertise_addr.clone().unwrap_or_else(|| authority::dialable(grpc_addr).to_string());
        let join_tokens = JoinTokens {
            store: store.clone(),
            ca_hash: authority.hash(),
            server: format!("https://{advertised}"),
            clock: clock.clone(),
        };
        let server_names = authority::server_names(&config, grpc_addr, &advertised);
        let changes = Changes::default();
        let events = EventLog::open(store.clone()).await?;
        let backends = Backends::open(&config.backends, &clock)?;
        let allowed = &config.backends.webhook_allow_private;
        let webhooks = Webhooks::new(store.clone(), sealer.clone(), clock.clone(), allowed, metrics.clone())?;
        let history = History::new(backends.prometheus(), &store, &clock);
        backend::metrics::register(&backends, &mut registry);
        let agent_tokens = AgentTokens::new(store.clone());
        let parts = (store.clone(), sealer.clone(), clock.clone());
        let storage = ObjectStorage::open(&config.s3, &config.data_dir, parts, &mut registry)?;
        Ok(Self {
            config,
            clock,
            store,
            sealer,
            hub,
            reports: Reports::default(),
            agent_tokens,
            facts,
            changes,
            forecast: Forecast::default(),
            events,
            backends,
            webhooks,
            history,
            authority,
            server_names,
            join_tokens,
            accounts,
            tokens,
            limits,
            sessions,
            storage,
            registry,
            metrics,
        })
    }

    async fn run(
        mut self,
        listeners: Listeners,
        started: Option<oneshot::Sender<Started>>,
        cancel: CancellationToken,
    ) -> anyhow::Result<()> {
        let tracker = TaskTracker::new();
        // Background work ends after the servers, so that what was accepted is still done.
        let background = CancellationToken::new();
        let http_addr = listeners.http.local_addr()?;
        let grpc_addr = listeners.grpc.local_addr()?;
        let internal_addr = listeners.internal.as_ref().map(TcpListener::local_addr).transpose()?;
        let s3_addr = listeners.s3.as_ref().map(TcpListener::local_addr).transpose()?;

        let (health_reporter, health) = tonic_health::server::health_reporter();
        health_reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let checker = self.checker(&tracker, &cancel);
        let routes = self.services(&checker, &tracker, &background)?.add_service(health);
        let requests = RequestMetrics::register(&mut self.registry);
        let stack: Stack = requests.layer(self.guard(&tracker, &background).layer(routes.prepare()));

        let identity =
            Arc::new(ServerIdentity::new(upkeep::server_certificate(&self.authority, &self.server_names, self.clock.now())?)?);
        self.spawn_background(&tracker, &background, identity.clone());
        tracker.spawn(checker.run());
        let registry = Arc::new(std::mem::take(&mut self.registry));
        let http = self.http_router(stack.clone(), registry, cancel.clone())?;
        let mut servers = JoinSet::<anyhow::Result<()>>::new();
        let api = http.clone();
        let http = serve::http(listeners.http, http, cancel.clone(), GRACE);
        servers.spawn(async { Ok(http.await?) });
        self.serve_storage(listeners.s3, &mut servers, &cancel);
        let room = Room::of_open_files();
        let serve_grpc = |listener, peers| {
            let server = self.grpc_server(peers, &identity, stack.clone(), room.clone(), cancel.clone())?;
            anyhow::Ok(async move {
                server.run(listener).await;
                Ok(())
            })
        };
        servers.spawn(serve_grpc(listeners.grpc, Peers::All)?);
        if let Some(listener) = listeners.internal {
            servers.spawn(serve_grpc(listener, Peers::Gateways)?);
        }

        tracing::info!(http = %http_addr, grpc = %grpc_addr, "control plane is ready");
        if let Some(started) = started {
            let trail = Trail::system("join_token", "CreateJoinToken");
            let token = self.join_tokens.create(SignedDuration::from_mins(10), 1, "local agent".into(), None, &trail).await?;
            // Whoever asked may have given up.
            let _ = started.send(Started {
                http_addr,
                grpc_addr,
                internal_addr,
                s3_addr,
                ca_hash: token.ca_hash,
                local_join_token: token.token,
                api,
            });
        }
        let result = tokio::select! {
            () = cancel.cancelled() => Ok(()),
            Some(ended) = servers.join_next() => ended.context("a server panicked")?.context("a server ended"),
        };

        tracing::info!("stopping");
        health_reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        cancel.cancel();
        self.hub.drain(Duration::from_secs(1), "the control plane is stopping");
        let servers = async { while servers.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, servers).await.is_err() {
            tracing::warn!("some requests were cut");
        }
        background.cancel();
        tracker.close();
        if tokio::time::timeout(GRACE, tracker.wait()).await.is_err() {
            tracing::warn!("some background work was cut");
        }
        result
    }

    /// Serves the S3 interface alone, where there is a listener for it.
    fn serve_storage(
        &self,
        listener: Option<TcpListener>,
        servers: &mut JoinSet<anyhow::Result<()>>,
        cancel: &CancellationToken,
    ) {
        if let Some(listener) = listener {
            let alone = serve::http(listener, self.storage.router_alone(), cancel.clone(), GRACE);
            servers.spawn(async { Ok(alone.await?) });
        }
    }

    fn grpc_server(
        &self,
        peers: Peers,
        identity: &Arc<ServerIdentity>,
        service: Stack,
        room: Room,
        stop: CancellationToken,
    ) -> anyhow::Result<Server<Stack>> {
        let tls = tls::server_config(identity.clone(), self.authority.certificate_der(), peers.client_auth())?;
        Ok(Server { tls, peers, service, room, metrics: self.metrics.clone(), stop, grace: GRACE })
    }

    /// Ends with the servers: a check takes longer than a shutdown may.
    fn checker(&self, tracker: &TaskTracker, cancel: &CancellationToken) -> Checker {
        Checker::new(checks::Parts {
            store: self.store.clone(),
            sealer: self.sealer.clone(),
            clock: self.clock.clone(),
            interval: self.config.machine_check_interval(),
            tracker: tracker.clone(),
            cancel: cancel.clone(),
        })
    }

    /// What stands before every service, with its background work begun.
    fn guard(&self, tracker: &TaskTracker, background: &CancellationToken) -> GuardLayer {
        let pool = utopia_proto::descriptor_pool();
        let (journal, writer) = Journal::new(self.clock.clone());
        tracker.spawn(writer.run(self.store.clone(), background.clone()));
        if self.config.limits_shared {
            tracker.spawn(Sharing::new(self.limits.clone(), self.store.clone()).run(background.clone()));
        }
        let credentials = Credentials::new(self.tokens.clone(), self.sessions.clone(), self.agent_tokens.clone());
        GuardLayer::new(&pool, services::policies(&pool), credentials, self.limits.clone(), journal)
    }

    fn spawn_background(&mut self, tracker: &TaskTracker, cancel: &CancellationToken, identity: Arc<ServerIdentity>) {
        let (_, none) = tokio::sync::mpsc::channel(1);
        let facts = std::mem::replace(&mut self.facts, none);
        tracker.spawn(liveness::run(self.hub.clone(), self.reports.clone(), self.store.clone(), facts, cancel.clone()));
        let driver = Driver {
            store: self.store.clone(),
            hub: self.hub.clone(),
            executor: Executor::new(self.store.clone(), self.hub.clone(), self.changes.clone(), tracker.clone()),
            forecast: self.forecast.clone(),
            settings: self.plan_settings(),
            metrics: self.metrics.clone(),
        };
        tracker.spawn(driver.run(cancel.clone()));
        let check_interval = Duration::from_secs(self.config.backends.backend_check_seconds.into());
        tracker.spawn(backend::checks::run(self.backends.clone(), check_interval, cancel.clone()));
        tracker.spawn(self.events.clone().follow(cancel.clone()));
        self.webhooks.spawn(self.events.clone(), tracker, cancel);
        let (sampler, keeper) = self.history.keepers(&self.hub, self.config.metrics_interval());
        tracker.spawn(sampler.run(cancel.clone()));
        tracker.spawn(keeper.run(cancel.clone()));
        tracker.spawn(self.sessions.clone().note_use(cancel.clone()));
        self.spawn_watchers(tracker, cancel);
        tracker.spawn(self.storage.clone().run(cancel.clone()));
        let upkeep = Upkeep {
            store: self.store.clone(),
            clock: self.clock.clone(),
            authority: self.authority.clone(),
            server_names: self.server_names.clone(),
            identity,
            limits: self.limits.clone(),
            audit_retention: self.config.audit_retention(),
            event_retention: self.config.event_retention(),
        };
        tracker.spawn(upkeep.run(cancel.clone()));
    }

    /// Follows the jobs of every cluster of Slurm.
    fn spawn_watchers(&self, tracker: &TaskTracker, cancel: &CancellationToken) {
        for cluster in self.backends.slurm().clusters() {
            let watcher = Watcher {
                cluster: cluster.clone(),
                users: self.backends.slurm().users().clone(),
                store: self.store.clone(),
                clock: self.clock.clone(),
                interval: Duration::from_secs(self.config.backends.slurm_poll_seconds.into()),
            };
            tracker.spawn(watcher.run(cancel.clone()));
        }
    }

    fn plan_settings(&self) -> plan::Settings {
        plan::Settings {
            placement: self.config.placement,
            reschedule_after: Duration::from_secs(self.config.reschedule_after_seconds.into()),
        }
    }
}

/// All services with everything that wraps each call.
type Stack = Measured<Guard<Routes>>;
