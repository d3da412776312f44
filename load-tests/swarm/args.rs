//! The command line, with the limits of every run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, value_parser};
use serde::Serialize;
use utopia_load_tests::loopback;

/// Most agents of a process, for each needs a file descriptor.
const MAX_AGENTS: i64 = 18_000;

/// Simulated agents over the real protocol
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) mode: Mode,

    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// Connect more and more agents that do nothing but report, and tell the server's memory for each
    Idle(Idle),
    /// Let agents report at an interval of your own, and tell the server's CPU time for each heartbeat
    Heartbeat(Heartbeat),
    /// Send commands to agents, one at a time and to all of them at once, and tell how long the answers take
    Command(RoundTrips),
    /// Kill the server with all agents connected, start it again, and tell how long it takes and costs until all are back
    Storm(Storm),
    /// Let agents leave and come all the time
    Churn(Churn),
    /// Tell how soon lost agents are noticed and their claims placed anew, and that no other agent is taken for lost
    Detection(Detection),
    /// One agent that stops reading, file descriptors used up, and half of the fleet gone at once
    Faults(Faults),
    /// Small frames as fast as they are answered
    SmallFrames(SmallFrames),
    /// Place claims over the JSON API, and tell how long they take to Running
    Claims(Claims),
}

/// What is measured, and how results are kept.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Measure only the control plane, beside nothing
    #[arg(long, global = true)]
    pub(crate) alone: bool,

    /// How many agents enrol or connect at a time
    #[arg(long, global = true, default_value_t = 64, value_parser = value_parser!(u32).range(1..=1_024))]
    pub(crate) concurrency: u32,

    /// Write the results to this file as JSON
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) given: Given,
}

/// A control plane that runs already, instead of one of this run's own.
#[derive(Debug, Args)]
pub(crate) struct Given {
    /// Load a control plane that runs already: its gRPC address
    #[arg(long, global = true, value_parser = loopback, value_name = "ADDR", requires_all = ["api", "server_pid"])]
    pub(crate) server: Option<SocketAddr>,

    /// Its JSON API
    #[arg(long, global = true, value_parser = loopback, value_name = "ADDR")]
    pub(crate) api: Option<SocketAddr>,

    /// Its process, to read memory and CPU time
    #[arg(long, global = true, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,

    /// Who makes join tokens and claims there
    #[arg(long, global = true, default_value = "admin", value_name = "NAME")]
    pub(crate) username: String,

    /// The file that holds the password
    #[arg(long, global = true, default_value = "./data/admin-password", value_name = "FILE")]
    pub(crate) password_file: PathBuf,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct Idle {
    /// Fleet sizes, ascending
    #[arg(long, value_delimiter = ',', default_value = "4000,11000,18000", value_parser = value_parser!(u32).range(1..=MAX_AGENTS))]
    pub(crate) agents: Vec<u32>,
    /// Heartbeats of each agent before memory is read: a connection's read buffer (8 KiB in h2) is used from its beginning to its end and
    /// then again, and all of it counts as resident only after about thirty
    #[arg(long, default_value_t = 32, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(crate) heartbeats: u32,
    /// Seconds that each fleet is left alone after that
    #[arg(long, default_value_t = 12, value_parser = value_parser!(u32).range(1..=600))]
    pub(crate) settle_seconds: u32,
    /// Seconds that the largest fleet is watched
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..=3_600))]
    pub(crate) watch_seconds: u32,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct Heartbeat {
    /// Agents of each server in the rounds
    #[arg(long, default_value_t = 2_000, value_parser = value_parser!(u32).range(1..=MAX_AGENTS / 3))]
    pub(crate) agents: u32,
    /// Fleet sizes to plot the cost for, ascending; none plots nothing
    #[arg(long, value_delimiter = ',', default_value = "1000,4000,10000", value_parser = value_parser!(u32).range(1..=MAX_AGENTS))]
    pub(crate) fleets: Vec<u32>,
    /// Milliseconds between an agent's heartbeats
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(10..=60_000), value_name = "MS")]
    pub(crate) interval_ms: u32,
    #[command(flatten)]
    pub(crate) rounds: Rounds,
}

