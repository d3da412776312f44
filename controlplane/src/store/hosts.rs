//! Hosts: the nodes' rows as their administrators see them. Not among them are nodes that were announced and nothing more.

use std::collections::HashMap;

use jiff::Timestamp;
use prost::Message as _;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use utopia_proto::link::v1::{GpuFacts, MachineFacts};
use uuid::Uuid;

use super::{
    Doing as _, Store, audit, batch, gpus, is_taken, nodes,
    outbox::{self, NewEvent},
    row,
};
use crate::{
    error::{Error, Result},
    model::{
        NodeStage, Page, PageRequest,
        audit::{Change, Trail},
        host::{Host, Maintenance, MaintenanceClaims, Registration},
        selector::Labels,
    },
};

/// Selects hosts; a condition may follow.
macro_rules! select_hosts {
    ($rest:literal) => {
        concat!(
            "select id, machine_id, hostname, stage, facts, last_seen_at, created_at, maintenance_since, name, ip_address, os_type, \
             os_version, deployment_mode, total_cpu, total_memory, total_disk, labels, maintenance_reason, maintenance_claims \
             from nodes where (stage = 'enrolled' or registered = 1) ",
            $rest
        )
    };
}

/// An agent token to keep.
#[derive(Debug, Clone, Copy)]
pub struct NewAgentToken<'a> {
    /// Not secret.
    pub id: &'a str,
    /// The hash of its secret.
    pub secret_hash: &'a [u8],
}

/// What changes of a host; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct HostChange {
    /// Its name.
    pub name: Option<String>,
    /// All of its administrator's labels.
    pub labels: Option<Labels>,
    /// Its address.
    pub ip_address: Option<String>,
    /// The version of its operating system.
    pub os_version: Option<String>,
    /// How software is deployed there.
    pub deployment_mode: Option<String>,
}

/// Enough of a host to filter by what only the link knows, and by labels.
#[derive(Debug)]
pub struct HostEntry {
    /// Its id.
    pub id: Uuid,
    /// How far its node has come.
    pub stage: NodeStage,
    /// When it was last heard of, as far as written down.
    pub last_seen_at: Option<Timestamp>,
    /// Whether it is in maintenance.
    pub in_maintenance: bool,
    labels: String,
    facts: Vec<u8>,
}

impl HostEntry {
    /// The administrator's labels over those of the agent.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn labels(&self) -> Result<Labels> {
        const CONTEXT: &str = "read a host's labels";
        let facts = MachineFacts::decode(&*self.facts).map_err(|error| Error::internal(CONTEXT, error))?;
        let own: Labels = serde_json::from_str(&self.labels).map_err(|error| Error::internal(CONTEXT, error))?;
        let mut labels = facts.labels;
        labels.extend(own);
        Ok(labels)
    }
}

impl Store {
    /// Registers a host that no agent has enrolled.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] (`HostExists`) when a host has this name.
    pub async fn create_host(
        &self,
        id: Uuid,
        host: &Registration,
        token: NewAgentToken<'_>,
        now: Timestamp,
        trail: &Trail,
    ) -> Result<()> {
        const CONTEXT: &str = "create a host";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let query = sqlx::query(
            "insert into nodes (id, hostname, stage, facts, created_at, name, ip_address, os_type, os_version, deployment_mode, \
             total_cpu, total_memory, total_disk, labels, registered, agent_token_id, agent_token_hash) \
             values ($1, '', 'pending', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14)",
        );
        let query = query.bind(id.to_string()).bind(MachineFacts::default().encode_to_vec()).bind(row::ms(now));
        let query = query.bind(&host.name).bind(&host.ip_address).bind(&host.os_type).bind(&host.os_version);
        let query = query.bind(&host.deployment_mode).bind(i64::from(host.total_cpu)).bind(host.total_memory);
        let query = query.bind(host.total_disk).bind(labels_column(&host.labels)).bind(token.id).bind(token.secret_hash);
        named(query.execute(&mut *transaction).await, &host.name, CONTEXT)?;
        audit::append(&mut transaction, trail, Change::created(id, host.audit_value()), now).await?;
        outbox::append(&mut transaction, &[event("host.created", id, host.audit_value())], now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)
    }

    /// One host.
    pub async fn host(&self, id: Uuid) -> Result<Option<Host>> {
        Ok(self.hosts_by_id(&[id]).await?.pop())
    }

