//! The command line, with the limits of every run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, value_parser};
use serde::Serialize;

/// Simulated agents over the real protocol
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect agents, hold them, and tell the server's memory per agent
    Idle(Load),
    /// Let agents send heartbeats at an interval of your own, and tell the server's CPU per heartbeat
    Heartbeat(Heartbeat),
    /// Place claims over the JSON API, and tell how long they take to Running
    Claims(Claims),
}

/// What every run needs.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Load {
    /// How many agents
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=9_000))]
    pub(crate) agents: u32,

    /// For how long they are held and measured
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=3_600))]
    pub(crate) seconds: u32,

    /// How many connect at a time
    #[arg(long, default_value_t = 32, value_parser = value_parser!(u32).range(1..=1_024))]
    pub(crate) concurrency: u32,

    /// The control plane's gRPC address
    #[arg(long, default_value = "127.0.0.1:8443", value_parser = loopback, value_name = "ADDR")]
    pub(crate) server: SocketAddr,

    /// The control plane's JSON API
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = loopback, value_name = "ADDR")]
    pub(crate) api: SocketAddr,

    /// Who makes the join token and the claims
    #[arg(long, default_value = "admin", value_name = "NAME")]
    pub(crate) username: String,

    /// The file that holds the password
    #[arg(long, default_value = "./data/admin-password", value_name = "FILE")]
    #[serde(skip)]
    pub(crate) password_file: PathBuf,

    /// The control plane's process, to read its memory and CPU time
    #[arg(long, value_name = "PID")]
    #[serde(skip)]
    pub(crate) server_pid: Option<u32>,

    /// Write the results to this file as JSON
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,

    /// Afterwards do the same with a bare server, for comparison
    #[arg(long)]
    pub(crate) baseline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Heartbeat {
    #[command(flatten)]
    load: Load,
    /// Milliseconds between an agent's heartbeats
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(10..=60_000), value_name = "MS")]
    interval_ms: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Claims {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    claims: ClaimLoad,
}

/// Claims to place.
#[derive(Debug, Clone, Copy, Args, Serialize)]
pub(crate) struct ClaimLoad {
    /// How many claims, each for one GPU
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) claims: u32,
    /// How many may be on their way to Running at a time
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u32).range(1..=256))]
    pub(crate) in_flight: u32,
}

/// A run.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    #[serde(flatten)]
    pub(crate) load: Load,
    /// Between heartbeats; the server's wish when absent.
    pub(crate) interval_ms: Option<u32>,
    /// Claims to place, if any.
    pub(crate) claims: Option<ClaimLoad>,
}

impl Settings {
    pub(crate) fn hold(&self) -> Duration {
        Duration::from_secs(self.load.seconds.into())
    }

    pub(crate) fn interval(&self) -> Option<Duration> {
        self.interval_ms.map(|interval_ms| Duration::from_millis(interval_ms.into()))
    }
}

impl From<Load> for Settings {
    fn from(load: Load) -> Self {
        Self { load, interval_ms: None, claims: None }
    }
}

impl From<Heartbeat> for Settings {
    fn from(Heartbeat { load, interval_ms }: Heartbeat) -> Self {
        Self { load, interval_ms: Some(interval_ms), claims: None }
    }
}

impl From<Claims> for Settings {
    fn from(Claims { load, claims }: Claims) -> Self {
        Self { load, interval_ms: None, claims: Some(claims) }
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "it looks like 127.0.0.1:8443".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("only this machine may be loaded: name a loopback address".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_only_so_much() {
        let parse = |arguments: &[&str]| Cli::try_parse_from(["utopia-swarm"].iter().chain(arguments));
        assert!(parse(&["idle", "--agents", "9000", "--server", "[::1]:8443"]).is_ok());
        assert!(parse(&["heartbeat", "--interval-ms", "100"]).is_ok());
        for refused in [
            &["idle", "--server", "10.0.0.1:8443"][..],
            &["idle", "--agents", "0"],
            &["idle", "--agents", "9001"],
            &["idle", "--seconds", "3601"],
            &["claims", "--claims", "10001"],
        ] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }
}
