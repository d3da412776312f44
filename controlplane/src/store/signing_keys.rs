//! The keys that sign people's tokens. They are kept in plain: whoever can read the database can sign.

use std::fmt;

use jiff::Timestamp;
use sqlx::{Any, Executor, Row as _};

use super::{Doing as _, Store, row};
use crate::error::Result;

/// A key that signs or signed people's tokens.
#[derive(Clone)]
pub struct SigningKey {
    /// Names it in the tokens' headers.
    pub kid: String,
    /// The key.
    pub secret: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it no longer signs.
    pub retired_at: Option<Timestamp>,
}

impl fmt::Debug for SigningKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, secret: _, created_at, retired_at } = self;
        f.debug_struct("SigningKey")
            .field("kid", kid)
            .field("created_at", created_at)
            .field("retired_at", retired_at)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// All keys, newest first, retired ones among them.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        const CONTEXT: &str = "load the signing keys";
        let query =
            sqlx::query("select kid, secret, created_at, retired_at from signing_keys order by created_at desc, kid desc");
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        let key = |row: &sqlx::any::AnyRow| {
            Ok(SigningKey {
                kid: row.try_get("kid")?,
                secret: row.try_get("secret")?,
                created_at: row::timestamp(row, "created_at")?,
                retired_at: row::maybe_timestamp(row, "retired_at")?,
            })
        };
        rows.iter().map(key).collect::<Result<_, sqlx::Error>>().doing(CONTEXT)
    }

    /// Adds the very first key. Of several replicas that start at once one wins; false tells the others to load its key.
    pub async fn insert_first_signing_key(&self, kid: &str, secret: &[u8], now: Timestamp) -> Result<bool> {
        const CONTEXT: &str = "add the first signing key";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let won = sqlx::query("update counters set value = 1 where name = 'signing_keys' and value = 0");
        if won.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        insert(&mut *transaction, kid, secret, now).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Adds a key beside those that are there.
    pub async fn insert_signing_key(&self, kid: &str, secret: &[u8], now: Timestamp) -> Result<()> {
        insert(&self.write, kid, secret, now).await.doing("add a signing key")
    }

    /// From now on the key signs no more; what it signed holds until it expires. False when there is no such key, or it was retired.
    pub async fn retire_signing_key(&self, kid: &str, now: Timestamp) -> Result<bool> {
        let query = sqlx::query("update signing_keys set retired_at = $2 where kid = $1 and retired_at is null");
        let done = query.bind(kid).bind(row::ms(now)).execute(&self.write).await.doing("retire a signing key")?;
        Ok(done.rows_affected() == 1)
    }
}

async fn insert<'e>(
    executor: impl Executor<'e, Database = Any>,
    kid: &str,
    secret: &[u8],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("insert into signing_keys (kid, secret, created_at) values ($1, $2, $3)");
    query.bind(kid).bind(secret).bind(row::ms(now)).execute(executor).await?;
    Ok(())
}
