//! The log of events. Each is written in the transaction of its change, last of all, and the audit event before it: the row of
//! `outbox_head` is the lock that orders all who append, so that an event is never seen before one that stands in front of it.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::{Any, AnyConnection, Row as _, Transaction, any::AnyRow, query::Query};
use uuid::Uuid;

use super::{Doing as _, Store, batch, row};
use crate::{
    error::{Error, Result},
    model::event::{self, Event},
};

/// The most events that are removed in one transaction.
const FORGET: i64 = 1000;

/// Something that happens in the transaction under way.
#[derive(Debug)]
pub(super) struct NewEvent {
    /// What, e.g. `claim.running`.
    pub(super) kind: &'static str,
    /// To which thing.
    pub(super) resource_id: String,
    /// Whose it is; none for what everybody may see.
    pub(super) owner_id: Option<i64>,
    /// What it is like now, an object.
    pub(super) data: Value,
}

/// Appends in this order. Nothing else may be locked after it.
pub(super) async fn append(connection: &mut AnyConnection, events: &[NewEvent], now: Timestamp) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    debug_assert!(
        events.iter().all(|event| event::is_declared(event.kind, &event.data)),
        "not in the table of types: {events:?}"
    );
    let count = i64::try_from(events.len()).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let head = sqlx::query_scalar("update outbox_head set sequence = sequence + $1 where id = 1 returning sequence").bind(count);
    let last: i64 = head.fetch_one(&mut *connection).await?;
    let mut numbers = last - count + 1..;
    for events in batch::pieces(events) {
        let sql = batch::statement(
            "insert into outbox (sequence, id, type, resource_id, owner_id, at, data) values ",
            "($, $, $, $, $, $, $)",
            events.len(),
            "",
            0,
        );
        let bind = |query: Query<'static, Any, _>, (event, number): (&NewEvent, i64)| {
            let query = query.bind(number).bind(Uuid::new_v4().to_string()).bind(event.kind).bind(event.resource_id.clone());
            query.bind(event.owner_id).bind(row::ms(now)).bind(event.data.to_string())
        };
        events.iter().zip(&mut numbers).fold(sqlx::query(sql), bind).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The ends of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxEnds {
    /// The last event that is not kept any more; 0 when all are.
    pub forgotten: i64,
    /// The newest event; 0 before the first.
    pub newest: i64,
}

impl Store {
    /// Commits, and wakes whoever waits for events.
    pub(super) async fn commit_events(&self, transaction: Transaction<'static, Any>) -> Result<(), sqlx::Error> {
        transaction.commit().await?;
        self.appended.notify_one();
        Ok(())
    }

    /// Waits until this process has appended events since it was last asked. Others may append without it.
    pub async fn wait_appended(&self) {
        self.appended.notified().await;
    }

    /// So many events after one, oldest first.
    ///
    /// # Errors
    /// [`Error::Expired`] when some of them are gone, or the log has never reached that event.
    pub async fn events_after(&self, sequence: i64, limit: i64) -> Result<Vec<Event>> {
        const CONTEXT: &str = "load events";
        let query = sqlx::query(
            "select sequence, id, type, resource_id, owner_id, at, data from outbox where sequence > $1 order by sequence limit $2",
        );
        let rows = query.bind(sequence).bind(limit).fetch_all(&self.read).await.doing(CONTEXT)?;
        let events = rows.iter().map(event).collect::<Result<Vec<_>, _>>().doing(CONTEXT)?;
        // Asked afterwards: what is gone by then may have been gone before.
        let ends = self.outbox_ends().await?;
        if sequence < ends.forgotten || sequence > ends.newest {
            return Err(expired());
        }
        Ok(events)
    }

    /// The ends of the log of events.
    pub async fn outbox_ends(&self) -> Result<OutboxEnds> {
        const CONTEXT: &str = "load the ends of the log of events";
        let query = sqlx::query("select sequence, forgotten from outbox_head where id = 1");
        let row = query.fetch_one(&self.read).await.doing(CONTEXT)?;
        let ends = |row: &AnyRow| Ok(OutboxEnds { forgotten: row.try_get("forgotten")?, newest: row.try_get("sequence")? });
        ends(&row).doing(CONTEXT)
    }

    /// Removes events that are older than a time, the oldest first, and no more than a good number at once. Goes on for as long as
    /// there are more. What webhooks have not had yet stays.
    pub async fn forget_outbox(&self, before: Timestamp) -> Result<ControlFlow<()>> {
        const CONTEXT: &str = "remove old events";
        let oldest = sqlx::query(
            "select sequence, at from outbox where sequence <= (select sequence from webhook_cursor where id = 1) \
             order by sequence limit $1",
        );
        let oldest = oldest.bind(FORGET);
        let Some(last) = row::last_before(&oldest.fetch_all(&self.read).await.doing(CONTEXT)?, before).doing(CONTEXT)? else {
            return Ok(ControlFlow::Break(()));
        };
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let forget = sqlx::query("update outbox_head set forgotten = $1 where id = 1 and forgotten < $1").bind(last);
        forget.execute(&mut *transaction).await.doing(CONTEXT)?;
        let delete = sqlx::query("delete from outbox where sequence <= $1").bind(last);
        delete.execute(&mut *transaction).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(ControlFlow::Continue(()))
    }
}

/// Says that what follows a cursor is not all there any more.
pub(super) fn expired() -> Error {
    let message = "events after this cursor are gone; list what is watched, and begin anew".to_owned();
    Error::Expired { reason: "CursorExpired", message }
}

fn event(row: &AnyRow) -> Result<Event, sqlx::Error> {
    Ok(Event {
        sequence: row.try_get("sequence")?,
        id: row.try_get("id")?,
        kind: row.try_get("type")?,
        resource_id: row.try_get("resource_id")?,
        owner_id: row.try_get("owner_id")?,
        at: row::timestamp(row, "at")?,
        data: row::json(row, "data")?,
    })
}
