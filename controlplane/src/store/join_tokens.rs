//! Join tokens. The store knows only the hash of a token's secret.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Doing as _, Store, audit, row};
use crate::{
    error::Result,
    model::{
        JoinToken, Page, PageRequest,
        audit::{Change, Trail},
    },
};

/// A join token to keep.
#[derive(Debug, Clone, Copy)]
pub struct NewJoinToken<'a> {
    /// Not secret.
    pub id: &'a str,
    /// The hash of its secret.
    pub secret_hash: &'a [u8],
    /// The one node it is for.
    pub node_id: Option<Uuid>,
    /// 0 for any number.
    pub max_uses: i32,
    /// What it is for.
    pub description: &'a str,
    /// It is refused from then on.
    pub expires_at: Timestamp,
    /// Who made it; none when the control plane itself did.
    pub created_by: Option<i64>,
}

impl Store {
    /// Keeps a join token. One for a certain node is that node's approval, and the audit log names the node.
    pub async fn create_join_token(&self, token: NewJoinToken<'_>, now: Timestamp, trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "create a join token";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(
            "insert into join_tokens \
             (id, secret_hash, node_id, max_uses, uses, description, expires_at, created_by, created_at) \
             values ($1, $2, $3, $4, 0, $5, $6, $7, $8)",
        );
        let query = query.bind(token.id).bind(token.secret_hash).bind(token.node_id.map(|id| id.to_string()));
        let query = query.bind(i64::from(token.max_uses)).bind(token.description).bind(row::ms(token.expires_at));
        let query = query.bind(token.created_by).bind(row::ms(now));
        query.execute(&mut *transaction).await.doing(CONTEXT)?;
        let made = JoinToken {
            id: token.id.to_owned(),
            node_id: token.node_id,
            max_uses: token.max_uses,
            uses: 0,
            description: token.description.to_owned(),
            expires_at: token.expires_at,
        };
        let subject = token.node_id.map_or_else(|| token.id.to_owned(), |node| node.to_string());
        audit::append(&mut transaction, trail, Change::created(subject, audit_value(&made)), now).await?;
        transaction.commit().await.doing(CONTEXT)
    }

    /// A page of the tokens that can still be used, newest first.
    pub async fn list_join_tokens(&self, page: PageRequest, now: Timestamp) -> Result<Page<JoinToken>> {
        const CONTEXT: &str = "list join tokens";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = sqlx::query_scalar(
            "select count(*) from join_tokens \
             where revoked_at is null and expires_at > $1 and (max_uses = 0 or uses < max_uses)",
        );
        let total = total.bind(row::ms(now)).fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let items = sqlx::query(
            "select id, node_id, max_uses, uses, description, expires_at from join_tokens \
             where revoked_at is null and expires_at > $1 and (max_uses = 0 or uses < max_uses) \
             order by created_at desc, id desc limit $2 offset $3",
        );
        let items = items.bind(row::ms(now)).bind(i64::from(page.limit)).bind(page.offset());
        let rows = items.fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let items = rows.iter().map(join_token).collect::<Result<_, _>>().doing(CONTEXT)?;
        Ok(Page { items, total })
    }

    /// From now on the token is refused. False when there is no such token, or it was revoked.
    pub async fn revoke_join_token(&self, id: &str, now: Timestamp, trail: &Trail) -> Result<bool> {
        const CONTEXT: &str = "revoke a join token";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(
            "update join_tokens set revoked_at = $2 where id = $1 and revoked_at is null \
             returning id, node_id, max_uses, uses, description, expires_at",
        );
        let revoked = query.bind(id).bind(row::ms(now)).fetch_optional(&mut *transaction).await.doing(CONTEXT)?;
        let Some(revoked) = revoked else { return Ok(false) };
        let revoked = join_token(&revoked).doing(CONTEXT)?;
        audit::append(&mut transaction, trail, Change::deleted(id, audit_value(&revoked)), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }
}

/// A join token as the audit log shows it.
fn audit_value(token: &JoinToken) -> Value {
    json!({
        "join_token": token.id,
        "node_id": token.node_id.map(|id| id.to_string()).unwrap_or_default(),
        "max_uses": token.max_uses,
        "uses": token.uses,
        "description": token.description,
        "expires_at": token.expires_at.to_string(),
    })
}

fn join_token(row: &AnyRow) -> Result<JoinToken, sqlx::Error> {
    let count = |column| Ok::<_, sqlx::Error>(i32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(i32::MAX));
    Ok(JoinToken {
        id: row.try_get("id")?,
        node_id: row::maybe_uuid(row, "node_id")?,
        max_uses: count("max_uses")?,
        uses: count("uses")?,
        description: row.try_get("description")?,
        expires_at: row::timestamp(row, "expires_at")?,
    })
}
