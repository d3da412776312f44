//! Makes deliveries of events: reads on in the log, and moves the durable cursor in the transaction that writes what it made. So no
//! event is passed over and none goes out twice, however often the process ends, and however many read the same log.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    error::{Error, Result},
    events::EventLog,
    model::{
        event::Event,
        webhook::{Message, Webhook},
    },
    store::{NewDelivery, Store},
};

/// How often the cursor is written when nobody wants the events that pass.
const KEEP_INTERVAL: Duration = Duration::from_secs(10);

/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// From how many deliveries on no further event is looked at in the same transaction.
const BATCH: usize = 2_000;

/// Who does it.
#[derive(Debug)]
pub(super) struct Dispatcher {
    store: Store,
    log: EventLog,
    clock: Clock,
    /// Told when something is to be sent.
    due: Arc<Notify>,
}

/// How far it has come.
#[derive(Debug)]
struct Progress {
    /// The cursor in the store.
    kept: i64,
    /// The last event that was looked at; those after `kept` are wanted by nobody.
    seen: i64,
    kept_at: Instant,
}

impl Dispatcher {
    pub(super) fn new(store: Store, log: EventLog, clock: Clock, due: Arc<Notify>) -> Self {
        Self { store, log, clock, due }
    }

    /// Runs until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        let _ = cancel.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&self) {
        loop {
            if let Err(error) = self.follow_from_cursor().await {
                tracing::warn!(%error, "events could not be passed on to webhooks; they are tried again");
            }
            sleep(PAUSE).await;
        }
    }

    /// Follows the log from the cursor on, until something fails or somebody else moves the cursor.
    async fn follow_from_cursor(&self) -> Result<()> {
        let kept = self.store.webhook_cursor().await?;
        let mut progress = Progress { kept, seen: kept, kept_at: Instant::now() };
        while self.step(&mut progress).await? {}
        Ok(())
    }

    /// Looks at what comes next; false when the cursor was moved by somebody else.
    async fn step(&self, progress: &mut Progress) -> Result<bool> {
        let events = match self.log.after(progress.seen).await {
            Ok(events) => events,
            // What is not passed on yet is not forgotten: the log was changed by hand.
            Err(Error::Expired { .. }) => {
                let ends = self.store.outbox_ends().await?;
                tracing::error!(from = progress.seen, to = ends.forgotten, "events are gone that webhooks did not get");
                return self.keep(progress, ends.forgotten, &[]).await;
            }
            Err(error) => return Err(error),
        };
        // Asked for after the events: whoever subscribed before they happened is there.
        let (seen, deliveries) = if events.is_empty() { (progress.seen, Vec::new()) } else { self.deliveries(&events).await? };
        let is_late = seen > progress.kept && progress.kept_at.elapsed() >= KEEP_INTERVAL;
        if !deliveries.is_empty() || is_late {
            return self.keep(progress, seen, &deliveries).await;
        }
        progress.seen = seen;
        if events.is_empty() {
            // However it ends, it is looked.
            let _ = timeout(KEEP_INTERVAL, self.log.wait_beyond(seen)).await;
        }
        Ok(true)
    }

    /// The deliveries of some of the events, and the last event that was looked at.
    async fn deliveries(&self, events: &[Arc<Event>]) -> Result<(i64, Vec<NewDelivery>)> {
        let webhooks = self.store.active_webhooks().await?;
        let (mut seen, mut deliveries) = (0, Vec::new());
        for event in events {
            let wanting = webhooks.iter().filter(|webhook| webhook.wants(event)).collect::<Vec<_>>();
            if !wanting.is_empty() {
                let message = Message::of(event);
                let delivery = |webhook: &Webhook| NewDelivery { webhook_id: webhook.id, message: message.clone() };
                deliveries.extend(wanting.into_iter().map(delivery));
            }
            seen = event.sequence;
            if deliveries.len() >= BATCH {
                break;
            }
        }
        Ok((seen, deliveries))
    }

    async fn keep(&self, progress: &mut Progress, to: i64, deliveries: &[NewDelivery]) -> Result<bool> {
        if !self.store.fan_out(progress.kept, to, deliveries, self.clock.now()).await? {
            return Ok(false);
        }
        *progress = Progress { kept: to, seen: to, kept_at: Instant::now() };
        if !deliveries.is_empty() {
            self.due.notify_one();
        }
        Ok(true)
    }
}
