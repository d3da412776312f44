//! Minions, jobs and states as the contract shows them.

use serde_json::{Map, Value};
use utopia_proto::salt::v1::{Deployment, Minion, MinionDeployment, MinionResult, MinionStatus, SaltJob, StateResult};

use super::super::convert;
use crate::backend::salt::{Job, MinionOutcome, Part, state_outcome};

/// A minion with its grains.
pub(super) fn minion(id: String, status: MinionStatus, grains: &Map<String, Value>) -> Minion {
    let text = |key: &str| grains.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |key: &str| grains.get(key).and_then(Value::as_i64).unwrap_or_default();
    let addresses = grains.get("ipv4").and_then(Value::as_array).into_iter().flatten();
    Minion {
        id,
        status: status.into(),
        os: text("os"),
        os_release: text("osrelease"),
        cpus: number("num_cpus").try_into().unwrap_or(i32::MAX),
        memory_mb: number("mem_total"),
        ip_addresses: addresses.filter_map(Value::as_str).map(str::to_owned).collect(),
        salt_version: text("saltversion"),
        grains: Some(convert::structure(Some(grains))),
    }
}

/// A job.
pub(super) fn job(id: String, job: Job) -> SaltJob {
    let missing: Vec<String> = job.missing().cloned().collect();
    let complete = missing.is_empty();
    let results: Vec<MinionResult> = job.outcomes.into_iter().map(|(minion, outcome)| result(minion, &outcome)).collect();
    SaltJob {
        job_id: id,
        function: job.function,
        target: job.target,
        complete,
        success: complete && results.iter().all(|result| result.success),
        results,
        missing,
        start_time: job.start_time,
    }
}

fn result(minion: String, outcome: &MinionOutcome) -> MinionResult {
    MinionResult {
        minion,
        success: outcome.is_success,
        result: Some(convert::value(&outcome.value)),
        return_code: outcome.return_code,
    }
}

/// A job that applies a state.
pub(super) fn deployment(id: String, state: String, job: Job) -> Deployment {
    let missing: Vec<String> = job.missing().cloned().collect();
    let complete = missing.is_empty();
    let results: Vec<MinionDeployment> = job.outcomes.iter().map(|(minion, outcome)| applied(minion, outcome)).collect();
    Deployment {
        job_id: id,
        state,
        target: job.target,
        complete,
        success: complete && results.iter().all(|result| result.success),
        results,
        missing,
    }
}

fn applied(minion: &str, outcome: &MinionOutcome) -> MinionDeployment {
    let told = state_outcome(outcome);
    MinionDeployment {
        minion: minion.to_owned(),
        success: told.is_success,
        states: told.parts.into_iter().map(part).collect(),
        errors: told.errors,
    }
}

fn part(part: Part) -> StateResult {
    StateResult {
        id: part.id,
        function: part.function,
        name: part.name,
        success: part.holds != Some(false),
        changed: part.holds.is_none() || !part.changes.is_empty(),
        comment: part.comment,
        changes: Some(convert::structure(Some(&part.changes))),
        duration_ms: part.duration_ms,
    }
}
