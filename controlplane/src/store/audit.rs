//! The audit log: a chain of events, each with the hash of the one before.
//!
//! An event is appended in the transaction of the change it tells of, as the last thing before the commit: the lock on the head of
//! the chain orders those who append, and is held no longer than that. Many events at once cost as many statements as one.

mod payload;
mod read;

use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _};
use utopia_proto::chain::link_hash;
use uuid::Uuid;

pub use self::read::{EventFilter, StoredEvent};
use super::{Doing as _, Store, batch, row};
use crate::{
    error::{Error, Result},
    model::audit::{AuditResult, Change, Event, Trail},
};

const CONTEXT: &str = "write to the audit log";

impl Store {
    /// Writes down something that changes nothing here: an attempt that failed, or a change made elsewhere.
    pub async fn record(&self, trail: &Trail, change: Change, result: AuditResult, now: Timestamp) -> Result<()> {
        self.append(&[Entry { trail, change: &change, result: &result, at: now }]).await
    }

    /// Writes down several such things at once: all or, when it fails, none.
    pub async fn record_all(&self, events: &[Event]) -> Result<()> {
        self.append(&events.iter().map(Entry::from).collect::<Vec<_>>()).await
    }

    async fn append(&self, entries: &[Entry<'_>]) -> Result<()> {
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        append_all(&mut transaction, entries).await?;
        transaction.commit().await.doing(CONTEXT)
    }
}

/// What the log is to know of one thing that was done or tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) trail: &'a Trail,
    pub(super) change: &'a Change,
    pub(super) result: &'a AuditResult,
    pub(super) at: Timestamp,
}

impl<'a> From<&'a Event> for Entry<'a> {
    fn from(Event { trail, change, result, at }: &'a Event) -> Self {
        Self { trail, change, result, at: *at }
    }
}

/// Appends what was done, in the transaction that does it.
pub(super) async fn append(connection: &mut AnyConnection, trail: &Trail, change: Change, now: Timestamp) -> Result<()> {
    append_all(connection, &[Entry { trail, change: &change, result: &AuditResult::Success, at: now }]).await
}

/// Appends in this order. The head of the chain is moved once, however many there are.
pub(super) async fn append_all(connection: &mut AnyConnection, entries: &[Entry<'_>]) -> Result<()> {
    let count = i64::try_from(entries.len()).map_err(|error| Error::internal(CONTEXT, error))?;
    // Takes the lock, and holds it until the transaction ends.
    let head = sqlx::query("update audit_head set sequence = sequence + $1 where id = 1 returning sequence, hash").bind(count);
    let head = head.fetch_one(&mut *connection).await.doing(CONTEXT)?;
    let mut sequence = head.try_get::<i64, _>("sequence").doing(CONTEXT)? - count;
    let mut hash: String = head.try_get("hash").doing(CONTEXT)?;
    for entries in batch::pieces(entries) {
        let sql = batch::statement(
            "insert into audit_events \
             (sequence, id, at, resource, resource_id, action, user_name, result, payload, previous_hash, hash) values ",
            "($, $, $, $, $, $, $, $, $, $, $)",
            entries.len(),
            "",
            0,
        );
        let mut insert = sqlx::query(sql);
        for entry in entries {
            sequence += 1;
            let Entry { trail, change, result, at } = entry;
            let id = Uuid::new_v4().to_string();
            let payload = payload::text(&id, sequence, entry)?;
            let previous_hash = hash;
            hash = link_hash(&previous_hash, &payload);
            insert = insert.bind(sequence).bind(id).bind(row::ms(*at)).bind(&*trail.resource).bind(&*change.resource_id);
            insert = insert.bind(&*trail.action).bind(&*trail.user).bind(payload::word(result));
            insert = insert.bind(payload).bind(previous_hash).bind(hash.clone());
        }
        insert.execute(&mut *connection).await.doing(CONTEXT)?;
    }
    let advance = sqlx::query("update audit_head set hash = $1 where id = 1").bind(hash);
    advance.execute(&mut *connection).await.doing(CONTEXT)?;
    Ok(())
}
