//! What people do with claims: make, look, delete. The quota is checked inside the transaction that admits, under the lock of the
//! user's row, so that no number of simultaneous requests gets past it.
//!
//! Making and deleting a claim are audited; what the reconciler does to it is not, and is in `placement`.

use jiff::Timestamp;
use prost::Message as _;
use serde_json::{Value, json};
use sqlx::{Any, Row as _, Transaction, any::AnyRow};
use utopia_proto::claim::v1::{ClaimPhase, ClaimSpec, NodeLossPolicy};
use uuid::Uuid;

use super::{Doing as _, Store, audit, batch, roles, row};
use crate::{
    error::{Error, Result},
    model::{
        Claim, Page, PageRequest, Role,
        audit::{Change, Trail, masked_environment},
    },
};

/// A claim to admit.
#[derive(Debug, Clone)]
pub struct NewClaim {
    /// Its id.
    pub id: Uuid,
    /// Its owner.
    pub user_id: i64,
    /// The caller's key: the owner's second claim with it is the first one.
    pub request_id: Option<String>,
    /// What is wanted.
    pub spec: ClaimSpec,
    /// The time.
    pub now: Timestamp,
}

/// A claim that was admitted, now or before.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The claim.
    pub claim: Claim,
    /// False when the request's key named a claim that was there already.
    pub created: bool,
}

/// Why a claim is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// It would be more than the role allows.
    #[error("quota exceeded: the role allows {limit} GPUs, live claims hold {in_use}, and this one asks for {requested}")]
    QuotaExceeded {
        /// The most GPUs of all live claims together.
        limit: i64,
        /// GPUs of the user's live claims.
        in_use: i64,
        /// GPUs of the new claim.
        requested: i64,
    },
    /// The store failed, or there is no such user.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<AdmitError> for Error {
    fn from(error: AdmitError) -> Self {
        let message = error.to_string();
        match error {
            AdmitError::QuotaExceeded { .. } => Self::Denied { reason: "QuotaExceeded", message },
            AdmitError::Store(error) => error,
        }
    }
}

/// The columns of a claim. The GPUs come as one text, separated by commas, which no GPU's UUID contains.
macro_rules! select_claims {
    ($rest:literal) => {
        concat!(
            "select id, user_id, spec, phase, reason, message, node_id, epoch, container_id, generation, created_at, updated_at, \
             deleted_at, (select string_agg(gpu_uuid, ',' order by gpu_uuid) from gpu_ledger where claim_id = claims.id) as gpus \
             from claims ",
            $rest
        )
    };
}

impl Store {
    /// Accepts a claim as `Pending` if the role's policy allows as many GPUs beside the user's live claims.
    pub async fn admit_claim(&self, new: NewClaim, role: Role, trail: &Trail) -> Result<Admitted, AdmitError> {
        const CONTEXT: &str = "admit a claim";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let lock = sqlx::query("update users set role = role where id = $1 and deleted_at is null").bind(new.user_id);
        if lock.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Err(Error::not_found("user", new.user_id).into());
        }
        if let Some(claim) = requested_before(&mut transaction, &new).await? {
            return Ok(Admitted { claim, created: false });
        }
        let claim = pending(new.id, new.user_id, new.spec, new.now);
        let requested = i64::try_from(claim.gpu_count()).unwrap_or(i64::MAX);
        if requested > 0
            && let Some(limit) = roles::policy_of(&mut *transaction, role).await?.gpu_limit()
        {
            let in_use = gpus_in_use(&mut transaction, new.user_id).await?;
            if in_use.saturating_add(requested) > limit {
                return Err(AdmitError::QuotaExceeded { limit, in_use, requested });
            }
        }
        let insert = sqlx::query(
            "insert into claims (id, user_id, request_id, spec, gpu_count, phase, reason, message, epoch, container_id, generation, \
             created_at, updated_at) values ($1, $2, $3, $4, $5, $6, '', '', $7, '', $8, $9, $9)",
        );
        let insert = insert.bind(claim.id.to_string()).bind(claim.user_id).bind(new.request_id).bind(claim.spec.encode_to_vec());
        let insert = insert.bind(requested).bind(row::phase_word(claim.phase)).bind(claim.epoch).bind(claim.generation);
        insert.bind(row::ms(claim.created_at)).execute(&mut *transaction).await.doing(CONTEXT)?;
        audit::append(&mut transaction, trail, Change::created(claim.id, audit_value(&claim)), new.now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Admitted { claim, created: true })
    }

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
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// The claims that the reconciler has to do with: live ones, and deleted ones until they are forgotten. Oldest first.
    pub async fn unsettled_claims(&self) -> Result<Vec<Claim>> {
        const CONTEXT: &str = "load unsettled claims";
        let query = sqlx::query(select_claims!(
            "where deleted_at is not null or phase in ('pending', 'scheduled', 'running') order by created_at, id"
        ));
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(claim).collect::<Result<_, _>>().doing(CONTEXT)
    }
}

async fn requested_before(transaction: &mut Transaction<'_, Any>, new: &NewClaim) -> Result<Option<Claim>> {
    const CONTEXT: &str = "look for a repeated request";
    let Some(request_id) = &new.request_id else { return Ok(None) };
    let query = sqlx::query(select_claims!("where user_id = $1 and request_id = $2")).bind(new.user_id).bind(request_id);
    let row = query.fetch_optional(&mut **transaction).await.doing(CONTEXT)?;
    row.as_ref().map(claim).transpose().doing(CONTEXT)
}

/// Callers hold the lock of the user's row.
async fn gpus_in_use(transaction: &mut Transaction<'_, Any>, user_id: i64) -> Result<i64> {
    let query = sqlx::query_scalar(
        "select cast(coalesce(sum(gpu_count), 0) as bigint) from claims \
         where user_id = $1 and deleted_at is null and phase in ('pending', 'scheduled', 'running')",
    );
    query.bind(user_id).fetch_one(&mut **transaction).await.doing("add up a user's GPUs")
}

fn pending(id: Uuid, user_id: i64, spec: ClaimSpec, now: Timestamp) -> Claim {
    Claim {
        id,
        user_id,
        spec,
        phase: ClaimPhase::Pending,
        reason: String::new(),
        message: String::new(),
        node_id: None,
        epoch: 0,
        container_id: String::new(),
        gpu_uuids: Vec::new(),
        generation: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    }
}

/// A claim as the audit log shows it.
fn audit_value(claim: &Claim) -> Value {
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

fn claim(row: &AnyRow) -> Result<Claim, sqlx::Error> {
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
