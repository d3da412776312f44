//! Keeps the book true: reads the labels at start, follows the runtime's events, and looks at everything again now and then.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt as _, stream::BoxStream};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Containers,
    ledger::{NODE, Placement, Record},
    work::{Job, Task},
};
use crate::{
    error::{Error, Result},
    runtime::{Observed, RUNTIME_UNAVAILABLE},
};

/// How often everything is looked at although no event said so.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);
const MIN_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(10);

impl Containers {
    /// Follows the runtime until `cancel`. While the runtime is away it is tried again and again, and the book keeps what
    /// was last known.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let followed = cancel.run_until_cancelled(async {
            let mut node = self.node.subscribe();
            // The sender lives as long as `self`.
            let node = node.wait_for(Option::is_some).await.ok().and_then(|node| *node);
            if let Some(node) = node {
                self.follow_for_ever(node).await;
            }
        });
        followed.await;
        self.watching.store(false, Ordering::Release);
    }

    async fn follow_for_ever(self: &Arc<Self>, node: Uuid) {
        let mut backoff = MIN_BACKOFF;
        let mut was_away = false;
        loop {
            let connected = self.connect(node).await;
            let error = match connected {
                Ok(events) => {
                    if std::mem::take(&mut was_away) {
                        tracing::info!("the container runtime is back");
                    }
                    backoff = MIN_BACKOFF;
                    let error = self.follow(events).await;
                    self.watching.store(false, Ordering::Release);
                    error
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut was_away, true) {
                tracing::warn!(%error, "the container runtime is away");
            }
            tokio::time::sleep(backoff.mul_f64(rand::random_range(0.5..=1.0))).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    /// Subscribes before looking, so that nothing falls in between.
    async fn connect(self: &Arc<Self>, node: Uuid) -> Result<BoxStream<'static, Result<String>>> {
        let events = self.runtime.watch(NODE, &node.to_string()).await?;
        self.adopt().await?;
        self.watching.store(true, Ordering::Release);
        Ok(events)
    }

    /// Follows the events until they end, and says why they did.
    async fn follow(self: &Arc<Self>, mut events: BoxStream<'static, Result<String>>) -> Error {
        let mut resync = interval_at(Instant::now() + RESYNC_INTERVAL, RESYNC_INTERVAL);
        resync.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let looked = tokio::select! {
                event = events.next() => match event {
                    Some(Ok(container_id)) => self.refresh(&container_id).await,
                    Some(Err(error)) => Err(error),
                    None => Err(Error::Unavailable {
                        reason: RUNTIME_UNAVAILABLE,
                        message: "the container runtime ended its events".to_owned(),
                    }),
                },
                _ = resync.tick() => self.adopt().await,
            };
            if let Err(error) = looked {
                return error;
            }
        }
    }

    /// Reads the labels of everything this agent has made into the book, and goes on where an agent that was killed
    /// stopped. At start, whenever the runtime comes back, and now and then.
    ///
    /// # Errors
    /// The runtime is away; nothing is changed then.
    pub async fn adopt(self: &Arc<Self>) -> Result<()> {
        let Some(node) = self.node_id() else { return Ok(()) };
        let observing = self.observing.lock().await;
        let found = self.runtime.list(NODE, &node.to_string()).await?;
        let mut book = self.book();
        let mut records: BTreeMap<Placement, (Record, Observed)> = BTreeMap::new();
        for container in found {
            if let Some(record) = Record::read(node, &container) {
                records.insert(record.placement.clone(), (record, container));
            }
        }
        let gone = book.entries().filter(|entry| {
            entry.activity.is_none() && entry.container.is_some() && !records.contains_key(&entry.record.placement)
        });
        let gone: Vec<Placement> = gone.map(|entry| entry.record.placement.clone()).collect();
        for placement in gone {
            tracing::info!(%placement, "the container was removed by somebody else");
            self.forget(&mut book, &placement);
        }
        for (record, container) in records.into_values() {
            self.note(&mut book, &record, container);
        }
        for placement in book.left_unstarted() {
            let Some(entry) = book.get(&placement) else { continue };
            let Some(container) = &entry.container else { continue };
            tracing::info!(%placement, container = container.id, "starting a container that was left unstarted");
            let job = Job { record: entry.record.clone(), task: Task::Start { id: container.id.clone() } };
            let (_, guard) = self.begin(&mut book, node, job);
            self.keep(guard);
        }
        drop(book);
        drop(observing);
        self.adopted.send_replace(true);
        Ok(())
    }

    /// Looks at one container to which something happened.
    async fn refresh(self: &Arc<Self>, container_id: &str) -> Result<()> {
        let Some(node) = self.node_id() else { return Ok(()) };
        let _observing = self.observing.lock().await;
        let found = self.runtime.inspect(container_id).await?;
        let mut book = self.book();
        let Some(container) = found else {
            let placement = book.find(container_id).cloned();
            if let Some(placement) = placement.filter(|placement| book.get(placement).is_some_and(|it| it.activity.is_none())) {
                tracing::info!(%placement, container = container_id, "the container was removed by somebody else");
                self.forget(&mut book, &placement);
            }
            return Ok(());
        };
        if let Some(record) = Record::read(node, &container) {
            self.note(&mut book, &record, container);
        }
        Ok(())
    }

    /// Writes what was seen into the book, unless a task is busy with the container: it looks itself when it is done.
    fn note(&self, book: &mut super::Book, record: &Record, container: Observed) {
        let entry = book.entry(record);
        if entry.activity.is_some() {
            return;
        }
        entry.record = record.clone();
        entry.failure = None;
        entry.container = Some(container);
        self.tell(book, &record.placement);
    }
}
