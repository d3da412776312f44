//! What people do with claims once they are admitted: look, delete. Making one is in `admission`, what the reconciler does to it in
//! `placement`.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Row as _, any::AnyRow};
use utopia_proto::claim::v1::{ClaimPhase, NodeLossPolicy};
use uuid::Uuid;

use super::{
    Doing as _, Store, audit, batch,
    outbox::{self, NewEvent},
    row,
};
use crate::{
    error::Result,
    model::{
        Claim, Page, PageRequest,
        audit::{Change, Trail, masked_environment},
    },
};

/// The columns of a claim. The GPUs come as one text, separated by commas, which no GPU's UUID contains; a claim without a node has
/// none, and they are not looked for.
macro_rules! select_claims {
    ($rest:literal) => {
        select_claims!("", $rest)
    };
    ($further_columns:literal, $rest:literal) => {
        concat!(
            "select id, user_id, spec, phase, reason, message, node_id, epoch, container_id, generation, created_at, updated_at, \
             deleted_at, case when node_id is null then null else \
             (select string_agg(gpu_uuid, ',' order by gpu_uuid) from gpu_ledger where claim_id = claims.id) end as gpus",
            $further_columns,
            " from claims ",
            $rest
        )
    };
}
pub(super) use select_claims;

/// Which claims are [unsettled](Claim::is_unsettled).
macro_rules! is_unsettled {
    () => {
        "(deleted_at is not null or phase in ('pending', 'scheduled', 'running'))"
    };
}

impl Store {
    /// A claim that is not deleted.
    pub async fn claim(&self, id: Uuid) -> Result<Option<Claim>> {
        const CONTEXT: &str = "load a claim";
        let query = sqlx::query(select_claims!("where id = $1 and deleted_at is null")).bind(id.to_string());
        let row = query.fetch_optional(&self.read).await.doing(CONTEXT)?;
        row.as_ref().map(claim).transpose().doing(CONTEXT)
    }

    /// Those of the claims that exist, deleted ones too, in no order.
    pub async fn claims_by_id(&self, ids: &[Uuid]) -> Result<Vec<Claim>> {
        const CONTEXT: &str = "load claims";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let mut claims = Vec::with_capacity(ids.len());
        for ids in ids.chunks(batch::ROWS) {
            let sql = batch::statement(select_claims!("where id in ("), "$", ids.len(), ")", 0);
            let query = ids.iter().fold(sqlx::query(sql).persistent(ids.len() == 1), |query, id| query.bind(id.to_string()));
            for row in query.fetch_all(&mut *connection).await.doing(CONTEXT)? {
                claims.push(claim(&row).doing(CONTEXT)?);
            }
        }
        Ok(claims)
    }

    /// A page of the claims that are not deleted, newest first: one owner's or all, in one phase or in any.
    pub async fn list_claims(&self, owner: Option<i64>, phase: Option<ClaimPhase>, page: PageRequest) -> Result<Page<Claim>> {
        const CONTEXT: &str = "list claims";
        let phase = row::phase_word(phase.unwrap_or_default());
        // Two pairs of statements and not one with an optional owner, which no index would serve.
        let (total, items) = match owner {
            Some(owner) => (
                sqlx::query_scalar(
                    "select count(*) from claims where ($1 = '' or phase = $1) and user_id = $2 and deleted_at is null",
                )
                .bind(phase)
                .bind(owner),
                sqlx::query(select_claims!(
                    "where ($1 = '' or phase = $1) and user_id = $4 and deleted_at is null \
                     order by created_at desc, id desc limit $2 offset $3"
                ))
                .bind(phase)
                .bind(i64::from(page.limit))
                .bind(page.offset())
                .bind(owner),
            ),
            None => (
                sqlx::query_scalar("select count(*) from claims where ($1 = '' or phase = $1) and deleted_at is null")
                    .bind(phase),
                sqlx::query(select_claims!(
                    "where ($1 = '' or phase = $1) and deleted_at is null order by created_at desc, id desc limit $2 offset $3"
                ))
                .bind(phase)
                .bind(i64::from(page.limit))
                .bind(page.offset()),
            ),
        };
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = total.fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let rows = items.fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let items = rows.iter().map(claim).collect::<Result<_, _>>().doing(CONTEXT)?;
        Ok(Page { items, total })
    }

