//! How soon lost agents are noticed, their claims placed anew, and that no agent is taken for lost while all cores are busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::{json, to_value};
use utopia_load_tests::api::Api;
use utopia_load_tests::outcome::{Limit, Outcome};

use crate::args::{Detection, Target, seconds};
use crate::claims;
use crate::freeze::Freezer;
use crate::machine::GPUS;
use crate::meter::percentile_ms;
use crate::subject::Subject;
use crate::swarm::{Swarm, enrol};

const CLOSED_MOST_MS: f64 = 250.0;
const SILENT_MOST_S: f64 = 6.0;
const MOVED_MOST_S: f64 = 7.0;
/// Between two looks at a node or a claim: what is found is late by no more.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// Between two looks at one of those that are lost for seconds.
const SLOW_LOOK_INTERVAL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn measure(settings: &Detection, target: &Target) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("swarm detection", to_value(settings)?);
    // Claims move as soon as their node counts as lost; where a control plane was given, after the shortest time that a claim can ask for.
    let subject = match target.given.server {
        Some(_) => Subject::control_plane(target).await?,
        None => Subject::own(&["--reschedule-after-seconds", "0"]).await?,
    };
    let reschedule_after_seconds = u32::from(target.given.server.is_some());
    let api = subject.api().await?;
    let join = subject.join(settings.silent + settings.agents + settings.closing).await?;
    let mut swarm = Swarm::new(&join, target.concurrency);

    // Those that will fall silent come first and alone, so that claims for all GPUs of a machine fill exactly them.
    let silent = enrol(0..settings.silent, target.concurrency, &join).await?;
    let mut freezer = Freezer::start(silent, &swarm.shared)?;
    swarm.wait_online(settings.silent).await?;
    let spec = json!({
        "image": "simulated:1",
        "resources": {"gpuCount": GPUS},
        "onNodeLoss": "reschedule",
        "rescheduleAfterSeconds": reschedule_after_seconds,
    });
    let placing = try_join_all((0..settings.silent).map(|_| api.place(&spec))).await?;
    let ids: Vec<String> = placing.into_iter().map(|(id, _)| id).collect();
    let first = settings.silent;
    swarm.add(enrol(first..first + settings.agents, target.concurrency, &join).await?);
    swarm.come(usize::MAX);
    swarm.wait_online(first + settings.agents).await?;

    let (mut noticed, mut moved) = silence(&mut freezer, &api, &ids).await?;
    report(&mut outcome, subject.name, &mut noticed, &mut moved);
    drop(freezer);

    let closing = enrol(first + settings.agents..first + settings.agents + settings.closing, target.concurrency, &join).await?;
    let mut closed = close(closing, &join, &api).await?;
    let p99 = percentile_ms(&mut closed, 99);
    outcome.measure(subject.name, "closed connection seen, p50", "ms", vec![percentile_ms(&mut closed, 50)]);
    outcome.measure(subject.name, "closed connection seen, p99", "ms", vec![p99]);
    outcome.verdict(11, "closed connection seen, p99", p99, Limit::AtMost(CLOSED_MOST_MS), "ms");

    swarm.meter().take();
    busy(seconds(settings.busy_seconds)).await;
    let lost = swarm.meter().take().lost_sessions;
    outcome.verdict(11, "agents taken for lost while all cores were busy", lost.into(), Limit::AtMost(0.0), "");
    claims::clean_up(&api, &ids, &swarm).await?;
    swarm.stop().await?;
    Ok(outcome)
}

