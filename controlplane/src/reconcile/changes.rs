//! Tells those who watch a claim that it changed.

use tokio::sync::broadcast;
use uuid::Uuid;

/// How many changes a watcher may lag behind; one that lags further looks again.
const CAPACITY: usize = 1024;

/// The changes of all claims. Clones are the same.
#[derive(Debug, Clone)]
pub struct Changes(broadcast::Sender<Uuid>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Changes {
    /// Says that a claim changed.
    pub fn publish(&self, claim: Uuid) {
        // Nobody watching is no fault.
        let _ = self.0.send(claim);
    }

    /// Watches from now on.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
    }
}

/// What one watcher has not seen yet.
#[derive(Debug)]
pub struct Watch(broadcast::Receiver<Uuid>);

impl Watch {
    /// Waits until this claim has, or may have, changed.
    pub async fn changed(&mut self, claim: Uuid) {
        loop {
            match self.0.recv().await {
                Ok(changed) if changed != claim => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The process is ending, and with it every watch.
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_watcher_hears_of_its_claim_only() {
        let changes = Changes::default();
        let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut watch = changes.watch();
        changes.publish(other);
        assert!(watch.changed(mine).now_or_never().is_none());
        changes.publish(mine);
        assert!(watch.changed(mine).now_or_never().is_some());
    }

    #[test]
    fn a_watcher_that_lags_looks_again() {
        let changes = Changes::default();
        let mut watch = changes.watch();
        for _ in 0..=CAPACITY {
            changes.publish(Uuid::from_u128(2));
        }
        assert!(watch.changed(Uuid::from_u128(1)).now_or_never().is_some());
    }
}
