//! `utopia-bench`: what an operation costs the server, beside bare servers and peers in the same run.
//!
//! A cost is user and system time of the server's process, divided by the operations that were answered meanwhile. Subjects take
//! turns, round after round, and the median of the rounds counts: that keeps a noisy machine from favouring one of them.

mod answer;
mod claims;
mod contest;
mod load;
mod operations;
mod plan;
mod rest;
mod servers;
mod stream;
mod unary;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, value_parser};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utopia_gateway::telemetry::{self, LogFormat};
use utopia_load_tests::outcome::Outcome;

/// Costs of operations, beside bare servers and peers
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    rounds: Rounds,

    /// Write the results to this file as JSON
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How often and for how long each subject is measured.
#[derive(Debug, Clone, Copy, Args, Serialize)]
struct Rounds {
    /// Rounds in which every subject has its turn
    #[arg(long, global = true, default_value_t = 5, value_parser = value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Seconds of a turn
    #[arg(long, global = true, default_value_t = 2, value_parser = value_parser!(u32).range(1..=600))]
    seconds: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Unary calls over gRPC, beside bare tonic and grpc-go
    Unary(unary::Options),
    /// The same calls as JSON over HTTP, in process and through a proxy, beside grpc-gateway, Envoy and axum
    Rest(rest::Options),
    /// A stream of messages as lines or events, beside grpc-gateway
    Stream(stream::Options),
    /// Durable claims of many writers, beside the database alone
    Claims(claims::Options),
    /// Passes of the planner over made-up fleets of growing size
    Plan(plan::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(LogFormat::Text, "warn");
    let cancel = CancellationToken::new();
    utopia_gateway::process::main(Box::pin(run(cli, cancel.clone())), cancel).await
}

async fn run(cli: Cli, cancel: CancellationToken) -> anyhow::Result<()> {
    let measuring = measure(cli.command, cli.rounds);
    let Some(outcome) = cancel.run_until_cancelled(measuring).await else { return Ok(()) };
    outcome?.show(cli.json.as_deref())
}

async fn measure(command: Command, rounds: Rounds) -> anyhow::Result<Outcome> {
    match command {
        Command::Unary(options) => unary::run(options, rounds).await,
        Command::Rest(options) => rest::run(options, rounds).await,
        Command::Stream(options) => stream::run(options, rounds).await,
        Command::Claims(options) => claims::run(&options, rounds).await,
        Command::Plan(options) => plan::run(options, rounds).await,
    }
}
