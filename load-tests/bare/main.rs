//! `utopia-bare`: servers that do the same work as ours with nothing behind it, for comparison.
//!
//! Each says where it listens on the first line of its output, and ends when it is interrupted.

mod answers;
mod gateway;
mod link;
mod plain;
mod secured;
mod services;
mod unary;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use utopia_gateway::telemetry::{self, LogFormat};
use utopia_load_tests::loopback;

/// The same as the control plane's, so that memory can be compared.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Servers with nothing behind them, to compare with
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Where; port 0 takes a free one
    #[arg(long, global = true, default_value = "127.0.0.1:0", value_parser = loopback, value_name = "ADDR")]
    listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The agents' link: lets in whoever asks, welcomes, and answers heartbeats
    Link(link::Settings),
    /// Unary calls and a stream over gRPC, with prepared answers
    Unary(unary::Options),
    /// The same as JSON by the product's transcoder, in this process
    Gateway(gateway::Options),
    /// The same as JSON by handlers of axum
    Axum,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(LogFormat::Text, "warn");
    let cancel = CancellationToken::new();
    utopia_gateway::process::main(Box::pin(run(cli, cancel.clone())), cancel).await
}

async fn run(cli: Cli, cancel: CancellationToken) -> anyhow::Result<()> {
    match cli.command {
        Command::Link(settings) => link::serve(cli.listen, settings, cancel).await,
        Command::Unary(options) => unary::serve(cli.listen, options, cancel).await,
        Command::Gateway(options) => gateway::serve(cli.listen, options, cancel).await,
        Command::Axum => plain::serve(cli.listen, cancel).await,
    }
}