    /// Those of the hosts that exist, by when they came and id.
    pub async fn hosts_by_id(&self, ids: &[Uuid]) -> Result<Vec<Host>> {
        const CONTEXT: &str = "load hosts";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let mut hosts = Vec::with_capacity(ids.len());
        for ids in ids.chunks(batch::ROWS) {
            let sql = batch::statement(select_hosts!("and id in ("), "$", ids.len(), ")", 0);
            let query = ids.iter().fold(sqlx::query(sql).persistent(ids.len() == 1), |query, id| query.bind(id.to_string()));
            hosts.extend(read_all(&query.fetch_all(&mut *connection).await.doing(CONTEXT)?)?);
        }
        gpus::attach(&mut connection, hosts.iter_mut().map(|host| &mut host.node)).await?;
        hosts.sort_by_key(|host| (host.node.created_at, host.node.id));
        Ok(hosts)
    }

    /// A page of the hosts with this operating system, of all when it is empty, by when they came and id.
    pub async fn list_hosts(&self, os_type: &str, page: PageRequest) -> Result<Page<Host>> {
        const CONTEXT: &str = "list hosts";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = sqlx::query_scalar(
            "select count(*) from nodes where (stage = 'enrolled' or registered = 1) and ($1 = '' or os_type = $1)",
        );
        let total = total.bind(os_type).fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let query =
            sqlx::query(select_hosts!("and ($1 = '' or os_type = $1) order by created_at, id limit $2 offset $3")).bind(os_type);
        let rows = query.bind(i64::from(page.limit)).bind(page.offset()).fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let mut items = read_all(&rows)?;
        gpus::attach(&mut connection, items.iter_mut().map(|host| &mut host.node)).await?;
        Ok(Page { items, total })
    }

    /// All hosts with this operating system, of all when it is empty, in the order of [`Store::list_hosts`].
    pub async fn host_index(&self, os_type: &str) -> Result<Vec<HostEntry>> {
        const CONTEXT: &str = "load the index of hosts";
        let query = sqlx::query(
            "select id, stage, last_seen_at, maintenance_since, labels, facts from nodes \
             where (stage = 'enrolled' or registered = 1) and ($1 = '' or os_type = $1) order by created_at, id",
        );
        let rows = query.bind(os_type).fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(entry).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Changes a host; answers what it became, none when there is no such host.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] (`HostExists`) when another host has the name.
    pub async fn update_host(&self, id: Uuid, change: HostChange, now: Timestamp, trail: &Trail) -> Result<Option<Host>> {
        const CONTEXT: &str = "update a host";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let Some(mut host) = lock(&mut transaction, id).await? else { return Ok(None) };
        let old = host.audit_value();
        let known = &mut host.registration;
        known.name = change.name.unwrap_or_else(|| std::mem::take(&mut known.name));
        known.labels = change.labels.unwrap_or_else(|| std::mem::take(&mut known.labels));
        known.ip_address = change.ip_address.unwrap_or_else(|| std::mem::take(&mut known.ip_address));
        known.os_version = change.os_version.unwrap_or_else(|| std::mem::take(&mut known.os_version));
        known.deployment_mode = change.deployment_mode.unwrap_or_else(|| std::mem::take(&mut known.deployment_mode));
        let query = sqlx::query(
            "update nodes set name = $2, labels = $3, ip_address = $4, os_version = $5, deployment_mode = $6 where id = $1",
        );
        let query = query.bind(id.to_string()).bind(&known.name).bind(labels_column(&known.labels)).bind(&known.ip_address);
        let query = query.bind(&known.os_version).bind(&known.deployment_mode);
        named(query.execute(&mut *transaction).await, &known.name, CONTEXT)?;
        audit::append(&mut transaction, trail, Change::updated(id, old, host.audit_value()), now).await?;
        outbox::append(&mut transaction, &[event("host.updated", id, host.audit_value())], now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)?;
        Ok(Some(host))
    }

    /// Gives a host another agent token, which has not been exchanged yet; none when there is no such host.
    pub async fn set_agent_token(
        &self,
        id: Uuid,
        token: NewAgentToken<'_>,
        now: Timestamp,
        trail: &Trail,
    ) -> Result<Option<Host>> {
        const CONTEXT: &str = "set an agent token";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let Some(host) = lock(&mut transaction, id).await? else { return Ok(None) };
        let query =
            sqlx::query("update nodes set agent_token_id = $2, agent_token_hash = $3, agent_token_used_at = null where id = $1");
        let query = query.bind(id.to_string()).bind(token.id).bind(token.secret_hash);
        query.execute(&mut *transaction).await.doing(CONTEXT)?;
        let masked = json!({ "agent_token": "***" });
        audit::append(&mut transaction, trail, Change::updated(id, masked.clone(), masked), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Some(host))
    }

