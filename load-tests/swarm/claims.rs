//! Claims over the JSON API, from the request until their watcher hears Running.

use std::time::Instant;

use anyhow::ensure;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::to_value;
use utopia_load_tests::api::Api;
use utopia_load_tests::outcome::Outcome;

use crate::args::{Claims, Target};
use crate::machine::GPUS;
use crate::meter::percentile_ms;
use crate::subject::Subject;
use crate::swarm::Swarm;

pub(crate) async fn measure(settings: &Claims, target: &Target) -> anyhow::Result<Outcome> {
    let &Claims { agents, claims, in_flight } = settings;
    let room = agents * GPUS;
    ensure!(claims <= room, "{agents} agents have {room} GPUs, too few for {claims} claims");
    let mut outcome = Outcome::new("swarm claims", to_value(settings)?);
    let subject = Subject::control_plane(target).await?;
    let join = subject.join(agents).await?;
    let mut swarm = Swarm::new(&join, target.concurrency);
    swarm.resize(agents, &join).await?;
    let api = subject.api().await?;

    let (begun, before) = (Instant::now(), subject.usage()?);
    let placing = stream::iter(0..claims).map(|_| api.place_claim()).buffer_unordered(usize::try_from(in_flight)?);
    let (ids, mut times): (Vec<_>, Vec<_>) = placing.try_collect::<Vec<_>>().await?.into_iter().unzip();
    let (took, cpu) = (begun.elapsed().as_secs_f64(), subject.usage()?.cpu.saturating_sub(before.cpu));
    let count = f64::from(claims);
    outcome.measure(subject.name, "claims placed", "", vec![count]);
    outcome.measure(subject.name, "claims Running per second", "", vec![count / took]);
    outcome.measure(subject.name, "claim to Running p50", "ms", vec![percentile_ms(&mut times, 50)]);
    outcome.measure(subject.name, "claim to Running p99", "ms", vec![percentile_ms(&mut times, 99)]);
    outcome.measure(subject.name, "server CPU per claim", "ms", vec![cpu.as_secs_f64() * 1e3 / count]);
    clean_up(&api, &ids, &swarm).await?;
    swarm.stop().await?;
    Ok(outcome)
}

/// Deletes claims, and waits until no agent has a container any more: nothing of a run holds GPUs afterwards.
pub(crate) async fn clean_up(api: &Api, ids: &[String], swarm: &Swarm) -> anyhow::Result<()> {
    const AT_A_TIME: usize = 32;
    let deleting = stream::iter(ids).map(|id| api.delete_claim(id)).buffer_unordered(AT_A_TIME);
    deleting.try_collect::<Vec<()>>().await?;
    swarm.wait_for("all containers removed", |present| present.containers == 0).await
}
