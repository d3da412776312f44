//! The GPU ledger: which GPU belongs to which placement. Rows come and go only with the claims they belong to.

use sqlx::{Any, AnyConnection, Row as _, any::AnyRow, query::Query};
use uuid::Uuid;

use super::{Doing as _, Store, batch, is_taken, row};
use crate::{error::Result, model::LedgerRow};

/// One GPU of a placement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booking<'a> {
    pub(super) gpu_uuid: &'a str,
    pub(super) node_id: Uuid,
    pub(super) claim_id: Uuid,
    pub(super) epoch: i64,
}

impl Store {
    /// The whole ledger, by GPU.
    pub async fn ledger(&self) -> Result<Vec<LedgerRow>> {
        const CONTEXT: &str = "load the GPU ledger";
        let query = sqlx::query("select gpu_uuid, node_id, claim_id, epoch from gpu_ledger order by gpu_uuid");
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(ledger_row).collect::<Result<_, _>>().doing(CONTEXT)
    }
}

/// Books GPUs for placements. False when one of them is booked already: the transaction can then only be rolled back.
pub(super) async fn book(connection: &mut AnyConnection, mut rows: Vec<Booking<'_>>) -> Result<bool, sqlx::Error> {
    // Always in the same order, so that two who want the same GPUs wait for each other, not both at once.
    rows.sort_unstable_by_key(|row| row.gpu_uuid);
    for rows in batch::pieces(&rows) {
        let head = "insert into gpu_ledger (gpu_uuid, node_id, claim_id, epoch) values ";
        let sql = batch::statement(head, "($, $, $, $)", rows.len(), "", 0);
        let bind = |query: Query<'static, Any, _>, row: &Booking<'_>| {
            query.bind(row.gpu_uuid).bind(row.node_id.to_string()).bind(row.claim_id.to_string()).bind(row.epoch)
        };
        match rows.iter().fold(sqlx::query(sql), bind).execute(&mut *connection).await {
            Err(error) if is_taken(&error) => return Ok(false),
            booked => booked?,
        };
    }
    Ok(true)
}

/// Frees all GPUs of claims.
pub(super) async fn free(connection: &mut AnyConnection, claims: &[Uuid]) -> Result<(), sqlx::Error> {
    for claims in batch::pieces(claims) {
        let sql = batch::statement("delete from gpu_ledger where claim_id in (", "$", claims.len(), ")", 0);
        let query = claims.iter().fold(sqlx::query(sql), |query, id| query.bind(id.to_string()));
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn ledger_row(row: &AnyRow) -> Result<LedgerRow, sqlx::Error> {
    Ok(LedgerRow {
        gpu_uuid: row.try_get("gpu_uuid")?,
        node_id: row::uuid(row, "node_id")?,
        claim_id: row::uuid(row, "claim_id")?,
        epoch: row.try_get("epoch")?,
    })
}
