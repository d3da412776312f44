//! Admitting claims, many in one transaction: the cost of a commit, and of every statement, is shared.
//!
//! Quotas are counted under the locks of the owners' rows, which are taken in one order, so that no number of simultaneous requests
//! gets past one. Within a batch the first comes first, and what is refused holds up nothing but itself.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use prost::Message as _;
use sqlx::{Any, AnyConnection, Row as _, query::Query};
use utopia_proto::claim::v1::{ClaimPhase, ClaimSpec};
use uuid::Uuid;

use super::{
    Doing as _, Store, audit, batch,
    claims::{audit_value, claim, event, phase_event, select_claims},
    outbox, roles, row,
};
use crate::{
    error::{Error, Result},
    model::{
        Claim, Refusal, Role, RolePolicy,
        audit::{AuditResult, Change, Trail},
    },
};

const CONTEXT: &str = "admit claims";

/// A claim to admit.
#[derive(Debug, Clone)]
pub struct NewClaim {
    /// Its id.
    pub id: Uuid,
    /// Its owner.
    pub user_id: i64,
    /// The role whose quota holds.
    pub role: Role,
    /// The caller's key: the owner's second claim with it is the first one.
    pub request_id: Option<String>,
    /// What is wanted.
    pub spec: ClaimSpec,
    /// Why it will have to wait, where that is known already; empty where not.
    pub refusal: Refusal,
    /// Who asks.
    pub trail: Trail,
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

impl Store {
    /// Accepts claims as `Pending`, each if its role's policy allows as many GPUs beside its owner's live claims. Answers for each, in
    /// the same order.
    ///
    /// # Errors
    /// When the batch as a whole cannot be written: then none of it is.
    pub async fn admit_claims(&self, requests: &[NewClaim]) -> Result<Vec<Result<Admitted, AdmitError>>> {
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut standing = Standing::load(&mut transaction, self.lock_rows, requests).await?;
        let answers: Vec<_> = requests.iter().map(|new| standing.admit(new)).collect();
        let admitted = requests.iter().zip(&answers).filter_map(|(new, answer)| match answer {
            Ok(Admitted { claim, created: true }) => Some((new, claim)),
            Ok(_) | Err(_) => None,
        });
        let admitted: Vec<_> = admitted.collect();
        if !admitted.is_empty() {
            insert(&mut transaction, &admitted).await.doing(CONTEXT)?;
            record(&mut transaction, &admitted).await?;
            tell(&mut transaction, &admitted).await.doing(CONTEXT)?;
            self.commit_events(transaction).await.doing(CONTEXT)?;
        }
        Ok(answers)
    }
}

/// How things stand for those who ask. Only true while their rows are locked.
struct Standing {
    /// Those who exist.
    users: HashSet<i64>,
    policies: HashMap<Role, RolePolicy>,
    /// GPUs of their live claims; absent for nothing.
    in_use: HashMap<i64, i64>,
    /// The claims that their keys name.
    requested: HashMap<(i64, String), Claim>,
}

impl Standing {
    async fn load(connection: &mut AnyConnection, lock_rows: &'static str, requests: &[NewClaim]) -> Result<Self> {
        let mut owners: Vec<_> = requests.iter().map(|new| new.user_id).collect();
        owners.sort_unstable();
        owners.dedup();
        let users = lock(connection, lock_rows, &owners).await.doing(CONTEXT)?;
        let policies = roles::policies(&mut *connection).await?.into_iter().collect();
        let is_limited = |new: &&NewClaim| gpu_limit(&policies, new).is_some();
        let mut limited: Vec<_> = requests.iter().filter(is_limited).map(|new| new.user_id).collect();
        limited.sort_unstable();
        limited.dedup();
        let in_use = gpus_in_use(connection, &limited).await.doing(CONTEXT)?;
        let keys: Vec<_> = requests.iter().filter_map(|new| Some((new.user_id, new.request_id.as_deref()?))).collect();
        let requested = requested_before(connection, &keys).await.doing(CONTEXT)?;
        Ok(Self { users, policies, in_use, requested })
    }

