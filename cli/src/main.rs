//! `aiinfra`: GPU claims, machines, people and the audit log from the command line, and the whole system in one process.
//!
//! Apart from `up` it is a client of the JSON API and nothing more: what it can do, curl can do as well.

mod api;
mod args;
mod client;
mod command;
mod config;
mod output;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use utopia_gateway::process;

use crate::output::{printable, say};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match command::run(args::Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", printable(&process::sentence(&error))));
            if let Some(hint) = error.downcast_ref::<client::Error>().and_then(client::Error::hint) {
                say(&format!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
