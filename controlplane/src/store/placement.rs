//! What the reconciler does to claims: place, report, unplace, forget. Each change names the generation it was decided on and is
//! not done when the claim has changed since.
//!
//! All changes of a pass come at once and share transactions and statements; a change that is not done holds up no other.

use std::{
    collections::{HashMap, HashSet},
    slice,
};

use jiff::Timestamp;
use sqlx::{Any, AnyConnection, Row as _, query::Query};
use utopia_proto::claim::v1::ClaimPhase;
use uuid::Uuid;

use super::{
    Doing as _, Store, batch,
    claims::{changed, phase_event, returning_claims},
    ledger::{self, Booking},
    nodes,
    outbox::{self, NewEvent},
    row,
};
use crate::error::Result;

/// The most changes of one transaction: SQLite has one writer, for whom claims that are being admitted wait meanwhile.
const GROUP: usize = 256;

/// What became of a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceOutcome {
    /// It is committed, under this number.
    Placed {
        /// The claim's placements are numbered from 1.
        epoch: i64,
    },
    /// The claim has changed, or the node is gone or in maintenance.
    Stale,
    /// One of the GPUs is another placement's.
    GpuTaken,
}

/// A claim that is to be placed, as it was when that was decided.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The claim.
    pub id: Uuid,
    /// Its row as seen.
    pub generation: i64,
    /// The node.
    pub node_id: Uuid,
    /// Exactly these GPUs of the node.
    pub gpu_uuids: Vec<String>,
}

/// How a claim fares. As `Pending` it has lost its place: it has no node any more.
#[derive(Debug, Clone)]
pub struct StatusChange {
    /// The claim.
    pub id: Uuid,
    /// Its row as seen.
    pub generation: i64,
    /// Where it stood then.
    pub before: ClaimPhase,
    /// Where it stands.
    pub phase: ClaimPhase,
    /// Why, a stable word; may be empty.
    pub reason: String,
    /// The same in a sentence; may be empty.
    pub message: String,
    /// The runtime's id; empty without a container.
    pub container_id: String,
    /// Its GPUs are free from now on.
    pub free_gpus: bool,
}

/// Why a claim goes on waiting.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The claim.
    pub id: Uuid,
    /// As it was when this was found.
    pub generation: i64,
    /// A stable word.
    pub reason: String,
    /// The same in a sentence.
    pub message: String,
}

impl Store {
    /// Places pending claims: each becomes `Scheduled` under its next epoch, on exactly its GPUs. Answers for each, in the same order.
    ///
    /// # Errors
    /// When the store fails; some of the placements may then have been made.
    pub async fn place_claims(&self, placements: &[Placement], now: Timestamp) -> Result<Vec<PlaceOutcome>> {
        let mut outcomes = Vec::with_capacity(placements.len());
        for group in placements.chunks(GROUP) {
            if let Some(placed) = self.place_together(group, now).await? {
                outcomes.extend(placed);
                continue;
            }
            // A GPU is given away already: whoever wants that one is found by placing each alone.
            for placement in group {
                let placed = self.place_together(slice::from_ref(placement), now).await?;
                outcomes.extend(placed.unwrap_or_else(|| vec![PlaceOutcome::GpuTaken]));
            }
        }
        Ok(outcomes)
    }

    /// Makes all of the placements that still hold, or none when a GPU is taken.
    async fn place_together(&self, placements: &[Placement], now: Timestamp) -> Result<Option<Vec<PlaceOutcome>>> {
        const CONTEXT: &str = "place claims";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut node_ids: Vec<_> = placements.iter().map(|placement| placement.node_id).collect();
        node_ids.sort_unstable();
        node_ids.dedup();
        // A node that is being deleted or put into maintenance is waited for here, and is then of no use.
        let in_service = nodes::lock_in_service(&mut transaction, self.lock_rows, &node_ids).await.doing(CONTEXT)?;
        let due: Vec<_> = placements.iter().filter(|placement| in_service.contains(&placement.node_id)).collect();
        let mut events = Vec::with_capacity(due.len());
        let epochs = schedule(&mut transaction, &due, now, &mut events).await.doing(CONTEXT)?;
        let mut bookings = Vec::new();
        for &&Placement { id: claim_id, node_id, ref gpu_uuids, .. } in &due {
            if let Some(&epoch) = epochs.get(&claim_id) {
                bookings.extend(gpu_uuids.iter().map(|gpu_uuid| Booking { gpu_uuid, node_id, claim_id, epoch }));
            }
        }
        if !ledger::book(&mut transaction, bookings).await.doing(CONTEXT)? {
            return Ok(None);
        }
        outbox::append(&mut transaction, &events, now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)?;
        let outcome = |placement: &Placement| match epochs.get(&placement.id) {
            Some(&epoch) => PlaceOutcome::Placed { epoch },
            None => PlaceOutcome::Stale,
        };
        Ok(Some(placements.iter().map(outcome).collect()))
    }

