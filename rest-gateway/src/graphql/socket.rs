//! Documents over a WebSocket, in the protocol `graphql-transport-ws`: subscriptions above all.
//!
//! What a message of a stream is asked for upstream only when the client has taken the one before. The protocol is spoken here and not
//! by the library, which takes on as many operations as a client sends messages. A connection may have a bounded number of
//! them, must introduce itself in time, and is dropped when it no longer answers.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_graphql::Response;
use axum::{
    extract::{
        FromRequestParts as _,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    response::{IntoResponse as _, Response as HttpResponse},
};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_stream::{StreamMap, StreamNotifyClose};

use super::{Caller, Graphql, Media, Posted, failure};
use crate::{call::direct::Origin, serve::Lifetime, style::Failure, upstream::Upstream};

const PROTOCOL: &str = "graphql-transport-ws";
/// How long a client may take to introduce itself.
const INIT_DEADLINE: Duration = Duration::from_secs(10);
/// How long a client may take to take a message.
const SEND_DEADLINE: Duration = Duration::from_secs(30);
/// How often a client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Questions without any sign of life after which it is not.
const MAX_SILENT_PINGS: u32 = 2;
/// Operations that a connection may have under way.
const MAX_OPERATIONS: usize = 16;
const MAX_ID_BYTES: usize = 128;
/// Buffers of a connection; longer messages make them grow for a while.
const BUFFER_BYTES: usize = 8 * 1024;

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Heard {
    ConnectionInit {
        #[serde(default)]
        payload: Option<Json>,
    },
    Ping {},
    Pong {},
    Subscribe {
        id: String,
        payload: Posted,
    },
    Complete {
        id: String,
    },
}

/// What a client is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said<'a> {
    ConnectionAck,
    Pong,
    Next {
        id: &'a str,
        payload: &'a Response,
    },
    /// Nothing was done, and nothing follows.
    Error {
        id: &'a str,
        payload: &'a [async_graphql::ServerError],
    },
    Complete {
        id: &'a str,
    },
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The client has gone, or takes nothing any more.
    Gone,
    /// It is told why.
    Closed(u16, &'static str),
}

const INVALID: End = End::Closed(4400, "the message is none of graphql-transport-ws");
const UNAUTHORIZED: End = End::Closed(4401, "connection_init comes first");
const NOT_INTRODUCED: End = End::Closed(4408, "connection_init did not come in time");
const TAKEN: End = End::Closed(4409, "an operation with this id is under way");
const INTRODUCED_TWICE: End = End::Closed(4429, "connection_init came twice");
const ENDING: End = End::Closed(close_code::AWAY, "the server ends");

/// Whether a request wants a WebSocket.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens a WebSocket, for pages of the same and of admitted origins, and for whom is no page.
pub(super) async fn open<S: Upstream>(graphql: &Arc<Graphql<S>>, parts: &mut Parts) -> HttpResponse {
    if !graphql.origins.admits(&parts.headers) {
        let message = "pages of this origin may not call; see UTOPIA_CORS_ORIGINS";
        return Media::Json.refuse(&Failure::new(StatusCode::FORBIDDEN, "OriginNotAllowed", message));
    }
    let origin = graphql.gateway.origin(parts);
    let lifetime = parts.extensions.get::<Lifetime>().cloned().unwrap_or_default();
    let upgrade = match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade.protocols([PROTOCOL]),
        Err(rejection) => return rejection.into_response(),
    };
    if upgrade.selected_protocol().is_none() {
        let message = format!("the protocol must be {PROTOCOL}");
        return Media::Json.refuse(&Failure::new(StatusCode::BAD_REQUEST, "UnsupportedProtocol", message));
    }
    let limit = graphql.gateway.max_request_bytes();
    let upgrade = upgrade.max_message_size(limit).max_frame_size(limit);
    let upgrade = upgrade.read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
    let session = Session { graphql: Arc::clone(graphql), origin, operations: StreamMap::new() };
    upgrade.on_upgrade(move |socket| {
        let tasks = lifetime.tasks.clone();
        tasks.track_future(async move {
            tokio::select! {
                () = session.run(socket, &lifetime) => {}
                () = lifetime.cut.cancelled() => {}
            }
        })
    })
}

type Operation = StreamNotifyClose<Pin<Box<dyn Stream<Item = Response> + Send>>>;

/// One connection.
struct Session<S> {
    graphql: Arc<Graphql<S>>,
    origin: Origin,
    operations: StreamMap<String, Operation>,
}