fn report(outcome: &mut Outcome, subject: &str, noticed: &mut [Duration], moved: &mut [Duration]) {
    let slowest = |times: &mut [Duration]| percentile_ms(times, 100) / 1e3;
    let middle = |times: &mut [Duration]| percentile_ms(times, 50) / 1e3;
    outcome.measure(subject, "silent node seen, p50", "s", vec![middle(noticed)]);
    outcome.measure(subject, "silent node seen, slowest", "s", vec![slowest(noticed)]);
    outcome.measure(subject, "claim of a silent node runs elsewhere, p50", "s", vec![middle(moved)]);
    outcome.measure(subject, "claim of a silent node runs elsewhere, slowest", "s", vec![slowest(moved)]);
    outcome.verdict(11, "silent node seen, slowest", slowest(noticed), Limit::AtMost(SILENT_MOST_S), "s");
    outcome.verdict(11, "claim of a silent node placed anew, slowest", slowest(moved), Limit::AtMost(MOVED_MOST_S), "s");
}

/// Freezes the nodes of claims; answers when each was seen, and when each claim ran elsewhere.
async fn silence(freezer: &mut Freezer, api: &Api, ids: &[String]) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
    let nodes = try_join_all(ids.iter().map(|id| async move { anyhow::Ok(claim(api, id).await?.node_id) })).await?;
    freezer.freeze();
    let begun = Instant::now();
    let noticing = try_join_all(nodes.iter().map(|node| until_offline(api, node, begun, SLOW_LOOK_INTERVAL)));
    let moving = try_join_all(ids.iter().zip(&nodes).map(async |(id, node)| {
        until("the claim runs elsewhere", begun, SLOW_LOOK_INTERVAL, async || {
            let status = claim(api, id).await?;
            Ok(status.phase == "Running" && !status.node_id.is_empty() && status.node_id != *node)
        })
        .await
    }));
    tokio::try_join!(noticing, moving)
}

/// Lets one agent after the other connect and close its connection; answers when each was seen.
async fn close(
    agents: Vec<crate::agent::Agent>,
    join: &utopia_load_tests::peer::Join,
    api: &Api,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    for agent in agents {
        let node_id = agent.node_id.clone();
        let mut alone = Swarm::new(join, 1);
        alone.add(vec![agent]);
        alone.come(1);
        alone.wait_online(1).await?;
        let begun = Instant::now();
        alone.stop().await?;
        times.push(until_offline(api, &node_id, begun, LOOK_INTERVAL).await?);
    }
    Ok(times)
}

#[derive(Deserialize)]
struct Node {
    status: String,
}

#[derive(Deserialize)]
struct Claim {
    status: ClaimStatus,
}

#[derive(Deserialize)]
pub(crate) struct ClaimStatus {
    pub(crate) phase: String,
    #[serde(rename = "nodeID", default)]
    pub(crate) node_id: String,
}

/// Where a claim stands.
pub(crate) async fn claim(api: &Api, id: &str) -> anyhow::Result<ClaimStatus> {
    let claim: Claim = api.get(&format!("/api/gpu-claims/{id}")).await?;
    Ok(claim.status)
}

/// How long after a moment a node is shown as offline.
pub(crate) async fn until_offline(api: &Api, node_id: &str, since: Instant, look: Duration) -> anyhow::Result<Duration> {
    until("the node is offline", since, look, async || {
        let node: Node = api.get(&format!("/api/nodes/{node_id}")).await?;
        Ok(node.status == "Offline")
    })
    .await
}

async fn until(
    what: &str,
    since: Instant,
    look: Duration,
    mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Duration> {
    while since.elapsed() < PATIENCE {
        if is_so().await? {
            return Ok(since.elapsed());
        }
        tokio::time::sleep(look).await;
    }
    anyhow::bail!("not within {} s: {what}", PATIENCE.as_secs())
}

/// Keeps every core busy beside the agents and the server.
async fn busy(duration: Duration) {
    let stop = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let spin = |stop: Arc<AtomicBool>| {
        move || {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        }
    };
    let threads: Vec<_> = (0..cores).map(|_| std::thread::spawn(spin(Arc::clone(&stop)))).collect();
    tokio::time::sleep(duration).await;
    stop.store(true, Ordering::Relaxed);
    // They end at once, and cannot panic.
    threads.into_iter().for_each(|thread| drop(thread.join()));
}