    /// The host that an agent token is of, and the hash of the token's secret.
    pub async fn agent_token(&self, token_id: &str) -> Result<Option<(Uuid, Vec<u8>)>> {
        const CONTEXT: &str = "load an agent token";
        let query = sqlx::query("select id, agent_token_hash from nodes where agent_token_id = $1").bind(token_id);
        let row = query.fetch_optional(&self.read).await.doing(CONTEXT)?;
        row.map(|row| Ok((row::uuid(&row, "id")?, row.try_get("agent_token_hash")?))).transpose().doing(CONTEXT)
    }

    /// Puts a host into maintenance with a reason, or ends it; answers what it became, none when there is no such host. When this
    /// has returned, no claim is placed on a host in maintenance any more.
    pub async fn set_maintenance(
        &self,
        id: Uuid,
        maintenance: Option<(&str, MaintenanceClaims)>,
        now: Timestamp,
        trail: &Trail,
    ) -> Result<Option<Host>> {
        const CONTEXT: &str = "set a host's maintenance";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let Some(mut host) = lock(&mut transaction, id).await? else { return Ok(None) };
        let old = host.audit_value();
        let since = host.maintenance.as_ref().map_or(now, |known| known.since);
        host.maintenance = maintenance.map(|(reason, claims)| Maintenance { reason: reason.to_owned(), claims, since });
        host.node.in_maintenance = host.maintenance.is_some();
        let query = sqlx::query(
            "update nodes set maintenance_since = $2, maintenance_reason = $3, maintenance_claims = $4 where id = $1",
        );
        let (reason, claims) = maintenance.unwrap_or(("", MaintenanceClaims::Keep));
        let query = query.bind(id.to_string()).bind(maintenance.map(|_| row::ms(since))).bind(reason).bind(claims.as_str());
        query.execute(&mut *transaction).await.doing(CONTEXT)?;
        audit::append(&mut transaction, trail, Change::updated(id, old, host.audit_value()), now).await?;
        let kind = if maintenance.is_some() { "host.maintenance_started" } else { "host.maintenance_ended" };
        outbox::append(&mut transaction, &[event(kind, id, host.audit_value())], now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)?;
        Ok(Some(host))
    }

    /// The nodes in maintenance, with what happens to their claims.
    pub async fn maintenances(&self) -> Result<HashMap<Uuid, MaintenanceClaims>> {
        const CONTEXT: &str = "load the nodes in maintenance";
        let query = sqlx::query("select id, maintenance_claims from nodes where maintenance_since is not null");
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        let entry = |row: &AnyRow| Ok((row::uuid(row, "id")?, row::maintenance_claims(row, "maintenance_claims")?));
        rows.iter().map(entry).collect::<Result<_, sqlx::Error>>().doing(CONTEXT)
    }

    /// Which claim has which GPU of these nodes, by the GPU's key.
    pub async fn allocations(&self, nodes: &[Uuid]) -> Result<HashMap<String, Uuid>> {
        const CONTEXT: &str = "load the allocations of nodes";
        let mut allocations = HashMap::new();
        for ids in nodes.chunks(batch::ROWS) {
            let sql = batch::statement("select gpu_uuid, claim_id from gpu_ledger where node_id in (", "$", ids.len(), ")", 0);
            let query = ids.iter().fold(sqlx::query(sql).persistent(ids.len() == 1), |query, id| query.bind(id.to_string()));
            for row in query.fetch_all(&self.read).await.doing(CONTEXT)? {
                allocations.insert(row.try_get("gpu_uuid").doing(CONTEXT)?, row::uuid(&row, "claim_id").doing(CONTEXT)?);
            }
        }
        Ok(allocations)
    }

    /// How many live claims are placed on these nodes; those without any are left out.
    pub async fn live_claims(&self, nodes: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
        const CONTEXT: &str = "count the claims of nodes";
        let mut counts = HashMap::new();
        for ids in nodes.chunks(batch::ROWS) {
            let sql = batch::statement(
                "select node_id, count(*) as live from claims where node_id in (",
                "$",
                ids.len(),
                ") and deleted_at is null and phase in ('pending', 'scheduled', 'running') group by node_id",
                0,
            );
            let query = ids.iter().fold(sqlx::query(sql).persistent(ids.len() == 1), |query, id| query.bind(id.to_string()));
            for row in query.fetch_all(&self.read).await.doing(CONTEXT)? {
                counts.insert(row::uuid(&row, "node_id").doing(CONTEXT)?, row.try_get("live").doing(CONTEXT)?);
            }
        }
        Ok(counts)
    }

