//! Objects: which content a key has. The content itself is in files, which the store knows by their ids only.
//!
//! Every change locks the bucket's row first (a copy both rows, in the order of their names), so that what a segment refers to
//! cannot lose its last reference while a copy takes another.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::{Any, Row as _, Transaction, any::AnyRow};
use uuid::Uuid;

use super::{Doing as _, Store, batch, buckets, row};
use crate::{
    error::{Error, Result},
    model::storage::{Attributes, Condition, Object, Segment},
};

/// The columns of an object.
macro_rules! select_objects {
    ($rest:literal) => {
        concat!("select id, key, size, etag, attributes, modified_at from s3_objects ", $rest)
    };
}

/// An object to put.
#[derive(Debug, Clone, Copy)]
pub struct NewObject<'a> {
    /// Its bucket.
    pub bucket: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its id.
    pub id: Uuid,
    /// Without quotes.
    pub etag: &'a str,
    /// What else is kept with it.
    pub attributes: &'a Attributes,
}

/// Why a change of an object was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such bucket.
    NoSuchBucket,
    /// There is no such object, or it was replaced meanwhile.
    NoSuchObject,
    /// There is no such upload.
    NoSuchUpload,
    /// A part is not the one that was meant.
    PartChanged,
    /// What is there is not what the condition wants.
    Condition,
}

/// What came of a change.
pub type Attempt<T> = Result<Result<T, Refusal>>;

impl Store {
    /// The object with this key.
    pub async fn object(&self, bucket: &str, key: &str) -> Result<Option<Object>> {
        const CONTEXT: &str = "load an object";
        let query = sqlx::query(select_objects!("where bucket = $1 and key = $2")).bind(bucket).bind(key.as_bytes());
        query.fetch_optional(&self.read).await.doing(CONTEXT)?.as_ref().map(object).transpose().doing(CONTEXT)
    }

