//! `utopia-swarm`: simulated agents over the real protocol, and what a server needs for them.
//!
//! Only this machine is ever loaded: every address must be of the loopback. Each number of agents, claims and seconds has a
//! limit, so that no run goes on without end; servers that a run has started end with it.

mod agent;
mod args;
mod churn;
mod claims;
mod command;
mod detection;
mod faults;
mod freeze;
mod heartbeat;
mod idle;
mod machine;
mod meter;
mod small_frames;
mod storm;
mod subject;
mod swarm;

use std::process::ExitCode;

use clap::Parser as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use utopia_gateway::telemetry::{self, LogFormat};
use utopia_load_tests::outcome::Outcome;

use crate::args::{Cli, Mode, Target};

/// The same as the control plane's, so that memory can be compared.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(LogFormat::Text, "warn");
    let cancel = CancellationToken::new();
    utopia_gateway::process::main(Box::pin(run(cli, cancel.clone())), cancel).await
}

async fn run(Cli { mode, target }: Cli, cancel: CancellationToken) -> anyhow::Result<()> {
    raise_file_limit()?;
    let Some(outcome) = cancel.run_until_cancelled(measure(mode, &target)).await else { return Ok(()) };
    outcome?.show(target.json.as_deref())
}

async fn measure(mode: Mode, target: &Target) -> anyhow::Result<Outcome> {
    match mode {
        Mode::Idle(settings) => Box::pin(idle::measure(&settings, target)).await,
        Mode::Heartbeat(settings) => Box::pin(heartbeat::measure(&settings, target)).await,
        Mode::Command(settings) => Box::pin(command::measure(&settings, target)).await,
        Mode::Storm(settings) => Box::pin(storm::measure(&settings, target)).await,
        Mode::Churn(settings) => Box::pin(churn::measure(&settings, target)).await,
        Mode::Detection(settings) => Box::pin(detection::measure(&settings, target)).await,
        Mode::Faults(settings) => Box::pin(faults::measure(&settings, target)).await,
        Mode::SmallFrames(settings) => Box::pin(small_frames::measure(&settings, target)).await,
        Mode::Claims(settings) => Box::pin(claims::measure(&settings, target)).await,
    }
}

/// Each agent needs a file descriptor.
fn raise_file_limit() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
