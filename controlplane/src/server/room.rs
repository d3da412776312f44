//! How many connections there is room for, and what is said when there is none.

use std::{
    fmt::{self, Display},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::telemetry::{Metrics, Refused};

/// So much of the open files that are allowed is left to the database, the JSON API and all else: a sixteenth, within these bounds.
const RESERVED_SHARE: u64 = 16;
const RESERVED: std::ops::RangeInclusive<u64> = 64..=1024;

/// How often it is said that connections are refused, however many are.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Places for connections. Clones have the same places.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    places: Arc<Semaphore>,
    open_files: u64,
}

impl Room {
    /// Raises the limit of open files as far as it goes, and makes room for as many connections as it allows.
    pub(crate) fn of_open_files() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current != maximum {
            match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
                Ok(()) => tracing::info!(from = current, to = maximum, "raised the limit of open files"),
                Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
            }
        }
        // None is no limit.
        Self::within(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
    }

    fn within(open_files: u64) -> Self {
        let reserved = (open_files / RESERVED_SHARE).clamp(*RESERVED.start(), *RESERVED.end());
        let places = usize::try_from(open_files.saturating_sub(reserved)).unwrap_or(usize::MAX);
        Self { places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))), open_files }
    }

    #[cfg(test)]
    pub(super) fn with_places(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), open_files: 0 }
    }

    /// A place for a connection, if there is one.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }
}

impl Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit of {} open files leaves no room for more; raise it (ulimit -n)", self.open_files)
    }
}

/// Counts refused connections, and says so now and then.
pub(super) struct Refusals {
    metrics: Arc<Metrics>,
    said_at: Option<Instant>,
    since: u64,
}

impl Refusals {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, said_at: None, since: 0 }
    }

    /// Takes note of one, and says so unless that was said a moment ago.
    pub(super) fn note(&mut self, reason: Refused, why: &dyn Display) {
        self.metrics.connection_refused(reason);
        self.since += 1;
        if self.is_to_be_said(Instant::now()) {
            let refused = std::mem::take(&mut self.since);
            tracing::warn!(refused, %why, "new connections are refused; those that are open are kept");
        }
    }

    fn is_to_be_said(&mut self, now: Instant) -> bool {
        let is_due = self.said_at.is_none_or(|said_at| now.duration_since(said_at) >= SAY_EVERY);
        if is_due {
            self.said_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_open_files_are_left_to_others() {
        for (open_files, places) in [(64, 0), (100, 36), (1024, 960), (20_000, 18_976), (1 << 20, (1 << 20) - 1024)] {
            assert_eq!(Room::within(open_files).places.available_permits(), places, "{open_files}");
        }
        assert_eq!(Room::within(u64::MAX).places.available_permits(), Semaphore::MAX_PERMITS);
    }

    #[test]
    fn a_place_that_is_given_back_is_taken_again() {
        let room = Room::within(65);
        let place = room.take().unwrap();
        assert!(room.take().is_none());
        drop(place);
        assert!(room.take().is_some());
    }

    #[test]
    fn refusals_are_said_once_in_a_while() {
        let mut refusals = Refusals::new(Arc::new(Metrics::default()));
        let now = Instant::now();
        assert!(refusals.is_to_be_said(now));
        assert!(!refusals.is_to_be_said(now + SAY_EVERY / 2));
        assert!(refusals.is_to_be_said(now + SAY_EVERY));
    }
}
