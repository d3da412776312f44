//! Following one claim over the watch stream, across lost connections and restarts of the server.

use futures_util::TryStreamExt as _;
use serde_json::Value;

use crate::api::Claim;
use crate::client::{Client, Error};
use crate::command::{MOST_TRIES, RETRY_AFTER};

/// How following ended.
pub(super) enum Followed {
    /// The caller had seen enough, with the last message.
    Until(Value, Box<Claim>),
    /// There is no such claim any more.
    Deleted,
}

/// Calls `change` with the claim now and after each change, until it answers true or the claim is gone.
///
/// A stream that ends or breaks is opened again: the server ends it for a claim that is deleted, and when it stops.
pub(super) async fn follow(
    client: &Client,
    id: &str,
    mut change: impl FnMut(&Value, &Claim) -> anyhow::Result<bool>,
) -> anyhow::Result<Followed> {
    let mut last = None;
    let mut tries = 0;
    loop {
        let ended = async {
            let mut messages = client.stream(&["api", "gpu-claims", id, "watch"], &[]).await?;
            while let Some(message) = messages.try_next().await? {
                if last.as_ref() == Some(&message) {
                    continue;
                }
                tries = 0;
                let claim: Claim = serde_json::from_value(message.clone())?;
                if change(&message, &claim)? {
                    return Ok(Some(Followed::Until(message, Box::new(claim))));
                }
                last = Some(message);
            }
            anyhow::Ok(None)
        };
        match ended.await {
            Ok(Some(followed)) => return Ok(followed),
            Ok(None) => {}
            Err(error) => match error.downcast_ref::<Error>() {
                Some(cause) if cause.is_not_found() && last.is_some() => return Ok(Followed::Deleted),
                Some(cause) if cause.is_transient() && last.is_some() && tries < MOST_TRIES => {}
                Some(_) | None => return Err(error),
            },
        }
        tries += 1;
        tokio::time::sleep(RETRY_AFTER).await;
    }
}
