//! The audit log: a chain of events, each with the hash of the one before.
//!
//! An event is appended in the transaction of the change it tells of, as the last thing before the commit: the lock on the head of
//! the chain orders those who append, and is held no longer than that.

mod read;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Row as _};
use utopia_proto::chain::link_hash;
use uuid::Uuid;

pub use self::read::{EventFilter, StoredEvent};
use super::{Doing as _, Store, row};
use crate::{
    error::Result,
    model::audit::{AuditResult, Change, Event, Trail},
};

const CONTEXT: &str = "write to the audit log";

impl Store {
    /// Writes down something that changes nothing here: an attempt that failed, or a change made elsewhere.
    pub async fn record(&self, trail: &Trail, change: Change, result: AuditResult, now: Timestamp) -> Result<()> {
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        append_with(&mut transaction, trail, change, result, now).await?;
        transaction.commit().await.doing(CONTEXT)
    }

    /// Writes down several such things at once: all or, when it fails, none.
    pub async fn record_all(&self, events: &[Event]) -> Result<()> {
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        for Event { trail, change, result, at } in events {
            append_with(&mut transaction, trail, change.clone(), result.clone(), *at).await?;
        }
        transaction.commit().await.doing(CONTEXT)
    }
}

/// Appends what was done, in the transaction that does it.
pub(super) async fn append(connection: &mut AnyConnection, trail: &Trail, change: Change, now: Timestamp) -> Result<()> {
    append_with(connection, trail, change, AuditResult::Success, now).await
}

async fn append_with(
    connection: &mut AnyConnection,
    trail: &Trail,
    change: Change,
    result: AuditResult,
    now: Timestamp,
) -> Result<()> {
    // Takes the lock, and holds it until the transaction ends.
    let head = sqlx::query("update audit_head set sequence = sequence + 1 where id = 1 returning sequence, hash");
    let head = head.fetch_one(&mut *connection).await.doing(CONTEXT)?;
    let sequence: i64 = head.try_get("sequence").doing(CONTEXT)?;
    let previous_hash: String = head.try_get("hash").doing(CONTEXT)?;

    let id = Uuid::new_v4().to_string();
    let Change { resource_id, old, new } = change;
    let (result, failure) = match result {
        AuditResult::Success => ("success", None),
        AuditResult::Failure(reason, message) => ("failure", Some((reason, message))),
        AuditResult::Denied(reason, message) => ("denied", Some((reason, message))),
    };
    let mut details = json!({ "method": trail.method, "request_id": trail.request_id });
    if let (Some(details), Some((reason, message))) = (details.as_object_mut(), failure) {
        details.insert("reason".to_owned(), reason.into());
        details.insert("message".to_owned(), message.into());
    }
    let payload = json!({
        "id": id,
        "sequence": sequence,
        "timestamp": now.to_string(),
        "resource": trail.resource,
        "resource_id": resource_id,
        "action": trail.action,
        "user": trail.user,
        "ip_address": trail.address.map(|address| address.to_string()).unwrap_or_default(),
        "old_value": old.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        "new_value": new.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        "details": details,
        "result": result,
    })
    .to_string();
    let hash = link_hash(&previous_hash, &payload);
    let insert = sqlx::query(
        "insert into audit_events \
         (sequence, id, at, resource, resource_id, action, user_name, result, payload, previous_hash, hash) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    );
    let insert = insert.bind(sequence).bind(id).bind(row::ms(now)).bind(&*trail.resource).bind(resource_id);
    let insert = insert.bind(&*trail.action).bind(&trail.user).bind(result).bind(payload).bind(previous_hash).bind(&hash);
    insert.execute(&mut *connection).await.doing(CONTEXT)?;
    let advance = sqlx::query("update audit_head set hash = $1 where id = 1").bind(hash);
    advance.execute(&mut *connection).await.doing(CONTEXT)?;
    Ok(())
}
