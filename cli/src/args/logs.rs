//! What containers wrote.

use clap::{Args, value_parser};

use super::Moment;

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Go on until the container ends; a node that comes back is asked again
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last so many entries
    #[arg(short = 'n', long, value_name = "N", value_parser = value_parser!(i32).range(1..))]
    pub(crate) tail: Option<i32>,
    /// Only what was written then or later: a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Write before each line when it was written
    #[arg(short, long)]
    pub(crate) timestamps: bool,
}
