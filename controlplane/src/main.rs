//! The `utopia-controlplane` binary.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use utopia_controlplane::Config;
use utopia_gateway::process;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Control plane for GPU machines: agents dial in, claims become containers.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Issue a client certificate with which a gateway of its own process reaches the internal address
    GatewayCertificate(GatewayCertificate),
}

#[derive(Debug, clap::Args)]
struct GatewayCertificate {
    #[command(flatten)]
    config: Config,
    /// Name of the gateway: lower-case letters, digits and hyphens
    #[arg(long, default_value = "gateway")]
    name: String,
    /// Directory for NAME.pem, NAME-key.pem and ca.pem
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: std::path::PathBuf,
    /// Lifetime in days
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=825))]
    days: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, config } = Arguments::parse();
    match command {
        Some(Command::GatewayCertificate(arguments)) => process::exit_code(gateway_certificate(&arguments)),
        None => {
            utopia_gateway::telemetry::init(config.log_format, "info,s3s=off");
            let cancel = CancellationToken::new();
            process::main(Box::pin(utopia_controlplane::run(config, None, cancel.clone())), cancel).await
        }
    }
}

fn gateway_certificate(arguments: &GatewayCertificate) -> anyhow::Result<()> {
    let GatewayCertificate { config, name, out, days } = arguments;
    utopia_controlplane::issue_gateway_certificate(config, name, out, *days)
}
