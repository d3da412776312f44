//! A server's CPU time for each heartbeat: user and system time of its process, divided by the heartbeats that it answered meanwhile.

use std::time::Duration;

use serde_json::to_value;
use utopia_load_tests::outcome::{Limit, Line, Outcome, Plot};
use utopia_load_tests::peer::Join;

use crate::agent::Pace;
use crate::args::{Heartbeat, Target, seconds};
use crate::meter::percentile_ms;
use crate::subject::{BARE, CONTROL_PLANE, GO, Subject};
use crate::swarm::Swarm;

const MOST_OF_BARE: f64 = 1.25;
const MOST_OF_GO: f64 = 0.70;

/// Until agents keep a new pace.
const SETTLE: Duration = Duration::from_secs(1);

/// A server with a fleet of its own.
struct Loaded {
    subject: Subject,
    swarm: Swarm,
    join: Join,
}

/// First servers take turns, all of them with as many agents; then each alone serves growing fleets.
pub(crate) async fn measure(settings: &Heartbeat, target: &Target) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("swarm heartbeat", to_value(settings)?);
    let pace = Pace::Every(Duration::from_millis(settings.interval_ms.into()));
    let most = settings.fleets.iter().copied().max().unwrap_or(0).max(settings.agents);
    let mut fleets = Vec::new();
    for subject in Subject::all(target).await? {
        let join = subject.join(most).await?;
        let mut swarm = Swarm::new(&join, target.concurrency);
        swarm.pace(Pace::Quiet);
        swarm.resize(settings.agents, &join).await?;
        fleets.push(Loaded { subject, swarm, join });
    }

    let mut turns: Vec<Vec<Turn>> = fleets.iter().map(|_| Vec::new()).collect();
    for _ in 0..settings.rounds.rounds {
        for (loaded, turns) in fleets.iter().zip(&mut turns) {
            loaded.swarm.pace(pace);
            tokio::time::sleep(SETTLE).await;
            turns.push(turn(loaded, seconds(settings.rounds.seconds)).await?);
            loaded.swarm.pace(Pace::Quiet);
        }
    }
    let mut costs = Vec::new();
    for (Loaded { subject, .. }, turns) in fleets.iter().zip(&turns) {
        let of = |pick: fn(&Turn) -> f64| turns.iter().map(pick).collect::<Vec<_>>();
        costs.push((subject.name, outcome.measure(subject.name, "server CPU per heartbeat", "µs", of(|turn| turn.cpu_us))));
        outcome.measure(subject.name, "answer p50", "ms", of(|turn| turn.p50_ms));
        outcome.measure(subject.name, "answer p99", "ms", of(|turn| turn.p99_ms));
        outcome.measure(subject.name, "sessions lost", "", of(|turn| turn.lost));
    }
    let cost = |name| costs.iter().find(|(subject, _)| *subject == name).map(|(_, cost)| cost);
    let ours = cost(CONTROL_PLANE).unwrap_or(&f64::NAN);
    for (name, limit) in [(BARE, MOST_OF_BARE), (GO, MOST_OF_GO)] {
        if let Some(theirs) = cost(name) {
            outcome.verdict(
                6,
                &format!("heartbeat, server CPU: control plane / {name}"),
                ours / theirs,
                Limit::AtMost(limit),
                "×",
            );
        }
    }
    if !settings.fleets.is_empty() {
        outcome.plots.push(plot(settings, pace, fleets).await?);
    }
    Ok(outcome)
}

/// What one turn found.
struct Turn {
    lost: f64,
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
}

async fn turn(loaded: &Loaded, duration: Duration) -> anyhow::Result<Turn> {
    let lost = loaded.swarm.meter().take().lost_sessions;
    let before = loaded.subject.usage()?;
    tokio::time::sleep(duration).await;
    let cpu = loaded.subject.usage()?.cpu.saturating_sub(before.cpu);
    let mut tally = loaded.swarm.meter().take();
    Ok(Turn {
        lost: f64::from(lost + tally.lost_sessions),
        cpu_us: cpu.as_secs_f64() * 1e6 / f64::from(tally.heartbeats),
        p50_ms: percentile_ms(&mut tally.answers, 50),
        p99_ms: percentile_ms(&mut tally.answers, 99),
    })
}

/// Each server alone, with all of its agents reporting.
async fn plot(settings: &Heartbeat, pace: Pace, fleets: Vec<Loaded>) -> anyhow::Result<Plot> {
    let mut lines = Vec::new();
    let mut waiting = Vec::new();
    for mut loaded in fleets {
        loaded.swarm.leave(usize::MAX).await?;
        waiting.push(loaded);
    }
    for mut loaded in waiting {
        loaded.swarm.pace(pace);
        let mut points = Vec::new();
        for fleet in &settings.fleets {
            loaded.swarm.resize(*fleet, &loaded.join).await?;
            tokio::time::sleep(SETTLE).await;
            points.push((f64::from(*fleet), turn(&loaded, seconds(settings.rounds.seconds)).await?.cpu_us));
        }
        lines.push(Line { name: loaded.subject.name.to_owned(), points });
        loaded.swarm.stop().await?;
    }
    Ok(Plot {
        name: "heartbeat".to_owned(),
        title: "Server CPU per heartbeat by fleet size".to_owned(),
        x: "agents".to_owned(),
        y: "CPU per heartbeat, µs".to_owned(),
        lines,
    })
}
