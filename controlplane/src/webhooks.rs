//! Webhooks: events of the log, sent to whoever subscribes, at least once.
//!
//! The dispatcher makes deliveries of events, in one transaction with its place in the log; the sender tries them until they are
//! delivered or given up. Both begin where they were when the process ends in any way. What leads into private networks is refused by
//! the addresses themselves, at every attempt.

mod addresses;
mod courier;
mod dispatch;
mod sender;
mod signature;

use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{addresses::Allowed, courier::Courier, signature::generate_secret, signature::key};
use self::{dispatch::Dispatcher, sender::Sender};
use crate::{
    clock::Clock,
    events::EventLog,
    seal::{Place, Sealer},
    store::Store,
    telemetry::Metrics,
};

/// Everything about sending. Clones are the same.
#[derive(Debug, Clone)]
pub struct Webhooks {
    store: Store,
    clock: Clock,
    courier: Courier,
    due: Arc<Notify>,
}

impl Webhooks {
    /// Ready to send, also into these private networks.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(store: Store, sealer: Sealer, clock: Clock, allowed: &[IpNet], metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let courier = Courier::new(Allowed::new(allowed), sealer, clock.clone(), metrics)?;
        Ok(Self { store, clock, courier, due: Arc::default() })
    }

    /// Who makes single attempts.
    #[must_use]
    pub fn courier(&self) -> &Courier {
        &self.courier
    }

    /// Something is due now.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// Sends until cancelled.
    pub fn spawn(&self, log: EventLog, tracker: &TaskTracker, cancel: &CancellationToken) {
        let dispatcher = Dispatcher::new(self.store.clone(), log, self.clock.clone(), self.due.clone());
        tracker.spawn(dispatcher.run(cancel.clone()));
        let sender = Sender::new(self.store.clone(), self.courier.clone(), self.clock.clone(), self.due.clone());
        tracker.spawn(sender.run(cancel.clone()));
    }
}

/// Where the secret of a webhook is sealed; `row` is its id.
#[must_use]
pub fn secret_place(row: &str) -> Place<'_> {
    Place { table: "webhooks", column: "sealed_secret", row }
}
