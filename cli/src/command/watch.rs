//! `aiinfra watch`: follows what happens, across lost connections and restarts of the server.

use futures_util::TryStreamExt as _;
use serde_json::Value;

use super::{Context, MOST_TRIES, RETRY_AFTER};
use crate::api::LogEvent;
use crate::args::WatchEvents;
use crate::client::Error;
use crate::output::printable;

pub(super) async fn run(context: &Context, watch: WatchEvents) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    let WatchEvents { types, resource, since, once } = watch;
    let mut query: Vec<_> = types.into_iter().map(|kind| ("types", kind)).collect();
    query.extend(resource.map(|id| ("resource_id", id)));
    query.extend(once.then(|| ("once", true.to_string())));
    let (mut cursor, mut opened, mut tries) = (since, false, 0);
    loop {
        let ended = async {
            let mut query = query.clone();
            query.extend(cursor.clone().map(|cursor| ("cursor", cursor)));
            let mut events = client.stream(&["api", "events"], &query).await?;
            opened = true;
            while let Some(message) = events.try_next().await? {
                tries = 0;
                let event: LogEvent = serde_json::from_value(message.clone())?;
                if event.kind != "bookmark" {
                    output.show_line(&message, || line(&event))?;
                }
                cursor = Some(event.cursor);
            }
            anyhow::Ok(())
        };
        match ended.await {
            Ok(()) if once => return Ok(()),
            Ok(()) => {}
            Err(error) => match error.downcast_ref::<Error>() {
                Some(cause) if cause.is_transient() && opened && tries < MOST_TRIES => {}
                Some(_) | None => return Err(error),
            },
        }
        tries += 1;
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

/// One line about an event.
fn line(event: &LogEvent) -> String {
    let about = ["hostname", "name", "reason", "message"].iter().filter_map(|key| event.data.get(*key)).filter_map(Value::as_str);
    let about = about.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
    let time = event.timestamp.map(|at| at.strftime("%FT%TZ").to_string()).unwrap_or_default();
    let text = format!("{time}  {:<24} {}  {about}", event.kind, event.resource_id);
    format!("{}\n", printable(text.trim_end()))
}
