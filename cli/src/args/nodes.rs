//! `aiinfra nodes …`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::{ById, ContainerArgs, LogArgs, Page};

#[derive(Debug, Subcommand)]
pub(crate) enum NodesCommand {
    /// List nodes by host name
    #[command(alias = "ls")]
    List(ListNodes),
    /// Show one node and its GPUs
    Get(ById),
    /// Show a node's present readings, asked of the machine itself
    Status(ById),
    /// Ask the agent of a node whether it is well
    Health(ById),
    /// The containers that the agent of a node made (operators)
    #[command(subcommand, alias = "container")]
    Containers(ContainersCommand),
    /// Approve a pending node: prints the command that lets it join, once, within an hour (administrators)
    Approve(ById),
    /// Delete a node: its certificate is refused from now on, its containers are left as they are (administrators)
    #[command(alias = "rm")]
    Delete(DeleteNode),
}

#[derive(Debug, Args)]
pub(crate) struct ListNodes {
    /// Only nodes in this state
    #[arg(long, value_enum)]
    pub(crate) status: Option<NodeState>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// The states of a node, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NodeState {
    /// Announced, not yet joined
    Pending,
    /// Connected
    Online,
    /// Joined and not connected
    Offline,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteNode {
    #[command(flatten)]
    pub(crate) node: ById,
    /// Delete it although claims are placed there; they fail
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContainersCommand {
    /// List the containers of a node, oldest first
    #[command(alias = "ls")]
    List {
        /// The node's id
        #[arg(value_name = "NODE", value_parser = NonEmptyStringValueParser::new())]
        node: String,
    },
    /// Show one container
    Get(OneContainer),
    /// Make and start a container without a claim; answers when it runs, which may take as long as its pull
    Create(Box<CreateContainer>),
    /// Show what a container wrote: its standard output on standard output, its standard error on standard error
    Logs(ContainerLogs),
    /// Stop and remove a container
    #[command(alias = "rm")]
    Delete(OneContainer),
}

/// Names a container on its node.
#[derive(Debug, Args)]
pub(crate) struct OneContainer {
    /// The node's id
    #[arg(value_name = "NODE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) node: String,
    /// The container's id
    #[arg(value_name = "CONTAINER", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) container: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContainerLogs {
    #[command(flatten)]
    pub(crate) container: OneContainer,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CreateContainer {
    /// The node's id
    #[arg(value_name = "NODE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) node: String,
    /// A key of yours: the same key answers the same container
    #[arg(long, value_name = "KEY")]
    pub(crate) claim_id: String,
    /// How many GPUs
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) gpus: u32,
    #[command(flatten)]
    pub(crate) container: ContainerArgs,
}
