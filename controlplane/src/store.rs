//! What the control plane remembers, in SQLite or PostgreSQL: one set of queries for both. All SQL of the crate is in here.
//!
//! Rows are only ever changed by compare-and-swap, by a key that is unique, or under the lock of the row that orders the change:
//! on PostgreSQL several replicas write at once, and there a lost race shows in the number of changed rows, not as an error.
//! Nothing here decides: placing, quota policy and retries are the callers'.

mod access_keys;
mod admission;
mod api_tokens;
mod audit;
mod batch;
mod buckets;
mod claims;
mod deliveries;
mod enrolment;
mod gpus;
mod hosts;
mod join_tokens;
mod ledger;
mod limit_usage;
mod login_failures;
mod machines;
mod nodes;
mod objects;
mod open;
mod outbox;
mod placement;
mod roles;
mod row;
mod series;
mod sessions;
mod signing_keys;
mod slurm_jobs;
mod uploads;
mod users;
mod webhooks;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sqlx::{Any, AnyPool, Connection as _, Transaction};
use tokio::sync::Notify;

pub use self::{
    access_keys::MAX_ACCESS_KEYS,
    admission::{AdmitError, Admitted, NewClaim},
    api_tokens::MAX_API_TOKENS,
    audit::{EventFilter, StoredEvent},
    buckets::BucketRemoval,
    deliveries::{Claimed, NewDelivery, Settled},
    enrolment::{EnrolError, EnrolNode},
    gpus::GpuHealth,
    hosts::{HostChange, HostEntry, NewAgentToken},
    join_tokens::NewJoinToken,
    limit_usage::Usage,
    login_failures::LoginFailures,
    machines::MachineFilter,
    nodes::DeleteNodeOutcome,
    objects::{Attempt, NewObject, Refusal},
    open::Options,
    outbox::OutboxEnds,
    placement::{PlaceOutcome, Placement, StatusChange, Waiting},
    series::SeriesChunk,
    sessions::Revocation,
    signing_keys::{KeptSecret, SigningKey},
    slurm_jobs::ObservedJob,
    users::DeletedUser,
    webhooks::MAX_WEBHOOKS,
};
use crate::error::{Error, Result};

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    /// SQLite: one connection, because a second writer would only wait or fail. PostgreSQL: the same pool as `read`.
    write: AnyPool,
    read: AnyPool,
    /// SQLite takes its write lock at the beginning, so that no transaction finds halfway that it came too late.
    begin: &'static str,
    /// The end of a statement that selects rows by `id in (…`, so that they come in order and stay as they are until the transaction
    /// ends. On SQLite they do anyway, in a transaction that may write.
    lock_rows: &'static str,
    /// Told when events were committed.
    appended: Arc<Notify>,
}

impl Store {
    /// Answers when the database can be asked.
    pub async fn ping(&self) -> Result<()> {
        self.read.acquire().await.doing("reach the database")?.ping().await.doing("reach the database")
    }

    /// Waits for what is under way, then closes the connections. SQLite's log is written back into its file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// A transaction that may write; dropped, it is rolled back.
    async fn transaction(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.write.begin_with(self.begin).await
    }
}

/// Turns what the database says into an error of the crate, with what was being done as a present-tense phrase.
trait Doing<T> {
    fn doing(self, context: &'static str) -> Result<T>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, context: &'static str) -> Result<T> {
        self.map_err(|error| {
            if is_no_text(&error) {
                return Error::invalid("request", "must not contain NUL characters");
            }
            if is_deadlock(&error) {
                tracing::warn!(%error, "cannot {context}: another change held what it needs");
                let message = "another change was under way; try again".to_owned();
                return Error::Unavailable { reason: "DatabaseBusy".into(), message };
            }
            if !matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_)) {
                return Error::internal(context, error);
            }
            tracing::error!(%error, "cannot {context}: the database does not answer");
            Error::Unavailable { reason: "DatabaseUnavailable".into(), message: "the database does not answer".to_owned() }
        })
    }
}

/// PostgreSQL gave one of two transactions up that waited for each other. (`deadlock_detected`, SQLSTATE 40P01.)
fn is_deadlock(error: &sqlx::Error) -> bool {
    has_code(error, "40P01")
}

/// PostgreSQL keeps no text with NUL in it, nor looks for one. (`character_not_in_repertoire`, SQLSTATE 22021.)
fn is_no_text(error: &sqlx::Error) -> bool {
    has_code(error, "22021")
}

fn has_code(error: &sqlx::Error, expected: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == expected)
}

/// Another row has this key already.
fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
