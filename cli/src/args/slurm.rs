//! `aiinfra slurm …`, and `aiinfra gpus`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::{EnvVar, Page};

const SUBMIT_EXAMPLES: &str = "\
The script is sent as it is, with its first line such as #!/bin/bash; Slurm runs it as your user there. `#SBATCH` lines are comments to
Slurm's REST API: say here what the job needs.

  aiinfra slurm jobs submit --script job.sh --partition gpu --gpus-per-node 2 --gpu-type h100 --time-limit 120
  aiinfra slurm jobs submit --script - --name train --nodes 2 -e EPOCHS=3 <job.sh
  aiinfra watch --type 'job.*'";

#[derive(Debug, Subcommand)]
pub(crate) enum SlurmCommand {
    /// List the clusters with what they have
    Clusters,
    /// List the nodes of a cluster
    Nodes(InCluster),
    /// The jobs
    #[command(subcommand, alias = "job")]
    Jobs(JobsCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, newest first: your own, and for operators everybody's
    #[command(alias = "ls")]
    List(ListJobs),
    /// Submit a batch job
    #[command(after_help = SUBMIT_EXAMPLES)]
    Submit(Box<SubmitJob>),
    /// Show one job
    Get(OneJob),
    /// Cancel a job; one that has ended stays as it is
    #[command(alias = "delete")]
    Cancel(OneJob),
}

/// Names a cluster.
#[derive(Debug, Args)]
pub(crate) struct InCluster {
    /// The cluster, as `aiinfra slurm clusters` shows it [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OneJob {
    /// The number, as `list` shows it
    pub(crate) id: u32,
    #[command(flatten)]
    pub(crate) cluster: InCluster,
}

#[derive(Debug, Args)]
pub(crate) struct ListJobs {
    /// Only jobs that stand so
    #[arg(long, value_enum)]
    pub(crate) state: Option<JobState>,
    /// Only jobs of this user of Slurm
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Only jobs in this partition
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: InCluster,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// How a job stands, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum JobState {
    /// It waits
    Pending,
    /// It runs
    Running,
    /// It ended well
    Completed,
    /// It ended otherwise
    Failed,
    /// It was cancelled
    Cancelled,
    /// It reached its time limit
    Timeout,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitJob {
    /// The file with the script; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) script: PathBuf,
    /// What it is called [default: job]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The partition [default: Slurm's]
    #[arg(long, short, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) partition: Option<String>,
    /// How many nodes [default: 1]
    #[arg(long, short = 'N', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) nodes: Option<u32>,
    /// How many tasks
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ntasks: Option<u32>,
    /// CPUs of each task
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cpus_per_task: Option<u32>,
    /// Memory on each node in MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) memory_per_node: Option<u32>,
    /// GPUs on each node
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) gpus_per_node: Option<u32>,
    /// The type of the GPUs, e.g. h100
    #[arg(long, value_name = "TYPE", requires = "gpus_per_node")]
    pub(crate) gpu_type: Option<String>,
    /// The longest it may run in minutes
    #[arg(long, short = 't', value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) time_limit: Option<u32>,
    /// Where it runs [default: /tmp]
    #[arg(long, short = 'D', value_name = "DIR")]
    pub(crate) chdir: Option<String>,
    /// Where its output goes; %j is its number
    #[arg(long, value_name = "FILE")]
    pub(crate) stdout: Option<String>,
    /// Where its errors go [default: with the output]
    #[arg(long, value_name = "FILE")]
    pub(crate) stderr: Option<String>,
    /// The account that pays
    #[arg(long, short = 'A', value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Sets a variable (repeatable)
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<EnvVar>,
    #[command(flatten)]
    pub(crate) cluster: InCluster,
}

#[derive(Debug, Args)]
pub(crate) struct ListGpus {
    /// Only GPUs that are given away so
    #[arg(long, value_enum)]
    pub(crate) source: Option<GpuSource>,
    /// Only GPUs that stand so
    #[arg(long, value_enum)]
    pub(crate) status: Option<GpuStatus>,
    /// Only GPUs of this node: its id, or for a node of Slurm its name
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// Who gives a GPU away, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GpuSource {
    /// Claims
    Agent,
    /// Jobs of Slurm
    Slurm,
}

/// How a GPU stands, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GpuStatus {
    /// Nobody uses it
    Free,
    /// A claim or a job has it
    Allocated,
    /// Somebody else uses it
    Busy,
    /// It could not be read
    Faulty,
    /// Its node is not reached
    Offline,
}
