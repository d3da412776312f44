//! `aiinfra machines …`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{Label, Named, Page, PasswordSource};

const CREATE_EXAMPLES: &str = "\
Passwords and private keys are read from files, standard input or the terminal. Without any, a password is asked for.

  aiinfra machines create web-1 192.0.2.10 --user root --role worker --private-key-file ~/.ssh/id_ed25519
  aiinfra machines create web-2 192.0.2.11 --user root --role master -l rack=7 --password-file password";

const UPDATE_EXAMPLES: &str = "\
Examples:
  aiinfra machines update web-1 --address 192.0.2.20
  aiinfra machines update web-1 --private-key-file new-key
  aiinfra machines update web-1 --ask-password";

const STATUS_EXAMPLES: &str = "\
The next check takes `available`, `unavailable` and `error` back to what it finds; `maintenance` stays.

  aiinfra machines status web-1 maintenance --message 'new power supply'
  aiinfra machines status web-1 available";

#[derive(Debug, Subcommand)]
pub(crate) enum MachinesCommand {
    /// List machines in the order in which they were added
    #[command(alias = "ls")]
    List(ListMachines),
    /// Show one machine
    Get(Named),
    /// Add a machine; whether it can be reached is checked soon after (operators)
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Box<CreateMachine>),
    /// Change a machine; what is not named stays (operators)
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(Box<UpdateMachine>),
    /// Delete a machine with its credentials (operators)
    #[command(alias = "rm")]
    Delete(Named),
    /// Check now whether a machine can be logged in to; one that cannot is an error (operators)
    Check(Named),
    /// Set a machine's status by hand (operators)
    #[command(after_help = STATUS_EXAMPLES)]
    Status(SetStatus),
}

#[derive(Debug, Args)]
pub(crate) struct ListMachines {
    /// Only machines in this status
    #[arg(long, value_enum)]
    pub(crate) status: Option<MachineStatus>,
    /// Only machines for this
    #[arg(long, value_enum)]
    pub(crate) role: Option<MachineRole>,
    /// Only machines whose labels are so, e.g. 'rack=7,!old'
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) labels: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// Where a machine stands, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MachineStatus {
    /// It can be logged in to, and nobody uses it
    Available,
    /// It cannot be logged in to
    Unavailable,
    /// Set aside by hand
    Maintenance,
    /// Something went wrong with it
    Error,
    /// Member of a cluster
    InUse,
    /// On its way into a cluster
    Deploying,
    /// Not checked yet
    Offline,
}

/// The statuses that are set by hand, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SettableStatus {
    /// It can be logged in to, and nobody uses it
    Available,
    /// It cannot be logged in to
    Unavailable,
    /// Set aside
    Maintenance,
    /// Something went wrong with it
    Error,
}

/// What a machine is for, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MachineRole {
    /// Control plane of a cluster
    Master,
    /// Worker of a cluster
    Worker,
    /// etcd member
    Etcd,
    /// Registry of images
    Registry,
}

#[derive(Debug, Args)]
pub(crate) struct CreateMachine {
    /// Its name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
    /// Where SSH reaches it: an IP address or a host name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) address: String,
    /// The user to log in as
    #[arg(long)]
    pub(crate) user: String,
    /// What it is for
    #[arg(long, value_enum)]
    pub(crate) role: MachineRole,
    #[command(flatten)]
    pub(crate) settings: MachineSettings,
    /// A label (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<Label>,
    #[command(flatten)]
    pub(crate) credentials: MachineCredentials,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "new_name", "address", "user", "role", "label", "no_labels", "ssh_port", "internal_address", "artifact_path", "image_repo",
    "registry_address", "host_key", "private_key_file", "password_stdin", "password_file", "ask_password",
]))]
pub(crate) struct UpdateMachine {
    #[command(flatten)]
    pub(crate) machine: Named,
    /// A new name
    #[arg(long = "name", value_name = "TEXT")]
    pub(crate) new_name: Option<String>,
    /// Where SSH reaches it: an IP address or a host name
    #[arg(long)]
    pub(crate) address: Option<String>,
    /// The user to log in as
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// What it is for
    #[arg(long, value_enum)]
    pub(crate) role: Option<MachineRole>,
    #[command(flatten)]
    pub(crate) settings: MachineSettings,
    /// A label (repeatable); those given take the place of all old ones
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<Label>,
    /// Remove all labels
    #[arg(long, conflicts_with = "label")]
    pub(crate) no_labels: bool,
    #[command(flatten)]
    pub(crate) credentials: MachineCredentials,
}

/// What a machine may have.
#[derive(Debug, Args)]
pub(crate) struct MachineSettings {
    /// The port of SSH, 22 unless said otherwise
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) ssh_port: Option<u16>,
    /// Its address inside the cluster's network
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) internal_address: Option<String>,
    /// A path below the artifact directory
    #[arg(long, value_name = "PATH")]
    pub(crate) artifact_path: Option<String>,
    /// A repository of images
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) image_repo: Option<String>,
    /// A registry's host and port
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) registry_address: Option<String>,
    /// The host key to expect, as OpenSSH writes it; the first one seen is pinned when left out
    #[arg(long, value_name = "KEY")]
    pub(crate) host_key: Option<String>,
}

/// With what a machine is logged in to. None of it is ever shown again.
#[derive(Debug, Args)]
pub(crate) struct MachineCredentials {
    /// A file with a private key without a passphrase; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) private_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
    /// Ask for the password on the terminal
    #[arg(long, conflicts_with_all = ["password_stdin", "password_file"])]
    pub(crate) ask_password: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SetStatus {
    #[command(flatten)]
    pub(crate) machine: Named,
    /// The new status
    #[arg(value_enum)]
    pub(crate) status: SettableStatus,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) message: String,
}
