//! `aiinfra claims …`.

use clap::{Args, Subcommand, ValueEnum};

use super::{ById, ContainerArgs, LogArgs, Page, Seconds};

const CREATE_EXAMPLES: &str = "\
Examples:
  aiinfra claims create registry.example:5000/team/train:1
  aiinfra claims create --gpus 2 --gpu-model A100 --gpu-memory-mb 40000 --wait registry.example:5000/team/train:1
  aiinfra claims create --gpus 0 -e MODE=test -p 8080:80 -v /srv/data:/data busybox -- sh -c 'httpd -f'";

const LOGS_EXAMPLES: &str = "\
Examples:
  aiinfra claims logs -f 018f3c1e-7d2a-7c40-9a51-3b6f0c2d4e10
  aiinfra claims logs --tail 100 --timestamps 018f3c1e-7d2a-7c40-9a51-3b6f0c2d4e10
  aiinfra claims logs --since 10m -o json 018f3c1e-7d2a-7c40-9a51-3b6f0c2d4e10";

#[derive(Debug, Subcommand)]
pub(crate) enum ClaimsCommand {
    /// Make a claim: an image, and the GPUs it gets
    ///
    /// The claim is accepted at once, and placed and started in the background. One that no machine has room for waits;
    /// `claims explain` says why.
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Box<CreateClaim>),
    /// List claims, newest first: your own, or everybody's for operators and administrators
    #[command(alias = "ls")]
    List(ListClaims),
    /// Show one claim
    Get(ById),
    /// Say why a claim waits: its place in the queue, and what each node and GPU lacks
    Explain(ById),
    /// Follow a claim until it has ended or is deleted
    Watch(ById),
    /// Wait until a claim is in a phase; one that has ended in another is an error
    Wait(WaitForClaim),
    /// Show what a claim's container wrote: its standard output on standard output, its standard error on standard error
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(ClaimLogs),
    /// Delete a claim; its container is removed and its GPUs become free
    #[command(alias = "rm")]
    Delete(ById),
}

#[derive(Debug, Args)]
pub(crate) struct CreateClaim {
    /// How many GPUs; 0 for none
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) gpus: u32,
    /// Only GPUs whose product name contains this, e.g. A100
    #[arg(long, value_name = "TEXT")]
    pub(crate) gpu_model: Option<String>,
    /// Only GPUs with at least this much memory, in MiB
    #[arg(long, value_name = "MIB")]
    pub(crate) gpu_memory_mb: Option<u32>,
    /// What happens when the machine is lost
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) on_node_loss: Option<OnNodeLoss>,
    /// With `--on-node-loss reschedule`: how long the machine must be lost, e.g. 30s, 5m
    #[arg(long, value_name = "TIME")]
    pub(crate) reschedule_after: Option<Seconds>,
    /// A key of yours that makes the request safe to repeat: the same key answers the same claim
    #[arg(long, value_name = "KEY")]
    pub(crate) request_id: Option<String>,
    /// Wait until the claim runs or has ended; a claim that fails is an error
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: give up after this time, e.g. 10m; the claim stays
    #[arg(long, value_name = "TIME", requires = "wait")]
    pub(crate) timeout: Option<Seconds>,
    #[command(flatten)]
    pub(crate) container: ContainerArgs,
}

/// What happens to a claim when its node is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnNodeLoss {
    /// The claim waits for its machine (the default)
    Keep,
    /// The claim is placed elsewhere after a time
    Reschedule,
}

#[derive(Debug, Args)]
pub(crate) struct WaitForClaim {
    #[command(flatten)]
    pub(crate) claim: ById,
    /// The phase to wait for
    #[arg(long = "for", value_enum, ignore_case = true, default_value_t = ClaimPhase::Running, value_name = "PHASE")]
    pub(crate) phase: ClaimPhase,
    /// Give up after this time, e.g. 10m
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Seconds>,
}

#[derive(Debug, Args)]
pub(crate) struct ClaimLogs {
    #[command(flatten)]
    pub(crate) claim: ById,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListClaims {
    /// Only claims in this phase
    #[arg(long, value_enum)]
    pub(crate) phase: Option<ClaimPhase>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// The phases of a claim, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClaimPhase {
    /// Waits for room
    Pending,
    /// Has a node; its container is being made
    Scheduled,
    /// Its container runs
    Running,
    /// Ended with an error
    Failed,
    /// Its container ended with exit code 0
    Completed,
}
