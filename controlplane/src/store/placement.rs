//! What the reconciler does to claims: place, report, unplace, forget. Each change names the generation it was decided on and is
//! not done when the claim has changed since.

use jiff::Timestamp;
use sqlx::Row as _;
use utopia_proto::claim::v1::ClaimPhase;
use uuid::Uuid;

use super::{Doing as _, Store, batch, ledger, nodes, row};
use crate::error::Result;

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

/// How a claim fares.
#[derive(Debug, Clone)]
pub struct StatusChange {
    /// Where it stands.
    pub phase: ClaimPhase,
    /// Why, a stable word; may be empty.
    pub reason: String,
    /// The same in a sentence; may be empty.
    pub message: String,
    /// The runtime's id; none leaves it as it is.
    pub container_id: Option<String>,
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
    /// Places a pending claim on a node, on exactly these GPUs: it becomes `Scheduled` under the next epoch.
    pub async fn place_claim(
        &self,
        id: Uuid,
        generation: i64,
        node_id: Uuid,
        gpu_uuids: &[String],
        now: Timestamp,
    ) -> Result<PlaceOutcome> {
        const CONTEXT: &str = "place a claim";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        // A node that is being deleted or put into maintenance is waited for here, and is then of no use.
        if !nodes::lock_in_service(&mut transaction, node_id).await.doing(CONTEXT)? {
            return Ok(PlaceOutcome::Stale);
        }
        let query = sqlx::query(
            "update claims set phase = 'scheduled', reason = '', message = '', node_id = $3, container_id = '', \
             epoch = epoch + 1, generation = generation + 1, updated_at = $4 \
             where id = $1 and generation = $2 and phase = 'pending' and deleted_at is null returning epoch",
        );
        let query = query.bind(id.to_string()).bind(generation).bind(node_id.to_string()).bind(row::ms(now));
        let Some(row) = query.fetch_optional(&mut *transaction).await.doing(CONTEXT)? else {
            return Ok(PlaceOutcome::Stale);
        };
        let epoch = row.try_get("epoch").doing(CONTEXT)?;
        if !ledger::book(&mut transaction, (id, epoch), node_id, gpu_uuids).await.doing(CONTEXT)? {
            return Ok(PlaceOutcome::GpuTaken);
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(PlaceOutcome::Placed { epoch })
    }

    /// Writes down how a claim fares. False when it has changed since that generation.
    pub async fn set_claim_status(&self, id: Uuid, generation: i64, change: StatusChange, now: Timestamp) -> Result<bool> {
        const CONTEXT: &str = "set a claim's status";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(
            "update claims set phase = $3, reason = $4, message = $5, container_id = coalesce($6, container_id), \
             generation = generation + 1, updated_at = $7 where id = $1 and generation = $2",
        );
        let query = query.bind(id.to_string()).bind(generation).bind(row::phase_word(change.phase));
        let query = query.bind(change.reason).bind(change.message).bind(change.container_id).bind(row::ms(now));
        if query.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        if change.free_gpus {
            ledger::free(&mut transaction, id).await.doing(CONTEXT)?;
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Takes a claim from its node and lets it wait again; its GPUs are free. False when it has changed since that generation.
    pub async fn unplace_claim(&self, id: Uuid, generation: i64, reason: &str, message: &str, now: Timestamp) -> Result<bool> {
        const CONTEXT: &str = "unplace a claim";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(
            "update claims set phase = 'pending', reason = $3, message = $4, node_id = null, container_id = '', \
             generation = generation + 1, updated_at = $5 where id = $1 and generation = $2 and deleted_at is null",
        );
        let query = query.bind(id.to_string()).bind(generation).bind(reason).bind(message).bind(row::ms(now));
        if query.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        ledger::free(&mut transaction, id).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Writes down why claims go on waiting, many at a time; answers how many were changed. Those that no longer wait, have
    /// changed since, or wait for that reason already are passed over.
    pub async fn set_waiting(&self, waiting: &[Waiting], now: Timestamp) -> Result<u64> {
        const CONTEXT: &str = "write why claims wait";
        if waiting.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut changed = 0;
        for waiting in waiting.chunks(batch::ROWS) {
            let sql = batch::statement(
                "with waiting (id, generation, reason, message) as (values ",
                "($, cast($ as bigint), $, $)",
                waiting.len(),
                ") update claims set reason = waiting.reason, message = waiting.message, \
                 generation = claims.generation + 1, updated_at = $1 from waiting \
                 where claims.id = waiting.id and claims.generation = waiting.generation and claims.phase = 'pending' \
                 and claims.deleted_at is null \
                 and (claims.reason <> waiting.reason or claims.message <> waiting.message)",
                1,
            );
            let bind = |query: sqlx::query::Query<'static, _, _>, waiting: &Waiting| {
                let query = query.bind(waiting.id.to_string()).bind(waiting.generation);
                query.bind(waiting.reason.clone()).bind(waiting.message.clone())
            };
            let query = sqlx::query(sql).persistent(waiting.len() == batch::ROWS).bind(row::ms(now));
            let query = waiting.iter().fold(query, bind);
            changed += query.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected();
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(changed)
    }

    /// Removes a deleted claim for good, once nothing of it is left on any machine; its GPUs are free. False when there is no
    /// such claim, or it is not deleted.
    pub async fn forget_claim(&self, id: Uuid) -> Result<bool> {
        const CONTEXT: &str = "forget a claim";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let lock = sqlx::query("update claims set generation = generation + 1 where id = $1 and deleted_at is not null");
        if lock.bind(id.to_string()).execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        ledger::free(&mut transaction, id).await.doing(CONTEXT)?;
        let delete = sqlx::query("delete from claims where id = $1").bind(id.to_string());
        delete.execute(&mut *transaction).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }
}