    /// Deletes a claim, if it is this owner's. It is gone for its owner, and stays for the reconciler until that forgets it.
    /// False when there is no such claim.
    pub async fn delete_claim(&self, id: Uuid, owner: Option<i64>, now: Timestamp, trail: &Trail) -> Result<bool> {
        const CONTEXT: &str = "delete a claim";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(
            "update claims set deleted_at = $3, updated_at = $3, generation = generation + 1 \
             where id = $1 and user_id = coalesce($2, user_id) and deleted_at is null",
        );
        let query = query.bind(id.to_string()).bind(owner).bind(row::ms(now));
        if query.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        let deleted = sqlx::query(select_claims!("where id = $1")).bind(id.to_string());
        let deleted = claim(&deleted.fetch_one(&mut *transaction).await.doing(CONTEXT)?).doing(CONTEXT)?;
        audit::append(&mut transaction, trail, Change::deleted(id, audit_value(&deleted)), now).await?;
        outbox::append(&mut transaction, &[event("claim.deleted", &deleted)], now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)?;
        Ok(true)
    }

    /// The claims that the reconciler has to do with: live ones, and deleted ones until they are forgotten. Oldest first.
    pub async fn unsettled_claims(&self) -> Result<Vec<Claim>> {
        const CONTEXT: &str = "load unsettled claims";
        let query = sqlx::query(concat!(select_claims!("where "), is_unsettled!(), " order by created_at, id"));
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(claim).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Makes of claims that were read before what [`Self::unsettled_claims`] would answer now, but in no order. Those whose generation
    /// is still the same are not read again: every change of a claim or of its GPUs makes it grow.
    ///
    /// # Errors
    /// When the store fails; some of the claims are then missing, and read the next time.
    pub async fn renew_unsettled_claims(&self, claims: &mut Vec<Claim>) -> Result<()> {
        const CONTEXT: &str = "look for changed claims";
        if claims.is_empty() {
            *claims = self.unsettled_claims().await?;
            return Ok(());
        }
        let query = sqlx::query(concat!("select id, generation from claims where ", is_unsettled!()));
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        let mut known: HashMap<_, _> = claims.drain(..).map(|claim| (claim.id, claim)).collect();
        let mut changed = Vec::new();
        for row in &rows {
            let id = row::uuid(row, "id").doing(CONTEXT)?;
            let generation: i64 = row.try_get("generation").doing(CONTEXT)?;
            match known.remove(&id) {
                Some(claim) if claim.generation == generation => claims.push(claim),
                _ => changed.push(id),
            }
        }
        // They may have been settled since.
        claims.extend(self.claims_by_id(&changed).await?.into_iter().filter(Claim::is_unsettled));
        Ok(())
    }
}

/// A claim as the audit log shows it.
pub(super) fn audit_value(claim: &Claim) -> Value {
    let spec = &claim.spec;
    let resources = spec.resources.clone().unwrap_or_default();
    let ports = spec
        .ports
        .iter()
        .map(|port| json!({ "host_port": port.host_port, "container_port": port.container_port, "protocol": port.protocol }));
    json!({
        "user_id": claim.user_id,
        "phase": row::phase_word(claim.phase),
        "node_id": claim.node_id.map(|id| id.to_string()).unwrap_or_default(),
        "spec": {
            "image": spec.image,
            "gpu_count": resources.gpu_count,
            "gpu_model": resources.gpu_model,
            "gpu_memory_mb": resources.gpu_memory_mb,
            "memory_mb": resources.memory_mb,
            "cpus": resources.cpus,
            "command": spec.command,
            "env": masked_environment(&spec.env),
            "working_dir": spec.working_dir,
            "ports": ports.collect::<Vec<_>>(),
            "volumes": spec.volumes,
            "reschedule": spec.on_node_loss() == NodeLossPolicy::Reschedule,
            "reschedule_after_seconds": spec.reschedule_after_seconds,
        },
    })
}

/// What a change that writes claims returns, for [`changed`].
macro_rules! returning_claims {
    () => {
        " returning id, user_id, phase, reason, message, node_id, epoch, container_id, gpu_count"
    };
}
pub(super) use returning_claims;

/// The event of a claim that a statement changed, from what it [returns](returning_claims).
pub(super) fn changed(row: &AnyRow, kind: &'static str) -> Result<NewEvent, sqlx::Error> {
    let data = json!({
        "id": row.try_get::<&str, _>("id")?,
        "user_id": row.try_get::<i64, _>("user_id")?,
        "phase": phase_name(row::phase(row, "phase")?),
        "reason": row.try_get::<&str, _>("reason")?,
        "message": row.try_get::<&str, _>("message")?,
        "node_id": row.try_get::<Option<&str>, _>("node_id")?.unwrap_or_default(),
        "epoch": row.try_get::<i64, _>("epoch")?,
        "container_id": row.try_get::<&str, _>("container_id")?,
        "gpu_count": row.try_get::<i64, _>("gpu_count")?,
    });
    Ok(NewEvent { kind, resource_id: row.try_get("id")?, owner_id: Some(row.try_get("user_id")?), data })
}

/// An event of a claim.
pub(super) fn event(kind: &'static str, claim: &Claim) -> NewEvent {
    let data = json!({
        "id": claim.id.to_string(),
        "user_id": claim.user_id,
        "phase": phase_name(claim.phase),
        "reason": claim.reason,
        "message": claim.message,
        "node_id": claim.node_id.map(|id| id.to_string()).unwrap_or_default(),
        "epoch": claim.epoch,
        "container_id": claim.container_id,
        "gpu_count": claim.gpu_count(),
    });
    NewEvent { kind, resource_id: claim.id.to_string(), owner_id: Some(claim.user_id), data }
}

/// The event of a claim that comes into a phase.
pub(super) const fn phase_event(phase: ClaimPhase) -> &'static str {
    match phase {
        ClaimPhase::Unspecified => "claim.updated",
        ClaimPhase::Pending => "claim.pending",
        ClaimPhase::Scheduled => "claim.scheduled",
        ClaimPhase::Running => "claim.running",
        ClaimPhase::Failed => "claim.failed",
        ClaimPhase::Completed => "claim.completed",
    }
}

