//! Sessions: who logged in, and which tokens were revoked before they expired.

use jiff::Timestamp;
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

use super::{
    Doing as _, Store, audit, login_failures, row,
    users::{self, select_users},
};
use crate::{
    error::Result,
    model::{
        audit::{Change, Trail},
        people::{SessionState, User},
    },
};

/// A token that is to be revoked.
#[derive(Debug, Clone, Copy)]
pub struct Revocation {
    /// The token's own id.
    pub token_id: Uuid,
    /// Whose it is.
    pub user_id: i64,
    /// The epoch it was made in.
    pub epoch: i64,
    /// From then on it is refused in any case, and the revocation is forgotten.
    pub forget_at: Timestamp,
}

impl Store {
    /// What decides whether a token holds, with the person; none when there never was one.
    pub async fn session_state(&self, user_id: i64, token_id: Uuid) -> Result<Option<SessionState>> {
        const CONTEXT: &str = "load a session";
        let query = sqlx::query(select_users!(
            ", case when deleted_at is null then 0 else 1 end \
             + (select count(*) from revoked_tokens where jti = $2) as revocations",
            "where id = $1"
        ));
        let query = query.bind(user_id).bind(token_id.to_string());
        let Some(row) = query.fetch_optional(&self.read).await.doing(CONTEXT)? else { return Ok(None) };
        let state = || {
            let revoked = row.try_get::<i64, _>("revocations")? > 0;
            Ok::<_, sqlx::Error>(SessionState { user: users::user(&row)?.into(), revoked })
        };
        state().map(Some).doing(CONTEXT)
    }

    /// Notes that somebody logged in with the password that was checked, and forgets failures before. False when the password
    /// changed meanwhile, or the person is gone.
    pub async fn begin_session(&self, user: &User, token_id: Uuid, now: Timestamp, trail: &Trail) -> Result<bool> {
        const CONTEXT: &str = "begin a session";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let update = sqlx::query(
            "update users set last_login_at = $3 where id = $1 and token_epoch = $2 and password_hash = $4 and deleted_at is null",
        );
        let update = update.bind(user.id).bind(user.token_epoch).bind(row::ms(now)).bind(&user.password_hash);
        if update.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        login_failures::clear(&mut transaction, &user.username).await?;
        let change = Change::created(token_id, json!({ "username": user.username }));
        audit::append(&mut transaction, trail, change, now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Revokes a token, and says which one takes its place, if any. False when it does not hold any more: of several who want to
    /// exchange one token, one is told true.
    pub async fn revoke_session(
        &self,
        revocation: Revocation,
        successor: Option<Uuid>,
        now: Timestamp,
        trail: &Trail,
    ) -> Result<bool> {
        const CONTEXT: &str = "revoke a session";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        // A lock, so that no change of the person passes between this look and the commit.
        let holds = sqlx::query("update users set role = role where id = $1 and token_epoch = $2 and deleted_at is null");
        let holds = holds.bind(revocation.user_id).bind(revocation.epoch);
        if holds.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        let token_id = revocation.token_id.to_string();
        let insert =
            sqlx::query("insert into revoked_tokens (jti, user_id, expires_at) values ($1, $2, $3) on conflict do nothing");
        let insert = insert.bind(&token_id).bind(revocation.user_id).bind(row::ms(revocation.forget_at));
        if insert.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        let old = json!({ "id": token_id });
        let change = match successor {
            Some(successor) => Change::updated(&token_id, old, json!({ "id": successor.to_string() })),
            None => Change::deleted(&token_id, old),
        };
        audit::append(&mut transaction, trail, change, now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Forgets revocations of tokens that have expired. How many there were.
    pub async fn expire_revocations(&self, now: Timestamp) -> Result<u64> {
        let query = sqlx::query("delete from revoked_tokens where expires_at < $1").bind(row::ms(now));
        Ok(query.execute(&self.write).await.doing("expire revoked tokens")?.rows_affected())
    }
}