impl<S: Upstream> Session<S> {
    async fn run(mut self, mut socket: WebSocket, lifetime: &Lifetime) {
        let end = tokio::select! {
            end = self.serve(&mut socket) => end,
            () = lifetime.shutdown.cancelled() => ENDING,
        };
        drop(self.operations);
        if let End::Closed(code, reason) = end {
            let frame = CloseFrame { code, reason: reason.into() };
            // Whoever does not take it is gone all the same.
            let _ = timeout(SEND_DEADLINE, socket.send(Message::Close(Some(frame)))).await;
        }
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> End {
        match timeout(INIT_DEADLINE, self.introduced(socket)).await {
            Ok(Ok(())) => {}
            Ok(Err(end)) => return end,
            Err(_) => return NOT_INTRODUCED,
        }
        let mut pings = pings();
        let mut silent_pings = 0;
        loop {
            let result = tokio::select! {
                message = socket.recv() => {
                    silent_pings = 0;
                    match message {
                        Some(Ok(message)) => self.hear(socket, &message).await,
                        Some(Err(_)) | None => Err(End::Gone),
                    }
                }
                Some((id, response)) = self.operations.next() => self.tell(socket, &id, response).await,
                _ = pings.tick() => {
                    silent_pings += 1;
                    if silent_pings > MAX_SILENT_PINGS { Err(End::Gone) } else { send(socket, Message::Ping(axum::body::Bytes::new())).await }
                }
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    /// Waits until the client introduces itself. The token may come with that, since pages cannot send headers here.
    async fn introduced(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        loop {
            let Some(Ok(message)) = socket.recv().await else { return Err(End::Gone) };
            match heard(&message)? {
                None | Some(Heard::Pong {}) => {}
                Some(Heard::Ping {}) => say(socket, &Said::Pong).await?,
                Some(Heard::Subscribe { .. } | Heard::Complete { .. }) => return Err(UNAUTHORIZED),
                Some(Heard::ConnectionInit { payload }) => {
                    if let Some(token) = payload.as_ref().and_then(authorization) {
                        self.origin.headers.insert(header::AUTHORIZATION, token);
                    }
                    return say(socket, &Said::ConnectionAck).await;
                }
            }
        }
    }

    async fn hear(&mut self, socket: &mut WebSocket, message: &Message) -> Result<(), End> {
        match heard(message)? {
            None | Some(Heard::Pong {}) => Ok(()),
            Some(Heard::Ping {}) => say(socket, &Said::Pong).await,
            Some(Heard::ConnectionInit { .. }) => Err(INTRODUCED_TWICE),
            Some(Heard::Complete { id }) => {
                self.operations.remove(&id);
                Ok(())
            }
            Some(Heard::Subscribe { id, payload }) => {
                if id.len() > MAX_ID_BYTES {
                    return Err(INVALID);
                }
                if self.operations.contains_key(&id) {
                    return Err(TAKEN);
                }
                if self.operations.len() >= MAX_OPERATIONS {
                    let message = format!("a connection may have {MAX_OPERATIONS} operations under way");
                    let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, "TooManyOperations", message);
                    let errors = failure::answer(&failure).errors;
                    return say(socket, &Said::Error { id: &id, payload: &errors }).await;
                }
                self.operations.insert(id, StreamNotifyClose::new(self.answers(payload)));
                Ok(())
            }
        }
    }

    /// Tells an answer of an operation, or that there are no more.
    async fn tell(&mut self, socket: &mut WebSocket, id: &str, response: Option<Response>) -> Result<(), End> {
        match &response {
            None => say(socket, &Said::Complete { id }).await,
            Some(response) if failure::status(response).is_some() => {
                self.operations.remove(id);
                say(socket, &Said::Error { id, payload: &response.errors }).await
            }
            Some(response) => say(socket, &Said::Next { id, payload: response }).await,
        }
    }

    /// The answers to a document: one, or those of a stream.
    fn answers(&self, posted: Posted) -> Pin<Box<dyn Stream<Item = Response> + Send>> {
        let graphql = Arc::clone(&self.graphql);
        let caller = Arc::new(Caller { origin: self.origin.clone(), ..Caller::default() });
        let answers = async move {
            let mut request = posted.into_request();
            match graphql.prepare(&mut request, &caller).await {
                Ok((schema, _)) => {
                    let answers = schema.execute_stream(request.data(Arc::clone(&caller)));
                    answers.map(move |response| caller.judge(response)).boxed()
                }
                Err(response) => stream::once(std::future::ready(response)).boxed(),
            }
        };
        stream::once(answers).flatten().boxed()
    }
}

fn pings() -> Interval {
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is due at once.
    pings.reset();
    pings
}

/// What a message says; none for those that WebSockets themselves are kept up with.
fn heard(message: &Message) -> Result<Option<Heard>, End> {
    match message {
        Message::Text(text) => serde_json::from_str(text).map(Some).map_err(|_| INVALID),
        Message::Binary(_) => Err(INVALID),
        Message::Ping(_) | Message::Pong(_) => Ok(None),
        Message::Close(_) => Err(End::Gone),
    }
}

/// The token of an introduction: `{"Authorization": "Bearer …"}`, in whatever case.
fn authorization(payload: &Json) -> Option<HeaderValue> {
    let (_, value) = payload.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    let mut value = HeaderValue::try_from(value.as_str()?).ok()?;
    value.set_sensitive(true);
    Some(value)
}

async fn say(socket: &mut WebSocket, said: &Said<'_>) -> Result<(), End> {
    let text = serde_json::to_string(said).map_err(|_| End::Closed(close_code::ERROR, "an answer cannot be written"))?;
    send(socket, Message::text(text)).await
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SEND_DEADLINE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}
