//! Enrolment: a join token, or the agent token of a host, against a node's identity, in one transaction. Refused enrolments use
//! nothing up.
//!
//! A token never hands out the identity of another machine that has enrolled, whatever the request says.

use jiff::Timestamp;
use prost::Message as _;
use serde_json::json;
use sqlx::{Any, Row as _, Transaction};
use subtle::ConstantTimeEq as _;
use utopia_certs::join_token::TokenKind;
use utopia_proto::link::v1::MachineFacts;
use uuid::Uuid;

use super::{Doing as _, Store, audit, is_taken, row};
use crate::{
    error::Error,
    model::{
        NodeStage,
        audit::{Change, Trail},
    },
};

/// A machine that wants to join.
#[derive(Debug, Clone, Copy)]
pub struct EnrolNode<'a> {
    /// Which kind of token it is.
    pub token_kind: TokenKind,
    /// The token's id.
    pub token_id: &'a str,
    /// The hash of the secret that was shown.
    pub token_secret_hash: &'a [u8],
    /// The id that the agent gave its data directory; never empty.
    pub machine_id: &'a str,
    /// The node as which it was announced.
    pub node_id: Option<Uuid>,
    /// The machine.
    pub facts: &'a MachineFacts,
    /// The time.
    pub now: Timestamp,
    /// Its id, if it turns out to be new.
    pub new_id: Uuid,
}

/// Why a machine may not join.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Unknown, revoked, or the secret is wrong.
    #[error("the join token is not valid")]
    TokenInvalid,
    /// Too late.
    #[error("the join token has expired")]
    TokenExpired,
    /// As many machines as may have joined with it.
    #[error("the join token has been used up")]
    TokenUsedUp,
    /// No host has this agent token, or the secret is wrong.
    #[error("the agent token is not valid")]
    AgentTokenInvalid,
    /// Another machine has got a certificate for it.
    #[error("the agent token has been exchanged for a certificate already")]
    AgentTokenUsed,
    /// It is bound to a node which this machine is not.
    #[error("the token is for another node")]
    TokenForOtherNode,
    /// No pending node has the id.
    #[error("there is no pending node {0}")]
    NodeUnknown(Uuid),
    /// The store failed, or the request breaks a rule.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<EnrolError> for Error {
    fn from(error: EnrolError) -> Self {
        let message = error.to_string();
        match error {
            EnrolError::TokenInvalid => {
                Self::Unauthenticated { reason: "JoinTokenInvalid", message: "the join token is not valid" }
            }
            EnrolError::TokenExpired => {
                Self::Unauthenticated { reason: "JoinTokenExpired", message: "the join token has expired" }
            }
            EnrolError::TokenUsedUp => {
                Self::Unauthenticated { reason: "JoinTokenUsedUp", message: "the join token has been used up" }
            }
            EnrolError::AgentTokenInvalid => {
                Self::Unauthenticated { reason: "AgentTokenInvalid", message: "the agent token is not valid" }
            }
            EnrolError::AgentTokenUsed => Self::Unauthenticated {
                reason: "AgentTokenUsed",
                message: "the agent token has been exchanged for a certificate already; make a new one",
            },
            EnrolError::TokenForOtherNode => Self::Denied { reason: "JoinTokenForOtherNode", message },
            EnrolError::NodeUnknown(id) => Self::not_found("node", id),
            EnrolError::Store(error) => error,
        }
    }
}

const CONTEXT: &str = "enrol a node";

