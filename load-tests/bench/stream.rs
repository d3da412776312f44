//! Figure 4: the messages of a watched claim as lines or events of JSON, in the process of the service and through a proxy of its own.
//!
//! The service sends prepared messages as fast as they are read. Proxies reach the same backend over HTTP/2 in clear text, and both
//! processes count. In its own process grpc-gateway streams over a connection in memory, since it cannot call streaming methods itself.

use clap::Args;
use serde::Serialize;
use serde_json::json;
use utopia_load_tests::outcome::Outcome;
use utopia_load_tests::peer::Peer;

use crate::Rounds;
use crate::contest::Contest;
use crate::load::Crowd;
use crate::operations::Watch;
use crate::servers::{self, Gateway};

const BARE: &str = "bare tonic";
const TRANSCODER: &str = "utopia-gateway";
const GRPC_GATEWAY: &str = "grpc-gateway";
const ENVOY: &str = "Envoy";

const GRPC: &str = "gRPC";
const LINES: &str = "NDJSON, in process";
const EVENTS: &str = "SSE, in process";
const HOP_LINES: &str = "NDJSON, through a proxy";
const HOP_EVENTS: &str = "SSE, through a proxy";

/// What a message may cost, in those of grpc-gateway.
const LIMIT: f64 = 0.35;

/// How it is measured.
#[derive(Debug, Clone, Copy, Args, Serialize)]
pub(crate) struct Options {
    /// Streams at a time, each on its own connection
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    streams: u32,

    /// Messages of a stream
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    messages: u32,
}

/// Measures.
pub(crate) async fn run(options: Options, rounds: Rounds) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("bench stream", json!({"options": options, "rounds": rounds}));
    let mut contest = Contest::new(Crowd { connections: options.streams, in_flight: 1 });
    let messages = options.messages.to_string();
    let [grpc, lines, events] = [Watch::Grpc, Watch::Lines, Watch::Events].map(|watch| watch.question(options.messages.into()));

    let backend = servers::bare(&["unary", "--cleartext", "--messages", &messages]).await?;
    contest.add(BARE, GRPC, &[backend.pid], &servers::grpc(&backend), &grpc);

    let transcoder = servers::bare(&["gateway", "--messages", &messages]).await?;
    contest.add(TRANSCODER, LINES, &[transcoder.pid], &servers::rest(&transcoder), &lines);
    contest.add(TRANSCODER, EVENTS, &[transcoder.pid], &servers::rest(&transcoder), &events);
    let grpc_gateway = servers::peer(&["gateway", "--in-process", "--messages", &messages]).await;
    if let Some(peer) = &grpc_gateway {
        contest.add(GRPC_GATEWAY, LINES, &[peer.pid], &servers::rest(peer), &lines);
    }

    let gateway = Gateway::start(backend.ready.address).await?;
    let processes = [gateway.pid()?, backend.pid];
    contest.add(TRANSCODER, HOP_LINES, &processes, &gateway.rest(), &lines);
    contest.add(TRANSCODER, HOP_EVENTS, &processes, &gateway.rest(), &events);
    let address = backend.ready.address.to_string();
    let proxies: [(&str, Option<Peer>); 2] = [
        (GRPC_GATEWAY, servers::peer(&["gateway", "--backend", &address]).await),
        (ENVOY, servers::peer(&["envoy", "--backend", &address]).await),
    ];
    for (name, proxy) in &proxies {
        let Some(proxy) = proxy else { continue };
        contest.add(name, HOP_LINES, &[proxy.pid, backend.pid], &servers::rest(proxy), &lines);
    }

    let costs = contest.run(rounds, "message", &mut outcome).await?;
    for (ours, theirs) in [(LINES, LINES), (EVENTS, LINES), (HOP_LINES, HOP_LINES), (HOP_EVENTS, HOP_LINES)] {
        costs.compare(&mut outcome, 4, (TRANSCODER, ours), (GRPC_GATEWAY, theirs), LIMIT);
    }
    Ok(outcome)
}