    /// A host's GPUs, by index, with the claims that have them; none when there is no such host.
    pub async fn host_gpus(&self, id: Uuid) -> Result<Option<Vec<(GpuFacts, Option<Uuid>)>>> {
        const CONTEXT: &str = "load a host's GPUs";
        let query = sqlx::query(
            "select gpus.uuid, gpus.position, gpus.name, gpus.memory_bytes, gpu_ledger.claim_id from nodes \
             left join gpus on gpus.node_id = nodes.id left join gpu_ledger on gpu_ledger.gpu_uuid = gpus.uuid \
             where nodes.id = $1 and (nodes.stage = 'enrolled' or nodes.registered = 1) order by gpus.position, gpus.uuid",
        );
        let rows = query.bind(id.to_string()).fetch_all(&self.read).await.doing(CONTEXT)?;
        let Some(first) = rows.first() else { return Ok(None) };
        if first.try_get::<Option<&str>, _>("uuid").doing(CONTEXT)?.is_none() {
            return Ok(Some(Vec::new()));
        }
        let entry = |row: &AnyRow| Ok((gpus::gpu(row)?, row::maybe_uuid(row, "claim_id")?));
        Ok(Some(rows.iter().map(entry).collect::<Result<_, sqlx::Error>>().doing(CONTEXT)?))
    }
}

/// Holds the host's row until the transaction ends, and reads it; none when there is no such host.
async fn lock(connection: &mut AnyConnection, id: Uuid) -> Result<Option<Host>> {
    const CONTEXT: &str = "lock a host";
    if !nodes::lock(connection, id).await.doing(CONTEXT)? {
        return Ok(None);
    }
    let query = sqlx::query(select_hosts!("and id = $1")).bind(id.to_string());
    let row = query.fetch_optional(&mut *connection).await.doing(CONTEXT)?;
    let mut host = row.as_ref().map(host).transpose().doing(CONTEXT)?;
    gpus::attach(connection, host.iter_mut().map(|host| &mut host.node)).await?;
    Ok(host)
}

/// An event of a host, with what the audit log shows of it.
fn event(kind: &'static str, id: Uuid, mut data: Value) -> NewEvent {
    data["id"] = id.to_string().into();
    NewEvent { kind, resource_id: id.to_string(), owner_id: None, data }
}

/// What became of a statement that writes a name.
fn named<T>(done: Result<T, sqlx::Error>, name: &str, context: &'static str) -> Result<T> {
    match done {
        Err(error) if is_taken(&error) => {
            Err(Error::AlreadyExists { reason: "HostExists", message: format!("there is a host named `{name}` already") })
        }
        done => done.doing(context),
    }
}

fn labels_column(labels: &Labels) -> String {
    json!(labels).to_string()
}

fn read_all(rows: &[AnyRow]) -> Result<Vec<Host>> {
    rows.iter().map(host).collect::<Result<_, _>>().doing("read hosts")
}

/// A host without its GPUs.
fn host(row: &AnyRow) -> Result<Host, sqlx::Error> {
    let registration = Registration {
        name: row.try_get("name")?,
        ip_address: row.try_get("ip_address")?,
        os_type: row.try_get("os_type")?,
        os_version: row.try_get("os_version")?,
        deployment_mode: row.try_get("deployment_mode")?,
        total_cpu: i32::try_from(row.try_get::<i64, _>("total_cpu")?).unwrap_or(i32::MAX),
        total_memory: row.try_get("total_memory")?,
        total_disk: row.try_get("total_disk")?,
        labels: row::json(row, "labels")?,
    };
    let maintenance = |since| {
        let claims = row::maintenance_claims(row, "maintenance_claims")?;
        Ok::<_, sqlx::Error>(Maintenance { reason: row.try_get("maintenance_reason")?, claims, since })
    };
    let maintenance = row::maybe_timestamp(row, "maintenance_since")?.map(maintenance).transpose()?;
    Ok(Host { node: nodes::node(row)?, registration, maintenance })
}

fn entry(row: &AnyRow) -> Result<HostEntry, sqlx::Error> {
    Ok(HostEntry {
        id: row::uuid(row, "id")?,
        stage: row::stage(row, "stage")?,
        last_seen_at: row::maybe_timestamp(row, "last_seen_at")?,
        in_maintenance: row::maybe_timestamp(row, "maintenance_since")?.is_some(),
        labels: row.try_get("labels")?,
        facts: row.try_get("facts")?,
    })
}
