//! Runs passes: at every change that matters, at an interval, and one at a time.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{execute::Executor, forecast::Forecast, observe, plan};
use crate::{error::Result, link::Hub, model::Claim, store::Store, telemetry::Metrics};

/// A pass is made at least this often.
const INTERVAL: Duration = Duration::from_secs(2);

/// Changes that come within this time of a pass share the next one. After a pass that took longer it is as long as that, so that
/// passes over very many claims leave half of the time to others.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// A pass that found nothing to do is followed by a pause of so many times what it took, so that a storm of changes that call for
/// nothing, thousands of agents that come back, gets a tenth of one CPU at most.
const REST_FACTOR: u32 = 9;

/// No change waits longer than this for a pass to begin.
const MAX_DEBOUNCE: Duration = Duration::from_millis(500);

/// How long a pass that failed is waited for.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The loop.
pub struct Driver {
    /// Has the claims and the ledger.
    pub store: Store,
    /// Knows the nodes.
    pub hub: Hub,
    /// Does what is due.
    pub executor: Arc<Executor>,
    /// Hears why claims wait.
    pub forecast: Forecast,
    /// The rules that the operator sets.
    pub settings: plan::Settings,
    /// Counts passes.
    pub metrics: Arc<Metrics>,
}

impl Driver {
    /// Runs until cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        let mut claims = Vec::new();
        while !cancel.is_cancelled() {
            let begun = Instant::now();
            let outcome = self.pass(&mut claims).await;
            let took = begun.elapsed();
            let pause = match outcome {
                // What was just placed is sent to its node soon.
                Ok(Outcome::Progress) => took.clamp(DEBOUNCE, MAX_DEBOUNCE),
                Ok(Outcome::Settled) => {
                    tokio::select! {
                        () = cancel.cancelled() => return,
                        () = self.hub.wait_changed() => {}
                        () = tokio::time::sleep(INTERVAL) => {}
                    }
                    rest_after(took)
                }
                Err(error) => {
                    tracing::error!(%error, "a reconcile pass failed");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One pass; `claims` are those of the last one, and those of this one afterwards.
    async fn pass(&self, claims: &mut Vec<Claim>) -> Result<Outcome> {
        self.executor.forget_released().await?;
        let started = Instant::now();
        let nodes = observe::nodes(&self.hub, &self.store).await?;
        // The nodes first: a container that appears in between is then not yet seen, rather than taken for one without a claim.
        self.store.renew_unsettled_claims(claims).await?;
        let ended = self.ended_with_containers(&nodes, claims).await?;
        claims.extend(ended);
        let ledger = self.store.ledger().await?;
        let snapshot = plan::Snapshot { claims, nodes: &nodes, ledger: &ledger, now: self.hub.now(), settings: &self.settings };
        let plan::Plan { steps, refusals } = plan::plan(&snapshot);
        self.metrics.observe_pass(claims, &nodes, ledger.len(), started.elapsed());
        self.forecast.renew(refusals);
        let progress = self.executor.run(steps, claims).await?;
        Ok(if progress { Outcome::Progress } else { Outcome::Settled })
    }

    /// The ended claims whose containers are still on a node: they keep them until they are deleted.
    async fn ended_with_containers(&self, nodes: &[plan::NodeView], unsettled: &[Claim]) -> Result<Vec<Claim>> {
        let known = unsettled.iter().map(|claim| claim.id).collect::<HashSet<_>>();
        let seen = nodes.iter().flat_map(|node| node.containers.keys()).filter_map(|id| Uuid::try_parse(id).ok());
        let unknown = seen.filter(|id| !known.contains(id)).collect::<HashSet<_>>();
        if unknown.is_empty() {
            return Ok(Vec::new());
        }
        self.store.claims_by_id(&unknown.into_iter().collect::<Vec<_>>()).await
    }
}

/// How long the changes that follow a pass without steps are gathered.
fn rest_after(took: Duration) -> Duration {
    (took * REST_FACTOR).clamp(DEBOUNCE, MAX_DEBOUNCE)
}

/// What a pass came to.
enum Outcome {
    /// Rows changed; the next pass may have more to do.
    Progress,
    /// Nothing to do until something changes.
    Settled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_that_find_nothing_rest_in_proportion() {
        let ms = Duration::from_millis;
        for (took, rest) in [(0, 20), (1, 20), (10, 90), (50, 450), (1_000, 500)] {
            assert_eq!(rest_after(ms(took)), ms(rest), "{took}");
        }
    }
}
