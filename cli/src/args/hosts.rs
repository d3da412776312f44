//! `aiinfra hosts …`.

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{Label, Named, Page, Size};

const CREATE_EXAMPLES: &str = "\
The agent token is the only output, so that it can be kept in a file:
  aiinfra hosts create gpu-01 --ip-address 192.0.2.10 -l region=us-west > agent-token

With it the machine's agent joins as this host, once (utopia-agent --join-token …), and a machine without an agent reports
heartbeats.";

const UPDATE_EXAMPLES: &str = "\
Examples:
  aiinfra hosts update gpu-01 --name gpu-01-west
  aiinfra hosts update gpu-01 -l region=us-west -l rack=7     these are all its labels from now on
  aiinfra hosts update gpu-01 --no-labels";

const MAINTENANCE_EXAMPLES: &str = "\
Examples:
  aiinfra hosts maintenance start gpu-01 --reason 'new power supply'
  aiinfra hosts maintenance start gpu-01 --claims move --wait     returns when no claim is left there
  aiinfra hosts maintenance end gpu-01";

#[derive(Debug, Subcommand)]
pub(crate) enum HostsCommand {
    /// List hosts in the order in which they came
    #[command(alias = "ls")]
    List(ListHosts),
    /// Show one host, its maintenance and its GPUs
    Get(Named),
    /// Register a host: prints its agent token, this once (administrators)
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateHost),
    /// Change a host; what is not named stays (administrators)
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(UpdateHost),
    /// Delete a host: its agent token and certificate are refused from now on (administrators)
    #[command(alias = "rm")]
    Delete(DeleteHost),
    /// List a host's GPUs and what they are doing
    Gpus(Named),
    /// Take a host out of service, and put it back (operators)
    #[command(subcommand, after_help = MAINTENANCE_EXAMPLES)]
    Maintenance(MaintenanceCommand),
    /// Make a new agent token: prints it, this once; the old one is refused from now on (administrators)
    RotateToken(Named),
}

#[derive(Debug, Args)]
pub(crate) struct ListHosts {
    /// Only hosts in this status
    #[arg(long, value_enum)]
    pub(crate) status: Option<HostStatus>,
    /// Only hosts with this operating system
    #[arg(long, value_enum)]
    pub(crate) os_type: Option<OsType>,
    /// Only hosts whose labels are so, e.g. 'region=us-west,zone in (a,b),!retired'
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) labels: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// Where a host stands, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HostStatus {
    /// Connected, or heard of by heartbeats
    Online,
    /// Not heard of
    Offline,
    /// Out of service
    Maintenance,
}

/// An operating system, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OsType {
    /// Linux
    Linux,
    /// Windows
    Windows,
}

/// How work is deployed on a host, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeploymentMode {
    /// On the machine itself
    Traditional,
    /// In containers
    Container,
    /// By Kubernetes
    Kubernetes,
}

#[derive(Debug, Args)]
pub(crate) struct CreateHost {
    /// Its name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
    /// Its IPv4 or IPv6 address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip_address: Option<String>,
    /// Its operating system [default: linux]
    #[arg(long, value_enum)]
    pub(crate) os_type: Option<OsType>,
    /// The version of its operating system, e.g. 'Debian 12'
    #[arg(long, value_name = "TEXT")]
    pub(crate) os_version: Option<String>,
    /// How work is deployed there [default: traditional]
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) deployment_mode: Option<DeploymentMode>,
    /// Its logical CPUs; what an agent reports takes their place
    #[arg(long, value_name = "N")]
    pub(crate) cpus: Option<u32>,
    /// Its memory, e.g. 128GiB; what an agent reports takes its place
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,
    /// Its disk space, e.g. 2TiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) disk: Option<Size>,
    /// A label (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<Label>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct UpdateHost {
    #[command(flatten)]
    pub(crate) host: Named,
    /// A new name
    #[arg(long = "name", group = "change", value_name = "TEXT")]
    pub(crate) new_name: Option<String>,
    /// A new address; an empty one for none
    #[arg(long, group = "change", value_name = "ADDRESS")]
    pub(crate) ip_address: Option<String>,
    /// The version of its operating system
    #[arg(long, group = "change", value_name = "TEXT")]
    pub(crate) os_version: Option<String>,
    /// How work is deployed there
    #[arg(long, group = "change", value_enum, value_name = "MODE")]
    pub(crate) deployment_mode: Option<DeploymentMode>,
    /// A label (repeatable); those given take the place of all old ones
    #[arg(short, long, group = "change", value_name = "KEY=VALUE")]
    pub(crate) label: Vec<Label>,
    /// Remove all labels
    #[arg(long, group = "change", conflicts_with = "label")]
    pub(crate) no_labels: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteHost {
    #[command(flatten)]
    pub(crate) host: Named,
    /// Delete it although claims are placed there; they fail
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MaintenanceCommand {
    /// Place no new claims on a host; said again, it changes reason and choice
    Start(StartMaintenance),
    /// Put a host back into service
    End(Named),
}

#[derive(Debug, Args)]
pub(crate) struct StartMaintenance {
    #[command(flatten)]
    pub(crate) host: Named,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    /// What happens to the claims that are there
    #[arg(long, value_enum, default_value_t = MaintenanceClaims::Keep)]
    pub(crate) claims: MaintenanceClaims,
    /// Wait until no claim is left there
    #[arg(long)]
    pub(crate) wait: bool,
}

/// What happens to the claims on a host in maintenance, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MaintenanceClaims {
    /// They go on running
    Keep,
    /// They are stopped there and placed elsewhere
    Move,
}
