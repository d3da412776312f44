//! Agents that leave and come all the time: nothing may stay behind, and nobody be lost.

use std::time::Duration;

use serde_json::to_value;
use utopia_load_tests::outcome::{Limit, Outcome};

use crate::args::{Churn, Target};
use crate::idle::megabytes;
use crate::subject::Subject;
use crate::swarm::Swarm;

const SECOND: Duration = Duration::from_secs(1);
/// What memory may grow by once the first quarter has filled caches and pools.
const MOST_GROWTH_PERCENT: f64 = 3.0;

pub(crate) async fn measure(settings: &Churn, target: &Target) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("swarm churn", to_value(settings)?);
    let subject = Subject::control_plane(target).await?;
    let join = subject.join(settings.agents).await?;
    let mut swarm = Swarm::new(&join, target.concurrency);
    swarm.resize(settings.agents, &join).await?;
    let rate = usize::try_from(settings.rate)?;
    let mut memory = Vec::new();
    let mut tick = tokio::time::interval(SECOND);
    for second in 0..settings.seconds {
        tick.tick().await;
        swarm.leave(rate).await?;
        swarm.come(rate);
        if second >= settings.seconds / 4 {
            memory.push(megabytes(&subject)?);
        }
    }
    if let Err(error) = swarm.wait_online(settings.agents).await {
        tracing::warn!(%error, "agents are missing");
    }
    let lost = settings.agents - swarm.meter().online();
    let tally = swarm.meter().take();
    let growth = (memory[memory.len() - 1] / memory[0] - 1.0) * 100.0;
    outcome.measure(subject.name, "sessions ended and begun", "", vec![f64::from(settings.rate * settings.seconds)]);
    outcome.measure(subject.name, "memory meanwhile", "MB", memory);
    outcome.measure(subject.name, "memory grew by", "%", vec![growth]);
    outcome.measure(subject.name, "sessions lost", "", vec![tally.lost_sessions.into()]);
    outcome.measure(subject.name, "attempts that failed", "", vec![tally.failed_attempts.into()]);
    outcome.verdict(5, "memory while agents come and go, growth", growth, Limit::AtMost(MOST_GROWTH_PERCENT), "%");
    outcome.verdict(7, "agents that did not come back while agents come and go", lost.into(), Limit::AtMost(0.0), "");
    swarm.stop().await?;
    Ok(outcome)
}