    /// Writes down how claims fare; answers which of them were changed. The others have changed since they were seen.
    ///
    /// # Errors
    /// When the store fails; some of the changes may then have been made.
    pub async fn set_claim_statuses(&self, changes: &[StatusChange], now: Timestamp) -> Result<HashSet<Uuid>> {
        const CONTEXT: &str = "set claims' statuses";
        let mut changed = HashSet::with_capacity(changes.len());
        for group in changes.chunks(GROUP) {
            let mut transaction = self.transaction().await.doing(CONTEXT)?;
            let events = set_statuses(&mut transaction, group, now, &mut changed).await.doing(CONTEXT)?;
            let freed = group.iter().filter(|change| change.free_gpus && changed.contains(&change.id));
            let freed: Vec<_> = freed.map(|change| change.id).collect();
            ledger::free(&mut transaction, &freed).await.doing(CONTEXT)?;
            outbox::append(&mut transaction, &events, now).await.doing(CONTEXT)?;
            self.commit_events(transaction).await.doing(CONTEXT)?;
        }
        Ok(changed)
    }

    /// Writes down why claims go on waiting, many at a time; answers how many were changed. Those that no longer wait, have
    /// changed since, or wait for that reason already are passed over.
    pub async fn set_waiting(&self, waiting: &[Waiting], now: Timestamp) -> Result<usize> {
        const CONTEXT: &str = "write why claims wait";
        if waiting.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut events = Vec::new();
        for waiting in waiting.chunks(batch::ROWS) {
            let sql = batch::statement(
                "with waiting (claim_id, seen, new_reason, new_message) as (values ",
                "($, cast($ as bigint), $, $)",
                waiting.len(),
                concat!(
                    ") update claims set reason = new_reason, message = new_message, generation = generation + 1, updated_at = $1 \
                     from waiting where id = claim_id and generation = seen and phase = 'pending' and deleted_at is null \
                     and (reason <> new_reason or message <> new_message)",
                    returning_claims!()
                ),
                1,
            );
            let bind = |query: sqlx::query::Query<'static, _, _>, waiting: &Waiting| {
                let query = query.bind(waiting.id.to_string()).bind(waiting.generation);
                query.bind(waiting.reason.clone()).bind(waiting.message.clone())
            };
            let query = sqlx::query(sql).persistent(waiting.len() == batch::ROWS).bind(row::ms(now));
            let query = waiting.iter().fold(query, bind);
            for row in query.fetch_all(&mut *transaction).await.doing(CONTEXT)? {
                events.push(changed(&row, "claim.updated").doing(CONTEXT)?);
            }
        }
        outbox::append(&mut transaction, &events, now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)?;
        Ok(events.len())
    }

    /// Removes deleted claims for good, once nothing of them is left on any machine; their GPUs are free. Answers how many there were:
    /// those that are not deleted stay.
    ///
    /// # Errors
    /// When the store fails; some of the claims may then be gone.
    pub async fn forget_claims(&self, ids: &[Uuid]) -> Result<u64> {
        const CONTEXT: &str = "forget claims";
        let mut forgotten = 0;
        for group in ids.chunks(GROUP) {
            let mut transaction = self.transaction().await.doing(CONTEXT)?;
            let deleted = lock_deleted(&mut transaction, group).await.doing(CONTEXT)?;
            ledger::free(&mut transaction, &deleted).await.doing(CONTEXT)?;
            for ids in batch::pieces(&deleted) {
                let sql = batch::statement("delete from claims where id in (", "$", ids.len(), ")", 0);
                let query = ids.iter().fold(sqlx::query(sql), |query, id| query.bind(id.to_string()));
                forgotten += query.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected();
            }
            transaction.commit().await.doing(CONTEXT)?;
        }
        Ok(forgotten)
    }
}

