//! Access keys of the S3 interface. Their secrets come and go sealed.

use jiff::Timestamp;
use sqlx::{Row as _, any::AnyRow};

use super::{Doing as _, Store, audit, batch, is_taken, row};
use crate::{
    error::{Error, Result},
    model::{
        Page, PageRequest,
        audit::{Change, Trail},
        storage::{AccessKey, KeyHolder},
    },
};

/// The most access keys of one person.
pub const MAX_ACCESS_KEYS: i64 = 20;

/// The columns of an access key.
macro_rules! select_access_keys {
    ($rest:literal) => {
        concat!(
            "select k.id, k.user_id, u.username, k.name, k.created_at, k.rotated_at, k.last_used_at from access_keys k \
             join users u on u.id = k.user_id where u.deleted_at is null ",
            $rest
        )
    };
}

impl Store {
    /// Keeps an access key.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] (`AccessKeyNameTaken`); [`Error::Exhausted`] (`TooManyAccessKeys`); [`Error::NotFound`] when the
    /// owner is gone.
    pub async fn create_access_key(&self, key: &AccessKey, sealed_secret: &[u8], trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "create an access key";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        // The lock on the owner's row orders those who would be the last to fit in.
        let lock = sqlx::query("update users set role = role where id = $1 and deleted_at is null").bind(key.user_id);
        if lock.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Err(Error::not_found("user", &key.username));
        }
        let count = sqlx::query_scalar("select count(*) from access_keys where user_id = $1").bind(key.user_id);
        let count: i64 = count.fetch_one(&mut *transaction).await.doing(CONTEXT)?;
        if count >= MAX_ACCESS_KEYS {
            let message = format!("you have {count} access keys, which is the most: revoke one first");
            return Err(Error::Exhausted { reason: "TooManyAccessKeys", message, retry_after: None });
        }
        let insert =
            sqlx::query("insert into access_keys (id, user_id, name, sealed_secret, created_at) values ($1, $2, $3, $4, $5)");
        let insert = insert.bind(&key.id).bind(key.user_id).bind(&key.name).bind(sealed_secret).bind(row::ms(key.created_at));
        match insert.execute(&mut *transaction).await {
            Err(error) if is_taken(&error) => {
                let message = format!("you have an access key named {} already", key.name);
                return Err(Error::AlreadyExists { reason: "AccessKeyNameTaken", message });
            }
            inserted => inserted.doing(CONTEXT)?,
        };
        audit::append(&mut transaction, trail, Change::created(&key.id, key.audit_value()), key.created_at).await?;
        transaction.commit().await.doing(CONTEXT)
    }

    /// A page of access keys, newest first: one owner's, or all.
    pub async fn list_access_keys(&self, owner: Option<i64>, page: PageRequest) -> Result<Page<AccessKey>> {
        const CONTEXT: &str = "list access keys";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = sqlx::query_scalar(
            "select count(*) from access_keys k join users u on u.id = k.user_id \
             where u.deleted_at is null and k.user_id = coalesce($1, k.user_id)",
        );
        let total = total.bind(owner).fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let items = sqlx::query(select_access_keys!(
            "and k.user_id = coalesce($1, k.user_id) order by k.created_at desc, k.id desc limit $2 offset $3"
        ));
        let items = items.bind(owner).bind(i64::from(page.limit)).bind(page.offset());
        let rows = items.fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let items = rows.iter().map(access_key).collect::<Result<_, _>>().doing(CONTEXT)?;
        Ok(Page { items, total })
    }

    /// Who signs with this access key; none when there is no such key, or its owner is gone.
    pub async fn key_holder(&self, id: &str) -> Result<Option<KeyHolder>> {
        const CONTEXT: &str = "load an access key";
        let query = sqlx::query(
            "select k.user_id, u.username, u.role, k.sealed_secret from access_keys k join users u on u.id = k.user_id \
             where k.id = $1 and u.deleted_at is null",
        );
        let Some(row) = query.bind(id).fetch_optional(&self.read).await.doing(CONTEXT)? else { return Ok(None) };
        let holder = || {
            Ok::<_, sqlx::Error>(KeyHolder {
                user_id: row.try_get("user_id")?,
                username: row.try_get("username")?,
                role: row::parsed(&row, "role")?,
                sealed_secret: row.try_get("sealed_secret")?,
            })
        };
        holder().map(Some).doing(CONTEXT)
    }

    /// Replaces the secret of an owner's key; none when there is no such key of theirs.
    pub async fn rotate_access_key(
        &self,
        id: &str,
        owner: i64,
        sealed_secret: &[u8],
        now: Timestamp,
        trail: &Trail,
    ) -> Result<Option<AccessKey>> {
        const CONTEXT: &str = "rotate an access key";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let update = sqlx::query("update access_keys set sealed_secret = $1, rotated_at = $2 where id = $3 and user_id = $4");
        let update = update.bind(sealed_secret).bind(row::ms(now)).bind(id).bind(owner);
        if update.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(None);
        }
        let query = sqlx::query(select_access_keys!("and k.id = $1")).bind(id);
        let Some(row) = query.fetch_optional(&mut *transaction).await.doing(CONTEXT)? else { return Ok(None) };
        let key = access_key(&row).doing(CONTEXT)?;
        let mut old = key.audit_value();
        old["rotated_at"] = serde_json::Value::Null;
        audit::append(&mut transaction, trail, Change::updated(id, old, key.audit_value()), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Some(key))
    }

    /// From now on the key is refused. False when there is no such key, or it is not this owner's.
    pub async fn revoke_access_key(&self, id: &str, owner: Option<i64>, now: Timestamp, trail: &Trail) -> Result<bool> {
        const CONTEXT: &str = "revoke an access key";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(select_access_keys!("and k.id = $1 and k.user_id = coalesce($2, k.user_id)"));
        let row = query.bind(id).bind(owner).fetch_optional(&mut *transaction).await.doing(CONTEXT)?;
        let Some(key) = row.as_ref().map(access_key).transpose().doing(CONTEXT)? else { return Ok(false) };
        let delete = sqlx::query("delete from access_keys where id = $1").bind(id);
        if delete.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut transaction, trail, Change::deleted(id, key.audit_value()), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Notes that these keys were used just now.
    pub async fn touch_access_keys(&self, ids: &[String], now: Timestamp) -> Result<()> {
        const CONTEXT: &str = "note the use of access keys";
        for ids in ids.chunks(batch::ROWS) {
            let sql = batch::statement("update access_keys set last_used_at = $1 where id in (", "$", ids.len(), ")", 1);
            let query = ids.iter().fold(sqlx::query(sql).persistent(false).bind(row::ms(now)), |query, id| query.bind(id));
            query.execute(&self.write).await.doing(CONTEXT)?;
        }
        Ok(())
    }
}

fn access_key(row: &AnyRow) -> Result<AccessKey, sqlx::Error> {
    Ok(AccessKey {
        id: row.try_get("id")?,
        user_id: row.try_get("user_id")?,
        username: row.try_get("username")?,
        name: row.try_get("name")?,
        created_at: row::timestamp(row, "created_at")?,
        rotated_at: row::maybe_timestamp(row, "rotated_at")?,
        last_used_at: row::maybe_timestamp(row, "last_used_at")?,
    })
}
