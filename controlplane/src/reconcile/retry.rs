//! When a command to a node may be sent again: one at a time per placement, and after a failure only after a back-off.

use std::{collections::HashMap, hash::Hash, time::Duration};

use jiff::{SignedDuration, Timestamp};

/// The first back-off; each failure doubles it.
const BASE: Duration = Duration::from_millis(500);

/// The longest back-off.
const CAP: Duration = Duration::from_secs(30);

/// Entries that have not been used for this long are forgotten.
const FORGET_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What is under way and what has failed, by key.
#[derive(Debug)]
pub struct Retries<K>(HashMap<K, Attempt>);

#[derive(Debug, Clone, Copy)]
struct Attempt {
    running: bool,
    failures: u32,
    not_before: Timestamp,
}

impl<K> Default for Retries<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Retries<K> {
    /// Claims the right to try now.
    pub fn begin(&mut self, key: K, now: Timestamp) -> bool {
        let attempt = self.0.entry(key).or_insert(Attempt { running: false, failures: 0, not_before: now });
        let free = !attempt.running && attempt.not_before <= now;
        attempt.running |= free;
        free
    }

    /// The attempt succeeded.
    pub fn succeed(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// The attempt failed; `jitter`, 0 to 1, says which part of the back-off is waited. Answers how long that is.
    pub fn fail(&mut self, key: K, now: Timestamp, jitter: f64) -> Duration {
        let attempt = self.0.entry(key).or_insert(Attempt { running: false, failures: 0, not_before: now });
        attempt.running = false;
        let backoff = BASE.saturating_mul(1 << attempt.failures.min(10)).min(CAP);
        attempt.failures = attempt.failures.saturating_add(1);
        let wait = backoff.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        attempt.not_before = now + SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
        wait
    }

    /// Drops what nobody has asked for in a long time.
    pub fn prune(&mut self, now: Timestamp) {
        self.0.retain(|_, attempt| attempt.running || attempt.not_before + FORGET_AFTER > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn one_attempt_at_a_time() {
        let mut retries = Retries::default();
        assert!(retries.begin("a", at(0)));
        assert!(!retries.begin("a", at(0)));
        assert!(retries.begin("b", at(0)));
        retries.succeed(&"a");
        assert!(retries.begin("a", at(0)));
    }

    #[test]
    fn failures_back_off_further_and_further_up_to_a_cap() {
        let mut retries = Retries::default();
        let waits = (0..10).map(|_| retries.fail("a", at(0), 1.0).as_millis()).collect::<Vec<_>>();
        assert_eq!(waits[..4], [500, 1_000, 2_000, 4_000]);
        assert_eq!(waits[9], 30_000);
        assert!(!retries.begin("a", at(29_999)));
        assert!(retries.begin("a", at(30_000)));
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut retries = Retries::default();
        retries.fail("a", at(0), 0.0);
        retries.begin("b", at(0));
        retries.prune(at(3_600_000));
        assert_eq!(retries.0.len(), 1);
    }
}
