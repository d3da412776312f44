//! The GPU ledger: which GPU belongs to which placement. Rows come and go only with the claims they belong to.

use sqlx::{AnyConnection, Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Doing as _, Store, batch, is_taken, row};
use crate::{error::Result, model::LedgerRow};

impl Store {
    /// The whole ledger, by GPU.
    pub async fn ledger(&self) -> Result<Vec<LedgerRow>> {
        const CONTEXT: &str = "load the GPU ledger";
        let query = sqlx::query("select gpu_uuid, node_id, claim_id, epoch from gpu_ledger order by gpu_uuid");
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(ledger_row).collect::<Result<_, _>>().doing(CONTEXT)
    }
}

/// Books the GPUs for a placement. False when one of them is booked already: the transaction can then only be rolled back.
pub(super) async fn book(
    connection: &mut AnyConnection,
    (claim_id, epoch): (Uuid, i64),
    node_id: Uuid,
    gpu_uuids: &[String],
) -> Result<bool, sqlx::Error> {
    // Always in the same order, so that two placements that want the same GPUs wait for each other, not both at once.
    let mut gpu_uuids: Vec<&str> = gpu_uuids.iter().map(String::as_str).collect();
    gpu_uuids.sort_unstable();
    for gpu_uuids in gpu_uuids.chunks(batch::ROWS) {
        let sql = batch::statement(
            "insert into gpu_ledger (gpu_uuid, node_id, claim_id, epoch) values ",
            "($, $, $, $)",
            gpu_uuids.len(),
            "",
            0,
        );
        let bind = |query: sqlx::query::Query<'static, _, _>, gpu_uuid: &&str| {
            query.bind((*gpu_uuid).to_owned()).bind(node_id.to_string()).bind(claim_id.to_string()).bind(epoch)
        };
        // Up to eight, a whole machine's, the statements are worth keeping.
        let query = gpu_uuids.iter().fold(sqlx::query(sql).persistent(gpu_uuids.len() <= 8), bind);
        match query.execute(&mut *connection).await {
            Err(error) if is_taken(&error) => return Ok(false),
            booked => booked?,
        };
    }
    Ok(true)
}

/// Frees all GPUs of a claim.
pub(super) async fn free(connection: &mut AnyConnection, claim_id: Uuid) -> Result<(), sqlx::Error> {
    let query = sqlx::query("delete from gpu_ledger where claim_id = $1").bind(claim_id.to_string());
    query.execute(connection).await?;
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
