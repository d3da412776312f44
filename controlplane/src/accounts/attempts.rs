//! Guessing passwords is slowed down: after some failures in a row a user name is locked for a time that doubles with each further
//! one. Names of nobody are treated alike. What was counted is in the store and outlives a restart.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::{
    clock::Clock,
    error::{Error, Result},
    service::validate,
    store::{LoginFailures, Store},
};

/// How many failures in a row lead to the first lock.
const FREE_FAILURES: u32 = 5;

/// The first lock; each further failure doubles it.
const FIRST_LOCK: SignedDuration = SignedDuration::from_secs(1);

/// The longest lock.
const LONGEST_LOCK: SignedDuration = SignedDuration::from_mins(15);

/// After so long without another one, failures are forgotten: waiting that long gives no more guesses than the longest lock.
pub const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(2);

/// How many names may be checked at once.
const TURNS: usize = 256;

/// Counts attempts. Clones share the turns.
#[derive(Debug, Clone)]
pub(super) struct Attempts {
    store: Store,
    clock: Clock,
    /// Attempts on one name go one after the other, so that no crowd of guesses passes before the first failure counts. Which turn
    /// is whose goes by the name's hash.
    turns: Arc<[Mutex<()>]>,
    hasher: RandomState,
}

impl Attempts {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, turns: (0..TURNS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// Makes an attempt on a user name, which may fail by giving none, unless the name is locked. Success is the caller's to note:
    /// it forgets the failures in the transaction that uses it.
    ///
    /// # Errors
    /// `Exhausted` (`LoginLocked`) while the name is locked; what the attempt fails with otherwise is not counted.
    pub(super) async fn check<T>(&self, username: &str, attempt: impl AsyncFnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
        // Nobody can have such a name: nothing to guess, and nothing to keep.
        if validate::username(username).is_err() {
            return attempt().await;
        }
        let slot = self.hasher.hash_one(username.to_ascii_lowercase()) % TURNS as u64;
        let _turn = self.turns[slot as usize].lock().await;
        let failures = self.store.login_failures(username).await?;
        if let Some(left) = failures.and_then(|failures| left(failures, self.clock.now())) {
            return Err(locked(left));
        }
        let found = attempt().await?;
        if found.is_none() {
            let now = self.clock.now();
            let lock = |count| now.checked_add(lock(count)).unwrap_or(now);
            let count = self.store.count_login_failure(username, now, lock).await?;
            if count >= FREE_FAILURES {
                tracing::warn!(user = username, failures = count, "log-in is locked after failures in a row");
            }
        }
        Ok(found)
    }
}

/// How long a name is locked after so many failures.
fn lock(failures: u32) -> SignedDuration {
    let Some(doublings) = failures.checked_sub(FREE_FAILURES) else { return SignedDuration::ZERO };
    let factor = 1_i32.checked_shl(doublings.min(30)).unwrap_or(i32::MAX);
    FIRST_LOCK.saturating_mul(factor).min(LONGEST_LOCK)
}

/// How long the lock still holds, if it does. One longer than the longest comes of a clock that was set back, and is none.
fn left(failures: LoginFailures, now: Timestamp) -> Option<Duration> {
    let left = failures.locked_until.duration_since(now);
    let holds = left.is_positive() && left <= LONGEST_LOCK;
    holds.then(|| left.unsigned_abs())
}

fn locked(left: Duration) -> Error {
    let seconds = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
    let message = format!("too many failed attempts: try again in {seconds} s");
    Error::Exhausted { reason: "LoginLocked", message, retry_after: Some(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_double_up_to_the_longest() {
        let table = [(0, 0), (1, 0), (4, 0), (5, 1), (6, 2), (7, 4), (14, 512), (15, 900), (16, 900), (40, 900), (u32::MAX, 900)];
        for (failures, seconds) in table {
            assert_eq!(lock(failures), SignedDuration::from_secs(seconds), "{failures}");
        }
    }

    #[test]
    fn a_lock_holds_until_its_end_and_never_longer_than_the_longest() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let failures = LoginFailures { count: 9, locked_until: at(16), updated_at: at(0) };
        let table = [(0, Some(16)), (15, Some(1)), (16, None), (17, None), (-884, Some(900)), (-885, None), (-1_000_000, None)];
        for (now, seconds) in table {
            assert_eq!(left(failures, at(now)), seconds.map(Duration::from_secs), "{now}");
        }
    }
}