    /// The segments of an object, in their order.
    pub async fn segments(&self, object: Uuid) -> Result<Vec<Segment>> {
        const CONTEXT: &str = "load an object's segments";
        let query = sqlx::query("select blob, size from s3_segments where object_id = $1 order by number");
        let rows = query.bind(object.to_string()).fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(segment).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Up to `limit` objects with keys from `from` on and, if there is an end, before `until`, in the order of their bytes.
    pub async fn objects_from(&self, bucket: &str, from: &[u8], until: Option<&[u8]>, limit: i64) -> Result<Vec<Object>> {
        const CONTEXT: &str = "list objects";
        let rows = match until {
            Some(until) => {
                sqlx::query(select_objects!("where bucket = $1 and key >= $2 and key < $3 order by key limit $4"))
                    .bind(bucket)
                    .bind(from)
                    .bind(until)
                    .bind(limit)
                    .fetch_all(&self.read)
                    .await
            }
            None => {
                sqlx::query(select_objects!("where bucket = $1 and key >= $2 order by key limit $3"))
                    .bind(bucket)
                    .bind(from)
                    .bind(limit)
                    .fetch_all(&self.read)
                    .await
            }
        };
        rows.doing(CONTEXT)?.iter().map(object).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Puts an object whose content is these segments, in place of what is there.
    pub async fn put_object(
        &self,
        new: NewObject<'_>,
        segments: &[Segment],
        condition: &Condition,
        now: Timestamp,
    ) -> Attempt<()> {
        const CONTEXT: &str = "put an object";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        if let Err(refusal) = replace(&mut transaction, new, segments, condition, now).await? {
            return Ok(Err(refusal));
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Ok(()))
    }

    /// Puts an object with the content of another, which must still be the one with the id `source`.
    pub async fn copy_object(
        &self,
        new: NewObject<'_>,
        (source_bucket, source): (&str, Uuid),
        condition: &Condition,
        now: Timestamp,
    ) -> Attempt<()> {
        const CONTEXT: &str = "copy an object";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut names = [new.bucket, source_bucket];
        names.sort_unstable();
        for name in names {
            if buckets::lock(&mut transaction, name).await.doing(CONTEXT)?.is_none() {
                return Ok(Err(Refusal::NoSuchBucket));
            }
        }
        let there = sqlx::query("select 1 from s3_objects where id = $1").bind(source.to_string());
        if there.fetch_optional(&mut *transaction).await.doing(CONTEXT)?.is_none() {
            return Ok(Err(Refusal::NoSuchObject));
        }
        let segments = sqlx::query("select blob, size from s3_segments where object_id = $1 order by number");
        let rows = segments.bind(source.to_string()).fetch_all(&mut *transaction).await.doing(CONTEXT)?;
        let segments = rows.iter().map(segment).collect::<Result<Vec<_>, _>>().doing(CONTEXT)?;
        if let Err(refusal) = replace(&mut transaction, new, &segments, condition, now).await? {
            return Ok(Err(refusal));
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Ok(()))
    }

    /// Removes the objects with these keys; those that are not there are none the less gone.
    pub async fn delete_objects(&self, bucket: &str, keys: &[String], condition: &Condition, now: Timestamp) -> Attempt<()> {
        const CONTEXT: &str = "delete objects";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        if buckets::lock(&mut transaction, bucket).await.doing(CONTEXT)?.is_none() {
            return Ok(Err(Refusal::NoSuchBucket));
        }
        for key in keys {
            let there = current(&mut transaction, bucket, key).await.doing(CONTEXT)?;
            if !condition.holds(there.as_ref().map(|there| &*there.etag)) {
                return Ok(Err(Refusal::Condition));
            }
            let Some(there) = there else { continue };
            forget(&mut transaction, bucket, &there, now).await.doing(CONTEXT)?;
            let delete = sqlx::query("delete from s3_objects where id = $1").bind(&there.id);
            delete.execute(&mut *transaction).await.doing(CONTEXT)?;
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Ok(()))
    }

    /// Up to 500 blobs that lost a reference before then and have none left.
    pub async fn garbage(&self, before: Timestamp) -> Result<Vec<Uuid>> {
        const CONTEXT: &str = "look for blobs without references";
        // What got another reference, by a copy, is told again when it loses that one.
        let found_again = sqlx::query(
            "delete from s3_garbage where at < $1 and (exists (select 1 from s3_segments s where s.blob = s3_garbage.blob) \
             or exists (select 1 from s3_parts p where p.blob = s3_garbage.blob))",
        );
        found_again.bind(row::ms(before)).execute(&self.write).await.doing(CONTEXT)?;
        let query = sqlx::query(
            "select g.blob from s3_garbage g where g.at < $1 and not exists (select 1 from s3_segments s where s.blob = g.blob) \
             and not exists (select 1 from s3_parts p where p.blob = g.blob) order by g.at limit 500",
        );
        let rows = query.bind(row::ms(before)).fetch_all(&self.write).await.doing(CONTEXT)?;
        rows.iter().map(|row| row::uuid(row, "blob")).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Forgets blobs whose files are gone.
    pub async fn forget_garbage(&self, blobs: &[Uuid]) -> Result<()> {
        const CONTEXT: &str = "forget removed blobs";
        for blobs in batch::pieces(blobs) {
            let sql = batch::statement("delete from s3_garbage where blob in (", "$", blobs.len(), ")", 0);
            let query = blobs.iter().fold(sqlx::query(sql), |query, blob| query.bind(blob.to_string()));
            query.execute(&self.write).await.doing(CONTEXT)?;
        }
        Ok(())
    }

    /// Which of these blobs nothing refers to, nor will remove.
    pub async fn unknown_blobs(&self, blobs: &[Uuid]) -> Result<Vec<Uuid>> {
        const CONTEXT: &str = "look for blobs that nobody knows";
        let mut unknown = blobs.to_vec();
        for blobs in batch::pieces(blobs) {
            for head in [
                "select blob from s3_segments where blob in (",
                "select blob from s3_parts where blob in (",
                "select blob from s3_garbage where blob in (",
            ] {
                let sql = batch::statement(head, "$", blobs.len(), ")", 0);
                let query = blobs.iter().fold(sqlx::query(sql), |query, blob| query.bind(blob.to_string()));
                let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
                let known = rows.iter().map(|row| row::uuid(row, "blob")).collect::<Result<HashSet<_>, _>>().doing(CONTEXT)?;
                unknown.retain(|blob| !known.contains(blob));
            }
        }
        Ok(unknown)
    }
}

/// What a key has now.
struct Current {
    id: String,
    size: i64,
    etag: String,
}

async fn current(transaction: &mut Transaction<'_, Any>, bucket: &str, key: &str) -> Result<Option<Current>, sqlx::Error> {
    let query = sqlx::query("select id, size, etag from s3_objects where bucket = $1 and key = $2");
    let row = query.bind(bucket).bind(key.as_bytes()).fetch_optional(&mut **transaction).await?;
    row.map(|row| Ok(Current { id: row.try_get("id")?, size: row.try_get("size")?, etag: row.try_get("etag")? })).transpose()
}

/// Takes an object's content and its share of the bucket's sums away.
async fn forget(
    transaction: &mut Transaction<'_, Any>,
    bucket: &str,
    there: &Current,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let garbage = sqlx::query(
        "insert into s3_garbage (blob, at) select distinct blob, $1 from s3_segments where object_id = $2 \
         on conflict (blob) do update set at = excluded.at",
    );
    garbage.bind(row::ms(now)).bind(&there.id).execute(&mut **transaction).await?;
    let segments = sqlx::query("delete from s3_segments where object_id = $1").bind(&there.id);
    segments.execute(&mut **transaction).await?;
    buckets::add(transaction, bucket, -1, -there.size).await
}

/// Puts an object, within a transaction.
pub(super) async fn replace(
    transaction: &mut Transaction<'_, Any>,
    new: NewObject<'_>,
    segments: &[Segment],
    condition: &Condition,
    now: Timestamp,
) -> Attempt<()> {
    const CONTEXT: &str = "put an object";
    if buckets::lock(transaction, new.bucket).await.doing(CONTEXT)?.is_none() {
        return Ok(Err(Refusal::NoSuchBucket));
    }
    let there = current(transaction, new.bucket, new.key).await.doing(CONTEXT)?;
    if !condition.holds(there.as_ref().map(|there| &*there.etag)) {
        return Ok(Err(Refusal::Condition));
    }
    if let Some(there) = &there {
        forget(transaction, new.bucket, there, now).await.doing(CONTEXT)?;
    }
    let size = row::bytes_column(segments.iter().map(|segment| segment.size).sum());
    let attributes = serde_json::to_string(new.attributes).map_err(|error| Error::internal(CONTEXT, error))?;
    let insert = sqlx::query(
        "insert into s3_objects (bucket, key, id, size, etag, attributes, modified_at) values ($1, $2, $3, $4, $5, $6, $7) \
         on conflict (bucket, key) do update set id = excluded.id, size = excluded.size, etag = excluded.etag, \
         attributes = excluded.attributes, modified_at = excluded.modified_at",
    );
    let id = new.id.to_string();
    let insert = insert.bind(new.bucket).bind(new.key.as_bytes()).bind(&id).bind(size).bind(new.etag).bind(attributes);
    insert.bind(row::ms(now)).execute(&mut **transaction).await.doing(CONTEXT)?;
    let numbered = segments.iter().zip(0_i64..).collect::<Vec<_>>();
    for piece in batch::pieces(&numbered) {
        let head = "insert into s3_segments (object_id, number, blob, size) values ";
        let sql = batch::statement(head, "($, $, $, $)", piece.len(), "", 0);
        let query = piece.iter().fold(sqlx::query(sql), |query, (segment, number)| {
            query.bind(&id).bind(*number).bind(segment.blob.to_string()).bind(row::bytes_column(segment.size))
        });
        query.execute(&mut **transaction).await.doing(CONTEXT)?;
    }
    buckets::add(transaction, new.bucket, 1, size).await.doing(CONTEXT)?;
    Ok(Ok(()))
}

pub(super) fn segment(row: &AnyRow) -> Result<Segment, sqlx::Error> {
    Ok(Segment { blob: row::uuid(row, "blob")?, size: row::unsigned(row, "size")? })
}

fn object(row: &AnyRow) -> Result<Object, sqlx::Error> {
    Ok(Object {
        id: row::uuid(row, "id")?,
        key: row::utf8(row, "key")?,
        size: row::unsigned(row, "size")?,
        etag: row.try_get("etag")?,
        attributes: row::json(row, "attributes")?,
        modified_at: row::timestamp(row, "modified_at")?,
    })
}
