//! What slurmrestd answers, in the shapes of all its versions: numbers are numbers or `{"set", "infinite", "number"}`, states are a word or
//! a list of words, and anything may be null.

mod value;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use utopia_proto::slurm::v1::{Job, JobStatus, SlurmNode};

use self::value::{Number, Text, Words};
use super::{gres, hostlist, state};
use crate::model::slurm;

/// What Slurm makes of no limit once a job has run.
const NO_LIMIT_MINUTES: i64 = 365 * 24 * 60;

/// What every answer has.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Head {
    #[serde(default)]
    pub(super) errors: Option<Vec<Refusal>>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Debug, Default, Deserialize)]
struct Meta {
    #[serde(default, rename = "slurm", alias = "Slurm")]
    slurm: Option<Release>,
}

#[derive(Debug, Default, Deserialize)]
struct Release {
    #[serde(default)]
    release: Text,
}

/// One of the errors of an answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default, alias = "error_code", alias = "errno")]
    pub(super) error_number: Number,
    #[serde(default)]
    pub(super) error: Text,
    #[serde(default)]
    pub(super) description: Text,
}

#[derive(Debug, Deserialize)]
pub(super) struct JobList {
    jobs: Vec<JobShape>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NodeList {
    nodes: Vec<NodeShape>,
}

/// What a submission is answered with; newer versions have it in `result` as well.
#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    #[serde(default)]
    job_id: Number,
    #[serde(default)]
    result: Option<SubmittedResult>,
}

#[derive(Debug, Deserialize)]
struct SubmittedResult {
    #[serde(default)]
    job_id: Number,
}

/// A job as Slurm has it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundJob {
    /// The job.
    pub job: Job,
    /// What was written to it when it was submitted.
    pub comment: String,
}

/// A node as Slurm has it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundNode {
    /// The node, without its jobs and its memory.
    pub node: SlurmNode,
    /// Its memory.
    pub memory_mib: i64,
    /// The numbers of its GPUs that are in use.
    pub gpus_in_use: BTreeSet<i32>,
    /// Whether Slurm reaches it.
    pub is_there: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobShape {
    job_id: Number,
    name: Text,
    user_name: Text,
    job_state: Words,
    state_reason: Text,
    partition: Text,
    nodes: Text,
    submit_time: Number,
    start_time: Number,
    end_time: Number,
    time_limit: Number,
    exit_code: Value,
    cpus: Number,
    node_count: Number,
    gres_detail: Words,
    tres_alloc_str: Text,
    tres_req_str: Text,
    tres_per_node: Text,
    comment: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeShape {
    name: Text,
    state: Words,
    state_flags: Words,
    cpus: Number,
    alloc_cpus: Number,
    real_memory: Number,
    gres: Text,
    gres_used: Text,
    reason: Text,
}

impl Head {
    /// The version of Slurm, where the answer tells.
    pub(super) fn release(&self) -> &str {
        self.meta.as_ref().and_then(|meta| meta.slurm.as_ref()).map_or("", |slurm| &slurm.release.0)
    }
}

impl JobList {
    pub(super) fn into_jobs(self, cluster: &str) -> Vec<FoundJob> {
        self.jobs.into_iter().map(|shape| shape.into_job(cluster)).collect()
    }
}

impl NodeList {
    pub(super) fn into_nodes(self, cluster: &str) -> Vec<FoundNode> {
        self.nodes.into_iter().map(|shape| shape.into_node(cluster)).collect()
    }
}

impl Submitted {
    pub(super) fn job_id(&self) -> Option<i64> {
        let newer = || self.result.as_ref().and_then(|result| result.job_id.0);
        self.job_id.0.or_else(newer).filter(|id| *id > 0)
    }
}

impl JobShape {
    fn into_job(self, cluster: &str) -> FoundJob {
        let (status, word) = state::job(&self.job_state.0);
        let word = word.to_owned();
        let tres = if self.tres_alloc_str.0.is_empty() { &self.tres_req_str.0 } else { &self.tres_alloc_str.0 };
        let gpus = gres::job_gpus(&self.gres_detail.0, tres, &self.tres_per_node.0, self.node_count.small());
        // Before it runs there is only a guess when it will, and before it ends when it must.
        let start_time = if status == JobStatus::Pending { None } else { self.start_time.timestamp() };
        let end_time = if slurm::is_over(status) { self.end_time.timestamp() } else { None };
        let job = Job {
            job_id: self.job_id.0.unwrap_or_default(),
            status: status.into(),
            partition: self.partition.0,
            nodes: hostlist::expand(&self.nodes.0),
            start_time,
            elapsed_time: String::new(),
            job_name: self.name.0,
            cluster: cluster.to_owned(),
            user: self.user_name.0,
            submit_time: self.submit_time.timestamp(),
            end_time,
            slurm_state: word,
            reason: if self.state_reason.0 == "None" { String::new() } else { self.state_reason.0 },
            exit_code: if slurm::is_over(status) { exit_code(&self.exit_code) } else { 0 },
            cpus: self.cpus.small(),
            gpus,
            time_limit_minutes: if self.time_limit.0 == Some(NO_LIMIT_MINUTES) { 0 } else { self.time_limit.small() },
        };
        FoundJob { job, comment: self.comment.0 }
    }
}

impl NodeShape {
    fn into_node(self, cluster: &str) -> FoundNode {
        let mut words = self.state.0;
        words.extend(self.state_flags.0);
        let (state, is_there) = state::node(&words);
        let (gpus, gpus_in_use) = gres::node_gpus(&self.gres.0, &self.gres_used.0);
        let memory_mib = self.real_memory.0.unwrap_or_default().max(0);
        let node = SlurmNode {
            name: self.name.0,
            state,
            cpus: self.cpus.small(),
            memory: String::new(),
            jobs: Vec::new(),
            allocated_cpus: self.alloc_cpus.small(),
            gpus,
            reason: self.reason.0,
            cluster: cluster.to_owned(),
        };
        FoundNode { node, memory_mib, gpus_in_use, is_there }
    }
}

/// The exit code of a script from its wait status, or from what newer versions make of that.
fn exit_code(value: &Value) -> i32 {
    let number = |value: &Value| Number::deserialize(value).unwrap_or_default().small();
    let signalled = |signal: i32| if signal == 0 { None } else { Some(128 + signal) };
    let Some(code) = value.get("return_code") else {
        let status = number(value);
        return signalled(status & 0x7f).unwrap_or(status >> 8);
    };
    let signal = value.get("signal").and_then(|signal| signal.get("id").or_else(|| signal.get("signal_id")));
    signal.map(number).and_then(signalled).unwrap_or_else(|| number(code))
}

impl Number {
    /// None for a time that is not set.
    fn timestamp(&self) -> Option<prost_types::Timestamp> {
        let seconds = self.0.filter(|seconds| *seconds > 0)?;
        let at = Timestamp::from_second(seconds).ok()?;
        Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 })
    }
}

#[cfg(test)]
mod tests;
