//! `aiinfra metrics`.

use clap::Args;

use super::Moment;

pub(super) const EXAMPLES: &str = "\
Examples:
  aiinfra metrics                                          all metrics, the mean over all nodes, of the last hour
  aiinfra metrics --node gpu-01 --metric cpu_usage --since 1d
  aiinfra metrics --gpu GPU-6f1c2a4e-0c55-4f0e-9a53-0d7f2f6f4a10 --since 15m
  aiinfra metrics --metric gpu_power --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z -o json";

#[derive(Debug, Args)]
pub(crate) struct ShowMetrics {
    /// Only of this node; the mean over all otherwise
    #[arg(long, value_name = "HOSTNAME|ID")]
    pub(crate) node: Option<String>,
    /// Only of this GPU, by its UUID; the mean over all of the nodes otherwise
    #[arg(long, value_name = "UUID")]
    pub(crate) gpu: Option<String>,
    /// Only this one, e.g. cpu_usage; all otherwise
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,
    /// What is measured now in place of a history
    #[arg(long, conflicts_with_all = ["gpu", "metric", "since", "until"])]
    pub(crate) now: bool,
    /// From then on: a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h
    #[arg(long, default_value = "1h", value_name = "TIME")]
    pub(crate) since: Moment,
    /// Until then; until now otherwise
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
}