/// The word for a phase as clients know it.
const fn phase_name(phase: ClaimPhase) -> &'static str {
    match phase {
        ClaimPhase::Unspecified => "",
        ClaimPhase::Pending => "Pending",
        ClaimPhase::Scheduled => "Scheduled",
        ClaimPhase::Running => "Running",
        ClaimPhase::Failed => "Failed",
        ClaimPhase::Completed => "Completed",
    }
}

pub(super) fn claim(row: &AnyRow) -> Result<Claim, sqlx::Error> {
    let gpus: Option<&str> = row.try_get("gpus")?;
    Ok(Claim {
        id: row::uuid(row, "id")?,
        user_id: row.try_get("user_id")?,
        spec: row::message(row, "spec")?,
        phase: row::phase(row, "phase")?,
        reason: row.try_get("reason")?,
        message: row.try_get("message")?,
        node_id: row::maybe_uuid(row, "node_id")?,
        epoch: row.try_get("epoch")?,
        container_id: row.try_get("container_id")?,
        gpu_uuids: gpus.map(|gpus| gpus.split(',').map(str::to_owned).collect()).unwrap_or_default(),
        generation: row.try_get("generation")?,
        created_at: row::timestamp(row, "created_at")?,
        updated_at: row::timestamp(row, "updated_at")?,
        deleted_at: row::maybe_timestamp(row, "deleted_at")?,
    })
}
