//! `aiinfra config …`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

pub(super) const CONTEXTS: &str = "\
A context is a server with the token one has logged in with there. Without any, everything is kept in the context `default`.

  aiinfra config set-url http://localhost:8080
  aiinfra config set-context lab --url https://lab.example --server-ca lab-ca.pem
  aiinfra config use-context lab
  aiinfra --context default whoami";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Talk to this server from now on, unless --url or UTOPIA_URL says otherwise
    SetUrl {
        /// E.g. https://utopia.example
        url: String,
    },
    /// Make a context, or change one
    SetContext(SetContext),
    /// Use this context from now on, unless --context or UTOPIA_CONTEXT says otherwise
    UseContext {
        /// As `get-contexts` shows it
        name: String,
    },
    /// List the contexts
    GetContexts,
    /// Say which context is in use
    CurrentContext,
    /// Delete a context and the tokens kept in it
    DeleteContext {
        /// As `get-contexts` shows it
        name: String,
    },
    /// Show everything that is kept, but no tokens
    View,
    /// Show the settings in force and where they are kept; tokens are not shown
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct SetContext {
    /// What it is called; its server is given with --url, its certificates with --server-ca
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
}
