//! `aiinfra tokens …`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::users::Role;
use super::{ById, Page, Seconds};

const CREATE_EXAMPLES: &str = "\
The token is the only output, so that it can be kept in a file:
  aiinfra tokens create 'nightly training' --ttl 90d > token
  UTOPIA_TOKEN=$(cat token) aiinfra claims list

It acts as you, with at most your role of the moment, and cannot make further tokens.";

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make an API token: prints it, this once
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateToken),
    /// List API tokens, newest first: your own, or everybody's for administrators
    #[command(alias = "ls")]
    List(Page),
    /// Revoke an API token at once
    #[command(alias = "rm")]
    Revoke(ById),
}

#[derive(Debug, Args)]
pub(crate) struct CreateToken {
    /// What it is for
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
    /// The most it may do [default: what you may do]
    #[arg(long, value_enum)]
    pub(crate) role: Option<Role>,
    /// How long it can be used, e.g. 12h, 90d; at most 365d [default: 30d]
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<Seconds>,
}
