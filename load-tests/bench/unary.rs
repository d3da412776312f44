//! Figure 1: unary calls over gRPC and TLS. The control plane checks credentials, rights and limits and counts; the others do not.

use clap::Args;
use serde::Serialize;
use serde_json::json;
use utopia_load_tests::outcome::Outcome;
use utopia_load_tests::peer::Peer;

use crate::Rounds;
use crate::contest::Contest;
use crate::load::Crowd;
use crate::operations::{Client, Operation};
use crate::servers::{self, Product};

const CONTROL_PLANE: &str = "control plane";
const BARE: &str = "bare tonic";
const GRPC_GO: &str = "grpc-go";

/// What a call may cost, in calls of bare tonic.
const LIMIT: f64 = 1.15;

/// How it is measured.
#[derive(Debug, Clone, Copy, Args, Serialize)]
pub(crate) struct Options {
    /// Connections
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,

    /// Calls in flight on each connection
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    in_flight: u32,
}

/// Measures.
pub(crate) async fn run(options: Options, rounds: Rounds) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("bench unary", json!({"options": options, "rounds": rounds}));
    let product = Product::start().await?;
    let client = Client::of(&product);
    let bare = servers::bare(&["unary"]).await?;
    let grpc_go = servers::peer(&["unary"]).await;
    let Options { connections, in_flight } = options;
    let mut contest = Contest::new(Crowd { connections, in_flight });
    for operation in [Operation::GetProfile, Operation::ReportHeartbeat, Operation::GetHost] {
        let (what, question) = (operation.name(), client.grpc(operation)?);
        contest.add(CONTROL_PLANE, what, &[product.pid()?], &product.grpc(), &question);
        let others: [(&str, Option<&Peer>); 2] = [(BARE, Some(&bare)), (GRPC_GO, grpc_go.as_ref())];
        for (name, peer) in others {
            let Some(peer) = peer else { continue };
            contest.add(name, what, &[peer.pid], &servers::grpc(peer), &question);
        }
    }
    let costs = contest.run(rounds, "call", &mut outcome).await?;
    // What a database costs is no business of the server's.
    for operation in [Operation::GetProfile, Operation::ReportHeartbeat] {
        let what = operation.name();
        costs.compare(&mut outcome, 1, (CONTROL_PLANE, what), (BARE, what), LIMIT);
    }
    Ok(outcome)
}
