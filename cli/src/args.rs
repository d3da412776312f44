//! What can be typed, and what `--help` says about it. No behaviour beyond parsing.

mod audit;
mod calls;
mod claims;
mod config;
mod container;
mod hosts;
mod jupyter;
mod logs;
mod machines;
mod metrics;
mod nodes;
mod roles;
mod s3;
mod salt;
mod slurm;
mod tokens;
mod users;
mod value;
mod watch;
mod watched;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use utopia_agent::gpu::GpuMode;

use crate::failure::EXIT_CODES;

pub(crate) use audit::{AuditCommand, ListEvents, VerifyChain};
pub(crate) use calls::{CallApi, CallMethod, Shell, WriteMan};
pub(crate) use claims::{ClaimLogs, ClaimsCommand, CreateClaim, WaitForClaim};
pub(crate) use config::{ConfigCommand, SetContext};
pub(crate) use container::ContainerArgs;
pub(crate) use hosts::{CreateHost, HostsCommand, MaintenanceCommand, UpdateHost};
pub(crate) use jupyter::{CreateHubUser, HubServerName, JupyterCommand, StartHubServer, StopHubServer};
pub(crate) use logs::LogArgs;
pub(crate) use machines::{CreateMachine, MachineCredentials, MachinesCommand, UpdateMachine};
pub(crate) use metrics::ShowMetrics;
pub(crate) use nodes::{ContainerLogs, ContainersCommand, CreateContainer, NodesCommand, OneContainer};
pub(crate) use roles::{RolesCommand, SetRole};
pub(crate) use s3::{CopyObjects, CreateKey, KeysCommand, ListObjects, PresignObject, RemoveObjects, S3Command};
pub(crate) use salt::{DeployState, NamedArgument, RunFunction, SaltCommand, Targeted};
pub(crate) use slurm::{InCluster, JobsCommand, ListGpus, OneJob, SlurmCommand, SubmitJob};
pub(crate) use tokens::{CreateToken, TokensCommand};
pub(crate) use users::{ChangePassword, CreateUser, UsersCommand};
pub(crate) use value::{EnvVar, Head, Label, Moment, Port, Seconds, Size, Volume};
pub(crate) use watch::WatchEvents;
pub(crate) use watched::{Watch, watched};
pub(crate) use webhooks::{CreateWebhook, ListDeliveries, Redeliver, SecretSource, UpdateWebhook, WebhooksCommand};

const FIRST_STEPS: &str = "\
First steps on one machine:
  aiinfra up                                  start everything; prints where the administrator's password is
  aiinfra register alice                      make a user (in another terminal)
  aiinfra login alice                         keep a token for this server
  aiinfra claims create busybox --wait -- sleep 600
  aiinfra claims list

One more machine:
  aiinfra login admin
  aiinfra join-token create                   prints the command to run there

For administrators:
  aiinfra users create bob --role operator    make a user with a role
  aiinfra hosts list                          the machines, their GPUs and their maintenance
  aiinfra audit verify                        prove that nobody has touched the audit log

Environment: UTOPIA_CONTEXT is the context, UTOPIA_URL the server, UTOPIA_TOKEN a token that takes the place of the one kept by
`login`, UTOPIA_PASSWORD the password for `login` and `register`. NO_COLOR and CLICOLOR_FORCE are obeyed.

";

/// GPU claims, machines, people and the audit log from the command line, and the whole system in one command.
#[derive(Debug, Parser)]
#[command(name = "aiinfra", version, after_help = [FIRST_STEPS, EXIT_CODES].concat(), max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The context: a server and the token for it [default: the one of `config use-context`]
    #[arg(long, env = "UTOPIA_CONTEXT", hide_env_values = true, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The server [default: the context's, as `config set-url` sets it, else http://127.0.0.1:8080]
    #[arg(long, env = "UTOPIA_URL", hide_env_values = true, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// A PEM file with CA certificates to trust for an https server, beside those of the system
    #[arg(long, env = "UTOPIA_SERVER_CA", hide_env_values = true, global = true, value_name = "FILE")]
    pub(crate) server_ca: Option<PathBuf>,
    /// How results are written
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// How long the server may take for one call, e.g. 5s, 2m [default: 60s, longer where work takes longer]
    #[arg(long, global = true, value_name = "TIME")]
    pub(crate) request_timeout: Option<Seconds>,
    /// Say nothing but results and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Also say what is called, and how it is answered
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: what the server answered
    Json,
    /// The same as YAML
    Yaml,
    /// Only the id, or the name of what has none, one a line
    Name,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the whole system on this machine: control plane, JSON API and one agent
    ///
    /// It listens on loopback and keeps everything in the data directory; Ctrl-C ends it in order, containers run on. The
    /// administrator's password is in DATA_DIR/admin-password.
    #[command(after_help = UP_SETTINGS)]
    Up(Box<Up>),
    /// Register a new user
    #[command(after_help = PASSWORD_SOURCES)]
    Register(Credentials),
    /// Log in, and keep the token for this server in the context
    #[command(after_help = PASSWORD_SOURCES)]
    Login(Credentials),
    /// Revoke the token kept for this server, and forget it
    Logout,
    /// Exchange the token kept for this server for a new one; also one that has just expired
    Refresh,
    /// Show as whom the server knows you
    Whoami,
    /// Ask for GPUs, and see what became of it
    #[command(subcommand, alias = "claim")]
    Claims(ClaimsCommand),
    /// The machines
    #[command(subcommand, alias = "node")]
    Nodes(NodesCommand),
    /// Tokens with which machines join (administrators)
    #[command(subcommand, alias = "join-tokens")]
    JoinToken(JoinTokenCommand),
    /// The hosts: machines with their GPUs, as their administrators see them
    #[command(subcommand, alias = "host")]
    Hosts(HostsCommand),
    /// Machines that are reached over SSH, to become members of clusters
    #[command(subcommand, alias = "machine")]
    Machines(MachinesCommand),
    /// People and their roles (administrators); your own password
    #[command(subcommand, alias = "user")]
    Users(UsersCommand),
    /// API tokens: credentials for scripts
    #[command(subcommand, alias = "token")]
    Tokens(TokensCommand),
    /// Every GPU, those of claims and those of Slurm
    Gpus(ListGpus),
    /// Slurm: its clusters, nodes and jobs
    #[command(subcommand)]
    Slurm(SlurmCommand),
    /// SaltStack: the minions, functions and states on them
    #[command(subcommand)]
    Salt(SaltCommand),
    /// The servers of others that this one uses, and how they are (operators)
    Backends,
    /// JupyterHub: its users and their servers
    #[command(subcommand)]
    Jupyter(JupyterCommand),
    /// Object storage: buckets and objects, keys of the S3 interface, and what is kept
    #[command(subcommand)]
    S3(S3Command),
    /// Follow what happens: to claims, nodes and hosts
    Watch(WatchEvents),
    /// Webhooks: events, sent to a URL of yours (operators)
    #[command(subcommand, alias = "webhook")]
    Webhooks(WebhooksCommand),
    /// What nodes and GPUs did, as a line for each metric
    #[command(after_help = metrics::EXAMPLES)]
    Metrics(ShowMetrics),
    /// The audit log: who changed what, and the proof that nobody touched it (administrators)
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The roles, and what each allows (operators)
    #[command(subcommand, alias = "role")]
    Roles(RolesCommand),
    /// Call any operation of the API by its method and path
    #[command(after_help = calls::API_EXAMPLES)]
    Api(CallApi),
    /// The settings of this command, kept in a file: servers and tokens
    #[command(subcommand, after_help = config::CONTEXTS)]
    Config(ConfigCommand),
    /// Print what makes a shell complete commands, options, ids and names
    #[command(after_help = calls::COMPLETION_SETUP)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages: one for each command
    Man(WriteMan),
}

