//! The history of metrics: chunks of time, by whose they are. Nobody changes a chunk; it is written again at most with the same.

use std::ops::ControlFlow;

use sqlx::{Any, Row as _, any::AnyRow, query::Query};
use uuid::Uuid;

use super::{Doing as _, Store, batch, row};
use crate::error::Result;

/// Chunks of one statement: they are large, and more of them at once take memory but save no time.
const ROWS: usize = 64;

/// A chunk of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesChunk {
    /// A node's id; empty for all nodes together.
    pub owner: String,
    /// Milliseconds of a step; 0 for samples as they were taken.
    pub resolution_ms: i64,
    /// When it begins, in milliseconds since 1970.
    pub bucket_ms: i64,
    /// Which process saw it; 0 for what was made of all of them.
    pub part: i64,
    /// What it holds.
    pub data: Vec<u8>,
}

impl Store {
    /// Writes chunks, all or none.
    pub async fn write_series(&self, chunks: Vec<SeriesChunk>) -> Result<()> {
        const CONTEXT: &str = "write the history";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut chunks = chunks.into_iter();
        while chunks.len() > 0 {
            let rows = chunks.len().min(ROWS);
            let sql = batch::statement(
                "insert into series_chunks (owner, resolution, bucket, part, data) values ",
                "($, $, $, $, $)",
                rows,
                " on conflict (owner, resolution, bucket, part) do update set data = excluded.data",
                0,
            );
            let bind = |query: Query<'static, Any, _>, chunk: SeriesChunk| {
                let query = query.bind(chunk.owner).bind(chunk.resolution_ms).bind(chunk.bucket_ms);
                query.bind(chunk.part).bind(chunk.data)
            };
            let query = chunks.by_ref().take(rows).fold(sqlx::query(sql).persistent(rows == ROWS), bind);
            query.execute(&mut *transaction).await.doing(CONTEXT)?;
        }
        transaction.commit().await.doing(CONTEXT)
    }

    /// The chunks of one owner that begin in a span of time, oldest first.
    pub async fn series(&self, owner: &str, resolution_ms: i64, from_ms: i64, before_ms: i64) -> Result<Vec<SeriesChunk>> {
        const CONTEXT: &str = "load the history";
        let query = sqlx::query(
            "select owner, resolution, bucket, part, data from series_chunks \
             where owner = $1 and resolution = $2 and bucket >= $3 and bucket < $4 order by bucket, part",
        );
        let query = query.bind(owner.to_owned()).bind(resolution_ms).bind(from_ms).bind(before_ms);
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(chunk).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Where the newest chunk of all nodes together begins.
    pub async fn newest_series(&self, resolution_ms: i64) -> Result<Option<i64>> {
        let query = sqlx::query_scalar("select max(bucket) from series_chunks where owner = '' and resolution = $1");
        query.bind(resolution_ms).fetch_one(&self.read).await.doing("find the end of the history")
    }

    /// Where the oldest chunk of all nodes together begins, of those from a time on.
    pub async fn oldest_series(&self, resolution_ms: i64, from_ms: i64) -> Result<Option<i64>> {
        let query =
            sqlx::query_scalar("select min(bucket) from series_chunks where owner = '' and resolution = $1 and bucket >= $2");
        query.bind(resolution_ms).bind(from_ms).fetch_one(&self.read).await.doing("find the beginning of the history")
    }

    /// Who has chunks that begin in a span of time.
    pub async fn series_owners(&self, resolution_ms: i64, from_ms: i64, before_ms: i64) -> Result<Vec<String>> {
        let query = sqlx::query_scalar(
            "select distinct owner from series_chunks where resolution = $1 and bucket >= $2 and bucket < $3 order by owner",
        );
        let query = query.bind(resolution_ms).bind(from_ms).bind(before_ms);
        query.fetch_all(&self.read).await.doing("list whose history there is")
    }

    /// Removes the chunks of one beginning that is before a time. Goes on for as long as there are more.
    pub async fn forget_series(&self, resolution_ms: i64, before_ms: i64) -> Result<ControlFlow<()>> {
        let query = sqlx::query(
            "delete from series_chunks where resolution = $1 and bucket < $2 \
             and bucket = (select min(bucket) from series_chunks where resolution = $1)",
        );
        let query = query.bind(resolution_ms).bind(before_ms);
        let removed = query.execute(&self.write).await.doing("remove old history")?.rows_affected();
        Ok(if removed == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// The node that has a GPU.
    pub async fn node_of_gpu(&self, uuid: &str) -> Result<Option<Uuid>> {
        const CONTEXT: &str = "find a GPU";
        let query = sqlx::query("select node_id from gpus where uuid = $1").bind(uuid.to_owned());
        let found = query.fetch_optional(&self.read).await.doing(CONTEXT)?;
        found.map(|row| row::uuid(&row, "node_id")).transpose().doing(CONTEXT)
    }
}

fn chunk(row: &AnyRow) -> Result<SeriesChunk, sqlx::Error> {
    Ok(SeriesChunk {
        owner: row.try_get("owner")?,
        resolution_ms: row.try_get("resolution")?,
        bucket_ms: row.try_get("bucket")?,
        part: row.try_get("part")?,
        data: row.try_get("data")?,
    })
}
