//! How every binary of the product begins and ends: signals become a cancellation, errors one line and an exit code.

use std::{io::Write as _, process::ExitCode};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Waits for SIGTERM or SIGINT, then cancels.
///
/// # Errors
/// When signals cannot be received.
pub async fn cancel_on_signal(cancel: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = cancel.cancelled() => return Ok(()),
    }
    cancel.cancel();
    Ok(())
}

/// Runs a program's main task until it ends or a signal comes, and turns its result into an exit code. An error is told in one
/// line on standard error.
pub async fn main(run: impl Future<Output = anyhow::Result<()>>, cancel: CancellationToken) -> ExitCode {
    let result = async {
        tokio::pin!(run);
        tokio::select! {
            result = &mut run => return result,
            signal = cancel_on_signal(cancel) => signal?,
        }
        run.await
    };
    exit_code(result.await)
}

/// Turns a result into an exit code. An error is told in one line on standard error.
pub fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes; one that has told its cause already does not tell it twice.
#[must_use]
pub fn sentence(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |told, cause| {
        let cause = cause.to_string();
        if told.ends_with(&cause) { told } else { format!("{told}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read it: {0}")]
        struct Telling(#[source] std::io::Error);

        let told = anyhow::Error::from(Telling(std::io::Error::other("no disk")));
        assert_eq!(sentence(&told.context("start")), "start: cannot read it: no disk");
        let silent = Err::<(), _>(anyhow!("no disk")).context("cannot read it").unwrap_err();
        assert_eq!(sentence(&silent), "cannot read it: no disk");
    }
}
