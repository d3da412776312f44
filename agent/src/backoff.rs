//! Exponential back-off with full jitter, for whatever reconnects.
//!
//! Full jitter spreads a fleet that lost its control plane at one moment evenly over the delay.

use std::time::Duration;

/// Delays that grow with every failure in a row.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// Delays below `base` after the first failure, then doubling, never above `cap`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(rand::random())
    }

    /// Begins anew, after an attempt that held.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    fn ceiling(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        for ceiling_ms in [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            assert_eq!(backoff.ceiling(), Duration::from_millis(ceiling_ms));
            assert!(backoff.next_delay() <= Duration::from_millis(ceiling_ms));
        }
        backoff.failures = u32::MAX;
        assert!(backoff.next_delay() <= Duration::from_secs(10));
        backoff.reset();
        assert_eq!(backoff.ceiling(), Duration::from_millis(200));
    }

    #[test]
    fn delays_are_spread_over_the_whole_range() {
        let base = Duration::from_secs(1);
        let delays = (0..500).map(|_| Backoff::new(base, base).next_delay()).collect::<Vec<_>>();
        assert!(delays.iter().any(|delay| *delay < base.mul_f64(0.2)));
        assert!(delays.iter().any(|delay| *delay > base.mul_f64(0.8)));
    }
}
