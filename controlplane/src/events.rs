//! Follows the log of events for everybody who watches it: what is new is read once, and kept in memory for a while.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard},
    time::Duration,
};

use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, Result},
    model::event::Event,
    store::Store,
};

/// How many events are kept in memory. Whoever is further behind reads from the store.
const KEPT: usize = 4096;

/// Events that are read at once.
const BATCH: u16 = 500;

/// The least time between two looks at the store, in which events gather.
const PAUSE: Duration = Duration::from_millis(20);

/// The most time between two looks: other processes append to the same log.
const INTERVAL: Duration = Duration::from_secs(1);

/// The log of events. Clones are the same.
#[derive(Debug, Clone)]
pub struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    /// Without a gap, oldest first.
    recent: RwLock<VecDeque<Arc<Event>>>,
    newest: watch::Sender<i64>,
}

impl EventLog {
    /// The log as it is now, which has to be followed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: Store) -> Result<Self> {
        let newest = watch::Sender::new(store.outbox_ends().await?.newest);
        Ok(Self(Arc::new(Shared { store, recent: RwLock::default(), newest })))
    }

    /// Follows the log until cancelled.
    pub async fn follow(self, cancel: CancellationToken) {
        while cancel.run_until_cancelled(self.wake()).await.is_some() {
            if let Err(error) = self.read_on().await {
                tracing::warn!(%error, "new events could not be read");
            }
        }
    }

    /// The newest event of the log, also when it was not read yet; 0 before the first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn end(&self) -> Result<i64> {
        Ok(self.0.store.outbox_ends().await?.newest)
    }

    /// Some events after one, oldest first; none when none was read yet.
    ///
    /// # Errors
    /// [`Error::Expired`] when some of them are gone, or the log has never reached that event.
    pub async fn after(&self, sequence: i64) -> Result<Vec<Arc<Event>>> {
        if sequence == self.newest() {
            return Ok(Vec::new());
        }
        if let Some(events) = self.recent_after(sequence) {
            return Ok(events);
        }
        let events = self.0.store.events_after(sequence, BATCH.into()).await?;
        Ok(events.into_iter().map(Arc::new).collect())
    }

    /// Waits until events after one were read.
    pub async fn wait_beyond(&self, sequence: i64) {
        // It fails only when the log is gone, which this holds.
        let _ = self.0.newest.subscribe().wait_for(|newest| *newest > sequence).await;
    }

    /// The newest event that was read.
    fn newest(&self) -> i64 {
        *self.0.newest.borrow()
    }

    async fn wake(&self) {
        time::sleep(PAUSE).await;
        // Whether somebody appended or the time is over, it is looked.
        let _ = time::timeout(INTERVAL, self.0.store.wait_appended()).await;
    }

    async fn read_on(&self) -> Result<()> {
        loop {
            let events = match self.0.store.events_after(self.newest(), BATCH.into()).await {
                Ok(events) => events,
                // Another process has removed what was not read yet, or the database is another one now.
                Err(Error::Expired { .. }) => {
                    let newest = self.0.store.outbox_ends().await?.newest;
                    self.recent_mut().clear();
                    self.0.newest.send_replace(newest);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let Some(newest) = events.last().map(|event| event.sequence) else { return Ok(()) };
            let mut recent = self.recent_mut();
            recent.extend(events.into_iter().map(Arc::new));
            let surplus = recent.len().saturating_sub(KEPT);
            recent.drain(..surplus);
            drop(recent);
            self.0.newest.send_replace(newest);
        }
    }

    /// None when they reach further back than what is kept.
    fn recent_after(&self, sequence: i64) -> Option<Vec<Arc<Event>>> {
        let recent = self.0.recent.read().unwrap_or_else(PoisonError::into_inner);
        let seen = usize::try_from(sequence - (recent.front()?.sequence - 1)).ok()?;
        (seen <= recent.len()).then(|| recent.iter().skip(seen).take(BATCH.into()).cloned().collect())
    }

    fn recent_mut(&self) -> RwLockWriteGuard<'_, VecDeque<Arc<Event>>> {
        self.0.recent.write().unwrap_or_else(PoisonError::into_inner)
    }
}
