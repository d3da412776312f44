//! What the agents have seen, counted together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

/// Waiting times kept; further ones are only counted.
const MAX_SAMPLES: usize = 1_000_000;

/// How many there are now.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Present {
    /// Agents whose first heartbeat was answered.
    pub(crate) online: u32,
    /// Containers of all agents.
    pub(crate) containers: u32,
}

/// What has happened since the last look.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Heartbeats that were answered.
    pub(crate) heartbeats: u64,
    /// Sessions that were lost, and attempts that brought none.
    pub(crate) lost_sessions: u64,
    /// How long the answers took.
    pub(crate) answers: Vec<Duration>,
}

/// Shared by all agents.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) present: watch::Sender<Present>,
    tally: Mutex<Tally>,
}

impl Meter {
    pub(crate) fn answered(&self, after: Duration) {
        self.change(|tally| {
            tally.heartbeats += 1;
            if tally.answers.len() < MAX_SAMPLES {
                tally.answers.push(after);
            }
        });
    }

    pub(crate) fn lost(&self) {
        self.change(|tally| tally.lost_sessions += 1);
    }

    /// Takes what was counted, and begins anew.
    pub(crate) fn take(&self) -> Tally {
        self.change(std::mem::take)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The middle and the slow end of waiting times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Percentiles {
    /// None of nothing.
    pub(crate) fn of(mut samples: Vec<Duration>) -> Option<Self> {
        samples.sort_unstable();
        let last = samples.len().checked_sub(1)?;
        let at = |percent: usize| samples[last * percent / 100].as_secs_f64() * 1_000.0;
        Some(Self { p50_ms: at(50), p99_ms: at(99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        assert_eq!(Percentiles::of(Vec::new()), None);
        let one = Percentiles::of(vec![Duration::from_millis(7)]);
        assert_eq!(one, Some(Percentiles { p50_ms: 7.0, p99_ms: 7.0 }));
        let many = Percentiles::of((0..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(many, Some(Percentiles { p50_ms: 50.0, p99_ms: 99.0 }));
    }
}
