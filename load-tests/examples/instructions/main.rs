//! The hottest ways through the product, each gone a fixed number of times with the same input, to count their instructions.
//!
//! It is run under `valgrind --tool=callgrind --toggle-collect='*::counted_section'`, so that only the ways themselves count, on
//! the one thread that goes them. `.ci/instructions.sh` does so and compares with what `load-tests/instructions.json` records.

mod link;
mod planner;
mod rest;

use std::{hint::black_box, io::Write as _, process::ExitCode};

use clap::{Parser, ValueEnum};
use utopia_gateway::telemetry::{self, LogFormat};

/// The same as the product's: allocating is a good part of what is counted.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Goes one way, and prints how often.
#[derive(Debug, Parser)]
struct Arguments {
    way: Way,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    /// GET of the caller's own account, through gateway, guard and service
    RestGet,
    /// POST of a host's heartbeat, the same way
    RestPost,
    /// A heartbeat of an agent with eight GPUs, from its bytes to those of the answer
    Heartbeat,
    /// A pass of the planner over a fleet
    PlannerPass,
}

fn main() -> ExitCode {
    // As in a control plane: a call makes a span.
    telemetry::init(LogFormat::Text, "info");
    utopia_gateway::process::exit_code(run(Arguments::parse().way))
}

fn run(way: Way) -> anyhow::Result<()> {
    let times = match way {
        Way::RestGet => rest::go(rest::Request::Account)?,
        Way::RestPost => rest::go(rest::Request::Heartbeat)?,
        Way::Heartbeat => link::go()?,
        Way::PlannerPass => planner::go()?,
    };
    writeln!(std::io::stdout(), "{times}")?;
    Ok(())
}

/// What is counted. It has a name of its own in the program, by which callgrind finds it.
#[inline(never)]
fn counted_section<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}