    /// Judges the next request, and counts it if it is admitted.
    fn admit(&mut self, new: &NewClaim) -> Result<Admitted, AdmitError> {
        if !self.users.contains(&new.user_id) {
            return Err(Error::not_found("user", new.user_id).into());
        }
        let key = new.request_id.clone().map(|request_id| (new.user_id, request_id));
        if let Some(claim) = key.as_ref().and_then(|key| self.requested.get(key)) {
            return Ok(Admitted { claim: claim.clone(), created: false });
        }
        let claim = pending(new);
        let requested = gpu_count(&claim);
        let in_use = self.in_use.entry(new.user_id).or_default();
        if requested > 0
            && let Some(limit) = gpu_limit(&self.policies, new)
            && in_use.saturating_add(requested) > limit
        {
            return Err(AdmitError::QuotaExceeded { limit, in_use: *in_use, requested });
        }
        *in_use = in_use.saturating_add(requested);
        if let Some(key) = key {
            self.requested.insert(key, claim.clone());
        }
        Ok(Admitted { claim, created: true })
    }
}

/// The most GPUs of all live claims of a request's owner, if there is a limit.
fn gpu_limit(policies: &HashMap<Role, RolePolicy>, new: &NewClaim) -> Option<i64> {
    // A role without a policy allows nothing.
    policies.get(&new.role).map_or(Some(0), RolePolicy::gpu_limit)
}

fn gpu_count(claim: &Claim) -> i64 {
    i64::try_from(claim.gpu_count()).unwrap_or(i64::MAX)
}

/// Holds the rows of those of the users who exist, in the order of their ids: two batches wait for each other, not both at once.
async fn lock(connection: &mut AnyConnection, lock_rows: &'static str, users: &[i64]) -> Result<HashSet<i64>, sqlx::Error> {
    let mut found = HashSet::with_capacity(users.len());
    for users in batch::pieces(users) {
        let head = "select id from users where deleted_at is null and id in (";
        let sql = batch::statement(head, "$", users.len(), lock_rows, 0);
        let query = users.iter().fold(sqlx::query(sql), |query, id| query.bind(*id));
        for row in query.fetch_all(&mut *connection).await? {
            found.insert(row.try_get(0)?);
        }
    }
    Ok(found)
}

/// Callers hold the locks of the users' rows.
async fn gpus_in_use(connection: &mut AnyConnection, users: &[i64]) -> Result<HashMap<i64, i64>, sqlx::Error> {
    let mut in_use = HashMap::with_capacity(users.len());
    for users in batch::pieces(users) {
        let sql = batch::statement(
            "select user_id, cast(sum(gpu_count) as bigint) from claims \
             where deleted_at is null and phase in ('pending', 'scheduled', 'running') and user_id in (",
            "$",
            users.len(),
            ") group by user_id",
            0,
        );
        let query = users.iter().fold(sqlx::query(sql), |query, id| query.bind(*id));
        for row in query.fetch_all(&mut *connection).await? {
            in_use.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    Ok(in_use)
}

async fn requested_before(
    connection: &mut AnyConnection,
    keys: &[(i64, &str)],
) -> Result<HashMap<(i64, String), Claim>, sqlx::Error> {
    let mut found = HashMap::new();
    for keys in batch::pieces(keys) {
        let sql = batch::statement(
            select_claims!(", request_id", "where (user_id, request_id) in (values "),
            "(cast($ as bigint), $)",
            keys.len(),
            ")",
            0,
        );
        let query = keys.iter().fold(sqlx::query(sql), |query, (user_id, request_id)| query.bind(*user_id).bind(*request_id));
        for row in query.fetch_all(&mut *connection).await? {
            let claim = claim(&row)?;
            found.insert((claim.user_id, row.try_get("request_id")?), claim);
        }
    }
    Ok(found)
}

async fn insert(connection: &mut AnyConnection, admitted: &[(&NewClaim, &Claim)]) -> Result<(), sqlx::Error> {
    for admitted in batch::pieces(admitted) {
        let sql = batch::statement(
            "insert into claims (id, user_id, request_id, spec, gpu_count, phase, reason, message, epoch, container_id, generation, \
             created_at, updated_at) values ",
            "($, $, $, $, $, $, $, $, $, '', $, $, $)",
            admitted.len(),
            "",
            0,
        );
        let bind = |query: Query<'static, Any, _>, (new, claim): &(&NewClaim, &Claim)| {
            let query = query.bind(claim.id.to_string()).bind(claim.user_id).bind(new.request_id.clone());
            let query = query.bind(claim.spec.encode_to_vec()).bind(gpu_count(claim)).bind(row::phase_word(claim.phase));
            let query = query.bind(claim.reason.clone()).bind(claim.message.clone());
            let query = query.bind(claim.epoch).bind(claim.generation);
            query.bind(row::ms(claim.created_at)).bind(row::ms(claim.updated_at))
        };
        admitted.iter().fold(sqlx::query(sql), bind).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn record(connection: &mut AnyConnection, admitted: &[(&NewClaim, &Claim)]) -> Result<()> {
    let changes: Vec<_> = admitted.iter().map(|(_, claim)| Change::created(claim.id, audit_value(claim))).collect();
    let entries = admitted.iter().zip(&changes).map(|((new, _), change)| {
        let result = &AuditResult::Success;
        audit::Entry { trail: &new.trail, change, result, at: new.now }
    });
    audit::append_all(connection, &entries.collect::<Vec<_>>()).await
}

async fn tell(connection: &mut AnyConnection, admitted: &[(&NewClaim, &Claim)]) -> Result<(), sqlx::Error> {
    // All of a batch came at about the same time.
    let Some((latest, _)) = admitted.last() else { return Ok(()) };
    let events: Vec<_> = admitted.iter().map(|(_, claim)| event(phase_event(claim.phase), claim)).collect();
    outbox::append(connection, &events, latest.now).await
}

fn pending(new: &NewClaim) -> Claim {
    let Refusal { reason, message } = new.refusal.clone();
    Claim {
        id: new.id,
        user_id: new.user_id,
        spec: new.spec.clone(),
        phase: ClaimPhase::Pending,
        reason: reason.to_owned(),
        message,
        node_id: None,
        epoch: 0,
        container_id: String::new(),
        gpu_uuids: Vec::new(),
        generation: 1,
        created_at: new.now,
        updated_at: new.now,
        deleted_at: None,
    }
}
