//! Failed log-ins in a row, by user name in lower case, whether there is such a user or not. What follows from a number of failures
//! is the caller's.

use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _};

use super::{Doing as _, Store, audit, row};
use crate::{
    error::Result,
    model::{
        audit::{Change, Trail},
        people::User,
    },
};

/// What is known of a user name's failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginFailures {
    /// How many there were in a row.
    pub count: u32,
    /// No attempt is made before.
    pub locked_until: Timestamp,
    /// When the last was.
    pub updated_at: Timestamp,
}

impl Store {
    /// The failures of a user name since the last success; none when there are none.
    pub async fn login_failures(&self, username: &str) -> Result<Option<LoginFailures>> {
        const CONTEXT: &str = "load failed log-ins";
        let query = sqlx::query("select failures, locked_until, updated_at from login_failures where username = lower($1)");
        let Some(row) = query.bind(username).fetch_optional(&self.read).await.doing(CONTEXT)? else { return Ok(None) };
        let failures = || {
            Ok::<_, sqlx::Error>(LoginFailures {
                count: u32::try_from(row.try_get::<i64, _>("failures")?).unwrap_or(u32::MAX),
                locked_until: row::timestamp(&row, "locked_until")?,
                updated_at: row::timestamp(&row, "updated_at")?,
            })
        };
        failures().map(Some).doing(CONTEXT)
    }

    /// Counts one more failure, and locks the name for as long as `lock` says for the number; how many there are now.
    pub async fn count_login_failure(
        &self,
        username: &str,
        now: Timestamp,
        lock: impl FnOnce(u32) -> Timestamp + Send,
    ) -> Result<u32> {
        const CONTEXT: &str = "count a failed log-in";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let count = sqlx::query_scalar(
            "insert into login_failures (username, failures, locked_until, updated_at) values (lower($1), 1, 0, $2) \
             on conflict (username) do update set failures = login_failures.failures + 1, updated_at = $2 returning failures",
        );
        let count: i64 = count.bind(username).bind(row::ms(now)).fetch_one(&mut *transaction).await.doing(CONTEXT)?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let update = sqlx::query("update login_failures set locked_until = $2 where username = lower($1)");
        update.bind(username).bind(row::ms(lock(count))).execute(&mut *transaction).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(count)
    }

    /// Forgets the failures of a person's name, as an administrator wants it.
    pub async fn unlock_user(&self, user: &User, now: Timestamp, trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "unlock a user";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        clear(&mut transaction, &user.username).await?;
        audit::append(&mut transaction, trail, Change::touched(user.uuid), now).await?;
        transaction.commit().await.doing(CONTEXT)
    }

    /// Forgets names whose last failure was before `since`, or after `until`, which only a clock that jumped makes possible. How
    /// many there were.
    pub async fn expire_login_failures(&self, since: Timestamp, until: Timestamp) -> Result<u64> {
        let query = sqlx::query("delete from login_failures where updated_at < $1 or updated_at > $2");
        let query = query.bind(row::ms(since)).bind(row::ms(until));
        Ok(query.execute(&self.write).await.doing("expire failed log-ins")?.rows_affected())
    }
}

/// Forgets the failures of a user name, in the transaction of what ends them.
pub(super) async fn clear(connection: &mut AnyConnection, username: &str) -> Result<()> {
    let query = sqlx::query("delete from login_failures where username = lower($1)").bind(username);
    query.execute(connection).await.doing("forget failed log-ins")?;
    Ok(())
}
