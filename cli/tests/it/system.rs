//! The real system in processes of its own: what a person starts, and the means to look at it from outside.
//!
//! Every server gets a directory and ports of its own, so that tests run side by side. Nothing here sleeps to let something
//! happen: it asks until a deadline.

pub(crate) mod agent;
pub(crate) mod api;
pub(crate) mod docker;
pub(crate) mod docker_socket;
pub(crate) mod gateway;
pub(crate) mod nat;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod server;
pub(crate) mod slurm;
pub(crate) mod sshd;

use std::io::Write as _;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const ASK_EVERY: Duration = Duration::from_millis(50);

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, ask).await
}

/// Asks until there is an answer, for as long as this.
pub(crate) async fn within<T>(patience: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked_first = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(asked_first.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Checks again and again for as long as this.
pub(crate) async fn throughout(duration: Duration, mut check: impl AsyncFnMut()) {
    let begun = Instant::now();
    while begun.elapsed() < duration {
        check().await;
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Says that a test cannot be done here; where everything must be there, that is a failure.
pub(crate) fn skip(missing: &str) {
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    // Not through a macro: those are hidden when the test passes.
    std::io::stderr().write_all(format!("SKIPPED: {missing}\n").as_bytes()).unwrap();
}
