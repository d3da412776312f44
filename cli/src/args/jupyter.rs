//! `aiinfra jupyter …`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::Page;

const START_EXAMPLES: &str = "\
  aiinfra jupyter start --wait                      your own server, followed until it is ready
  aiinfra jupyter start alice --server gpu          another one of alice's, named gpu (operators)";

#[derive(Debug, Subcommand)]
pub(crate) enum JupyterCommand {
    /// List the hub's users: yourself, or everybody for operators
    #[command(alias = "list")]
    Users(Page),
    /// Show one user with all servers
    Get(HubUserName),
    /// Add a user to the hub (operators)
    Create(CreateHubUser),
    /// Stop all servers of a user, and remove the user from the hub (operators)
    #[command(alias = "rm")]
    Delete {
        /// The user name at the hub
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        username: String,
    },
    /// Start a server
    #[command(after_help = START_EXAMPLES)]
    Start(StartHubServer),
    /// Stop a server, also one that still starts
    Stop(StopHubServer),
    /// Follow the start of a server until it is ready or has failed
    Progress(HubServerName),
}

/// Whose.
#[derive(Debug, Args)]
pub(crate) struct HubUserName {
    /// The user name at the hub [default: your own]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) username: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateHubUser {
    /// The user name: that of the person here, so that they reach their servers
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) username: String,
    /// Let them administrate the hub
    #[arg(long)]
    pub(crate) admin: bool,
}

/// Which server.
#[derive(Debug, Args)]
pub(crate) struct HubServerName {
    #[command(flatten)]
    pub(crate) user: HubUserName,
    /// The server's name [default: the one without a name]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) server: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StartHubServer {
    #[command(flatten)]
    pub(crate) server: HubServerName,
    /// Follow the start until it is ready or has failed
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StopHubServer {
    #[command(flatten)]
    pub(crate) server: HubServerName,
    /// Also forget it
    #[arg(long, requires = "server")]
    pub(crate) remove: bool,
}
