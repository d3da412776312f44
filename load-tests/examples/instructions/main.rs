//! The hottest ways through the product, each a fixed number of times over the same input, for counting their instructions.
//!
//! Run it under `valgrind --tool=callgrind --toggle-collect='*::counted_section'`: then only what the ways themselves do counts,
//! on the one thread that goes them. `.ci/instructions.sh` does so.

mod rest;

use std::{hint::black_box, io::Write as _, process::ExitCode};

use clap::{Parser, ValueEnum};

/// The same as the product's: allocating is a good part of what is counted.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Goes one way so many times, for a count of its instructions.
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
}

fn main() -> ExitCode {
    utopia_gateway::process::exit_code(run(Arguments::parse().way))
}

fn run(way: Way) -> anyhow::Result<()> {
    let times = match way {
        Way::RestGet => rest::go(rest::Request::Account),
        Way::RestPost => rest::go(rest::Request::Heartbeat),
    }?;
    writeln!(std::io::stdout(), "{times}")?;
    Ok(())
}

/// What is counted. It has a name of its own in the program, by which callgrind finds it.
#[inline(never)]
fn counted_section<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}
