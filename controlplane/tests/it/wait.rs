//! Waiting for what the control plane does in the background: by looking again, up to a deadline, never by sleeping for so long as
//! it should take.

use std::time::{Duration, Instant};

/// Far longer than anything here takes on an idle machine; a test that gets there has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until something is there.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Waits for a future that must end soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
