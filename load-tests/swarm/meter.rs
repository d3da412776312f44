//! What the agents have seen, counted together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
    pub(crate) heartbeats: u32,
    /// Sessions that had been open and were lost.
    pub(crate) lost_sessions: u32,
    /// Attempts that brought no session.
    pub(crate) failed_attempts: u32,
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

    pub(crate) fn failed(&self) {
        self.change(|tally| tally.failed_attempts += 1);
    }

    /// How many agents are online.
    pub(crate) fn online(&self) -> u32 {
        self.present.borrow().online
    }

    /// Takes what was counted, and begins anew.
    pub(crate) fn take(&self) -> Tally {
        self.change(std::mem::take)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Of a hundred waiting times, so many are no longer than this, in milliseconds; not a number of none.
pub(crate) fn percentile_ms(samples: &mut [Duration], percent: usize) -> f64 {
    samples.sort_unstable();
    let Some(last) = samples.len().checked_sub(1) else { return f64::NAN };
    samples[last * percent / 100].as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        assert!(percentile_ms(&mut [], 50).is_nan());
        let mut many: Vec<_> = (0..=100).rev().map(Duration::from_millis).collect();
        assert!((percentile_ms(&mut many, 50) - 50.0).abs() < f64::EPSILON);
        assert!((percentile_ms(&mut many, 99) - 99.0).abs() < f64::EPSILON);
        assert!((percentile_ms(&mut many[..1], 99)).abs() < f64::EPSILON);
    }
}
