//! A run: enrol, connect, hold or place claims, and read what the server used meanwhile.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use utopia_load_tests::api::Api;
use utopia_load_tests::peer::{Join, Peer, sibling};
use utopia_load_tests::usage::Usage;

use crate::args::{ClaimLoad, Settings};
use crate::meter::{Percentiles, Tally};
use crate::swarm::{self, Swarm};

/// GPUs of a simulated machine.
const GPUS_PER_AGENT: u32 = 8;

/// What was found out about one server.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Which.
    pub(crate) server: &'static str,
    /// Agents that were connected.
    pub(crate) agents: u32,
    /// Until all had their certificates.
    pub(crate) enrol_seconds: f64,
    /// From then until the first heartbeat of every agent was answered.
    pub(crate) connect_seconds: f64,
    /// For how long the rest was measured.
    pub(crate) measured_seconds: f64,
    /// Sessions lost in that time.
    pub(crate) lost_sessions: u64,
    /// Heartbeats answered in that time.
    pub(crate) heartbeats: u64,
    /// How long their answers took.
    pub(crate) heartbeat_answer: Option<Percentiles>,
    /// What the server used; absent when its process is not known.
    pub(crate) used: Option<Used>,
    /// Claims that were placed, if any.
    pub(crate) claims: Option<Placed>,
}

/// What a server used.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Used {
    /// Resident memory before any agent came.
    pub(crate) before_kib: u64,
    /// At the end, with all agents connected.
    pub(crate) after_kib: u64,
    /// User and system time while it was measured.
    pub(crate) cpu_seconds: f64,
}

/// Claims that ran.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Placed {
    /// How many.
    pub(crate) claims: u32,
    /// From the request until the watcher heard Running.
    pub(crate) to_running: Option<Percentiles>,
}

/// Measures the control plane and, if wanted, the bare server after it.
pub(crate) async fn all(settings: &Settings) -> anyhow::Result<Vec<Measured>> {
    let load = &settings.load;
    if let Some(ClaimLoad { claims, .. }) = settings.claims {
        let room = load.agents * GPUS_PER_AGENT;
        ensure!(claims <= room, "{} agents have {room} GPUs, too few for {claims} claims", load.agents);
    }
    let api = Api::log_in(load.api, &load.username, &load.password_file).await?;
    let join = api.join_token(load.agents, load.server).await?;
    let mut measured = vec![one("control plane", settings, join, load.server_pid, Some(&api)).await?];
    if load.baseline {
        let bare = Peer::start(&sibling("utopia-bare")?, &["link"]).await?;
        measured.push(one("bare server", settings, bare.join()?, Some(bare.pid), None).await?);
    }
    Ok(measured)
}

async fn one(
    server: &'static str,
    settings: &Settings,
    join: Join,
    pid: Option<u32>,
    api: Option<&Api>,
) -> anyhow::Result<Measured> {
    let usage = || pid.map(Usage::of).transpose();
    let load = &settings.load;
    let concurrency = usize::try_from(load.concurrency)?;
    let before = usage()?;
    let begun = Instant::now();
    let agents = swarm::enrol(load.agents, concurrency, &join).await?;
    let enrol_seconds = begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let swarm = Swarm::start(agents, join, concurrency, settings.interval());
    swarm.wait_for("all agents connected", |present| present.online == load.agents).await?;
    let connect_seconds = begun.elapsed().as_secs_f64();

    let (begun, at_begin) = (Instant::now(), usage()?);
    let connecting = swarm.meter().take();
    let claims = match (settings.claims, api) {
        (Some(claims), Some(api)) => Some(place(api, claims).await?),
        (Some(_), None) | (None, _) => {
            tokio::time::sleep(settings.hold()).await;
            None
        }
    };
    let (measured_seconds, at_end) = (begun.elapsed().as_secs_f64(), usage()?);
    let Tally { heartbeats, lost_sessions, answers } = swarm.meter().take();
    if connecting.lost_sessions > 0 {
        tracing::warn!(attempts = connecting.lost_sessions, "some agents needed several attempts to connect");
    }
    let used = |before: Usage, begin: Usage, end: Usage| Used {
        before_kib: before.resident_kib,
        after_kib: end.resident_kib,
        cpu_seconds: end.cpu.saturating_sub(begin.cpu).as_secs_f64(),
    };
    let used = before.zip(at_begin).zip(at_end).map(|((before, begin), end)| used(before, begin, end));
    let claims = match (claims, api) {
        (Some((ids, placed)), Some(api)) => {
            clean_up(api, ids, concurrency, &swarm).await?;
            Some(placed)
        }
        (Some(_), None) | (None, _) => None,
    };
    swarm.stop().await;
    let heartbeat_answer = Percentiles::of(answers);
    let agents = load.agents;
    Ok(Measured {
        server,
        agents,
        enrol_seconds,
        connect_seconds,
        measured_seconds,
        lost_sessions,
        heartbeats,
        heartbeat_answer,
        used,
        claims,
    })
}

async fn place(api: &Api, load: ClaimLoad) -> anyhow::Result<(Vec<String>, Placed)> {
    let in_flight = usize::try_from(load.in_flight)?;
    let placing = stream::iter(0..load.claims).map(|_| api.place_claim()).buffer_unordered(in_flight);
    let (ids, times): (Vec<String>, Vec<Duration>) = placing.try_collect::<Vec<_>>().await?.into_iter().unzip();
    Ok((ids, Placed { claims: load.claims, to_running: Percentiles::of(times) }))
}

/// Deletes the claims, and waits until no agent has a container any more: nothing of a run holds GPUs afterwards.
async fn clean_up(api: &Api, ids: Vec<String>, concurrency: usize, swarm: &Swarm) -> anyhow::Result<()> {
    let deleting = stream::iter(&ids).map(|id| api.delete_claim(id)).buffer_unordered(concurrency);
    deleting.try_collect::<Vec<()>>().await?;
    swarm.wait_for("all containers removed", |present| present.containers == 0).await
}
