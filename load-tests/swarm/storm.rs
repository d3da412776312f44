//! A server that is killed with all of its agents connected, and started again: how long it takes, and costs, until all are back.
//!
//! Agents do as real ones: they lose their sessions at one moment, and come back after full jitter, all of them at once if they must.

use std::time::Instant;

use serde_json::to_value;
use utopia_load_tests::outcome::{Limit, Outcome};

use crate::args::{Storm, Target};
use crate::subject::{CONTROL_PLANE, Subject, lasting_bare};
use crate::swarm::Swarm;

const MOST_OF_BARE: f64 = 1.25;

pub(crate) async fn measure(settings: &Storm, target: &Target) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("swarm storm", to_value(settings)?);
    let directory = tempfile::tempdir()?;
    let mut subject = Subject::control_plane(target).await?;
    let ours = storms(settings, target, &mut subject, &mut outcome).await?;
    drop(subject);
    if !target.alone {
        let mut bare = lasting_bare(directory.path()).await?;
        let theirs = storms(settings, target, &mut bare, &mut outcome).await?;
        let mut verdict = |what: &str, ratio| outcome.verdict(7, what, ratio, Limit::AtMost(MOST_OF_BARE), "×");
        verdict("cold storm, time until all are back: control plane / bare tonic", ours.seconds / theirs.seconds);
        verdict("cold storm, server CPU: control plane / bare tonic", ours.cpu_seconds / theirs.cpu_seconds);
    }
    Ok(outcome)
}

/// Medians.
struct Stormed {
    seconds: f64,
    cpu_seconds: f64,
}

async fn storms(settings: &Storm, target: &Target, subject: &mut Subject, outcome: &mut Outcome) -> anyhow::Result<Stormed> {
    let join = subject.join(settings.agents).await?;
    let mut swarm = Swarm::new(&join, target.concurrency);
    swarm.resize(settings.agents, &join).await?;
    swarm.let_all_dial();
    let (mut times, mut costs, mut starts, mut attempts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut lost = Vec::new();
    for _ in 0..settings.storms {
        swarm.meter().take();
        subject.kill().await?;
        swarm.wait_online(0).await?;
        let begun = Instant::now();
        subject.start_again().await?;
        starts.push(begun.elapsed().as_secs_f64());
        if let Err(error) = swarm.wait_online(settings.agents).await {
            tracing::warn!(server = subject.name, %error, "the storm is not over");
        }
        times.push(begun.elapsed().as_secs_f64());
        costs.push(subject.usage()?.cpu.as_secs_f64());
        attempts.push(swarm.meter().take().failed_attempts.into());
        lost.push((settings.agents - swarm.meter().online()).into());
    }
    let missing = lost.iter().sum::<f64>();
    outcome.measure(subject.name, "agents", "", vec![settings.agents.into()]);
    let seconds = outcome.measure(subject.name, "all back after the start", "s", times);
    let cpu_seconds = outcome.measure(subject.name, "server CPU until then", "s", costs);
    outcome.measure(subject.name, "listening after", "s", starts);
    outcome.measure(subject.name, "attempts that failed", "", attempts);
    outcome.measure(subject.name, "agents that did not come back", "", lost);
    if subject.name == CONTROL_PLANE {
        outcome.verdict(7, "cold storm, agents that did not come back", missing, Limit::AtMost(0.0), "");
    }
    swarm.stop().await?;
    Ok(Stormed { seconds, cpu_seconds })
}