/// How often and for how long each server is measured.
#[derive(Debug, Clone, Copy, Args, Serialize)]
pub(crate) struct Rounds {
    /// Rounds in which every server has its turn
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds of a turn
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct RoundTrips {
    /// Agents of each server while servers take turns
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=MAX_AGENTS / 2))]
    pub(crate) few: u32,
    /// Agents of one server at a time, for the round trip among many and for the fan-out
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=MAX_AGENTS))]
    pub(crate) many: u32,
    /// Commands of a turn, one after the other
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) commands: u32,
    /// Turns of each server, and how often commands go to all agents
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct Storm {
    /// How many agents
    #[arg(long, default_value_t = 15_000, value_parser = value_parser!(u32).range(1..=MAX_AGENTS))]
    pub(crate) agents: u32,
    /// How often each server is killed
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=20))]
    pub(crate) storms: u32,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct Churn {
    /// How many agents
    #[arg(long, default_value_t = 2_000, value_parser = value_parser!(u32).range(2..=MAX_AGENTS))]
    pub(crate) agents: u32,
    /// How many leave, and how many come, in a second
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=2_000))]
    pub(crate) rate: u32,
    /// For how long
    #[arg(long, default_value_t = 40, value_parser = value_parser!(u32).range(4..=3_600))]
    pub(crate) seconds: u32,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct Detection {
    /// How many agents stay
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(20..=9_000))]
    pub(crate) agents: u32,
    /// How many agents close their connections, one after the other
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(crate) closing: u32,
    /// How many agents fall silent, each with a claim
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=50))]
    pub(crate) silent: u32,
    /// For how long all cores are kept busy
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..=3_600))]
    pub(crate) busy_seconds: u32,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct Faults {
    /// How many agents stand beside the one that does not read
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=MAX_AGENTS))]
    pub(crate) agents: u32,
    /// Seconds over which answers to the others are compared, before and during
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// How many agents there are when file descriptors are used up, and when half of them vanish
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(10..=5_000))]
    pub(crate) fleet: u32,
}

#[derive(Debug, Args, Serialize)]
pub(crate) struct SmallFrames {
    /// How many agents
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(crate) agents: u32,
    /// Frames of an agent that may be unanswered
    #[arg(long, default_value_t = 32, value_parser = value_parser!(u32).range(1..=200))]
    pub(crate) window: u32,
    /// For how long
    #[arg(long, default_value_t = 600, value_parser = value_parser!(u32).range(2..=7_200))]
    pub(crate) seconds: u32,
}

#[derive(Debug, Clone, Copy, Args, Serialize)]
pub(crate) struct Claims {
    /// How many agents
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=MAX_AGENTS))]
    pub(crate) agents: u32,
    /// How many claims, each for one GPU
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) claims: u32,
    /// How many may be on their way to Running at a time
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u32).range(1..=256))]
    pub(crate) in_flight: u32,
}

/// So many seconds.
pub(crate) fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_only_so_much() {
        let parse = |arguments: &[&str]| Cli::try_parse_from(["utopia-swarm"].iter().chain(arguments));
        assert!(parse(&["idle", "--agents", "4000,18000"]).is_ok());
        let given = ["idle", "--server", "[::1]:8443", "--api", "[::1]:8080", "--server-pid", "1"];
        assert!(parse(&given).is_ok());
        assert!(parse(&given[..3]).is_err(), "memory is read of a process");
        for refused in [
            &["idle", "--server", "10.0.0.1:8443", "--api", "[::1]:8080", "--server-pid", "1"][..],
            &["idle", "--agents", "0"],
            &["idle", "--agents", "18001"],
            &["storm", "--storms", "21"],
            &["small-frames", "--seconds", "7201"],
            &["claims", "--claims", "10001"],
        ] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }
}
