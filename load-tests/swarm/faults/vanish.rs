//! More than half of the fleet vanishes at once, as when a switch fails: claims stay where they are, although they may move after a second.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use utopia_load_tests::outcome::{Limit, Outcome};

use super::FIGURE;
use crate::args::{Faults, Target};
use crate::claims;
use crate::detection::claim;
use crate::machine::GPUS;
use crate::subject::Subject;
use crate::swarm::Swarm;

/// Much longer than claims wait for their nodes here.
const HOLD: Duration = Duration::from_secs(8);
const AT_A_TIME: usize = 16;

pub(super) async fn inflict(settings: &Faults, target: &Target, outcome: &mut Outcome) -> anyhow::Result<()> {
    let subject = Subject::own(&[]).await?;
    let (api, join) = (subject.api().await?, subject.join(settings.fleet).await?);
    let mut swarm = Swarm::new(&join, target.concurrency);
    swarm.resize(settings.fleet, &join).await?;
    let half = settings.fleet / 2 + 1;
    let spec = json!({
        "image": "simulated:1", "resources": {"gpuCount": GPUS}, "onNodeLoss": "reschedule", "rescheduleAfterSeconds": 1,
    });
    let placing = stream::iter(0..half).map(|_| api.place(&spec)).buffer_unordered(AT_A_TIME);
    let ids: Vec<String> = placing.map_ok(|(id, _)| id).try_collect().await?;
    let before = nodes(&api, &ids).await?;

    swarm.leave(usize::try_from(half)?).await?;
    tokio::time::sleep(HOLD).await;
    let after = nodes(&api, &ids).await?;
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    let gone = swarm.away_ids();
    let hit = before.iter().filter(|node| gone.contains(*node)).count();

    swarm.come(usize::MAX);
    swarm.wait_online(settings.fleet).await?;
    let count = |count: usize| u32::try_from(count).map(f64::from);
    outcome.measure(subject.name, "half of the fleet gone: agents", "", vec![half.into()]);
    outcome.measure(subject.name, "half of the fleet gone: claims on them", "", vec![count(hit)?]);
    outcome.verdict(FIGURE, "half of the fleet gone, claims that were taken away", count(moved)?, Limit::AtMost(0.0), "");
    claims::clean_up(&api, &ids, &swarm).await?;
    swarm.stop().await
}

async fn nodes(api: &utopia_load_tests::api::Api, ids: &[String]) -> anyhow::Result<Vec<String>> {
    stream::iter(ids).map(|id| claim(api, id)).buffered(AT_A_TIME).map_ok(|status| status.node_id).try_collect().await
}