impl Store {
    /// Uses a token once and answers the node that the machine is. With a join token that is the one it was, the pending one it was
    /// announced as, or a new one; with an agent token the host of the token.
    pub async fn enrol(&self, request: EnrolNode<'_>, trail: &Trail) -> Result<Uuid, EnrolError> {
        if request.machine_id.is_empty() {
            return Err(Error::invalid("machine_id", "must not be empty").into());
        }
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let id = match request.token_kind {
            TokenKind::Join => {
                let bound = use_token(&mut transaction, &request).await?;
                match node_to_be(&mut transaction, &request, bound).await? {
                    Some(id) => become_node(&mut transaction, &request, id).await?,
                    None => become_new_node(&mut transaction, &request).await?,
                }
            }
            TokenKind::Agent => become_host(&mut transaction, &request).await?,
        };
        let token = format!("{}{}", request.token_kind.prefix(), request.token_id);
        let change = Change::created(id, json!({ "hostname": request.facts.hostname, "token": token }));
        audit::append(&mut transaction, trail, change, request.now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(id)
    }
}

/// Checks the token, counts its use, and answers the node it is bound to.
async fn use_token(transaction: &mut Transaction<'_, Any>, request: &EnrolNode<'_>) -> Result<Option<Uuid>, EnrolError> {
    let query = sqlx::query("select secret_hash, node_id, expires_at, revoked_at from join_tokens where id = $1");
    let token = query.bind(request.token_id).fetch_optional(&mut **transaction).await.doing(CONTEXT)?;
    let token = token.ok_or(EnrolError::TokenInvalid)?;
    let hash: &[u8] = token.try_get("secret_hash").doing(CONTEXT)?;
    let same = bool::from(hash.ct_eq(request.token_secret_hash));
    if !same || row::maybe_timestamp(&token, "revoked_at").doing(CONTEXT)?.is_some() {
        return Err(EnrolError::TokenInvalid);
    }
    if row::timestamp(&token, "expires_at").doing(CONTEXT)? <= request.now {
        return Err(EnrolError::TokenExpired);
    }
    let count = sqlx::query(
        "update join_tokens set uses = uses + 1 where id = $1 and revoked_at is null and (max_uses = 0 or uses < max_uses)",
    );
    let counted = count.bind(request.token_id).execute(&mut **transaction).await.doing(CONTEXT)?;
    if counted.rows_affected() == 0 {
        return Err(EnrolError::TokenUsedUp);
    }
    Ok(row::maybe_uuid(&token, "node_id").doing(CONTEXT)?)
}

/// The node that exists and that the machine may be, if there is one.
async fn node_to_be(
    transaction: &mut Transaction<'_, Any>,
    request: &EnrolNode<'_>,
    bound: Option<Uuid>,
) -> Result<Option<Uuid>, EnrolError> {
    let known = sqlx::query("select id, stage from nodes where machine_id = $1").bind(request.machine_id);
    let known = known.fetch_optional(&mut **transaction).await.doing(CONTEXT)?;
    let known = known.map(|row| row::uuid(&row, "id")).transpose().doing(CONTEXT)?;
    if let Some(bound) = bound {
        if known.is_some_and(|known| known != bound) || request.node_id.is_some_and(|asked| asked != bound) {
            return Err(EnrolError::TokenForOtherNode);
        }
        if known.is_none() && !is_pending(transaction, bound).await? {
            return Err(EnrolError::TokenForOtherNode);
        }
        return Ok(Some(bound));
    }
    match (known, request.node_id) {
        (Some(known), _) => Ok(Some(known)),
        (None, Some(asked)) if is_pending(transaction, asked).await? => Ok(Some(asked)),
        (None, Some(asked)) => Err(EnrolError::NodeUnknown(asked)),
        (None, None) => Ok(None),
    }
}

async fn is_pending(transaction: &mut Transaction<'_, Any>, id: Uuid) -> Result<bool, EnrolError> {
    let query = sqlx::query("select stage from nodes where id = $1").bind(id.to_string());
    let row = query.fetch_optional(&mut **transaction).await.doing(CONTEXT)?;
    let stage = row.map(|row| row::stage(&row, "stage")).transpose().doing(CONTEXT)?;
    Ok(stage == Some(NodeStage::Pending))
}

/// A node becomes a host when it enrols; a host that was registered is one already. The condition repeats what was read: on PostgreSQL another transaction may have been there in between.
async fn become_node(transaction: &mut Transaction<'_, Any>, request: &EnrolNode<'_>, id: Uuid) -> Result<Uuid, EnrolError> {
    let query = sqlx::query(
        "update nodes set machine_id = $2, hostname = $3, stage = 'enrolled', facts = $4, last_seen_at = $5, \
         created_at = case when stage = 'pending' and registered = 0 then $5 else created_at end \
         where id = $1 and (stage = 'pending' or machine_id = $2)",
    );
    let query = query.bind(id.to_string()).bind(request.machine_id).bind(request.facts.hostname.clone());
    let query = query.bind(request.facts.encode_to_vec()).bind(row::ms(request.now));
    let changed = query.execute(&mut **transaction).await.doing(CONTEXT)?.rows_affected();
    if changed == 1 { Ok(id) } else { Err(EnrolError::NodeUnknown(id)) }
}

/// The host of an agent token, which the machine may be: nobody else has exchanged the token, and neither is the other's node.
async fn become_host(transaction: &mut Transaction<'_, Any>, request: &EnrolNode<'_>) -> Result<Uuid, EnrolError> {
    let query = sqlx::query("select id, agent_token_hash, agent_token_used_at, machine_id from nodes where agent_token_id = $1");
    let host = query.bind(request.token_id).fetch_optional(&mut **transaction).await.doing(CONTEXT)?;
    let host = host.ok_or(EnrolError::AgentTokenInvalid)?;
    let hash: Option<&[u8]> = host.try_get("agent_token_hash").doing(CONTEXT)?;
    if !hash.is_some_and(|hash| bool::from(hash.ct_eq(request.token_secret_hash))) {
        return Err(EnrolError::AgentTokenInvalid);
    }
    let id = row::uuid(&host, "id").doing(CONTEXT)?;
    let machine: Option<&str> = host.try_get("machine_id").doing(CONTEXT)?;
    let is_used = row::maybe_timestamp(&host, "agent_token_used_at").doing(CONTEXT)?.is_some();
    if is_used && machine != Some(request.machine_id) {
        return Err(EnrolError::AgentTokenUsed);
    }
    if machine.is_some_and(|machine| machine != request.machine_id) || request.node_id.is_some_and(|asked| asked != id) {
        return Err(EnrolError::TokenForOtherNode);
    }
    // What was read is repeated, as another transaction may have been there in between.
    let query = sqlx::query(
        "update nodes set machine_id = $2, hostname = $3, stage = 'enrolled', facts = $4, last_seen_at = $5, \
         agent_token_used_at = coalesce(agent_token_used_at, $5) \
         where id = $1 and agent_token_id = $6 and (machine_id is null or machine_id = $2)",
    );
    let query = query.bind(id.to_string()).bind(request.machine_id).bind(request.facts.hostname.clone());
    let query = query.bind(request.facts.encode_to_vec()).bind(row::ms(request.now)).bind(request.token_id);
    match query.execute(&mut **transaction).await {
        Ok(done) if done.rows_affected() == 1 => Ok(id),
        Ok(_) => Err(EnrolError::AgentTokenUsed),
        // The machine is another node.
        Err(error) if is_taken(&error) => Err(EnrolError::TokenForOtherNode),
        Err(error) => Err(error).doing(CONTEXT)?,
    }
}

/// The same machine may be enrolling with a second request: whoever comes second is the node that the first made.
async fn become_new_node(transaction: &mut Transaction<'_, Any>, request: &EnrolNode<'_>) -> Result<Uuid, EnrolError> {
    let query = sqlx::query(
        "insert into nodes (id, machine_id, hostname, stage, facts, last_seen_at, created_at) \
         values ($1, $2, $3, 'enrolled', $4, $5, $5) \
         on conflict (machine_id) do update set hostname = excluded.hostname, stage = excluded.stage, facts = excluded.facts, \
         last_seen_at = excluded.last_seen_at returning id",
    );
    let query = query.bind(request.new_id.to_string()).bind(request.machine_id).bind(request.facts.hostname.clone());
    let query = query.bind(request.facts.encode_to_vec()).bind(row::ms(request.now));
    let row = query.fetch_one(&mut **transaction).await.doing(CONTEXT)?;
    Ok(row::uuid(&row, "id").doing(CONTEXT)?)
}
