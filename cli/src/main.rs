//! `aiinfra`: GPU claims, machines, people and the audit log from the command line, and the whole system in one process.
//!
//! Apart from `up` it is a client of the JSON API and nothing more: what it can do, curl can do as well.

mod api;
mod args;
mod client;
mod command;
mod config;
mod failure;
mod objects;
mod output;

use std::io;
use std::process::ExitCode;

use anstyle::AnsiColor;
use clap::FromArgMatches as _;
use utopia_gateway::process;

use crate::output::{printable, say};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // A shell asks for words that go on what is typed; there are no threads yet, since this changes the environment.
    match command::complete() {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => error.exit(),
    }
    let matches = args::command().get_matches();
    let cli = args::Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let run = async { command::run(cli, &matches).await };
    let done = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run),
        Err(error) => Err(anyhow::Error::new(error).context("start")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let (red, cyan) = (AnsiColor::Red.on_default().bold(), AnsiColor::Cyan.on_default());
    say(&format!("{red}error:{red:#} {}", printable(&process::sentence(error))));
    if let Some(hint) = failure::server_error(error).and_then(client::Error::hint) {
        say(&format!("{cyan}hint:{cyan:#} {hint}"));
    }
    failure::exit_code(error)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
