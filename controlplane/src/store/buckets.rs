//! Buckets. A bucket's row is the lock that orders the changes of what is in it.

use jiff::Timestamp;
use sqlx::{Any, Row as _, Transaction, any::AnyRow};

use super::{Doing as _, Store, row};
use crate::{
    error::Result,
    model::{
        Page, PageRequest,
        storage::{Bucket, Usage},
    },
};

/// The columns of a bucket.
macro_rules! select_buckets {
    ($rest:literal) => {
        concat!(
            "select b.name, b.owner_id, u.username, b.objects, b.bytes, b.created_at from s3_buckets b \
             join users u on u.id = b.owner_id ",
            $rest
        )
    };
}

/// What became of the removal of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketRemoval {
    /// It is gone.
    Done,
    /// It has objects.
    NotEmpty,
    /// There was none.
    NoSuchBucket,
}

impl Store {
    /// Makes a bucket. False when there is one of this name, whosever.
    pub async fn create_bucket(&self, name: &str, owner: i64, now: Timestamp) -> Result<bool> {
        let insert = sqlx::query(
            "insert into s3_buckets (name, owner_id, objects, bytes, created_at) values ($1, $2, 0, 0, $3) \
             on conflict (name) do nothing",
        );
        let insert = insert.bind(name).bind(owner).bind(row::ms(now));
        Ok(insert.execute(&self.write).await.doing("create a bucket")?.rows_affected() == 1)
    }

    /// The bucket of this name.
    pub async fn bucket(&self, name: &str) -> Result<Option<Bucket>> {
        const CONTEXT: &str = "load a bucket";
        let row = sqlx::query(select_buckets!("where b.name = $1")).bind(name).fetch_optional(&self.read).await;
        row.doing(CONTEXT)?.as_ref().map(bucket).transpose().doing(CONTEXT)
    }

    /// Up to `limit` buckets whose names come after `after` and begin with `prefix`, by name: one owner's, or all.
    pub async fn buckets_after(&self, owner: Option<i64>, prefix: &str, after: &str, limit: i64) -> Result<Vec<Bucket>> {
        const CONTEXT: &str = "list buckets";
        let query = sqlx::query(select_buckets!(
            "where b.owner_id = coalesce($1, b.owner_id) and b.name > $2 and substr(b.name, 1, length($3)) = $3 \
             order by b.name limit $4"
        ));
        let rows = query.bind(owner).bind(after).bind(prefix).bind(limit).fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(bucket).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// A page of buckets by name, with what all of them hold: one owner's, or all.
    pub async fn list_buckets(&self, owner: Option<i64>, page: PageRequest) -> Result<(Page<Bucket>, Usage)> {
        const CONTEXT: &str = "list buckets";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let sums = sqlx::query(
            "select count(*) as buckets, cast(coalesce(sum(objects), 0) as bigint) as objects, \
             cast(coalesce(sum(bytes), 0) as bigint) as bytes from s3_buckets where owner_id = coalesce($1, owner_id)",
        );
        let sums = usage(&sums.bind(owner).fetch_one(&mut *connection).await.doing(CONTEXT)?).doing(CONTEXT)?;
        let items =
            sqlx::query(select_buckets!("where b.owner_id = coalesce($1, b.owner_id) order by b.name limit $2 offset $3"));
        let items = items.bind(owner).bind(i64::from(page.limit)).bind(page.offset());
        let rows = items.fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let items = rows.iter().map(bucket).collect::<Result<_, _>>().doing(CONTEXT)?;
        Ok((Page { items, total: sums.buckets }, sums))
    }

    /// What each owner of buckets keeps, with their names.
    pub async fn usage_by_owner(&self) -> Result<Vec<(String, Usage)>> {
        const CONTEXT: &str = "sum up object storage";
        let query = sqlx::query(
            "select u.username, count(*) as buckets, cast(sum(b.objects) as bigint) as objects, \
             cast(sum(b.bytes) as bigint) as bytes from s3_buckets b join users u on u.id = b.owner_id group by u.username",
        );
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        let pair = |row: &AnyRow| Ok::<_, sqlx::Error>((row.try_get("username")?, usage(row)?));
        rows.iter().map(pair).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Removes a bucket that has no objects; uploads that were going on in it are given up.
    pub async fn delete_bucket(&self, name: &str, now: Timestamp) -> Result<BucketRemoval> {
        const CONTEXT: &str = "delete a bucket";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let Some(objects) = lock(&mut transaction, name).await.doing(CONTEXT)? else { return Ok(BucketRemoval::NoSuchBucket) };
        if objects > 0 {
            return Ok(BucketRemoval::NotEmpty);
        }
        for (sql, dated) in [
            (
                "insert into s3_garbage (blob, at) select blob, $2 from s3_parts \
                 where upload_id in (select id from s3_uploads where bucket = $1) on conflict (blob) do nothing",
                true,
            ),
            ("delete from s3_parts where upload_id in (select id from s3_uploads where bucket = $1)", false),
            ("delete from s3_uploads where bucket = $1", false),
            ("delete from s3_buckets where name = $1", false),
        ] {
            let query = sqlx::query(sql).bind(name);
            let query = if dated { query.bind(row::ms(now)) } else { query };
            query.execute(&mut *transaction).await.doing(CONTEXT)?;
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(BucketRemoval::Done)
    }
}

/// Locks a bucket until the transaction ends. How many objects it has; none when there is no such bucket.
pub(super) async fn lock(transaction: &mut Transaction<'_, Any>, name: &str) -> Result<Option<i64>, sqlx::Error> {
    let lock = sqlx::query_scalar("update s3_buckets set objects = objects where name = $1 returning objects");
    lock.bind(name).fetch_optional(&mut **transaction).await
}

/// Adds to the sums of a bucket.
pub(super) async fn add(transaction: &mut Transaction<'_, Any>, name: &str, objects: i64, bytes: i64) -> Result<(), sqlx::Error> {
    let add = sqlx::query("update s3_buckets set objects = objects + $1, bytes = bytes + $2 where name = $3");
    add.bind(objects).bind(bytes).bind(name).execute(&mut **transaction).await.map(drop)
}

fn bucket(row: &AnyRow) -> Result<Bucket, sqlx::Error> {
    Ok(Bucket {
        name: row.try_get("name")?,
        owner_id: row.try_get("owner_id")?,
        owner: row.try_get("username")?,
        objects: row.try_get("objects")?,
        bytes: row.try_get("bytes")?,
        created_at: row::timestamp(row, "created_at")?,
    })
}

fn usage(row: &AnyRow) -> Result<Usage, sqlx::Error> {
    Ok(Usage { buckets: row.try_get("buckets")?, objects: row.try_get("objects")?, bytes: row.try_get("bytes")? })
}
