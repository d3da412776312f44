//! API tokens. The store knows only the hash of a token's secret.

use jiff::Timestamp;
use sqlx::{Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Doing as _, Store, audit, batch, is_taken, row};
use crate::{
    error::{Error, Result},
    model::{
        Page, PageRequest,
        audit::{Change, Trail},
        people::{ApiToken, ApiTokenState},
    },
};

/// The most API tokens of one person.
pub const MAX_API_TOKENS: i64 = 100;

/// The columns of an API token.
macro_rules! select_api_tokens {
    ($rest:literal) => {
        concat!(
            "select t.id, t.user_id, u.username, t.name, t.role, t.expires_at, t.created_at, t.last_used_at, t.secret_hash, \
             u.role as owner_role from api_tokens t join users u on u.id = t.user_id where u.deleted_at is null ",
            $rest
        )
    };
}

impl Store {
    /// Keeps an API token.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] (`ApiTokenNameTaken`); [`Error::Exhausted`] (`TooManyApiTokens`); [`Error::NotFound`] when the
    /// owner is gone.
    pub async fn create_api_token(&self, token: &ApiToken, secret_hash: &[u8], trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "create an API token";
        let now = token.created_at;
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        // The lock on the owner's row orders those who would be the last to fit in.
        let lock = sqlx::query("update users set role = role where id = $1 and deleted_at is null").bind(token.user_id);
        if lock.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Err(Error::not_found("user", &token.username));
        }
        let expired = sqlx::query("delete from api_tokens where user_id = $1 and expires_at <= $2");
        expired.bind(token.user_id).bind(row::ms(now)).execute(&mut *transaction).await.doing(CONTEXT)?;
        let count = sqlx::query_scalar("select count(*) from api_tokens where user_id = $1").bind(token.user_id);
        let count: i64 = count.fetch_one(&mut *transaction).await.doing(CONTEXT)?;
        if count >= MAX_API_TOKENS {
            let message = format!("you have {count} API tokens, which is the most: revoke one first");
            return Err(Error::Exhausted { reason: "TooManyApiTokens", message, retry_after: None });
        }
        let insert = sqlx::query(
            "insert into api_tokens (id, user_id, name, secret_hash, role, expires_at, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7)",
        );
        let insert = insert.bind(token.id.to_string()).bind(token.user_id).bind(&token.name).bind(secret_hash);
        let insert = insert.bind(token.role.as_str()).bind(row::ms(token.expires_at)).bind(row::ms(now));
        match insert.execute(&mut *transaction).await {
            Err(error) if is_taken(&error) => {
                let message = format!("you have an API token named {} already", token.name);
                return Err(Error::AlreadyExists { reason: "ApiTokenNameTaken", message });
            }
            inserted => inserted.doing(CONTEXT)?,
        };
        audit::append(&mut transaction, trail, Change::created(token.id, token.audit_value()), now).await?;
        transaction.commit().await.doing(CONTEXT)
    }

    /// A page of the API tokens that have not expired, newest first: one owner's, or all.
    pub async fn list_api_tokens(&self, owner: Option<i64>, page: PageRequest, now: Timestamp) -> Result<Page<ApiToken>> {
        const CONTEXT: &str = "list API tokens";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = sqlx::query_scalar(
            "select count(*) from api_tokens t join users u on u.id = t.user_id \
             where u.deleted_at is null and t.expires_at > $1 and t.user_id = coalesce($2, t.user_id)",
        );
        let total = total.bind(row::ms(now)).bind(owner).fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let items = sqlx::query(select_api_tokens!(
            "and t.expires_at > $1 and t.user_id = coalesce($2, t.user_id) \
             order by t.created_at desc, t.id desc limit $3 offset $4"
        ));
        let items = items.bind(row::ms(now)).bind(owner).bind(i64::from(page.limit)).bind(page.offset());
        let rows = items.fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let items = rows.iter().map(api_token).collect::<Result<_, _>>().doing(CONTEXT)?;
        Ok(Page { items, total })
    }

    /// What decides whether an API token holds; none when there is no such token, or its owner is gone.
    pub async fn api_token_state(&self, id: Uuid) -> Result<Option<ApiTokenState>> {
        const CONTEXT: &str = "load an API token";
        let query = sqlx::query(select_api_tokens!("and t.id = $1")).bind(id.to_string());
        let Some(row) = query.fetch_optional(&self.read).await.doing(CONTEXT)? else { return Ok(None) };
        let state = || {
            Ok::<_, sqlx::Error>(ApiTokenState {
                token: api_token(&row)?,
                secret_hash: row.try_get("secret_hash")?,
                owner_role: row::parsed(&row, "owner_role")?,
            })
        };
        state().map(Some).doing(CONTEXT)
    }

    /// From now on the token is refused. False when there is no such token, or it is not this owner's.
    pub async fn revoke_api_token(&self, id: Uuid, owner: Option<i64>, now: Timestamp, trail: &Trail) -> Result<bool> {
        const CONTEXT: &str = "revoke an API token";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(select_api_tokens!("and t.id = $1 and t.user_id = coalesce($2, t.user_id)"));
        let row = query.bind(id.to_string()).bind(owner).fetch_optional(&mut *transaction).await.doing(CONTEXT)?;
        let Some(token) = row.as_ref().map(api_token).transpose().doing(CONTEXT)? else { return Ok(false) };
        let delete = sqlx::query("delete from api_tokens where id = $1").bind(id.to_string());
        if delete.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut transaction, trail, Change::deleted(id, token.audit_value()), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Notes that these tokens were used just now.
    pub async fn touch_api_tokens(&self, ids: &[Uuid], now: Timestamp) -> Result<()> {
        const CONTEXT: &str = "note the use of API tokens";
        for ids in ids.chunks(batch::ROWS) {
            let sql = batch::statement("update api_tokens set last_used_at = $1 where id in (", "$", ids.len(), ")", 1);
            let query =
                ids.iter().fold(sqlx::query(sql).persistent(false).bind(row::ms(now)), |query, id| query.bind(id.to_string()));
            query.execute(&self.write).await.doing(CONTEXT)?;
        }
        Ok(())
    }

    /// Forgets tokens that have expired. How many there were.
    pub async fn expire_api_tokens(&self, now: Timestamp) -> Result<u64> {
        let query = sqlx::query("delete from api_tokens where expires_at <= $1").bind(row::ms(now));
        Ok(query.execute(&self.write).await.doing("expire API tokens")?.rows_affected())
    }
}

fn api_token(row: &AnyRow) -> Result<ApiToken, sqlx::Error> {
    Ok(ApiToken {
        id: row::uuid(row, "id")?,
        user_id: row.try_get("user_id")?,
        username: row.try_get("username")?,
        name: row.try_get("name")?,
        role: row::parsed(row, "role")?,
        expires_at: row::timestamp(row, "expires_at")?,
        created_at: row::timestamp(row, "created_at")?,
        last_used_at: row::maybe_timestamp(row, "last_used_at")?,
    })
}
