//! The nodes' GPUs. A GPU is its UUID: plugged into another machine it moves there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::json;
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use utopia_proto::link::v1::GpuFacts;
use uuid::Uuid;

use super::{
    Doing as _, Store, batch,
    outbox::{self, NewEvent},
    row,
};
use crate::{
    error::{Error, Result},
    model::Node,
};

const CONTEXT: &str = "load GPUs";

/// How a GPU was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuHealth {
    /// The GPU.
    pub uuid: Box<str>,
    /// The node that has it.
    pub node_id: Uuid,
    /// That node's host name.
    pub hostname: Arc<str>,
    /// Whether it cannot be read.
    pub is_faulty: bool,
    /// Its last Xid error; 0 for none.
    pub xid: u32,
}

impl Store {
    /// The GPUs of which the log of events last said that they are faulty.
    pub async fn faulty_gpus(&self) -> Result<HashSet<Box<str>>> {
        const CONTEXT: &str = "load which GPUs are faulty";
        let rows = sqlx::query("select uuid from gpus where faulty = 1").fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(|row| row.try_get::<&str, _>("uuid").map(Into::into)).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Writes down which GPUs became faulty or recovered, many at a time, with an event for each. GPUs that are gone, or stand so already,
    /// are passed over; answers how many were not.
    pub async fn set_gpus_faulty(&self, gpus: &[GpuHealth], now: Timestamp) -> Result<usize> {
        const CONTEXT: &str = "write which GPUs are faulty";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut events = Vec::with_capacity(gpus.len());
        for gpus in batch::pieces(gpus) {
            let sql = batch::statement(
                "with change (gpu_uuid, on_node, now_faulty) as (values ",
                "($, $, cast($ as bigint))",
                gpus.len(),
                ") update gpus set faulty = now_faulty from change \
                 where uuid = gpu_uuid and node_id = on_node and faulty <> now_faulty returning uuid, position, name, memory_bytes",
                0,
            );
            let query = gpus.iter().fold(sqlx::query(sql), |query, gpu| {
                query.bind(gpu.uuid.to_string()).bind(gpu.node_id.to_string()).bind(i64::from(gpu.is_faulty))
            });
            for row in query.fetch_all(&mut *transaction).await.doing(CONTEXT)? {
                let facts = gpu(&row).doing(CONTEXT)?;
                let Some(health) = gpus.iter().find(|health| *health.uuid == *facts.uuid) else { continue };
                let kind = if health.is_faulty { "gpu.faulty" } else { "gpu.recovered" };
                let mut event = event(kind, health.node_id, &health.hostname, &facts);
                event.data["xid"] = health.xid.into();
                events.push(event);
            }
        }
        outbox::append(&mut transaction, &events, now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)?;
        Ok(events.len())
    }
}

/// An event of a GPU.
fn event(kind: &'static str, node_id: Uuid, hostname: &str, gpu: &GpuFacts) -> NewEvent {
    let data = json!({
        "uuid": gpu.uuid, "name": gpu.name, "index": gpu.index, "node_id": node_id.to_string(), "hostname": hostname,
    });
    NewEvent { kind, resource_id: gpu.uuid.clone(), owner_id: None, data }
}

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

/// Makes these the node's GPUs, if they are not already. Answers which came and which are gone, as events; the first ones of a node are no
/// change to tell of, its own events are.
pub(super) async fn replace(
    connection: &mut AnyConnection,
    node_id: Uuid,
    hostname: &str,
    gpus: &[GpuFacts],
) -> Result<Vec<NewEvent>> {
    const CONTEXT: &str = "write a node's GPUs";
    let mut gpus = gpus.to_vec();
    gpus.iter().try_for_each(check)?;
    gpus.sort_by(|a, b| a.uuid.cmp(&b.uuid));
    gpus.dedup_by(|a, b| a.uuid == b.uuid);

    let query = sqlx::query("select uuid, position, name, memory_bytes, faulty from gpus where node_id = $1");
    let rows = query.bind(node_id.to_string()).fetch_all(&mut *connection).await.doing(CONTEXT)?;
    let mut present = rows.iter().map(gpu).collect::<Result<Vec<_>, _>>().doing(CONTEXT)?;
    present.sort_by(|a, b| a.uuid.cmp(&b.uuid));
    if present == gpus {
        return Ok(Vec::new());
    }
    let mut faulty = HashSet::new();
    for row in &rows {
        if row.try_get::<i64, _>("faulty").doing(CONTEXT)? == 1 {
            faulty.insert(row.try_get::<String, _>("uuid").doing(CONTEXT)?);
        }
    }

    let delete = sqlx::query("delete from gpus where node_id = $1").bind(node_id.to_string());
    delete.execute(&mut *connection).await.doing(CONTEXT)?;
    for gpus in gpus.chunks(batch::ROWS) {
        let sql = batch::statement(
            "insert into gpus (uuid, node_id, position, name, memory_bytes, faulty) values ",
            "($, $, $, $, $, $)",
            gpus.len(),
            " on conflict (uuid) do update set node_id = excluded.node_id, position = excluded.position, name = excluded.name,
              memory_bytes = excluded.memory_bytes",
            0,
        );
        let bind = |query: sqlx::query::Query<'static, _, _>, gpu: &GpuFacts| {
            let query = query.bind(gpu.uuid.clone()).bind(node_id.to_string()).bind(i64::from(gpu.index));
            let query = query.bind(gpu.name.clone()).bind(row::bytes_column(gpu.memory_bytes));
            query.bind(i64::from(faulty.contains(&gpu.uuid)))
        };
        let query = gpus.iter().fold(sqlx::query(sql).persistent(false), bind);
        query.execute(&mut *connection).await.doing(CONTEXT)?;
    }
    if present.is_empty() {
        return Ok(Vec::new());
    }
    let is_among = |gpu: &GpuFacts, list: &[GpuFacts]| list.iter().any(|other| other.uuid == gpu.uuid);
    let added = gpus.iter().filter(|gpu| !is_among(gpu, &present)).map(|gpu| event("gpu.added", node_id, hostname, gpu));
    let removed = present.iter().filter(|gpu| !is_among(gpu, &gpus)).map(|gpu| event("gpu.removed", node_id, hostname, gpu));
    Ok(added.chain(removed).collect())
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
