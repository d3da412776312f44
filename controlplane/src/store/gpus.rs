//! The nodes' GPUs. A GPU is its UUID: plugged into another machine it moves there.

use std::collections::HashMap;

use sqlx::{AnyConnection, Row as _, any::AnyRow};
use utopia_proto::link::v1::GpuFacts;
use uuid::Uuid;

use super::{Doing as _, batch, row};
use crate::{
    error::{Error, Result},
    model::Node,
};

const CONTEXT: &str = "load GPUs";

/// Gives the nodes their GPUs, by index.
pub(super) async fn attach(connection: &mut AnyConnection, nodes: impl IntoIterator<Item = &mut Node>) -> Result<()> {
    let mut by_id: HashMap<Uuid, &mut Node> = nodes.into_iter().map(|node| (node.id, node)).collect();
    let ids: Vec<Uuid> = by_id.keys().copied().collect();
    for ids in ids.chunks(batch::ROWS) {
        let sql = batch::statement(
            "select node_id, uuid, position, name, memory_bytes from gpus where node_id in (",
            "$",
            ids.len(),
            ") order by node_id, position, uuid",
            0,
        );
        let query = ids.iter().fold(sqlx::query(sql).persistent(false), |query, id| query.bind(id.to_string()));
        for row in query.fetch_all(&mut *connection).await.doing(CONTEXT)? {
            let node_id = row::uuid(&row, "node_id").doing(CONTEXT)?;
            let gpu = gpu(&row).doing(CONTEXT)?;
            by_id.entry(node_id).and_modify(|node| node.gpus.push(gpu));
        }
    }
    Ok(())
}

/// Makes these the node's GPUs, if they are not already.
pub(super) async fn replace(connection: &mut AnyConnection, node_id: Uuid, gpus: &[GpuFacts]) -> Result<()> {
    const CONTEXT: &str = "write a node's GPUs";
    let mut gpus = gpus.to_vec();
    gpus.iter().try_for_each(check)?;
    gpus.sort_by(|a, b| a.uuid.cmp(&b.uuid));
    gpus.dedup_by(|a, b| a.uuid == b.uuid);

    let query = sqlx::query("select uuid, position, name, memory_bytes from gpus where node_id = $1").bind(node_id.to_string());
    let rows = query.fetch_all(&mut *connection).await.doing(CONTEXT)?;
    let mut present = rows.iter().map(gpu).collect::<Result<Vec<_>, _>>().doing(CONTEXT)?;
    present.sort_by(|a, b| a.uuid.cmp(&b.uuid));
    if present == gpus {
        return Ok(());
    }

    let delete = sqlx::query("delete from gpus where node_id = $1").bind(node_id.to_string());
    delete.execute(&mut *connection).await.doing(CONTEXT)?;
    for gpus in gpus.chunks(batch::ROWS) {
        let sql = batch::statement(
            "insert into gpus (uuid, node_id, position, name, memory_bytes) values ",
            "($, $, $, $, $)",
            gpus.len(),
            " on conflict (uuid) do update set node_id = excluded.node_id, position = excluded.position, name = excluded.name,
              memory_bytes = excluded.memory_bytes",
            0,
        );
        let bind = |query: sqlx::query::Query<'static, _, _>, gpu: &GpuFacts| {
            let query = query.bind(gpu.uuid.clone()).bind(node_id.to_string()).bind(i64::from(gpu.index));
            query.bind(gpu.name.clone()).bind(row::bytes_column(gpu.memory_bytes))
        };
        let query = gpus.iter().fold(sqlx::query(sql).persistent(false), bind);
        query.execute(&mut *connection).await.doing(CONTEXT)?;
    }
    Ok(())
}

/// A UUID is a key, and the list of a claim's GPUs is read back from one text, separated by commas.
fn check(gpu: &GpuFacts) -> Result<()> {
    let printable = gpu.uuid.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    if printable && (1..=128).contains(&gpu.uuid.len()) {
        Ok(())
    } else {
        Err(Error::invalid("gpus.uuid", "must be 1 to 128 printable ASCII characters without a comma"))
    }
}

/// A GPU from its columns.
pub(super) fn gpu(row: &AnyRow) -> Result<GpuFacts, sqlx::Error> {
    Ok(GpuFacts {
        uuid: row.try_get("uuid")?,
        index: u32::try_from(row::unsigned(row, "position")?).unwrap_or(u32::MAX),
        name: row.try_get("name")?,
        memory_bytes: row::unsigned(row, "memory_bytes")?,
    })
}
