//! `utopia.event.v1.EventService`.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use prost_types::Struct;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::event::v1::{Event as WireEvent, WatchEventsRequest, event_service_server::EventService};

use super::{convert, validate};
use crate::{
    auth::{Identity, Person},
    error::{Error, Result},
    events::EventLog,
    model::event::{Event, Kinds},
};

/// The most types that a watcher may name.
const MAX_TYPES: usize = 64;

/// A watcher that is told nothing for so long is told how far the log has come: cursors that wait must not expire.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(30);

/// The service.
#[derive(Debug, Clone)]
pub struct Events {
    /// Has the events.
    pub log: EventLog,
}

#[async_trait]
impl EventService for Events {
    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<WireEvent, Status>> + Send>>;

    async fn watch_events(&self, request: Request<WatchEventsRequest>) -> Result<Response<Self::WatchEventsStream>, Status> {
        let person = Identity::of(&request).person()?;
        let WatchEventsRequest { cursor, types, resource_id, once } = request.into_inner();
        let filter = Filter::new(&person, types, resource_id)?;
        let end = self.log.end().await?;
        let begin = if cursor.is_empty() { end } else { position(&cursor)? };
        // An expired cursor is the answer to the call, and not the end of a stream.
        let first = self.log.after(begin).await?;
        let watch =
            Watch { log: self.log.clone(), filter, cursor: begin, batch: first, end: once.then_some(end), told: Instant::now() };
        let events = stream::try_unfold(watch, Watch::next).map_ok(|events| stream::iter(events.into_iter().map(Ok)));
        let begin = stream::once(std::future::ready(Ok(bookmark(begin))));
        Ok(Response::new(begin.chain(events.try_flatten()).boxed()))
    }
}

/// A watcher on the way through the log.
struct Watch {
    log: EventLog,
    filter: Filter,
    /// The last event that was looked at.
    cursor: i64,
    /// What follows, as far as it was read.
    batch: Vec<Arc<Event>>,
    /// Where a watcher stops who wants only what is there.
    end: Option<i64>,
    /// When the watcher was last told anything.
    told: Instant,
}

impl Watch {
    /// What the watcher is told next, and where it is then; nothing when it is at the end.
    async fn next(mut self) -> Result<Option<(Vec<WireEvent>, Self)>, Status> {
        loop {
            if self.batch.is_empty() {
                if self.end.is_some_and(|end| self.cursor >= end) {
                    return Ok(None);
                }
                // However it ends, it is looked.
                let _ = timeout_at(self.told + BOOKMARK_INTERVAL, self.log.wait_beyond(self.cursor)).await;
            }
            let mut events: Vec<_> = self.batch.iter().filter(|event| self.filter.admits(event)).map(show).collect();
            self.cursor = self.batch.last().map_or(self.cursor, |event| event.sequence);
            self.batch = self.log.after(self.cursor).await?;
            if events.is_empty() && self.told.elapsed() >= BOOKMARK_INTERVAL {
                events.push(bookmark(self.cursor));
            }
            if !events.is_empty() {
                self.told = Instant::now();
                return Ok(Some((events, self)));
            }
        }
    }
}

/// What a watcher wants and may see.
#[derive(Debug, Clone)]
struct Filter {
    kinds: Arc<Kinds>,
    resource_id: Arc<str>,
    /// Whose things the watcher sees; none for everybody's.
    scope: Option<i64>,
}

impl Filter {
    fn new(person: &Person, types: Vec<String>, resource_id: String) -> Result<Self> {
        if types.len() > MAX_TYPES {
            return Err(Error::invalid("types", format!("must be at most {MAX_TYPES}")));
        }
        if let Some(unknown) = types.iter().find(|kind| !Kinds::is_pattern(kind)) {
            return Err(Error::invalid("types", format!("must be like `claim.running`, `claim.*` or `*`, not {unknown:?}")));
        }
        validate::text("resource_id", &resource_id, 128)?;
        Ok(Self { kinds: Arc::new(Kinds::new(types)), resource_id: resource_id.into(), scope: person.scope() })
    }

    fn admits(&self, event: &Event) -> bool {
        let may_see = self.scope.is_none() || event.owner_id.is_none() || event.owner_id == self.scope;
        let is_named = self.resource_id.is_empty() || *self.resource_id == *event.resource_id;
        may_see && is_named && self.kinds.contain(&event.kind)
    }
}

/// A place in the log, from its text.
fn position(cursor: &str) -> Result<i64> {
    let position = cursor.parse().ok().filter(|position| *position >= 0);
    position.ok_or_else(|| Error::invalid("cursor", "must be the `cursor` of an event, or `0`"))
}

fn show(event: &Arc<Event>) -> WireEvent {
    WireEvent {
        cursor: event.sequence.to_string(),
        id: event.id.clone(),
        r#type: event.kind.clone(),
        resource: event.resource().to_owned(),
        resource_id: event.resource_id.clone(),
        timestamp: Some(convert::timestamp(event.at)),
        data: Some(convert::structure(Some(&event.data))),
    }
}

/// How far the log has come, when nothing else is to be told.
fn bookmark(cursor: i64) -> WireEvent {
    WireEvent { cursor: cursor.to_string(), r#type: "bookmark".to_owned(), data: Some(Struct::default()), ..WireEvent::default() }
}
