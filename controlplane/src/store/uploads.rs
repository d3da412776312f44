//! Uploads in parts. A part that is replaced or given up leaves its blob to be removed.

use jiff::Timestamp;
use sqlx::{Any, Row as _, Transaction, any::AnyRow};
use uuid::Uuid;

use super::{
    Doing as _, Store, buckets,
    objects::{Attempt, NewObject, Refusal, replace, segment},
    row,
};
use crate::{
    error::{Error, Result},
    model::storage::{Condition, Part, Segment, Upload},
};

impl Store {
    /// Begins an upload. False when there is no such bucket.
    pub async fn create_upload(&self, bucket: &str, upload: &Upload) -> Result<bool> {
        const CONTEXT: &str = "begin an upload";
        let attributes = serde_json::to_string(&upload.attributes).map_err(|error| Error::internal(CONTEXT, error))?;
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        if buckets::lock(&mut transaction, bucket).await.doing(CONTEXT)?.is_none() {
            return Ok(false);
        }
        let insert = sqlx::query("insert into s3_uploads (id, bucket, key, attributes, created_at) values ($1, $2, $3, $4, $5)");
        let insert = insert.bind(upload.id.to_string()).bind(bucket).bind(upload.key.as_bytes()).bind(attributes);
        insert.bind(row::ms(upload.created_at)).execute(&mut *transaction).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// The upload of this id for this key.
    pub async fn upload(&self, bucket: &str, key: &str, id: Uuid) -> Result<Option<Upload>> {
        const CONTEXT: &str = "load an upload";
        let query =
            sqlx::query("select id, key, attributes, created_at from s3_uploads where id = $1 and bucket = $2 and key = $3");
        let query = query.bind(id.to_string()).bind(bucket).bind(key.as_bytes());
        query.fetch_optional(&self.read).await.doing(CONTEXT)?.as_ref().map(upload).transpose().doing(CONTEXT)
    }

    /// Up to `limit` uploads in a bucket that come after a key and an id, by key and id.
    pub async fn uploads_after(&self, bucket: &str, (key, id): (&[u8], &str), limit: i64) -> Result<Vec<Upload>> {
        const CONTEXT: &str = "list uploads";
        let query = sqlx::query(
            "select id, key, attributes, created_at from s3_uploads \
             where bucket = $1 and (key > $2 or (key = $2 and id > $3)) order by key, id limit $4",
        );
        let rows = query.bind(bucket).bind(key).bind(id).bind(limit).fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(upload).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// The parts of an upload after this number, by number.
    pub async fn parts(&self, upload: Uuid, after: i32, limit: i64) -> Result<Vec<Part>> {
        const CONTEXT: &str = "load the parts of an upload";
        let query = sqlx::query(
            "select number, blob, size, etag, checksum, modified_at from s3_parts where upload_id = $1 and number > $2 \
             order by number limit $3",
        );
        let query = query.bind(upload.to_string()).bind(i64::from(after)).bind(limit);
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(part).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Keeps a part, in place of the one with its number.
    pub async fn put_part(&self, bucket: &str, upload: Uuid, part: &Part) -> Attempt<()> {
        const CONTEXT: &str = "put a part";
        let checksum = serde_json::to_string(&part.checksum).map_err(|error| Error::internal(CONTEXT, error))?;
        let id = upload.to_string();
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        if !lock(&mut transaction, bucket, &id).await.doing(CONTEXT)? {
            return Ok(Err(Refusal::NoSuchUpload));
        }
        let garbage = sqlx::query(
            "insert into s3_garbage (blob, at) select blob, $1 from s3_parts where upload_id = $2 and number = $3 \
             on conflict (blob) do update set at = excluded.at",
        );
        let garbage = garbage.bind(row::ms(part.modified_at)).bind(&id).bind(i64::from(part.number));
        garbage.execute(&mut *transaction).await.doing(CONTEXT)?;
        let insert = sqlx::query(
            "insert into s3_parts (upload_id, number, blob, size, etag, checksum, modified_at) \
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (upload_id, number) do update set blob = excluded.blob, \
             size = excluded.size, etag = excluded.etag, checksum = excluded.checksum, modified_at = excluded.modified_at",
        );
        let insert = insert.bind(&id).bind(i64::from(part.number)).bind(part.segment.blob.to_string());
        let insert = insert.bind(row::bytes_column(part.segment.size)).bind(&part.etag).bind(checksum);
        insert.bind(row::ms(part.modified_at)).execute(&mut *transaction).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Ok(()))
    }

    /// Makes these parts of an upload, which must be as they were, an object. The other parts are given up.
    pub async fn complete_upload(
        &self,
        new: NewObject<'_>,
        parts: &[Part],
        condition: &Condition,
        now: Timestamp,
    ) -> Attempt<()> {
        const CONTEXT: &str = "complete an upload";
        let id = new.id.to_string();
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        if !lock(&mut transaction, new.bucket, &id).await.doing(CONTEXT)? {
            return Ok(Err(Refusal::NoSuchUpload));
        }
        let there = sqlx::query("select number, blob, size, etag, checksum, modified_at from s3_parts where upload_id = $1");
        let there = there.bind(&id).fetch_all(&mut *transaction).await.doing(CONTEXT)?;
        let there = there.iter().map(part).collect::<Result<Vec<_>, _>>().doing(CONTEXT)?;
        let there = there.iter().map(|part| (part.number, part.segment)).collect::<std::collections::HashMap<_, _>>();
        if parts.iter().any(|part| there.get(&part.number) != Some(&part.segment)) {
            return Ok(Err(Refusal::PartChanged));
        }
        let segments = parts.iter().map(|part| part.segment).collect::<Vec<Segment>>();
        if let Err(refusal) = replace(&mut transaction, new, &segments, condition, now).await? {
            return Ok(Err(refusal));
        }
        // Those that became segments are found to have a reference.
        give_up(&mut transaction, &id, now).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Ok(()))
    }

    /// Gives an upload up. False when there is no such upload.
    pub async fn abort_upload(&self, bucket: &str, id: Uuid, now: Timestamp) -> Result<bool> {
        const CONTEXT: &str = "give an upload up";
        let id = id.to_string();
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        if !lock(&mut transaction, bucket, &id).await.doing(CONTEXT)? {
            return Ok(false);
        }
        give_up(&mut transaction, &id, now).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Up to 100 uploads that began before then, with their buckets.
    pub async fn uploads_before(&self, before: Timestamp) -> Result<Vec<(String, Uuid)>> {
        const CONTEXT: &str = "look for old uploads";
        let query = sqlx::query("select bucket, id from s3_uploads where created_at < $1 order by created_at limit 100");
        let rows = query.bind(row::ms(before)).fetch_all(&self.read).await.doing(CONTEXT)?;
        let pair = |row: &AnyRow| Ok::<_, sqlx::Error>((row.try_get("bucket")?, row::uuid(row, "id")?));
        rows.iter().map(pair).collect::<Result<_, _>>().doing(CONTEXT)
    }
}

/// Locks the bucket. Whether the upload is there.
async fn lock(transaction: &mut Transaction<'_, Any>, bucket: &str, id: &str) -> Result<bool, sqlx::Error> {
    buckets::lock(transaction, bucket).await?;
    let there = sqlx::query("select 1 from s3_uploads where id = $1 and bucket = $2").bind(id).bind(bucket);
    Ok(there.fetch_optional(&mut **transaction).await?.is_some())
}

/// Forgets an upload with its parts.
async fn give_up(transaction: &mut Transaction<'_, Any>, id: &str, now: Timestamp) -> Result<(), sqlx::Error> {
    let garbage = sqlx::query(
        "insert into s3_garbage (blob, at) select blob, $1 from s3_parts where upload_id = $2 \
         on conflict (blob) do update set at = excluded.at",
    );
    garbage.bind(row::ms(now)).bind(id).execute(&mut **transaction).await?;
    sqlx::query("delete from s3_parts where upload_id = $1").bind(id).execute(&mut **transaction).await?;
    sqlx::query("delete from s3_uploads where id = $1").bind(id).execute(&mut **transaction).await.map(drop)
}

fn upload(row: &AnyRow) -> Result<Upload, sqlx::Error> {
    Ok(Upload {
        id: row::uuid(row, "id")?,
        key: row::utf8(row, "key")?,
        attributes: row::json(row, "attributes")?,
        created_at: row::timestamp(row, "created_at")?,
    })
}

fn part(row: &AnyRow) -> Result<Part, sqlx::Error> {
    Ok(Part {
        number: row::number(row, "number")?,
        segment: segment(row)?,
        etag: row.try_get("etag")?,
        checksum: row::json(row, "checksum")?,
        modified_at: row::timestamp(row, "modified_at")?,
    })
}
