//! Streams of messages as newline-delimited JSON or server-sent events.
//!
//! A message is read from upstream when the client has room for it: back-pressure is that of the two connections, and the
//! buffer never holds more than one message and what came with it. Dropping the body cancels the call.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::body::Body as HttpBody;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};
use tower::BoxError;

use crate::{
    call::Call,
    style::{Failure, Style},
    upstream::{status, take_message, transport_status},
};

/// How often a silent event stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The format of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A JSON text per line. An error is the last line, in bare style.
    Lines,
    /// `text/event-stream`. An error is an event named `error`.
    Events,
}

impl Format {
    /// What the client accepts.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(http::header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut types = accept.flat_map(|value| value.split(',')).filter_map(|kind| kind.split(';').next());
        if types.any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream")) { Self::Events } else { Self::Lines }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    fn message(self, id: Option<&str>, json: &str) -> Bytes {
        match (self, id) {
            (Self::Lines, _) => Bytes::from(format!("{json}\n")),
            (Self::Events, None) => Bytes::from(format!("data: {json}\n\n")),
            (Self::Events, Some(id)) => Bytes::from(format!("id: {id}\ndata: {json}\n\n")),
        }
    }

    fn error(self, json: &str) -> Bytes {
        match self {
            Self::Lines => self.message(None, json),
            Self::Events => Bytes::from(format!("event: error\ndata: {json}\n\n")),
        }
    }
}

/// The body of an answer that streams. At the deadline, if there is one, it ends with an error.
pub(crate) fn body<B>(call: Call, format: Format, upstream: B, deadline: Option<Instant>) -> HttpBody
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let messages = Messages::new(upstream, call.max_response_bytes());
    let feed = Feed { call: Arc::new(call), format, messages, deadline, ended: false };
    HttpBody::from_stream(futures_util::stream::unfold(feed, async |mut feed| {
        let chunk = feed.next().await?;
        Some((Ok::<_, Infallible>(chunk), feed))
    }))
}

struct Feed<B> {
    call: Arc<Call>,
    format: Format,
    messages: Messages<B>,
    deadline: Option<Instant>,
    ended: bool,
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Feed<B> {
    /// The next piece of the body.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let next = match self.format {
            Format::Lines => self.message_until_deadline().await,
            Format::Events => match timeout(KEEP_ALIVE, self.message_until_deadline()).await {
                Ok(next) => next,
                Err(_) => return Some(Bytes::from_static(b": keep-alive\n\n")),
            },
        };
        match next {
            Ok(Some(message)) => Some(message),
            Ok(None) => None,
            Err(status) => {
                self.ended = true;
                let failure = Failure::from_grpc(&status, self.call.route(), HeaderMap::new());
                Some(self.format.error(&Style::Bare.error_body(&failure)))
            }
        }
    }

    async fn message_until_deadline(&mut self) -> Result<Option<Bytes>, Status> {
        match self.deadline {
            None => self.message().await,
            Some(deadline) => match tokio::time::timeout_at(deadline, self.message()).await {
                Ok(message) => message,
                Err(_) => Err(Status::deadline_exceeded("the stream has reached its deadline")),
            },
        }
    }

    /// The next message as the client sees it; none at the end. Nothing is lost when this is dropped half-way.
    async fn message(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(message) = self.messages.next().await? else {
            self.ended = true;
            return Ok(None);
        };
        let id = match self.format {
            Format::Lines => None,
            Format::Events => self.call.event_id(&message),
        };
        Ok(Some(self.format.message(id.as_deref(), &self.call.json(&message)?)))
    }
}

/// The messages of an answer that streams, one by one as they are asked for.
pub(crate) struct Messages<B> {
    upstream: Pin<Box<B>>,
    received: BytesMut,
    limit: usize,
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Messages<B> {
    /// The messages of a body, of which none may be larger than the limit.
    pub(crate) fn new(upstream: B, limit: usize) -> Self {
        Self { upstream: Box::pin(upstream), received: BytesMut::new(), limit }
    }

    /// The next message; none at the end. Nothing is lost when this is dropped half-way.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = take_message(&mut self.received, self.limit)? {
                return Ok(Some(message));
            }
            match self.upstream.frame().await {
                None => return Err(transport_status("the stream ended without a status".into())),
                Some(Err(error)) => return Err(transport_status(error.into())),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.received.extend_from_slice(&data),
                    Err(frame) => return self.end(frame.trailers_ref().and_then(status)),
                },
            }
        }
    }

    fn end(&self, status: Option<Status>) -> Result<Option<Bytes>, Status> {
        match status {
            Some(status) if status.code() == Code::Ok && self.received.is_empty() => Ok(None),
            Some(status) if status.code() == Code::Ok => Err(Status::internal("the stream ended within a message")),
            Some(status) => Err(status),
            None => Err(transport_status("the stream ended without a status".into())),
        }
    }
}
