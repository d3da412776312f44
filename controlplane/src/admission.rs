//! Admits claims in groups: whoever asks while a transaction is under way shares the next one.
//!
//! One writer takes whatever waits, and never waits for more. Nobody hears of a claim before it is committed, a request that is
//! refused holds up nothing but itself, and whoever hangs up takes nothing along.

use std::{slice, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, Result},
    store::{AdmitError, Admitted, NewClaim, Store},
};

/// Requests that wait for the writer. Those beyond wait for room.
const QUEUE: usize = 1024;

/// The most claims of one transaction: those who come later do not wait long, and there is little left to share.
const BATCH: usize = 128;

/// How long one transaction may take.
const WRITE_DEADLINE: Duration = Duration::from_secs(15);

/// How long a request may take, its time in the queue included.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the store says when it cannot be reached.
const AWAY: &str = "DatabaseUnavailable";

/// Takes requests. Clones have the same writer.
#[derive(Debug, Clone)]
pub struct Admission(mpsc::Sender<Waiting>);

/// The other end of an [`Admission`].
#[derive(Debug)]
pub struct Writer(mpsc::Receiver<Waiting>);

#[derive(Debug)]
struct Waiting {
    new: NewClaim,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Admitted, AdmitError>;

impl Admission {
    /// An entrance and its writer, which has to be run.
    #[must_use]
    pub fn new() -> (Self, Writer) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self(queue), Writer(waiting))
    }

    /// Admits a claim; it is committed when this returns. Dropped before, it may be admitted or not.
    ///
    /// # Errors
    /// [`AdmitError::QuotaExceeded`], or what the store says.
    pub async fn admit(&self, new: NewClaim) -> Answer {
        let (answer, admitted) = oneshot::channel();
        let ask = async {
            self.0.send(Waiting { new, answer }).await.ok()?;
            admitted.await.ok()
        };
        // Without an answer the writer has ended, or has given up together with the database.
        timeout(DEADLINE, ask).await.ok().flatten().unwrap_or_else(|| Err(unavailable().into()))
    }
}

impl Writer {
    /// Admits until cancelled. Cancel it after those who ask: what is still in the queue then is not admitted.
    pub async fn run(mut self, store: Store, cancel: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(1..) = cancel.run_until_cancelled(self.0.recv_many(&mut batch, BATCH)).await {
            write(&store, &mut batch).await;
        }
    }
}

async fn write(store: &Store, batch: &mut Vec<Waiting>) {
    // Whoever has hung up does not want it any more.
    batch.retain(|waiting| !waiting.answer.is_closed());
    let (requests, answers): (Vec<_>, Vec<_>) = batch.drain(..).map(|Waiting { new, answer }| (new, answer)).unzip();
    match admit(store, &requests).await {
        Ok(admitted) => answers.into_iter().zip(admitted).for_each(|(answer, admitted)| tell(answer, admitted)),
        // Nobody is answered, and so everybody hears that the database is away.
        Err(error) if is_away(&error) => {}
        // It may have been for one of them only, and the others are not to suffer for it.
        Err(error) => {
            tracing::warn!(%error, claims = requests.len(), "claims could not be admitted together, and are admitted one by one");
            for (new, answer) in requests.iter().zip(answers) {
                let admitted = admit(store, slice::from_ref(new)).await;
                let gone = admitted.as_ref().is_err_and(is_away);
                tell(answer, admitted.map_err(AdmitError::from).and_then(|mut admitted| admitted.remove(0)));
                if gone {
                    return;
                }
            }
        }
    }
}

async fn admit(store: &Store, requests: &[NewClaim]) -> Result<Vec<Answer>> {
    timeout(WRITE_DEADLINE, store.admit_claims(requests)).await.unwrap_or_else(|_| Err(unavailable()))
}

fn tell(answer: oneshot::Sender<Answer>, admitted: Answer) {
    // Whoever has hung up has a claim all the same, as when the answer is lost on its way.
    let _ = answer.send(admitted);
}

fn is_away(error: &Error) -> bool {
    matches!(error, Error::Unavailable { reason, .. } if reason == AWAY)
}

fn unavailable() -> Error {
    Error::Unavailable { reason: AWAY.into(), message: "the database does not answer".to_owned() }
}

#[cfg(test)]
mod tests;
