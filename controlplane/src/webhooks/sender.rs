//! Sends what is due. Each webhook has a few attempts of its own under way, and one that fails has one: nobody waits for another. What
//! is tried was claimed for a while in the store, so that it is tried again when this process ends in the middle.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use rand::RngExt as _;
use tokio::{
    sync::Notify,
    task::{Id, JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::courier::{Courier, DEADLINE};
use crate::{
    clock::Clock,
    error::Result,
    model::webhook::{Attempt, Verdict},
    store::{Claimed, Settled, Store},
};

/// The most attempts of one webhook at a time.
const PER_WEBHOOK: usize = 4;

/// How long a delivery is claimed: an attempt and writing down what came of it end before.
const LEASE: SignedDuration = SignedDuration::from_secs(20);

const _: () = assert!(LEASE.as_secs() as u64 > DEADLINE.as_secs());

/// The most time between two looks for what is due.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long attempts may go on when the control plane stops.
const GRACE: Duration = Duration::from_secs(5);

/// Who does it.
#[derive(Debug)]
pub(super) struct Sender {
    store: Store,
    courier: Courier,
    clock: Clock,
    due: Arc<Notify>,
    attempts: JoinSet<Attempt>,
    /// What is under way.
    under_way: HashMap<Id, Claimed>,
    /// What has ended and is not written down yet.
    ended: Vec<Settled>,
    /// The webhooks whose last attempt failed.
    failing: HashSet<Uuid>,
}

impl Sender {
    pub(super) fn new(store: Store, courier: Courier, clock: Clock, due: Arc<Notify>) -> Self {
        let (attempts, under_way, ended, failing) = (JoinSet::new(), HashMap::new(), Vec::new(), HashSet::new());
        Self { store, courier, clock, due, attempts, under_way, ended, failing }
    }

    /// Runs until cancelled. Attempts that are under way then have a moment to end.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            if let Err(error) = self.pass().await {
                tracing::warn!(%error, "deliveries of webhooks could not be read or written; they are tried again");
                let _ = cancel.run_until_cancelled(sleep(INTERVAL)).await;
            }
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.due.notified() => {}
                () = sleep(INTERVAL) => {}
                Some(ended) = self.attempts.join_next_with_id() => self.land(ended),
            }
        }
        let rest = async {
            while let Some(ended) = self.attempts.join_next_with_id().await {
                self.land(ended);
            }
        };
        // Whoever is slower is asked again after the next start.
        let _ = timeout(GRACE, rest).await;
        self.attempts.shutdown().await;
        let cut = self.under_way.values().map(|claimed| claimed.id).collect::<Vec<_>>();
        let written = async {
            self.settle().await?;
            self.store.release_deliveries(&cut, self.clock.now()).await
        };
        if let Err(error) = written.await {
            tracing::warn!(%error, "the last deliveries could not be written down; they are tried again");
        }
    }

    /// Writes down what has ended, and begins what is due.
    async fn pass(&mut self) -> Result<()> {
        while let Some(ended) = self.attempts.try_join_next_with_id() {
            self.land(ended);
        }
        self.settle().await?;
        let now = self.clock.now();
        let webhooks = self.store.due_webhooks(now).await?;
        let slots = webhooks.iter().map(|webhook| (webhook.id, self.free(webhook.id))).filter(|(_, free)| *free > 0);
        let slots = slots.collect::<Vec<_>>();
        if slots.is_empty() {
            return Ok(());
        }
        for claimed in self.store.claim_deliveries(&slots, now, LEASE).await? {
            let Some(webhook) = webhooks.iter().find(|webhook| webhook.id == claimed.webhook_id) else { continue };
            let (courier, webhook, message) = (self.courier.clone(), webhook.clone(), claimed.message.clone());
            let attempt = self.attempts.spawn(async move { courier.send(&webhook, &message).await });
            self.under_way.insert(attempt.id(), claimed);
        }
        Ok(())
    }

    /// How many more attempts a webhook may have under way.
    fn free(&self, webhook: Uuid) -> i64 {
        let most = if self.failing.contains(&webhook) { 1 } else { PER_WEBHOOK };
        let under_way = self.under_way.values().filter(|claimed| claimed.webhook_id == webhook).count();
        i64::try_from(most.saturating_sub(under_way)).unwrap_or_default()
    }

    fn land(&mut self, ended: Result<(Id, Attempt), JoinError>) {
        match ended {
            Ok((id, attempt)) => {
                let Some(claimed) = self.under_way.remove(&id) else { return };
                match attempt.verdict {
                    Verdict::Delivered => self.failing.remove(&claimed.webhook_id),
                    Verdict::Failed | Verdict::Gone => self.failing.insert(claimed.webhook_id),
                };
                self.ended.push(Settled { claimed, attempt, random: rand::rng().random() });
            }
            // It is tried again when its claim is over.
            Err(error) => {
                let claimed = self.under_way.remove(&error.id());
                tracing::error!(%error, delivery = ?claimed.map(|claimed| claimed.id), "an attempt to deliver an event ended badly");
            }
        }
    }

    /// Writes down what has ended; what cannot be written is kept for the next time.
    async fn settle(&mut self) -> Result<()> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.store.settle_deliveries(&self.ended, now).await?;
        let gone = self.ended.drain(..).filter(|settled| settled.attempt.verdict == Verdict::Gone);
        for webhook in gone.map(|settled| settled.claimed.webhook_id).collect::<HashSet<_>>() {
            tracing::warn!(%webhook, "the receiver of a webhook is gone; the webhook is paused");
            self.store.pause_webhook(webhook, now).await?;
        }
        Ok(())
    }
}