/// Makes pending claims `Scheduled`; answers the epochs of those that were as they had been seen.
async fn schedule(
    connection: &mut AnyConnection,
    placements: &[&Placement],
    now: Timestamp,
    events: &mut Vec<NewEvent>,
) -> Result<HashMap<Uuid, i64>, sqlx::Error> {
    let mut epochs = HashMap::with_capacity(placements.len());
    for placements in batch::pieces(placements) {
        let sql = batch::statement(
            "with placement (claim_id, seen, place) as (values ",
            "($, cast($ as bigint), $)",
            placements.len(),
            concat!(
                ") update claims set phase = 'scheduled', reason = '', message = '', node_id = place, container_id = '', \
                 epoch = epoch + 1, generation = generation + 1, updated_at = $1 from placement \
                 where id = claim_id and generation = seen and phase = 'pending' and deleted_at is null",
                returning_claims!()
            ),
            1,
        );
        let bind = |query: Query<'static, Any, _>, placement: &&Placement| {
            query.bind(placement.id.to_string()).bind(placement.generation).bind(placement.node_id.to_string())
        };
        let query = placements.iter().fold(sqlx::query(sql).bind(row::ms(now)), bind);
        for row in query.fetch_all(&mut *connection).await? {
            epochs.insert(row::uuid(&row, "id")?, row.try_get("epoch")?);
            events.push(changed(&row, phase_event(ClaimPhase::Scheduled))?);
        }
    }
    Ok(epochs)
}

/// Answers an event for each claim that was changed.
async fn set_statuses(
    connection: &mut AnyConnection,
    changes: &[StatusChange],
    now: Timestamp,
    done: &mut HashSet<Uuid>,
) -> Result<Vec<NewEvent>, sqlx::Error> {
    let mut events = Vec::with_capacity(changes.len());
    let before: HashMap<_, _> = changes.iter().map(|change| (change.id, change.before)).collect();
    for changes in batch::pieces(changes) {
        let sql = batch::statement(
            "with change (claim_id, seen, new_phase, new_reason, new_message, container) as (values ",
            "($, cast($ as bigint), $, $, $, $)",
            changes.len(),
            concat!(
                ") update claims set phase = new_phase, reason = new_reason, message = new_message, container_id = container, \
                 node_id = case when new_phase = 'pending' then null else node_id end, \
                 generation = generation + 1, updated_at = $1 from change \
                 where id = claim_id and generation = seen and (new_phase <> 'pending' or deleted_at is null)",
                returning_claims!()
            ),
            1,
        );
        let bind = |query: Query<'static, Any, _>, change: &StatusChange| {
            let query = query.bind(change.id.to_string()).bind(change.generation).bind(row::phase_word(change.phase));
            query.bind(change.reason.clone()).bind(change.message.clone()).bind(change.container_id.clone())
        };
        let query = changes.iter().fold(sqlx::query(sql).bind(row::ms(now)), bind);
        for row in query.fetch_all(&mut *connection).await? {
            let (id, phase) = (row::uuid(&row, "id")?, row::phase(&row, "phase")?);
            let stays = before.get(&id) == Some(&phase);
            events.push(changed(&row, if stays { "claim.updated" } else { phase_event(phase) })?);
            done.insert(id);
        }
    }
    Ok(events)
}

/// Holds the rows of those of the claims that are deleted.
async fn lock_deleted(connection: &mut AnyConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut deleted = Vec::with_capacity(ids.len());
    for ids in batch::pieces(ids) {
        let head = "update claims set generation = generation + 1 where deleted_at is not null and id in (";
        let sql = batch::statement(head, "$", ids.len(), ") returning id", 0);
        let query = ids.iter().fold(sqlx::query(sql), |query, id| query.bind(id.to_string()));
        for row in query.fetch_all(&mut *connection).await? {
            deleted.push(row::uuid(&row, "id")?);
        }
    }
    Ok(deleted)
}
