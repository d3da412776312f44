//! A fleet: agents of one server, which can all come and go.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utopia_load_tests::peer::Join;

use crate::agent::{Agent, Enrolment, Pace, Shared};
use crate::meter::{Meter, Present};

/// Also enough for the most agents on two slow cores.
const PATIENCE: Duration = Duration::from_secs(240);

/// Gets certificates for agents with these numbers, so many at a time.
pub(crate) async fn enrol(numbers: Range<u32>, concurrency: u32, join: &Join) -> anyhow::Result<Vec<Agent>> {
    let enrolment = Enrolment::open(join).await?;
    let enrolling = stream::iter(numbers).map(|number| enrolment.enrol(number));
    enrolling.buffer_unordered(usize::try_from(concurrency)?).try_collect().await
}

/// Agents with their sessions. Dropping it cuts them off.
pub(crate) struct Swarm {
    pub(crate) shared: Arc<Shared>,
    concurrency: u32,
    tasks: JoinSet<Agent>,
    here: Vec<CancellationToken>,
    away: Vec<Agent>,
    node_ids: Vec<String>,
}

impl Swarm {
    /// A fleet without agents. So many of them connect at a time.
    pub(crate) fn new(join: &Join, concurrency: u32) -> Self {
        let dialling = Semaphore::new(usize::try_from(concurrency).unwrap_or(1));
        let pace = watch::Sender::new(Pace::Asked);
        let shared = Arc::new(Shared { server: join.server.clone(), dialling, meter: Meter::default(), pace });
        Self { shared, concurrency, tasks: JoinSet::new(), here: Vec::new(), away: Vec::new(), node_ids: Vec::new() }
    }

    /// As many agents as wanted come, after enrolling if need be, or leave.
    pub(crate) async fn resize(&mut self, agents: u32, join: &Join) -> anyhow::Result<()> {
        let known = u32::try_from(self.node_ids.len())?;
        if known < agents {
            self.add(enrol(known..agents, self.concurrency, join).await?);
        }
        let wanted = usize::try_from(agents)?;
        self.leave(self.here.len().saturating_sub(wanted)).await?;
        self.come(wanted.saturating_sub(self.here.len()));
        self.wait_online(agents).await
    }

    /// Takes agents in, to come later.
    pub(crate) fn add(&mut self, agents: Vec<Agent>) {
        self.node_ids.extend(agents.iter().map(|agent| agent.node_id.clone()));
        self.away.extend(agents);
    }

    /// The nodes of all agents, in the order in which they were taken in.
    pub(crate) fn node_ids(&self) -> &[String] {
        &self.node_ids
    }

    /// The nodes of the agents that are away.
    pub(crate) fn away_ids(&self) -> HashSet<String> {
        self.away.iter().map(|agent| agent.node_id.clone()).collect()
    }

    /// What the agents have seen.
    pub(crate) fn meter(&self) -> &Meter {
        &self.shared.meter
    }

    /// How often agents report from now on.
    pub(crate) fn pace(&self, pace: Pace) {
        self.shared.pace.send_replace(pace);
    }

    /// Lets all agents connect at once from now on.
    pub(crate) fn let_all_dial(&self) {
        self.shared.dialling.add_permits(self.here.len());
    }

    /// So many agents that are away come, those first that left first.
    pub(crate) fn come(&mut self, count: usize) {
        let count = count.min(self.away.len());
        for agent in self.away.drain(..count) {
            let cancel = CancellationToken::new();
            self.tasks.spawn(agent.run(Arc::clone(&self.shared), cancel.clone()));
            self.here.push(cancel);
        }
    }

    /// So many agents close their connections, those first that came first.
    pub(crate) async fn leave(&mut self, count: usize) -> anyhow::Result<()> {
        let count = count.min(self.here.len());
        self.here.drain(..count).for_each(|cancel| cancel.cancel());
        for _ in 0..count {
            let agent = self.tasks.join_next().await.context("no agent is left")?;
            self.away.push(agent.context("an agent has failed")?);
        }
        Ok(())
    }

    /// Waits until exactly so many agents are online.
    pub(crate) async fn wait_online(&self, count: u32) -> anyhow::Result<()> {
        self.wait_for(&format!("{count} agents online"), |present| present.online == count).await
    }

    /// Waits until the counts are as they should be.
    pub(crate) async fn wait_for(&self, what: &str, reached: impl FnMut(&Present) -> bool) -> anyhow::Result<()> {
        let mut present = self.shared.meter.present.subscribe();
        let waited = match tokio::time::timeout(PATIENCE, present.wait_for(reached)).await {
            Ok(waited) => waited.map(drop),
            Err(_) => anyhow::bail!("not {what} within {} s but {:?}", PATIENCE.as_secs(), *self.shared.meter.present.borrow()),
        };
        waited.context("the agents have ended")
    }

    /// Ends all sessions.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.leave(usize::MAX).await
    }
}
