//! Machines. A row's lock orders what is placed on the node against its deletion.

use std::collections::HashSet;

use jiff::Timestamp;
use prost::Message as _;
use serde_json::json;
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use utopia_proto::{
    claim::v1::ClaimPhase,
    link::v1::{GpuFacts, MachineFacts},
};
use uuid::Uuid;

use super::{
    Doing as _, Store, audit, batch,
    claims::{changed, phase_event, returning_claims},
    gpus,
    outbox::{self, NewEvent},
    row,
};
use crate::{
    error::{Error, Result},
    model::{
        Node, NodeStage, Page, PageRequest,
        audit::{Change, Trail},
    },
};

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteNodeOutcome {
    /// It is gone.
    Deleted,
    /// It was not there.
    NotFound,
    /// So many live claims are placed there, and it was not forced.
    HasClaims(i64),
}

impl Store {
    /// Announces a machine. The same machine id answers the same node while that is pending, with the new host name.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] (`NodeAlreadyEnrolled`) when a node with this machine id has enrolled.
    pub async fn register_node(
        &self,
        id: Uuid,
        hostname: &str,
        machine_id: Option<&str>,
        now: Timestamp,
        trail: &Trail,
    ) -> Result<Uuid> {
        const CONTEXT: &str = "register a node";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(
            "insert into nodes (id, machine_id, hostname, stage, facts, last_seen_at, created_at) \
             values ($1, $2, $3, 'pending', $4, $5, $5) \
             on conflict (machine_id) do update set hostname = excluded.hostname, last_seen_at = excluded.last_seen_at \
             where nodes.stage = 'pending' returning id",
        );
        let facts = MachineFacts { hostname: hostname.to_owned(), ..MachineFacts::default() };
        let query = query.bind(id.to_string()).bind(machine_id).bind(hostname).bind(facts.encode_to_vec()).bind(row::ms(now));
        let row = query.fetch_optional(&mut *transaction).await.doing(CONTEXT)?;
        let row = row.ok_or_else(|| Error::AlreadyExists {
            reason: "NodeAlreadyEnrolled",
            message: "a node with this machine id has enrolled already".to_owned(),
        })?;
        let id = row::uuid(&row, "id").doing(CONTEXT)?;
        let change = Change::created(id, json!({ "hostname": hostname, "machine_id": machine_id }));
        audit::append(&mut transaction, trail, change, now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(id)
    }

    /// One node.
    pub async fn node(&self, id: Uuid) -> Result<Option<Node>> {
        Ok(self.nodes_by_id(&[id]).await?.pop())
    }

    /// Those of the nodes that exist, in no order.
    pub async fn nodes_by_id(&self, ids: &[Uuid]) -> Result<Vec<Node>> {
        const CONTEXT: &str = "load nodes";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let mut nodes = Vec::with_capacity(ids.len());
        for ids in ids.chunks(batch::ROWS) {
            let sql = batch::statement(
                "select id, machine_id, hostname, stage, facts, last_seen_at, created_at, maintenance_since from nodes where id in (",
                "$",
                ids.len(),
                ")",
                0,
            );
            let query = ids.iter().fold(sqlx::query(sql).persistent(ids.len() == 1), |query, id| query.bind(id.to_string()));
            let rows = query.fetch_all(&mut *connection).await.doing(CONTEXT)?;
            nodes.extend(read_all(&rows)?);
        }
        gpus::attach(&mut connection, &mut nodes).await?;
        Ok(nodes)
    }

    /// A page of all nodes, by host name and id.
    pub async fn list_nodes(&self, page: PageRequest) -> Result<Page<Node>> {
        const CONTEXT: &str = "list nodes";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = sqlx::query_scalar("select count(*) from nodes").fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let query = sqlx::query(
            "select id, machine_id, hostname, stage, facts, last_seen_at, created_at, maintenance_since from nodes \
             order by hostname, id limit $1 offset $2",
        );
        let rows = query.bind(i64::from(page.limit)).bind(page.offset()).fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let mut items = read_all(&rows)?;
        gpus::attach(&mut connection, &mut items).await?;
        Ok(Page { items, total })
    }

    /// Id, host name and stage of every node, by host name and id: enough to filter by what only the link knows.
    pub async fn node_index(&self) -> Result<Vec<(Uuid, String, NodeStage)>> {
        const CONTEXT: &str = "load the index of nodes";
        let query = sqlx::query("select id, hostname, stage from nodes order by hostname, id");
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        let entry = |row: &AnyRow| Ok((row::uuid(row, "id")?, row.try_get("hostname")?, row::stage(row, "stage")?));
        rows.iter().map(entry).collect::<Result<_, sqlx::Error>>().doing(CONTEXT)
    }

    /// All nodes on which claims can be placed, by host name and id.
    pub async fn enrolled_nodes(&self) -> Result<Vec<Node>> {
        const CONTEXT: &str = "load the enrolled nodes";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let query = sqlx::query(
            "select id, machine_id, hostname, stage, facts, last_seen_at, created_at, maintenance_since from nodes \
             where stage = 'enrolled' order by hostname, id",
        );
        let rows = query.fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let mut nodes = read_all(&rows)?;
        gpus::attach(&mut connection, &mut nodes).await?;
        Ok(nodes)
    }

    /// Writes down what the agent said of its machine. GPUs are only written when they changed, with an event
    /// for each that came or went. False when there is no such node.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a GPU without a usable UUID.
    pub async fn update_node(&self, id: Uuid, facts: &MachineFacts, gpus: &[GpuFacts], now: Timestamp) -> Result<bool> {
        const CONTEXT: &str = "update a node";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query("update nodes set hostname = $2, facts = $3, last_seen_at = $4 where id = $1");
        let query = query.bind(id.to_string()).bind(facts.hostname.clone()).bind(facts.encode_to_vec()).bind(row::ms(now));
        if query.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        let events = gpus::replace(&mut transaction, id, &facts.hostname, gpus).await?;
        outbox::append(&mut transaction, &events, now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Writes down when nodes were last heard of, many at a time. Times never go backwards; nodes that are gone are passed over.
    pub async fn touch_nodes(&self, seen: &[(Uuid, Timestamp)]) -> Result<()> {
        const CONTEXT: &str = "write when nodes were seen";
        if seen.is_empty() {
            return Ok(());
        }
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        for seen in seen.chunks(batch::ROWS) {
            let sql = batch::statement(
                "with seen (id, at) as (values ",
                "($, cast($ as bigint))",
                seen.len(),
                ") update nodes set last_seen_at = seen.at from seen \
                 where nodes.id = seen.id and (nodes.last_seen_at is null or nodes.last_seen_at < seen.at)",
                0,
            );
            let query = sqlx::query(sql).persistent(seen.len() == batch::ROWS);
            let query = seen.iter().fold(query, |query, (id, at)| query.bind(id.to_string()).bind(row::ms(*at)));
            query.execute(&mut *transaction).await.doing(CONTEXT)?;
        }
        transaction.commit().await.doing(CONTEXT)
    }

    /// Deletes a node. With `force` the live claims placed there fail (`NodeDeleted`); without, they keep it.
    pub async fn delete_node(&self, id: Uuid, force: bool, now: Timestamp, trail: &Trail) -> Result<DeleteNodeOutcome> {
        const CONTEXT: &str = "delete a node";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        if !lock(&mut transaction, id).await.doing(CONTEXT)? {
            return Ok(DeleteNodeOutcome::NotFound);
        }
        let id = id.to_string();
        let hostname = sqlx::query_scalar("select hostname from nodes where id = $1").bind(&id);
        let hostname: String = hostname.fetch_one(&mut *transaction).await.doing(CONTEXT)?;
        if !force {
            let live = sqlx::query_scalar(
                "select count(*) from claims \
                 where node_id = $1 and deleted_at is null and phase in ('pending', 'scheduled', 'running')",
            );
            let live: i64 = live.bind(&id).fetch_one(&mut *transaction).await.doing(CONTEXT)?;
            if live > 0 {
                return Ok(DeleteNodeOutcome::HasClaims(live));
            }
        }
        let fail = sqlx::query(concat!(
            "update claims set phase = 'failed', reason = 'NodeDeleted', message = 'its node was deleted' \
             where node_id = $1 and deleted_at is null and phase in ('pending', 'scheduled', 'running')",
            returning_claims!()
        ));
        let failed = fail.bind(&id).fetch_all(&mut *transaction).await.doing(CONTEXT)?;
        let failed = failed.iter().map(|row| changed(row, phase_event(ClaimPhase::Failed)));
        let mut events = failed.collect::<Result<Vec<_>, _>>().doing(CONTEXT)?;
        // Ended and deleted claims too: nothing of theirs can be reached any more.
        let part =
            sqlx::query("update claims set node_id = null, generation = generation + 1, updated_at = $2 where node_id = $1");
        part.bind(&id).bind(row::ms(now)).execute(&mut *transaction).await.doing(CONTEXT)?;
        let free = sqlx::query("delete from gpu_ledger where node_id = $1");
        free.bind(&id).execute(&mut *transaction).await.doing(CONTEXT)?;
        let delete = sqlx::query("delete from nodes where id = $1");
        delete.bind(&id).execute(&mut *transaction).await.doing(CONTEXT)?;
        let change = Change::deleted(&id, json!({ "hostname": hostname, "force": force }));
        audit::append(&mut transaction, trail, change, now).await?;
        // One row is both.
        events.push(event("host.deleted", id.clone(), &hostname));
        events.push(event("node.deleted", id, &hostname));
        outbox::append(&mut transaction, &events, now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)?;
        Ok(DeleteNodeOutcome::Deleted)
    }

    /// The nodes of which the log of events last said that they are up.
    pub async fn nodes_up(&self) -> Result<HashSet<Uuid>> {
        const CONTEXT: &str = "load which nodes are up";
        let rows = sqlx::query("select id from nodes where up = 1").fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(|row| row::uuid(row, "id")).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Writes down which nodes came up or went down, many at a time, with an event for each. Nodes that are gone, or stand so already, are
    /// passed over.
    pub async fn set_nodes_up(&self, nodes: &[(Uuid, bool)], now: Timestamp) -> Result<()> {
        const CONTEXT: &str = "write which nodes are up";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut events = Vec::with_capacity(nodes.len());
        for nodes in batch::pieces(nodes) {
            let sql = batch::statement(
                "with change (node_id, now_up) as (values ",
                "($, cast($ as bigint))",
                nodes.len(),
                ") update nodes set up = now_up from change where id = node_id and up <> now_up returning id, hostname, up",
                0,
            );
            let query = nodes.iter().fold(sqlx::query(sql), |query, (id, up)| query.bind(id.to_string()).bind(i64::from(*up)));
            for row in query.fetch_all(&mut *transaction).await.doing(CONTEXT)? {
                let kind = if row.try_get::<i64, _>("up").doing(CONTEXT)? == 1 { "node.up" } else { "node.down" };
                let (id, hostname) = (row.try_get("id").doing(CONTEXT)?, row.try_get("hostname").doing(CONTEXT)?);
                events.push(event(kind, id, hostname));
            }
        }
        outbox::append(&mut transaction, &events, now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)
    }

    /// Forgets the nodes that neither an agent enrolled nor an administrator registered, and that were last announced before this
    /// time; answers how many.
    pub async fn expire_pending_nodes(&self, before: Timestamp) -> Result<u64> {
        let query = sqlx::query(
            "delete from nodes where stage = 'pending' and registered = 0 and coalesce(last_seen_at, created_at) < $1",
        );
        let done = query.bind(row::ms(before)).execute(&self.write).await.doing("forget pending nodes")?;
        Ok(done.rows_affected())
    }
}

/// An event of a node.
fn event(kind: &'static str, id: String, hostname: &str) -> NewEvent {
    let data = json!({ "id": id, "hostname": hostname });
    NewEvent { kind, resource_id: id, owner_id: None, data }
}

/// Holds the node's row until the transaction ends; false when there is none. Takes it before the rows of claims, always.
pub(super) async fn lock(connection: &mut AnyConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    // An update that changes nothing is the one way to lock a row on both databases.
    let query = sqlx::query("update nodes set stage = stage where id = $1").bind(id.to_string());
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

/// Holds the rows of those of the nodes that exist and are not in maintenance, in the order of their ids: for placing claims there.
pub(super) async fn lock_in_service(
    connection: &mut AnyConnection,
    lock_rows: &'static str,
    ids: &[Uuid],
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let mut locked = HashSet::with_capacity(ids.len());
    for ids in batch::pieces(ids) {
        let head = "select id from nodes where maintenance_since is null and id in (";
        let sql = batch::statement(head, "$", ids.len(), lock_rows, 0);
        let query = ids.iter().fold(sqlx::query(sql), |query, id| query.bind(id.to_string()));
        for row in query.fetch_all(&mut *connection).await? {
            locked.insert(row::uuid(&row, "id")?);
        }
    }
    Ok(locked)
}

fn read_all(rows: &[AnyRow]) -> Result<Vec<Node>> {
    rows.iter().map(node).collect::<Result<_, _>>().doing("read nodes")
}

/// A node without its GPUs.
pub(super) fn node(row: &AnyRow) -> Result<Node, sqlx::Error> {
    Ok(Node {
        id: row::uuid(row, "id")?,
        machine_id: row.try_get("machine_id")?,
        hostname: row.try_get("hostname")?,
        stage: row::stage(row, "stage")?,
        facts: row::message(row, "facts")?,
        gpus: Vec::new(),
        last_seen_at: row::maybe_timestamp(row, "last_seen_at")?,
        created_at: row::timestamp(row, "created_at")?,
        in_maintenance: row::maybe_timestamp(row, "maintenance_since")?.is_some(),
    })
}
