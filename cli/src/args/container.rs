//! What a container is, whether a claim asks for it or a node is told to make it.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::{EnvVar, Port, Volume};

#[derive(Debug, Args)]
pub(crate) struct ContainerArgs {
    /// The image, e.g. registry.example:5000/team/train:1
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) image: String,
    /// Memory limit of the container, in MiB
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mb: Option<u32>,
    /// CPU limit of the container, in cores
    #[arg(long, value_name = "CORES")]
    pub(crate) cpus: Option<f64>,
    /// Set an environment variable (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<EnvVar>,
    /// Open a port of the container on its machine (repeatable); without HOST the machine chooses
    #[arg(short, long, value_name = "[HOST:]CONTAINER[/udp]")]
    pub(crate) port: Vec<Port>,
    /// Mount a directory of the machine (repeatable); it must lie under the agent's allow-list
    #[arg(short, long, value_name = "HOST:CONTAINER")]
    pub(crate) volume: Vec<Volume>,
    /// Working directory in the container
    #[arg(short, long, value_name = "PATH")]
    pub(crate) workdir: Option<String>,
    /// The command to run in place of the image's
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}
