//! `utopia-swarm`: simulated agents over the real protocol, and what a server needs for them.
//!
//! Only this machine is ever loaded: every address must be of the loopback. Each number of agents, claims and seconds has a
//! limit, so that no run goes on without end.

mod agent;
mod args;
mod machine;
mod measure;
mod meter;
mod report;
mod swarm;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tokio_util::sync::CancellationToken;
use utopia_gateway::telemetry::{self, LogFormat};

use crate::args::{Cli, Command};
use crate::report::Report;

/// The same as the control plane's, so that memory can be compared.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(LogFormat::Text, "warn");
    let cancel = CancellationToken::new();
    utopia_gateway::process::main(Box::pin(run(cli.command, cancel.clone())), cancel).await
}

async fn run(command: Command, cancel: CancellationToken) -> anyhow::Result<()> {
    let (mode, settings) = match command {
        Command::Idle(load) => ("idle", load.into()),
        Command::Heartbeat(heartbeat) => ("heartbeat", heartbeat.into()),
        Command::Claims(claims) => ("claims", claims.into()),
    };
    let Some(measured) = cancel.run_until_cancelled(measure::all(&settings)).await else { return Ok(()) };
    let report = Report::new(mode, &settings, measured?);
    writeln!(std::io::stdout(), "{}", report.table())?;
    if let Some(file) = &settings.load.json {
        report.write(file)?;
    }
    Ok(())
}
