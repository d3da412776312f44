//! Work that must not stop halfway: a change in the store with what this process remembers of it.

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::error::{Error, Result};

/// Does something to its end, also when whoever asked for it hangs up.
///
/// # Errors
/// What the work fails with.
pub async fn finish<T>(tracker: &TaskTracker, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T>
where
    T: Send + 'static,
{
    tracker.spawn(work.in_current_span()).await.map_err(|error| Error::internal("finish what was begun", error))?
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn who_hangs_up_cuts_nothing() {
        let tracker = TaskTracker::new();
        let (go, wait) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        let work = async move {
            wait.await.unwrap();
            done.send(7).unwrap();
            Ok(())
        };
        assert!(finish(&tracker, work).now_or_never().is_none());
        go.send(()).unwrap();
        assert_eq!(ended.await.unwrap(), 7);
    }
}
