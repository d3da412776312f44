//! `utopia.event.v1.EventService`.

mod place;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use prost_types::Struct;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::event::v1::{Event as WireEvent, WatchEventsRequest, event_service_server::EventService};

use super::{convert, validate};
use crate::{
    auth::{Identity, Person},
    error::{Error, Result},
    events::EventLog,
    model::{
        Role,
        event::{AUDIT, Event, Kinds},
    },
    store::{Store, StoredEvent},
};
use place::Place;

/// The most types that a watcher may name.
const MAX_TYPES: usize = 64;

/// Links of the audit log that are read at once, and how often it is looked for new ones.
const LINKS: i64 = 500;
const AUDIT_INTERVAL: Duration = Duration::from_secs(1);

/// A watcher that is told nothing for so long is told how far the log has come: cursors that wait must not expire.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(30);

/// The service.
#[derive(Debug, Clone)]
pub struct Events {
    /// Has the events.
    pub log: EventLog,
    /// Has the audit log.
    pub store: Store,
}

#[async_trait]
impl EventService for Events {
    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<WireEvent, Status>> + Send>>;

    async fn watch_events(&self, request: Request<WatchEventsRequest>) -> Result<Response<Self::WatchEventsStream>, Status> {
        let person = Identity::of(&request).person()?;
        let WatchEventsRequest { cursor, types, resource_id, once } = request.into_inner();
        let filter = Filter::new(&person, types, resource_id)?;
        let head = if filter.links.is_some() { Some(self.store.audit_head().await?) } else { None };
        let end = Place { event: self.log.end().await?, link: head };
        let begin = if cursor.is_empty() { end } else { Place::parse(&cursor)? };
        let begin = Place { event: begin.event, link: head.map(|head| begin.link.unwrap_or(head)) };
        let mut watch = Watch {
            log: self.log.clone(),
            store: self.store.clone(),
            filter,
            place: begin,
            events: Vec::new(),
            links: Vec::new(),
            end: once.then_some(end),
            told: Instant::now(),
        };
        // An expired cursor is the answer to the call, and not the end of a stream.
        watch.read_on().await?;
        let events = stream::try_unfold(watch, Watch::next).map_ok(|events| stream::iter(events.into_iter().map(Ok)));
        let begin = stream::once(std::future::ready(Ok(bookmark(begin))));
        Ok(Response::new(begin.chain(events.try_flatten()).boxed()))
    }
}

/// A watcher on the way through the logs.
struct Watch {
    log: EventLog,
    store: Store,
    filter: Filter,
    place: Place,
    /// What follows, as far as it was read.
    events: Vec<Arc<Event>>,
    /// The same of the audit log.
    links: Vec<StoredEvent>,
    /// Where a watcher stops who wants only what is there.
    end: Option<Place>,
    /// When the watcher was last told anything.
    told: Instant,
}

impl Watch {
    /// What the watcher is told next, and where it is then; nothing when it is at the end.
    async fn next(mut self) -> Result<Option<(Vec<WireEvent>, Self)>, Status> {
        loop {
            if self.events.is_empty() && self.links.is_empty() {
                if self.end.is_some_and(|end| self.place.has_reached(&end)) {
                    return Ok(None);
                }
                let bookmark = self.told + BOOKMARK_INTERVAL;
                let until = self.place.link.map_or(bookmark, |_| bookmark.min(Instant::now() + AUDIT_INTERVAL));
                // However it ends, it is looked.
                let _ = timeout_at(until, self.log.wait_beyond(self.place.event)).await;
            }
            let mut told = self.take_events();
            told.extend(self.take_links());
            self.read_on().await?;
            if told.is_empty() && self.told.elapsed() >= BOOKMARK_INTERVAL {
                told.push(bookmark(self.place));
            }
            if !told.is_empty() {
                self.told = Instant::now();
                return Ok(Some((told, self)));
            }
        }
    }

    async fn read_on(&mut self) -> Result<()> {
        self.events = self.log.after(self.place.event).await?;
        if let Some(link) = self.place.link {
            self.links = self.store.audit_events_after(link, LINKS).await?;
        }
        Ok(())
    }

    fn take_events(&mut self) -> Vec<WireEvent> {
        let mut told = Vec::new();
        for event in self.events.drain(..) {
            self.place.event = event.sequence;
            if self.filter.admits(&event) {
                told.push(show(&event, self.place));
            }
        }
        told
    }

    fn take_links(&mut self) -> Vec<WireEvent> {
        let mut told = Vec::new();
        for link in self.links.drain(..) {
            self.place.link = Some(link.sequence);
            let event = show_link(&link, self.place);
            if self.filter.admits_link(&event) {
                told.push(event);
            }
        }
        told
    }
}

/// What a watcher wants and may see.
#[derive(Debug, Clone)]
struct Filter {
    kinds: Arc<Kinds>,
    /// The types of the audit log, for who watches it.
    links: Option<Arc<Kinds>>,
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
        let kinds = Kinds::new(types);
        let links = kinds.of_audit();
        if links.is_some() && person.role < Role::Admin {
            let message = "only administrators may watch the audit log".to_owned();
            return Err(Error::Denied { reason: "AdministratorsOnly", message });
        }
        Ok(Self { kinds: Arc::new(kinds), links: links.map(Arc::new), resource_id: resource_id.into(), scope: person.scope() })
    }

    fn admits(&self, event: &Event) -> bool {
        let may_see = self.scope.is_none() || event.owner_id.is_none() || event.owner_id == self.scope;
        may_see && self.names(&event.resource_id) && self.kinds.contain(&event.kind)
    }

    fn admits_link(&self, event: &WireEvent) -> bool {
        self.names(&event.resource_id) && self.links.as_ref().is_some_and(|kinds| kinds.contain(&event.r#type))
    }

    fn names(&self, resource_id: &str) -> bool {
        self.resource_id.is_empty() || *self.resource_id == *resource_id
    }
}

fn show(event: &Event, place: Place) -> WireEvent {
    WireEvent {
        cursor: place.to_string(),
        id: event.id.clone(),
        r#type: event.kind.clone(),
        resource: event.resource().to_owned(),
        resource_id: event.resource_id.clone(),
        timestamp: Some(convert::timestamp(event.at)),
        data: Some(convert::structure(Some(&event.data))),
    }
}

/// What was written to the audit log, as an event.
fn show_link(link: &StoredEvent, place: Place) -> WireEvent {
    let text = |key: &str| link.payload.get(key).and_then(Value::as_str).unwrap_or_default();
    WireEvent {
        cursor: place.to_string(),
        id: text("id").to_owned(),
        r#type: format!("{AUDIT}{}", text("resource")),
        resource: "audit".to_owned(),
        resource_id: text("resource_id").to_owned(),
        timestamp: text("timestamp").parse().ok().map(convert::timestamp),
        data: Some(convert::structure(link.payload.as_object())),
    }
}

/// How far the logs have come, when nothing else is to be told.
fn bookmark(place: Place) -> WireEvent {
    WireEvent { cursor: place.to_string(), r#type: "bookmark".to_owned(), data: Some(Struct::default()), ..WireEvent::default() }
}
