//! Several control planes on one database count together: every second each tells the others what it admitted, and takes what they
//! admitted off its own counts.
//!
//! Deciding stays local: no call waits for the database, and without it each process counts by itself. Between two seconds a caller
//! may get more than the limit, at most as many times as there are processes. No clocks are compared: each process has its own ticks.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Limits;
use crate::{
    error::{Error, Result},
    store::Store,
};

/// How often the processes tell each other.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long an exchange may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// After so many exchanges without a word from a process it is taken for dead, and its rows are removed.
const SILENCE: u32 = 60;

/// The task of one process.
#[derive(Debug)]
pub struct Sharing {
    limits: Limits,
    store: Store,
    process: String,
    tick: i64,
    others: HashMap<String, Other>,
}

/// What is known of another process.
#[derive(Debug, Default)]
struct Other {
    tick: i64,
    silence: u32,
}

impl Sharing {
    /// A process that has said nothing yet.
    #[must_use]
    pub fn new(limits: Limits, store: Store) -> Self {
        Self { limits, store, process: Uuid::new_v4().to_string(), tick: 0, others: HashMap::new() }
    }

    /// Runs until cancelled.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = false;
        while cancel.run_until_cancelled(interval.tick()).await.is_some() {
            let problem = match tokio::time::timeout(DEADLINE, self.exchange()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the database takes too long".to_owned()),
            };
            match &problem {
                Some(problem) if !failed => tracing::warn!(problem, "limits are not shared; this process counts by itself"),
                None if failed => tracing::info!("limits are shared again"),
                Some(_) | None => {}
            }
            failed = problem.is_some();
        }
        if let Ok(Err(error)) = tokio::time::timeout(DEADLINE, self.store.forget_usage(&self.process)).await {
            tracing::debug!(%error, "shared limits stay behind until another process removes them");
        }
    }

    async fn exchange(&mut self) -> Result<()> {
        self.tick += 1;
        let usage = serde_json::to_string(&self.limits.take_admitted());
        let usage = usage.map_err(|error| Error::internal("write shared limits", error))?;
        let said = self.store.exchange_usage(&self.process, self.tick, &usage).await?;
        self.others.values_mut().for_each(|other| other.silence += 1);
        for usage in said {
            let other = self.others.entry(usage.process).or_default();
            if usage.tick <= other.tick {
                continue;
            }
            *other = Other { tick: usage.tick, silence: 0 };
            match serde_json::from_str::<BTreeMap<String, u32>>(&usage.usage) {
                Ok(admitted) => admitted.iter().for_each(|(key, count)| self.limits.take_off(key, *count)),
                Err(error) => tracing::warn!(%error, "another process shares limits in words that this version does not know"),
            }
        }
        let dead = self.others.extract_if(|_, other| other.silence >= SILENCE).map(|(process, _)| process).collect::<Vec<_>>();
        for process in dead {
            self.store.forget_usage(&process).await?;
        }
        Ok(())
    }
}
