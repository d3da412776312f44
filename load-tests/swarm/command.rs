//! Commands to agents: the round trip from a request over HTTP to the agent and back, and one command to every agent at once.
//!
//! The control plane is asked for a node's health over its JSON API, token, limits and metrics included; the bare server over as plain
//! an HTTP server as there is. Both send the same command over the same mutual TLS, and the same client asks both.
//!
//! No operation of the API speaks to the whole fleet. For the fan-out the control plane's own hub and sessions therefore stand behind
//! the bare server's front, beside a bare loop; a crowd of single requests to the whole control plane is measured too.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::to_value;
use utopia_load_tests::api::Api;
use utopia_load_tests::median;
use utopia_load_tests::outcome::{Limit, Outcome};

use crate::args::{RoundTrips, Target};
use crate::meter::percentile_ms;
use crate::subject::{BARE, CONTROL_PLANE, Subject};
use crate::swarm::Swarm;

const HUB: &str = "hub alone";
const MOST_OF_BARE: f64 = 1.5;
const FAN_OUT_MOST_OF_BARE: f64 = 1.3;
const FAN_OUT_MOST_MS: f64 = 1_000.0;
/// Requests under way while every node is asked over the JSON API.
const CROWD: usize = 64;
/// Asked before it counts: connections are made, and caches warm.
const WARM_UP: u32 = 50;

/// A server with agents, and how to send them commands.
struct Commanded {
    subject: Subject,
    swarm: Swarm,
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Commanded {
    async fn start(subject: Subject, agents: u32, target: &Target) -> anyhow::Result<Self> {
        let join = subject.join(agents).await?;
        let mut swarm = Swarm::new(&join, target.concurrency);
        swarm.resize(agents, &join).await?;
        let (url, token) = subject.commands().await?;
        Ok(Self { subject, swarm, http: Api::client()?, url, token })
    }

    /// One command to one agent.
    async fn ask(&self, node_id: &str) -> anyhow::Result<Duration> {
        let mut request = self.http.get(self.url.replace("{}", node_id));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let begun = Instant::now();
        let response = request.send().await?.error_for_status()?;
        response.bytes().await?;
        Ok(begun.elapsed())
    }

    /// Commands to one agent after the other; answers p50 and p99 in milliseconds.
    async fn turn(&self, commands: u32) -> anyhow::Result<(f64, f64)> {
        let mut nodes = self.swarm.node_ids().iter().cycle();
        let mut times = Vec::new();
        for number in 0..WARM_UP + commands {
            let Some(node) = nodes.next() else { anyhow::bail!("there is no agent") };
            let took = self.ask(node).await?;
            if number >= WARM_UP {
                times.push(took);
            }
        }
        Ok((percentile_ms(&mut times, 50), percentile_ms(&mut times, 99)))
    }

    /// One command to each agent, by requests for each; how long until the last answer, in milliseconds.
    async fn crowd(&self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let asking = stream::iter(self.swarm.node_ids()).map(|node| self.ask(node)).buffer_unordered(CROWD);
        asking.try_for_each(async |_| Ok(())).await?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }

    /// One command to each agent, by one request; how long until the last answer, in milliseconds, as the server saw it.
    async fn fan_out(&self, url: &str) -> anyhow::Result<f64> {
        #[derive(Deserialize)]
        struct FanOut {
            agents: usize,
            milliseconds: f64,
        }
        let FanOut { agents, milliseconds } = self.http.get(url).send().await?.error_for_status()?.json().await?;
        ensure!(agents == self.swarm.node_ids().len(), "only {agents} agents have answered");
        Ok(milliseconds)
    }
}

pub(crate) async fn measure(settings: &RoundTrips, target: &Target) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("swarm command", to_value(settings)?);
    let mut few = vec![Commanded::start(Subject::control_plane(target).await?, settings.few, target).await?];
    if !target.alone {
        few.push(Commanded::start(Subject::bare(BARE, &["--commands"]).await?, settings.few, target).await?);
    }
    let mut turns = vec![Vec::new(); few.len()];
    for _ in 0..settings.rounds {
        for (commanded, turns) in few.iter().zip(&mut turns) {
            turns.push(commanded.turn(settings.commands).await?);
        }
    }
    let turns = few.iter().map(|commanded| commanded.subject.name).zip(turns).collect();
    report(settings.few, turns, &mut outcome);
    for commanded in few {
        commanded.swarm.stop().await?;
    }
    many(settings, target, &mut outcome).await?;
    Ok(outcome)
}

/// One server after the other: together they would need too many agents.
async fn many(settings: &RoundTrips, target: &Target, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (agents, mut fan_outs, mut among_many) = (settings.many, Vec::new(), Vec::new());
    let what = format!("{agents} agents, last answer");
    let commanded = Commanded::start(Subject::control_plane(target).await?, agents, target).await?;
    among_many.push((commanded.subject.name, commanded.rounds(settings).await?));
    let mut crowds = Vec::new();
    for _ in 0..settings.rounds {
        crowds.push(commanded.crowd().await?);
    }
    outcome.measure(commanded.subject.name, &format!("{what}, by single requests"), "ms", crowds);
    commanded.swarm.stop().await?;
    if target.alone {
        report(agents, among_many, outcome);
        return Ok(());
    }
    for (name, argument) in [(BARE, "--commands"), (HUB, "--hub")] {
        let commanded = Commanded::start(Subject::bare(name, &[argument]).await?, agents, target).await?;
        among_many.push((name, commanded.rounds(settings).await?));
        let url = commanded.subject.fan_out().unwrap_or_default();
        commanded.fan_out(&url).await?;
        let mut times = Vec::new();
        for _ in 0..settings.rounds {
            times.push(commanded.fan_out(&url).await?);
        }
        fan_outs.push(outcome.measure(name, &what, "ms", times));
        commanded.swarm.stop().await?;
    }
    let (bare, hub) = (fan_outs[0], fan_outs[1]);
    let what = format!("command to {agents} agents, last answer: hub");
    outcome.verdict(9, &format!("{what} / bare loop"), hub / bare, Limit::AtMost(FAN_OUT_MOST_OF_BARE), "×");
    outcome.verdict(9, &what, hub, Limit::AtMost(FAN_OUT_MOST_MS), "ms");
    report(agents, among_many, outcome);
    Ok(())
}

/// p50 and p99 of each round.
type Turns = Vec<(f64, f64)>;

impl Commanded {
    async fn rounds(&self, settings: &RoundTrips) -> anyhow::Result<Turns> {
        let mut turns = Vec::new();
        for _ in 0..settings.rounds {
            turns.push(self.turn(settings.commands).await?);
        }
        Ok(turns)
    }
}

fn report(agents: u32, subjects: Vec<(&'static str, Turns)>, outcome: &mut Outcome) {
    for (percent, pick) in [("p50", (|turn| turn.0) as fn(&(f64, f64)) -> f64), ("p99", |turn| turn.1)] {
        let what = format!("round trip {percent}, {agents} agents");
        let mut ours_and_bare = [f64::NAN; 2];
        for (name, turns) in &subjects {
            let samples: Vec<f64> = turns.iter().map(pick).collect();
            match *name {
                CONTROL_PLANE => ours_and_bare[0] = median(&samples),
                BARE => ours_and_bare[1] = median(&samples),
                _ => {}
            }
            outcome.measure(name, &what, "ms", samples);
        }
        let [ours, bare] = ours_and_bare;
        if !bare.is_nan() {
            outcome.verdict(8, &format!("{what}: control plane / bare echo"), ours / bare, Limit::AtMost(MOST_OF_BARE), "×");
        }
    }
}
