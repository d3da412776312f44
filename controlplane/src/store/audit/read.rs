//! Reading the audit log, and removing what it has kept long enough.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};
use utopia_proto::audit::v1::AuditLink;

use super::super::{Doing as _, Store, row};
use crate::{
    error::{Error, Result},
    model::{Page, PageRequest},
};

/// The most links that are removed in one transaction.
const FORGET: i64 = 1000;

/// Which events are wanted; an empty text or none is no filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The kind of resource.
    pub resource: String,
    /// The one resource.
    pub resource_id: String,
    /// What was done.
    pub action: String,
    /// By whom.
    pub user: String,
    /// What became of it: `success`, `failure` or `denied`.
    pub result: &'static str,
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub before: Option<Timestamp>,
}

/// An event as it was written down.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its place in the chain.
    pub sequence: i64,
    /// Its link's hash.
    pub hash: String,
    /// All of it.
    pub payload: Value,
}

impl Store {
    /// A page of events, newest first.
    pub async fn list_events(&self, filter: &EventFilter, page: PageRequest) -> Result<Page<StoredEvent>> {
        const CONTEXT: &str = "list the audit log";
        let texts = [
            ("resource = $", &*filter.resource),
            ("resource_id = $", &filter.resource_id),
            ("action = $", &filter.action),
            ("user_name = $", &filter.user),
            ("result = $", filter.result),
        ];
        let texts = texts.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>();
        let times = [("at >= $", filter.from), ("at < $", filter.before)];
        let times = times.into_iter().filter_map(|(sql, at)| Some((sql, row::ms(at?)))).collect::<Vec<_>>();
        // One statement for each set of filters, so that each finds its index; nothing but literals of this file and numbers go in.
        let conditions = texts.iter().map(|(sql, _)| *sql).chain(times.iter().map(|(sql, _)| *sql)).enumerate();
        let conditions = conditions.map(|(index, sql)| format!("{sql}{}", index + 1)).collect::<Vec<_>>();
        let taken = conditions.len();
        let conditions = if taken == 0 { String::new() } else { format!(" where {}", conditions.join(" and ")) };
        let count = AssertSqlSafe(format!("select count(*) from audit_events{conditions}"));
        let select = AssertSqlSafe(format!(
            "select sequence, hash, payload from audit_events{conditions} order by sequence desc limit ${} offset ${}",
            taken + 1,
            taken + 2
        ));

        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = texts.iter().fold(sqlx::query_scalar(count), |query, (_, text)| query.bind(*text));
        let total = times.iter().fold(total, |query, (_, at)| query.bind(*at));
        let total = total.fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let items = texts.iter().fold(sqlx::query(select), |query, (_, text)| query.bind(*text));
        let items = times.iter().fold(items, |query, (_, at)| query.bind(*at));
        let items = items.bind(i64::from(page.limit)).bind(page.offset()).fetch_all(&mut *connection).await.doing(CONTEXT)?;
        Ok(Page { items: items.iter().map(event).collect::<Result<_>>()?, total })
    }

    /// So many events after one, oldest first.
    ///
    /// # Errors
    /// [`Error::Expired`] when some of them are gone, or the log has never reached that one.
    pub async fn audit_events_after(&self, sequence: i64, limit: i64) -> Result<Vec<StoredEvent>> {
        const CONTEXT: &str = "load events of the audit log";
        let query =
            sqlx::query("select sequence, hash, payload from audit_events where sequence > $1 order by sequence limit $2");
        let rows = query.bind(sequence).bind(limit).fetch_all(&self.read).await.doing(CONTEXT)?;
        let events = rows.iter().map(event).collect::<Result<Vec<_>>>()?;
        let is_whole = match events.first() {
            Some(first) => first.sequence - 1 == sequence,
            None => sequence <= self.audit_head().await?,
        };
        if is_whole { Ok(events) } else { Err(super::super::outbox::expired()) }
    }

    /// One event.
    pub async fn event(&self, id: &str) -> Result<Option<StoredEvent>> {
        let query = sqlx::query("select sequence, hash, payload from audit_events where id = $1").bind(id);
        let row = query.fetch_optional(&self.read).await.doing("load an event")?;
        row.as_ref().map(event).transpose()
    }

    /// The sequence of the newest link; 0 when there is none.
    pub async fn audit_head(&self) -> Result<i64> {
        let query = sqlx::query_scalar("select sequence from audit_head where id = 1");
        query.fetch_one(&self.read).await.doing("load the head of the audit log")
    }

    /// So many links after one, oldest first, and none after the last.
    pub async fn links(&self, after: i64, last: i64, limit: i64) -> Result<Vec<AuditLink>> {
        const CONTEXT: &str = "load links of the audit log";
        let query = sqlx::query(
            "select sequence, previous_hash, payload, hash from audit_events \
             where sequence > $1 and sequence <= $2 order by sequence limit $3",
        );
        let rows = query.bind(after).bind(last).bind(limit).fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(link).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Removes links that are older than a time, from the beginning of the chain up to the first that is not, and no more than a
    /// good number at once. The newest link always stays: it proves the head. Answers how many were removed.
    pub async fn forget_events(&self, before: Timestamp) -> Result<u64> {
        const CONTEXT: &str = "remove old events from the audit log";
        let oldest = sqlx::query("select sequence, at from audit_events order by sequence limit $1").bind(FORGET);
        let Some(last) = row::last_before(&oldest.fetch_all(&self.read).await.doing(CONTEXT)?, before).doing(CONTEXT)? else {
            return Ok(0);
        };
        let delete = sqlx::query(
            "delete from audit_events where sequence <= $1 and sequence < (select sequence from audit_head where id = 1)",
        )
        .bind(last);
        Ok(delete.execute(&self.write).await.doing(CONTEXT)?.rows_affected())
    }
}

fn event(row: &AnyRow) -> Result<StoredEvent> {
    const CONTEXT: &str = "read an event";
    let payload = row.try_get::<&str, _>("payload").doing(CONTEXT)?;
    Ok(StoredEvent {
        sequence: row.try_get("sequence").doing(CONTEXT)?,
        hash: row.try_get("hash").doing(CONTEXT)?,
        payload: serde_json::from_str(payload).map_err(|error| Error::internal(CONTEXT, error))?,
    })
}

fn link(row: &AnyRow) -> Result<AuditLink, sqlx::Error> {
    Ok(AuditLink {
        sequence: row.try_get("sequence")?,
        previous_hash: row.try_get("previous_hash")?,
        payload: row.try_get("payload")?,
        hash: row.try_get("hash")?,
    })
}
