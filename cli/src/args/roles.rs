//! `aiinfra roles …`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum RolesCommand {
    /// List the roles and what they allow
    #[command(alias = "ls")]
    List,
    /// Set what a role allows; it holds for the next claim (administrators)
    Set(SetRole),
}

#[derive(Debug, Args)]
pub(crate) struct SetRole {
    /// The role: user or operator; that of administrators cannot be narrowed
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) role: String,
    /// How many GPUs the claims of one user may have together
    #[arg(long, value_name = "N", required_unless_present = "allow_all")]
    pub(crate) max_gpus: Option<u32>,
    /// Set no limit
    #[arg(long, conflicts_with = "max_gpus")]
    pub(crate) allow_all: bool,
}
