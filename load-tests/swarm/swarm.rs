//! Many agents at once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utopia_load_tests::peer::Join;

use crate::agent::{Agent, Shared};
use crate::meter::{Meter, Present};

/// Also enough for the most agents on two slow cores.
const PATIENCE: Duration = Duration::from_secs(120);

/// Gets a certificate for each agent, so many at a time.
pub(crate) async fn enrol(agents: u32, concurrency: usize, join: &Join) -> anyhow::Result<Vec<Agent>> {
    stream::iter(0..agents).map(|index| Agent::enrol(index, join)).buffer_unordered(concurrency).try_collect().await
}

/// Agents that hold their sessions. Dropping it cuts them off.
pub(crate) struct Swarm {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Swarm {
    /// Lets the agents connect, so many at a time.
    pub(crate) fn start(agents: Vec<Agent>, join: Join, concurrency: usize, interval: Option<Duration>) -> Self {
        let dialling = Semaphore::new(concurrency);
        let (meter, cancel) = (Meter::default(), CancellationToken::new());
        let shared = Arc::new(Shared { server: join.server, dialling, meter, interval, cancel });
        let mut tasks = JoinSet::new();
        for agent in agents {
            tasks.spawn(agent.run(Arc::clone(&shared)));
        }
        Self { shared, tasks }
    }

    /// What the agents have seen.
    pub(crate) fn meter(&self) -> &Meter {
        &self.shared.meter
    }

    /// Waits until the counts are as they should be.
    pub(crate) async fn wait_for(&self, what: &str, reached: impl FnMut(&Present) -> bool) -> anyhow::Result<()> {
        let mut present = self.shared.meter.present.subscribe();
        let waiting = tokio::time::timeout(PATIENCE, present.wait_for(reached)).await;
        let waited = waiting.with_context(|| format!("not {what} within {} s", PATIENCE.as_secs()))?;
        waited.map(drop).context("the agents have ended")
    }

    /// Ends all sessions.
    pub(crate) async fn stop(mut self) {
        self.shared.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
