//! Figures 2 and 3: the same calls as JSON over HTTP/1.1, in the process of the service and through a proxy of its own.
//!
//! Every caller has a connection of its own with one request in flight, over gRPC too. Proxies are before the same bare backend, which all
//! of them reach over HTTP/2 in clear text, and both processes count. gRPC is over TLS, as the control plane offers it; JSON is in clear
//! text everywhere.

use clap::Args;
use serde::Serialize;
use serde_json::json;
use utopia_load_tests::outcome::Outcome;
use utopia_load_tests::peer::Peer;

use crate::Rounds;
use crate::contest::{Contest, Costs};
use crate::load::Crowd;
use crate::operations::{Client, Operation};
use crate::servers::{self, Gateway, Product};

const CONTROL_PLANE: &str = "control plane";
const DIRECT: &str = "control plane, gRPC";
const GRAPHQL: &str = "control plane, GraphQL";
const TRANSCODER: &str = "bare transcoder";
const AXUM: &str = "axum and serde";
const GATEWAY: &str = "utopia-gateway";
const GRPC_GATEWAY: &str = "grpc-gateway";
const ENVOY: &str = "Envoy";
const SINGLE_GRPC_GATEWAY: &str = "grpc-gateway, one thread";
const SINGLE_ENVOY: &str = "Envoy, one thread";

/// In process: what a GET may cost, in calls over gRPC and in those of grpc-gateway, and a POST in those of grpc-gateway.
const GET_BY_GRPC: f64 = 1.0;
const GET_BY_GRPC_GATEWAY: f64 = 0.35;
const POST_BY_GRPC_GATEWAY: f64 = 0.28;

/// Through a proxy: what a call may cost, in those of other proxies.
const HOP_BY_ENVOY: f64 = 0.5;
const HOP_BY_GRPC_GATEWAY: f64 = 0.45;

/// The word for a healthy host, ours and by the rules of protobuf's JSON.
const HEALTHY: &str = "healthy";
const PROTOBUF_HEALTHY: &str = "HOST_HEALTH_HEALTHY";

/// What is measured in one process, and through a proxy.
const GET: &str = "GET /api/v1/auth/profile";
const POST: &str = "POST /api/v1/hosts/{host_id}/heartbeat";
const GET_HOST: &str = "GET /api/v1/hosts/{host_id}";
const HOP_GET: &str = "GET /api/v1/hosts/{host_id}, through a proxy";
const HOP_POST: &str = "POST /api/v1/hosts/{host_id}/heartbeat, through a proxy";

/// How it is measured.
#[derive(Debug, Clone, Copy, Args, Serialize)]
pub(crate) struct Options {
    /// Connections with one request in flight each
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,
}

/// Measures.
pub(crate) async fn run(options: Options, rounds: Rounds) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("bench rest", json!({"options": options, "rounds": rounds}));
    let mut contest = Contest::new(Crowd { connections: options.connections, in_flight: 1 });
    let product = Product::start().await?;
    let client = Client::of(&product);

    let transcoder = servers::bare(&["gateway"]).await?;
    let axum = servers::bare(&["axum"]).await?;
    let grpc_gateway = servers::peer(&["gateway", "--in-process"]).await;
    for (what, operation) in [(GET, Operation::GetProfile), (POST, Operation::ReportHeartbeat)] {
        let ours = client.rest(operation, HEALTHY)?;
        contest.add(CONTROL_PLANE, what, &[product.pid()?], &product.rest(), &ours);
        contest.add(DIRECT, what, &[product.pid()?], &product.grpc(), &client.grpc(operation)?);
        contest.add(TRANSCODER, what, &[transcoder.pid], &servers::rest(&transcoder), &ours);
        contest.add(AXUM, what, &[axum.pid], &servers::rest(&axum), &ours);
        if let Some(peer) = &grpc_gateway {
            let theirs = client.rest(operation, PROTOBUF_HEALTHY)?;
            contest.add(GRPC_GATEWAY, what, &[peer.pid], &servers::rest(peer), &theirs);
        }
    }

    contest.add(GRAPHQL, GET, &[product.pid()?], &product.rest(), &client.graphql_profile()?);

    // The control plane would ask its database.
    let ours = client.rest(Operation::GetHost, HEALTHY)?;
    contest.add(TRANSCODER, GET_HOST, &[transcoder.pid], &servers::rest(&transcoder), &ours);
    contest.add(AXUM, GET_HOST, &[axum.pid], &servers::rest(&axum), &ours);
    if let Some(peer) = &grpc_gateway {
        contest.add(GRPC_GATEWAY, GET_HOST, &[peer.pid], &servers::rest(peer), &ours);
    }

    let hops = Hops::start().await?;
    for (what, operation) in [(HOP_GET, Operation::GetHost), (HOP_POST, Operation::ReportHeartbeat)] {
        hops.add(&mut contest, what, &client, operation)?;
    }
    let costs = contest.run(rounds, "call", &mut outcome).await?;
    judge(&costs, &mut outcome);
    Ok(outcome)
}

fn judge(costs: &Costs, outcome: &mut Outcome) {
    costs.compare(outcome, 2, (CONTROL_PLANE, GET), (DIRECT, GET), GET_BY_GRPC);
    costs.compare(outcome, 2, (CONTROL_PLANE, GET), (GRPC_GATEWAY, GET), GET_BY_GRPC_GATEWAY);
    costs.compare(outcome, 2, (CONTROL_PLANE, POST), (GRPC_GATEWAY, POST), POST_BY_GRPC_GATEWAY);
    for what in [HOP_GET, HOP_POST] {
        costs.compare(outcome, 3, (GATEWAY, what), (ENVOY, what), HOP_BY_ENVOY);
        costs.compare(outcome, 3, (GATEWAY, what), (GRPC_GATEWAY, what), HOP_BY_GRPC_GATEWAY);
    }
}

/// Proxies before one backend.
struct Hops {
    backend: Peer,
    gateway: Gateway,
    others: Vec<(&'static str, Peer)>,
}

impl Hops {
    async fn start() -> anyhow::Result<Self> {
        let backend = servers::bare(&["unary", "--cleartext"]).await?;
        let address = backend.ready.address.to_string();
        let gateway = Gateway::start(backend.ready.address).await?;
        let mut others = Vec::new();
        for (name, arguments) in [
            (ENVOY, ["envoy", "--threads=2"]),
            (SINGLE_ENVOY, ["envoy", "--threads=1"]),
            (GRPC_GATEWAY, ["gateway", "--threads=0"]),
            (SINGLE_GRPC_GATEWAY, ["gateway", "--threads=1"]),
        ] {
            let [kind, threads] = arguments;
            others.extend(servers::peer(&[kind, threads, "--backend", &address]).await.map(|peer| (name, peer)));
        }
        Ok(Self { backend, gateway, others })
    }

    fn add(&self, contest: &mut Contest, what: &'static str, client: &Client, operation: Operation) -> anyhow::Result<()> {
        let backend = self.backend.pid;
        let ours = client.rest(operation, HEALTHY)?;
        contest.add(GATEWAY, what, &[self.gateway.pid()?, backend], &self.gateway.rest(), &ours);
        for (name, proxy) in &self.others {
            let theirs = client.rest(operation, PROTOBUF_HEALTHY)?;
            contest.add(name, what, &[proxy.pid, backend], &servers::rest(proxy), &theirs);
        }
        Ok(())
    }
}
