//! What the control planes on one database tell each other of the calls that they admitted.

use sqlx::Row as _;

use super::{Doing as _, Store};
use crate::error::Result;

/// Rows of one process that stay for the others to read.
const KEPT_TICKS: i64 = 10;

/// What another process admitted in one of its ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Which process.
    pub process: String,
    /// Which of its ticks; they ascend from 1.
    pub tick: i64,
    /// What it said.
    pub usage: String,
}

impl Store {
    /// Says what this process admitted, and answers what the others said lately, in their order.
    pub async fn exchange_usage(&self, process: &str, tick: i64, usage: &str) -> Result<Vec<Usage>> {
        const CONTEXT: &str = "share the limits";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let insert = sqlx::query("insert into limit_usage (process, tick, usage) values ($1, $2, $3)");
        insert.bind(process).bind(tick).bind(usage).execute(&mut *transaction).await.doing(CONTEXT)?;
        let delete = sqlx::query("delete from limit_usage where process = $1 and tick <= $2");
        delete.bind(process).bind(tick - KEPT_TICKS).execute(&mut *transaction).await.doing(CONTEXT)?;
        let others = sqlx::query("select process, tick, usage from limit_usage where process <> $1 order by process, tick");
        let others = others.bind(process).fetch_all(&mut *transaction).await.doing(CONTEXT)?;
        transaction.commit().await.doing(CONTEXT)?;
        let usage = |row: &sqlx::any::AnyRow| {
            Ok(Usage { process: row.try_get("process")?, tick: row.try_get("tick")?, usage: row.try_get("usage")? })
        };
        others.iter().map(usage).collect::<Result<_, sqlx::Error>>().doing(CONTEXT)
    }

    /// Forgets a process that says nothing any more, or that ends.
    pub async fn forget_usage(&self, process: &str) -> Result<()> {
        let delete = sqlx::query("delete from limit_usage where process = $1").bind(process);
        delete.execute(&self.write).await.doing("forget shared limits")?;
        Ok(())
    }
}
