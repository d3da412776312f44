//! Of what time somebody asks, in steps.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::resolution::Resolution;
use crate::error::{Error, Result};

/// The most points of an answer.
const MOST_STEPS: i64 = 1000;

/// How long before the end it begins when nobody says when.
const USUAL: SignedDuration = SignedDuration::from_hours(1);

const SECOND_MS: i64 = 1000;

/// Steps of one length, at multiples of it since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When the first begins, in milliseconds since 1970.
    pub first_ms: i64,
    /// How long each is.
    pub step_ms: i64,
    /// How many there are.
    pub steps: usize,
}

impl Span {
    /// The steps from `start` to `end`, of as many seconds as asked for if that can be answered. The end is now, and the start an hour
    /// before the end, when they are not given. `interval` is the time between two samples.
    ///
    /// # Errors
    /// `Invalid` when they are in no order, or the step is none.
    pub fn new(start: Option<Timestamp>, end: Option<Timestamp>, step: i32, now: Timestamp, interval: Duration) -> Result<Self> {
        let oldest = now - Resolution::Quarter.retention();
        let end = end.unwrap_or(now);
        let start = start.unwrap_or_else(|| end - USUAL);
        if start >= end {
            return Err(Error::invalid("start", "must be before `end`"));
        }
        let longest = Resolution::Quarter.retention().as_secs();
        if step < 0 || i64::from(step) > longest {
            return Err(Error::invalid("step", format!("must be 0 to {longest} seconds")));
        }
        // Nothing is there before and after.
        let (start, end) = (start.max(oldest), end.min(now + SignedDuration::from_secs(1)));
        let (start_ms, end_ms) = (start.as_millisecond(), end.as_millisecond().max(start.as_millisecond()));
        let kept_ms = Resolution::kept_at(start, now).step_ms().max(SECOND_MS);
        let shortest_ms = ((end_ms - start_ms) / (MOST_STEPS - 1) + 1).max(kept_ms);
        let asked_ms = i64::from(step) * SECOND_MS;
        let step_ms = if asked_ms >= shortest_ms {
            up_to_multiple(asked_ms, kept_ms)
        } else {
            let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
            let least_ms = if asked_ms == 0 { shortest_ms.max(interval_ms) } else { shortest_ms };
            // Of whole minutes and quarters of an hour where that is no great difference: coarser steps are kept ready.
            let multiples = [Resolution::Quarter.step_ms(), Resolution::Minute.step_ms(), kept_ms];
            up_to_multiple(least_ms, multiples.into_iter().find(|multiple| *multiple <= least_ms).unwrap_or(kept_ms))
        };
        let first_ms = start_ms.div_euclid(step_ms) * step_ms;
        let steps = (end_ms - first_ms + step_ms - 1).div_euclid(step_ms);
        Ok(Self { first_ms, step_ms, steps: usize::try_from(steps).unwrap_or_default() })
    }

    /// When the last step ends.
    #[must_use]
    pub fn end_ms(&self) -> i64 {
        self.first_ms + self.step_ms * i64::try_from(self.steps).unwrap_or_default()
    }

    /// The place of the step that a time is in.
    #[must_use]
    pub fn place(&self, at_ms: i64) -> Option<usize> {
        let place = usize::try_from((at_ms - self.first_ms).div_euclid(self.step_ms)).ok()?;
        (place < self.steps).then_some(place)
    }

    /// When a step begins.
    #[must_use]
    pub fn begin_ms(&self, place: usize) -> i64 {
        self.first_ms + self.step_ms * i64::try_from(place).unwrap_or_default()
    }
}

fn up_to_multiple(value: i64, of: i64) -> i64 {
    value.div_euclid(of) * of + if value % of == 0 { 0 } else { of }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000;
    const INTERVAL: Duration = Duration::from_secs(10);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn span(ago: i64, until_ago: i64, step: i32) -> Span {
        Span::new(Some(at(NOW - ago)), Some(at(NOW - until_ago)), step, at(NOW), INTERVAL).unwrap()
    }

    #[test]
    fn steps_are_as_asked_for_where_that_can_be_answered() {
        const DAY: i64 = 86_400;
        for (ago, asked, seconds) in [
            (60, 1, 1),
            (60, 0, 10),
            (3600, 0, 10),
            (3600, 7, 7),
            (3600, 60, 60),
            (3600, 1, 4),
            (DAY, 0, 120),
            (DAY - 60, 90, 90),
            (2 * DAY, 90, 180),
            (6 * DAY, 600, 600),
            (6 * DAY, 3630, 3660),
            (30 * DAY, 0, 2700),
            (30 * DAY, 3600, 3600),
            (400 * DAY, 0, 35_100),
        ] {
            let span = span(ago, 0, asked);
            assert_eq!(span.step_ms, seconds * 1000, "{ago} s in steps of {asked}");
            assert!((1..=1000).contains(&span.steps), "{span:?}");
            assert_eq!(span.first_ms % span.step_ms, 0);
            assert!(span.first_ms <= (NOW - ago) * 1000 && span.end_ms() >= NOW * 1000, "{span:?}");
        }
    }

    #[test]
    fn an_answer_is_never_longer_than_1000_points() {
        for ago in [1, 999, 1000, 1001, 9_990, 59_940, 60_000, 86_399, 86_400, 604_799, 604_800, 34_560_000] {
            for step in [0, 1, 13, 60, 61, 900, 901, 86_400] {
                let span = span(ago, 0, step);
                assert!(span.steps <= 1000, "{ago} s in steps of {step}: {span:?}");
            }
        }
        let everything = Span::new(Some(Timestamp::MIN), Some(Timestamp::MAX), 0, at(NOW), INTERVAL).unwrap();
        assert!(everything.steps <= 1000);
        let future = Span::new(Some(at(NOW + 100)), Some(at(NOW + 200)), 0, at(NOW), INTERVAL).unwrap();
        assert!(future.steps <= 1000);
    }

    #[test]
    fn times_find_their_steps() {
        let span = span(100, 40, 10);
        assert_eq!((span.place((NOW - 100) * 1000), span.place((NOW - 91) * 1000 + 999)), (Some(0), Some(0)));
        assert_eq!((span.place((NOW - 90) * 1000), span.place((NOW - 40) * 1000)), (Some(1), None));
        assert_eq!(span.begin_ms(1), (NOW - 90) * 1000);
    }

    #[test]
    fn what_is_in_no_order_is_refused() {
        for (start, end, step) in [(10, 10, 0), (11, 10, 0), (0, 10, -1), (0, 10, i32::MAX)] {
            assert!(Span::new(Some(at(start)), Some(at(end)), step, at(NOW), INTERVAL).is_err());
        }
        let usual = Span::new(None, None, 60, at(NOW), INTERVAL).unwrap();
        assert!((60..=61).contains(&usual.steps));
    }
}
