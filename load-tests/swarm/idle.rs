//! Memory of a server whose agents do nothing but report: how it grows with the fleet, and that it stays.

use std::time::Duration;

use anyhow::ensure;
use serde_json::to_value;
use utopia_load_tests::outcome::{Limit, Line, Outcome, Plot};

use crate::agent::Pace;
use crate::args::{Idle, Target, seconds};
use crate::subject::{CONTROL_PLANE, GO, Subject};
use crate::swarm::Swarm;

/// Bytes for each agent.
const MOST_KB: f64 = 40.0;
const MOST_OF_GO: f64 = 0.65;
const MOST_DEVIATION_PERCENT: f64 = 3.0;
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// More often than usual, which changes nothing but the time that it takes.
const SETTLING_INTERVAL: Duration = Duration::from_millis(1_500);

/// One server after the other: together they would need too many agents.
pub(crate) async fn measure(settings: &Idle, target: &Target) -> anyhow::Result<Outcome> {
    let Some(largest) = settings.agents.last() else { anyhow::bail!("no fleet size was given") };
    ensure!(settings.agents.is_sorted(), "fleet sizes must ascend");
    let mut outcome = Outcome::new("swarm idle", to_value(settings)?);
    let mut lines = Vec::new();
    let mut slopes = Vec::new();
    for subject in Subject::all(target).await? {
        let join = subject.join(*largest).await?;
        let mut swarm = Swarm::new(&join, target.concurrency);
        let mut points = vec![(0.0, megabytes(&subject)?)];
        for agents in &settings.agents {
            swarm.resize(*agents, &join).await?;
            swarm.pace(Pace::Every(SETTLING_INTERVAL));
            tokio::time::sleep(SETTLING_INTERVAL * settings.heartbeats).await;
            swarm.pace(Pace::Asked);
            tokio::time::sleep(seconds(settings.settle_seconds)).await;
            points.push((f64::from(*agents), megabytes(&subject)?));
            outcome.measure(subject.name, &format!("memory with {agents} agents"), "MB", vec![points[points.len() - 1].1]);
        }
        let slope = slope_kb(&points);
        outcome.measure(subject.name, "memory per agent", "kB", vec![slope]);
        if subject.name == CONTROL_PLANE {
            outcome.verdict(5, "memory per idle agent, control plane", slope, Limit::AtMost(MOST_KB), "kB");
            let watched = watch(&subject, settings.watch_seconds).await?;
            let deviation = deviation_percent(&watched);
            outcome.measure(subject.name, "memory while it was watched", "MB", watched);
            outcome.verdict(5, "memory over time, largest deviation", deviation, Limit::AtMost(MOST_DEVIATION_PERCENT), "%");
        }
        outcome.measure(subject.name, "sessions lost", "", vec![swarm.meter().take().lost_sessions.into()]);
        slopes.push((subject.name, slope));
        lines.push(Line { name: subject.name.to_owned(), points });
        swarm.stop().await?;
    }
    let of = |name| slopes.iter().find(|(subject, _)| *subject == name).map(|(_, slope)| slope);
    if let (Some(ours), Some(go)) = (of(CONTROL_PLANE), of(GO)) {
        outcome.verdict(5, "memory per idle agent, control plane / grpc-go", ours / go, Limit::AtMost(MOST_OF_GO), "×");
    }
    outcome.plots.push(Plot {
        name: "memory".to_owned(),
        title: "Server memory by fleet size".to_owned(),
        x: "agents".to_owned(),
        y: "resident memory, MB".to_owned(),
        lines,
    });
    Ok(outcome)
}

/// From the smallest fleet to the largest; from none where there is only one size.
fn slope_kb(points: &[(f64, f64)]) -> f64 {
    let first = points[usize::from(points.len() > 2)];
    let last = points[points.len() - 1];
    (last.1 - first.1) * 1e3 / (last.0 - first.0)
}

async fn watch(subject: &Subject, times: u32) -> anyhow::Result<Vec<f64>> {
    let mut samples = Vec::new();
    for _ in 0..times {
        tokio::time::sleep(WATCH_INTERVAL).await;
        samples.push(megabytes(subject)?);
    }
    Ok(samples)
}

/// From the middle of the lowest and the highest.
pub(crate) fn deviation_percent(samples: &[f64]) -> f64 {
    let (low, high) = samples.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), sample| (low.min(*sample), high.max(*sample)));
    (high - low) / (high + low) * 100.0
}

/// Resident memory.
pub(crate) fn megabytes(subject: &Subject) -> anyhow::Result<f64> {
    let kib = u32::try_from(subject.usage()?.resident_kib)?;
    Ok(f64::from(kib) * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_and_deviations() {
        assert!((slope_kb(&[(0.0, 20.0), (1_000.0, 60.0), (2_000.0, 90.0)]) - 30.0).abs() < 1e-9);
        assert!((slope_kb(&[(0.0, 20.0), (1_000.0, 60.0)]) - 40.0).abs() < 1e-9);
        assert!((deviation_percent(&[97.0, 100.0, 103.0]) - 3.0).abs() < 1e-9);
    }
}
