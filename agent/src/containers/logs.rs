//! What the containers of this agent wrote.

use std::{future::ready, sync::Arc};

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use jiff::Timestamp;

use super::{Containers, Error, Result, spec::invalid, v1};
use crate::runtime::{LogEntry, LogRange, Output};

impl Containers {
    /// What a container wrote that this agent made, oldest first; when followed, until it ends.
    ///
    /// # Errors
    /// A field breaks its rule; no such container; the runtime is away, or keeps no logs; in the stream too, and there also that the
    /// agent stops.
    pub async fn logs(
        self: &Arc<Self>,
        request: &v1::StreamContainerLogsRequest,
    ) -> Result<BoxStream<'static, Result<v1::LogEntry>>> {
        let range = range(request)?;
        let id = self.get(&request.id).await?.id;
        let stopping = self.shutdown.clone();
        let stopped = self.shutdown.clone();
        let last = async move { stopped.is_cancelled().then_some(Err(Error::Cancelled)) };
        let entries = self.runtime.logs(&id, range).map_ok(show).take_until(stopping.cancelled_owned());
        Ok(entries.chain(stream::once(last).filter_map(ready)).boxed())
    }
}

fn range(request: &v1::StreamContainerLogsRequest) -> Result<LogRange> {
    let tail = u32::try_from(request.tail).map_err(|_| invalid("tail", "must not be negative"))?;
    let since = request.since.map(|since| Timestamp::new(since.seconds, since.nanos)).transpose();
    let since = since.map_err(|_| invalid("since", "must be a time"))?;
    Ok(LogRange { follow: request.follow, tail: Some(tail).filter(|tail| *tail > 0), since })
}

fn show(entry: LogEntry) -> v1::LogEntry {
    let LogEntry { output, at, text } = entry;
    let stream = match output {
        Output::Standard => v1::LogStream::Stdout,
        Output::Error => v1::LogStream::Stderr,
    };
    let time = prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() };
    v1::LogEntry { stream: stream.into(), time: Some(time), text }
}
