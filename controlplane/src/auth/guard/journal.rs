//! Writes attempts that came to nothing into the audit log, after they were answered.
//!
//! Answers never wait for it. The queue is bounded, and one writer takes many entries into one transaction, so that a flood of
//! refused calls costs the database little. What cannot be written goes to our own log in full.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    model::audit::{AuditResult, Change, Event, Trail},
    store::Store,
};

/// Entries that wait for the writer.
const QUEUE: usize = 4096;

/// The most entries of one transaction.
const BATCH: usize = 256;

/// How long one transaction may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// Takes entries. Clones write to the same log.
#[derive(Debug, Clone)]
pub struct Journal {
    queue: mpsc::Sender<Event>,
    clock: Clock,
}

/// The other end of a [`Journal`].
#[derive(Debug)]
pub struct Writer(mpsc::Receiver<Event>);

impl Journal {
    /// A journal and its writer, which has to be run.
    #[must_use]
    pub fn new(clock: Clock) -> (Self, Writer) {
        let (queue, entries) = mpsc::channel(QUEUE);
        (Self { queue, clock }, Writer(entries))
    }

    /// Takes an entry to be written soon.
    pub(super) fn take(&self, trail: Trail, resource_id: String, result: AuditResult) {
        let event = Event { trail, change: Change::touched(resource_id), result, at: self.clock.now() };
        if let Err(mpsc::error::TrySendError::Full(event) | mpsc::error::TrySendError::Closed(event)) = self.queue.try_send(event)
        {
            lost(&event, "there are too many");
        }
    }
}

impl Writer {
    /// Writes until cancelled, and then what is still in the queue.
    pub async fn run(mut self, store: Store, cancel: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let received = cancel.run_until_cancelled(self.0.recv_many(&mut batch, BATCH)).await;
            if received.is_none() {
                self.0.close();
                // What is left, without waiting for more.
                while batch.len() < QUEUE
                    && let Ok(event) = self.0.try_recv()
                {
                    batch.push(event);
                }
            }
            if !batch.is_empty() {
                write(&store, &batch).await;
                batch.clear();
            }
            if received.is_none_or(|count| count == 0) {
                return;
            }
        }
    }
}

async fn write(store: &Store, batch: &[Event]) {
    let problem = match tokio::time::timeout(DEADLINE, store.record_all(batch)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the database takes too long".to_owned(),
    };
    batch.iter().for_each(|event| lost(event, &problem));
}

/// The last place for an entry that the audit log does not get.
fn lost(event: &Event, problem: &str) {
    let Event { trail, change, result, at } = event;
    let (user, action, resource_id) = (&trail.user, &trail.action, &change.resource_id);
    tracing::error!(problem, user, %action, resource_id, ?result, %at, "an attempt could not be written to the audit log");
}