/// The whole command line.
pub(crate) fn command() -> clap::Command {
    watched::with_watch(Cli::command())
}

/// The server and certificates that were typed, and not taken from the environment.
pub(crate) fn typed_server(global: &Global, matches: &ArgMatches) -> TypedServer {
    let leaf = std::iter::successors(Some(matches), |matches| matches.subcommand().map(|(_, matches)| matches)).last();
    let typed = |id| leaf.is_some_and(|leaf| leaf.value_source(id) == Some(ValueSource::CommandLine));
    TypedServer {
        url: global.url.clone().filter(|_| typed("url")),
        server_ca: global.server_ca.clone().filter(|_| typed("server_ca")),
    }
}

/// What a context is made of.
pub(crate) struct TypedServer {
    pub(crate) url: Option<String>,
    pub(crate) server_ca: Option<PathBuf>,
}

const PASSWORD_SOURCES: &str = "\
The password is taken from standard input with --password-stdin, from a file with --password-file, else from UTOPIA_PASSWORD,
else asked for on the terminal.

  aiinfra login alice
  aiinfra login admin --password-file data/admin-password";

const UP_SETTINGS: &str = "\
Without an NVIDIA driver the agent simulates two GPUs, which say so in their names. Its further settings are taken from the
environment: UTOPIA_DOCKER_SOCKET, UTOPIA_VOLUME_ALLOW and others, see `utopia-agent --help`.

For agents on other machines, listen on all addresses and say which one they reach:
  aiinfra up --grpc-addr 0.0.0.0:8443 --advertise-addr control.example:8443";

/// The settings of the whole system.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) control_plane: utopia_controlplane::Config,
    /// Address of the agent's own API: containers, metrics and health of this machine
    #[arg(long, env = "UTOPIA_AGENT_HTTP_ADDR", default_value = "127.0.0.1:8090", value_name = "ADDR")]
    pub(crate) agent_http_addr: SocketAddr,
    /// GPUs of this machine: `auto`, `none`, or `simulated:N` for N that are invented
    #[arg(long, env = "UTOPIA_GPUS", default_value_t = GpuMode::Auto, value_name = "MODE")]
    pub(crate) gpus: GpuMode,
}

/// Who, and where the password comes from.
#[derive(Debug, Args)]
pub(crate) struct Credentials {
    /// The user name; asked for on the terminal when left out
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) username: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

/// Where a password comes from. It is never an argument: those are seen by everybody on the machine.
#[derive(Debug, Args)]
pub(crate) struct PasswordSource {
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Make a join token, and print the command to run on the machine that joins
    Create(CreateJoinToken),
    /// List the tokens that can still be used
    #[command(alias = "ls")]
    List(Page),
    /// Revoke a token; machines that joined with it stay
    #[command(alias = "rm")]
    Revoke(ById),
}

#[derive(Debug, Args)]
pub(crate) struct CreateJoinToken {
    /// How long it can be used, e.g. 30m, 12h, 7d; at most 30d
    #[arg(long, default_value = "1h", value_name = "TIME")]
    pub(crate) ttl: Seconds,
    /// How many machines may join with it; 0 for any number
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) max_uses: u32,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    pub(crate) description: String,
}

/// Names one object.
#[derive(Debug, Args)]
pub(crate) struct ById {
    /// The id, as `list` shows it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
}

/// Names one of many things that have names of their own.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Its name or id
    #[arg(value_name = "NAME|ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
}

/// Part of a list.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// Only this page, from 1 [default: all pages]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) page: Option<u32>,
    /// How many on a page, at most 100; without --page the first ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
