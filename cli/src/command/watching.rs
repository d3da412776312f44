//! `--watch`: asks for the same answer again, after events or by interval, and shows what has changed.
//!
//! The events only say when to look: what is shown is always the answer of the command itself.

use std::time::Duration;

use clap::{ArgMatches, FromArgMatches as _};
use futures_util::{Stream, StreamExt as _};
use serde_json::Value;
use tokio::time::Instant;

use super::{Context, call};
use crate::args::{Cli, Watch};
use crate::client::{Client, Error};
use crate::failure::server_error;
use crate::output::Page;

/// Events that come together are looked at together.
const GATHER: Duration = Duration::from_millis(300);

/// A page that is shown until Ctrl-C, which ends the process.
pub(super) async fn run(watch: Watch, matches: &ArgMatches) -> anyhow::Result<()> {
    let interval = Duration::from_secs(watch.interval.0.into());
    let page = Page::whole();
    let mut events = None;
    let mut seen = false;
    loop {
        let Cli { global, command } = Cli::from_arg_matches(matches)?;
        let mut context = Context::new(global)?;
        context.output = context.output.onto(page);
        // Before the look, so that nothing falls between.
        if events.is_none() && !watch.events.is_empty() {
            events = open(&context.client()?, &watch).await.ok();
        }
        match call(context, command).await {
            Ok(()) => seen = true,
            Err(error) if seen && server_error(&error).is_some_and(Error::is_transient) => {}
            Err(error) => return Err(error),
        }
        let until = Instant::now() + interval;
        let goes_on = match &mut events {
            Some(events) => moved(events, until).await,
            None => {
                tokio::time::sleep_until(until).await;
                true
            }
        };
        if !goes_on {
            events = None;
        }
    }
}

async fn open(client: &Client, watch: &Watch) -> Result<impl Stream<Item = Result<Value, Error>> + Unpin + use<>, Error> {
    let query: Vec<_> = watch.events.iter().map(|kind| ("types", (*kind).to_owned())).collect();
    client.stream(&["api", "events"], &query).await
}

/// Waits for events that tell of something, or until then; whether more events can come.
async fn moved(events: &mut (impl Stream<Item = Result<Value, Error>> + Unpin), until: Instant) -> bool {
    let mut until = until;
    loop {
        match tokio::time::timeout_at(until, events.next()).await {
            Ok(Some(Ok(event))) if event["type"] == "bookmark" => {}
            Ok(Some(Ok(_))) => until = until.min(Instant::now() + GATHER),
            Ok(Some(Err(_)) | None) => {
                // Without events it is looked at by interval.
                tokio::time::sleep_until(until).await;
                return false;
            }
            Err(_) => return true,
        }
    }
}
