//! The keys that sign people's tokens. They come and go sealed; those that an older version left in plain say so.

use jiff::Timestamp;
use sqlx::{Any, Executor, Row as _};

use super::{Doing as _, Store, row};
use crate::error::Result;

/// A key that signs or signed people's tokens.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// Names it in the tokens' headers.
    pub kid: String,
    /// The key.
    pub secret: KeptSecret,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it no longer signs.
    pub retired_at: Option<Timestamp>,
}

/// A key as it lies in the database.
#[derive(Clone, PartialEq, Eq)]
pub enum KeptSecret {
    /// As it should be.
    Sealed(Vec<u8>),
    /// As an older version left it.
    Plain(Vec<u8>),
}

impl std::fmt::Debug for KeptSecret {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sealed(_) => "Sealed",
            Self::Plain(_) => "Plain",
        })
    }
}

impl Store {
    /// All keys, newest first, retired ones among them.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        const CONTEXT: &str = "load the signing keys";
        let query = sqlx::query(
            "select kid, secret, sealed, created_at, retired_at from signing_keys order by created_at desc, kid desc",
        );
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        let key = |row: &sqlx::any::AnyRow| {
            let secret = row.try_get("secret")?;
            let sealed: i64 = row.try_get("sealed")?;
            Ok(SigningKey {
                kid: row.try_get("kid")?,
                secret: if sealed == 0 { KeptSecret::Plain(secret) } else { KeptSecret::Sealed(secret) },
                created_at: row::timestamp(row, "created_at")?,
                retired_at: row::maybe_timestamp(row, "retired_at")?,
            })
        };
        rows.iter().map(key).collect::<Result<_, sqlx::Error>>().doing(CONTEXT)
    }

    /// Adds the very first key. Of several replicas that start at once one wins; false tells the others to load its key.
    pub async fn insert_first_signing_key(&self, kid: &str, sealed: &[u8], now: Timestamp) -> Result<bool> {
        const CONTEXT: &str = "add the first signing key";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let won = sqlx::query("update counters set value = 1 where name = 'signing_keys' and value = 0");
        if won.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        insert(&mut *transaction, kid, sealed, now).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Adds a key beside those that are there.
    pub async fn insert_signing_key(&self, kid: &str, sealed: &[u8], now: Timestamp) -> Result<()> {
        insert(&self.write, kid, sealed, now).await.doing("add a signing key")
    }

    /// Puts the sealed key in the place of the plain one. False when another replica has done it.
    pub async fn seal_signing_key(&self, kid: &str, sealed: &[u8]) -> Result<bool> {
        let query = sqlx::query("update signing_keys set secret = $2, sealed = 1 where kid = $1 and sealed = 0");
        let done = query.bind(kid).bind(sealed).execute(&self.write).await.doing("seal a signing key")?;
        Ok(done.rows_affected() == 1)
    }

    /// From now on the key signs no more; what it signed holds until it expires. False when there is no such key, or it was retired.
    pub async fn retire_signing_key(&self, kid: &str, now: Timestamp) -> Result<bool> {
        let query = sqlx::query("update signing_keys set retired_at = $2 where kid = $1 and retired_at is null");
        let done = query.bind(kid).bind(row::ms(now)).execute(&self.write).await.doing("retire a signing key")?;
        Ok(done.rows_affected() == 1)
    }
}

#[cfg(test)]
impl Store {
    /// A key as older versions left it.
    pub(crate) async fn insert_plain_signing_key(&self, kid: &str, secret: &[u8], now: Timestamp) {
        let query = sqlx::query("insert into signing_keys (kid, secret, created_at) values ($1, $2, $3)");
        query.bind(kid).bind(secret).bind(row::ms(now)).execute(&self.write).await.unwrap();
    }
}

async fn insert<'e>(
    executor: impl Executor<'e, Database = Any>,
    kid: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("insert into signing_keys (kid, secret, sealed, created_at) values ($1, $2, 1, $3)");
    query.bind(kid).bind(sealed).bind(row::ms(now)).execute(executor).await?;
    Ok(())
}
