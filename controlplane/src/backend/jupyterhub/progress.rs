//! The progress of a start: the hub's server-sent events.

use std::time::Duration;

use bytes::BytesMut;
use futures_util::{Stream, stream};
use http::{HeaderMap, header};
use serde::Deserialize;
use tokio::time::Instant;

use super::{PRODUCT, sentence};
use crate::{
    backend::client::Opened,
    error::{Error, Result},
};

/// How long the hub may be silent: it sends an empty line every eight seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a start is followed.
const LONGEST: Duration = Duration::from_mins(30);

/// The largest event in bytes.
const MAX_EVENT_BYTES: usize = 64 << 10;

/// How far a start has come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// 0 to 100.
    pub percent: i32,
    /// What is done, in the hub's words.
    pub message: String,
    /// The server can be used.
    pub ready: bool,
    /// It did not start.
    pub failed: bool,
    /// Its path, when it is ready.
    pub url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireEvent {
    progress: Option<f64>,
    message: Option<String>,
    ready: bool,
    failed: bool,
    url: Option<String>,
}

/// A start that is followed.
struct Following {
    opened: Opened,
    buffer: Buffer,
    /// The last percentage: not every event says one.
    percent: i32,
    until: Instant,
    has_ended: bool,
}

/// Follows a start to its end, which is ready, failed, or an error.
pub(super) fn follow(opened: Opened) -> Result<impl Stream<Item = Result<Progress>> + Send + use<>> {
    if !is_event_stream(opened.headers()) {
        return Err(opened.unintelligible("it is no stream of events"));
    }
    let following =
        Following { opened, buffer: Buffer::default(), percent: 0, until: Instant::now() + LONGEST, has_ended: false };
    Ok(stream::try_unfold(following, Following::next))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
}

impl Following {
    async fn next(mut self) -> Result<Option<(Progress, Self)>> {
        if self.has_ended {
            return Ok(None);
        }
        loop {
            if let Some(data) = self.buffer.event() {
                let progress = self.understand(&data)?;
                self.percent = progress.percent;
                self.has_ended = progress.ready || progress.failed;
                return Ok(Some((progress, self)));
            }
            if self.buffer.0.len() > MAX_EVENT_BYTES {
                return Err(self.opened.unintelligible(&format!("an event is larger than {MAX_EVENT_BYTES} bytes")));
            }
            let Some(left) = self.until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                let message = format!("the start was followed for {LONGEST:?}, and has not ended; {PRODUCT} goes on");
                return Err(Error::DeadlineExceeded { message });
            };
            match self.opened.chunk(PATIENCE.min(left)).await? {
                Some(chunk) => self.buffer.0.extend_from_slice(&chunk),
                None => return Err(self.opened.unintelligible("it broke off before the start had ended")),
            }
        }
    }

    fn understand(&self, data: &[u8]) -> Result<Progress> {
        let event: WireEvent =
            serde_json::from_slice(data).map_err(|error| self.opened.unintelligible(&format!("an event is wrong: {error}")))?;
        let WireEvent { progress, message, ready, failed, url } = event;
        #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and 100")]
        let percent = progress.map_or(self.percent, |percent| percent.clamp(0.0, 100.0) as i32);
        let url = url.filter(|_| ready).unwrap_or_default();
        Ok(Progress { percent, message: sentence(&message.unwrap_or_default()), ready, failed, url })
    }
}

/// What has come of a stream of events.
#[derive(Debug, Default)]
struct Buffer(BytesMut);

impl Buffer {
    /// The data of the next whole event that has any.
    fn event(&mut self) -> Option<Vec<u8>> {
        loop {
            let end = self.end()?;
            let event = self.0.split_to(end).freeze();
            let lines = event.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
            let data = lines.filter_map(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii_start);
            let data = data.collect::<Vec<_>>().join(&b'\n');
            if !data.is_empty() {
                return Some(data);
            }
        }
    }

    /// Where the empty line after the next event ends.
    fn end(&self) -> Option<usize> {
        let mut start = 0;
        while let Some(length) = self.0[start..].iter().position(|byte| *byte == b'\n') {
            let is_empty = self.0[start..start + length].trim_ascii().is_empty();
            start += length + 1;
            if is_empty {
                return Some(start);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of all events of a stream that comes in these pieces.
    fn events(pieces: &[&str]) -> Vec<String> {
        let (mut buffer, mut found) = (Buffer::default(), Vec::new());
        for piece in pieces {
            buffer.0.extend_from_slice(piece.as_bytes());
            found.extend(std::iter::from_fn(|| buffer.event()).map(|data| String::from_utf8(data).unwrap()));
        }
        found
    }

    #[test]
    fn events_are_cut_wherever_pieces_end() {
        assert_eq!(events(&["data: {\"a\":1}\n\ndata: {\"b\":2}\n\n"]), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(events(&["da", "ta: {", "}\r\n", "\r", "\n"]), ["{}"]);
        assert_eq!(events(&["\n\n\n\n", ": nothing\n\n", "event: x\ndata: 1\ndata:2\n\n"]), ["1\n2"]);
        assert_eq!(events(&["data: half"]), Vec::<String>::new());
    }
}
