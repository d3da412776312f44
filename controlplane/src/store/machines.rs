//! Machines that are reached over SSH. Their secrets come and go sealed.

use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use utopia_proto::machine::v1::{MachineRole, MachineStatus};
use uuid::Uuid;

use super::{Doing as _, Store, audit, is_taken, row};
use crate::{
    error::{Error, Result},
    model::{
        Page, PageRequest,
        audit::{Change, Trail},
        machine::{self, Machine, MachineSpec, MachineUpdate, SealedLogin},
        selector::Selector,
    },
};

macro_rules! select_machines {
    ($rest:literal) => {
        concat!(
            "select id, name, ip_address, ssh_port, internal_address, username, role, artifact_path, image_repo, \
             registry_address, labels, status, message, sealed_password, sealed_private_key, host_key, last_checked_at, \
             generation, created_at, updated_at from machines ",
            $rest
        )
    };
}

/// Which machines are asked for.
#[derive(Debug, Clone, Default)]
pub struct MachineFilter {
    /// Only those in this status; `Unspecified` for all.
    pub status: MachineStatus,
    /// Only those for this; `Unspecified` for all.
    pub role: MachineRole,
    /// Only those with these labels.
    pub labels: Selector,
}

impl Store {
    /// Adds a machine.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] (`MachineNameTaken`, `MachineAddressTaken`).
    pub async fn create_machine(&self, machine: &Machine, trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "add a machine";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let insert = sqlx::query(
            "insert into machines (id, name, ip_address, ssh_port, internal_address, username, role, artifact_path, \
             image_repo, registry_address, labels, status, message, sealed_password, sealed_private_key, host_key, \
             last_checked_at, generation, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $20, $19)",
        );
        let insert = bind(insert, machine).bind(row::ms(machine.created_at));
        match insert.execute(&mut *transaction).await {
            Err(error) if is_taken(&error) => {
                drop(transaction);
                return Err(self.taken(machine).await?);
            }
            inserted => inserted.doing(CONTEXT)?,
        };
        audit::append(&mut transaction, trail, machine.creation(), machine.created_at).await?;
        transaction.commit().await.doing(CONTEXT)
    }

    /// One machine.
    pub async fn machine(&self, id: Uuid) -> Result<Option<Machine>> {
        const CONTEXT: &str = "load a machine";
        let query = sqlx::query(select_machines!("where id = $1")).bind(id.to_string());
        query.fetch_optional(&self.read).await.doing(CONTEXT)?.as_ref().map(read).transpose().doing(CONTEXT)
    }

    /// A page of the machines that are asked for, in the order in which they were added.
    pub async fn list_machines(&self, filter: &MachineFilter, page: PageRequest) -> Result<Page<Machine>> {
        const CONTEXT: &str = "list machines";
        let (status, role) = (machine::word(filter.status), machine::role_word(filter.role));
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        if filter.labels.is_empty() {
            let count =
                sqlx::query_scalar("select count(*) from machines where ($1 = '' or status = $1) and ($2 = '' or role = $2)");
            let total = count.bind(status).bind(role).fetch_one(&mut *connection).await.doing(CONTEXT)?;
            let query = sqlx::query(select_machines!(
                "where ($1 = '' or status = $1) and ($2 = '' or role = $2) order by created_at, id limit $3 offset $4"
            ));
            let query = query.bind(status).bind(role).bind(i64::from(page.limit)).bind(page.offset());
            let rows = query.fetch_all(&mut *connection).await.doing(CONTEXT)?;
            let items = rows.iter().map(read).collect::<Result<_, _>>().doing(CONTEXT)?;
            return Ok(Page { items, total });
        }
        // Neither database could use an index for a selector.
        let query =
            sqlx::query(select_machines!("where ($1 = '' or status = $1) and ($2 = '' or role = $2) order by created_at, id"));
        let rows = query.bind(status).bind(role).fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let all = rows.iter().map(read).collect::<Result<Vec<_>, _>>().doing(CONTEXT)?;
        Ok(page.cut(all.into_iter().filter(|machine| filter.labels.matches(&machine.spec.labels)).collect()))
    }

    /// Replaces what is known of a machine.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::AlreadyExists`] as of adding.
    pub async fn update_machine(&self, id: Uuid, update: MachineUpdate, now: Timestamp, trail: &Trail) -> Result<Machine> {
        self.change_machine(id, |machine| Ok(machine.updated(update, now)), now, trail).await
    }

    /// Sets a machine's status by hand.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::FailedPrecondition`] (`MachineInUse`).
    pub async fn set_machine_status(
        &self,
        id: Uuid,
        status: MachineStatus,
        message: String,
        now: Timestamp,
        trail: &Trail,
    ) -> Result<Machine> {
        let change = |machine: Machine| match machine.is_in_use() {
            true => Err(in_use(&machine)),
            false => Ok(machine.set_by_hand(status, message, now)),
        };
        self.change_machine(id, change, now, trail).await
    }

    /// Changes a machine under the lock of its row.
    async fn change_machine(
        &self,
        id: Uuid,
        change: impl FnOnce(Machine) -> Result<(Machine, Change)>,
        now: Timestamp,
        trail: &Trail,
    ) -> Result<Machine> {
        const CONTEXT: &str = "change a machine";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let (machine, change) = change(lock(&mut transaction, id).await?)?;
        let update = sqlx::query(
            "update machines set name = $2, ip_address = $3, ssh_port = $4, internal_address = $5, username = $6, role = $7, \
             artifact_path = $8, image_repo = $9, registry_address = $10, labels = $11, status = $12, message = $13, \
             sealed_password = $14, sealed_private_key = $15, host_key = $16, last_checked_at = $17, generation = $18, \
             updated_at = $19 where id = $1",
        );
        match bind(update, &machine).execute(&mut *transaction).await {
            Err(error) if is_taken(&error) => {
                drop(transaction);
                return Err(self.taken(&machine).await?);
            }
            updated => updated.doing(CONTEXT)?,
        };
        audit::append(&mut transaction, trail, change, now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(machine)
    }

    /// Deletes a machine with its secrets.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::FailedPrecondition`] (`MachineInUse`).
    pub async fn delete_machine(&self, id: Uuid, now: Timestamp, trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "delete a machine";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let machine = lock(&mut transaction, id).await?;
        if machine.is_in_use() {
            return Err(in_use(&machine));
        }
        let delete = sqlx::query("delete from machines where id = $1").bind(id.to_string());
        delete.execute(&mut *transaction).await.doing(CONTEXT)?;
        audit::append(&mut transaction, trail, machine.deletion(), now).await?;
        transaction.commit().await.doing(CONTEXT)
    }

    /// The next machines to check, those first that never were: those that changed since their last check, and, with a time, those
    /// that were neither checked nor changed since then. Those whose status belongs to somebody are passed over.
    pub async fn machines_to_check(&self, before: Option<Timestamp>, limit: i64) -> Result<Vec<Uuid>> {
        const CONTEXT: &str = "load the machines to check";
        let query = sqlx::query(
            "select id from machines where (status = 'offline' and last_checked_at is null) \
             or (status in ('available', 'unavailable', 'error', 'offline') and updated_at <= $1 \
             and coalesce(last_checked_at, 0) <= $1) order by coalesce(last_checked_at, 0), id limit $2",
        );
        let before = before.map_or(i64::MIN, row::ms);
        let rows = query.bind(before).bind(limit).fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(|row| row::uuid(row, "id")).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// Writes down what a check made of a machine, if that did not change since it had this generation. False when it did, or is gone.
    pub async fn record_machine_check(&self, machine: &Machine, generation: i64) -> Result<bool> {
        let query = sqlx::query(
            "update machines set status = $3, message = $4, host_key = $5, last_checked_at = $6, generation = $7, updated_at = $8 \
             where id = $1 and generation = $2",
        );
        let query = query.bind(machine.id.to_string()).bind(generation).bind(machine::word(machine.status));
        let query = query.bind(&machine.message).bind(&machine.host_key).bind(machine.last_checked_at.map(row::ms));
        let query = query.bind(machine.generation).bind(row::ms(machine.updated_at));
        Ok(query.execute(&self.write).await.doing("record a machine's check")?.rows_affected() == 1)
    }

    /// Which of the two keys another machine has.
    async fn taken(&self, machine: &Machine) -> Result<Error> {
        let spec = &machine.spec;
        let query = sqlx::query_scalar("select count(*) from machines where lower(name) = lower($1) and id <> $2");
        let query = query.bind(&spec.name).bind(machine.id.to_string());
        let named: i64 = query.fetch_one(&self.read).await.doing("find the machine with this name")?;
        Ok(if named > 0 {
            Error::AlreadyExists { reason: "MachineNameTaken", message: format!("a machine has the name {}", spec.name) }
        } else {
            let message = format!("a machine has the address {} and port {}", spec.ip_address, spec.ssh_port);
            Error::AlreadyExists { reason: "MachineAddressTaken", message }
        })
    }
}

/// Holds the machine's row until the transaction ends.
async fn lock(connection: &mut AnyConnection, id: Uuid) -> Result<Machine> {
    const CONTEXT: &str = "lock a machine";
    // An update that changes nothing is the one way to lock a row on both databases.
    let lock = sqlx::query("update machines set status = status where id = $1").bind(id.to_string());
    if lock.execute(&mut *connection).await.doing(CONTEXT)?.rows_affected() == 0 {
        return Err(Error::not_found("machine", id));
    }
    let query = sqlx::query(select_machines!("where id = $1")).bind(id.to_string());
    read(&query.fetch_one(connection).await.doing(CONTEXT)?).doing(CONTEXT)
}

fn in_use(machine: &Machine) -> Error {
    let message = format!("machine {} is {}: a cluster has it", machine.spec.name, machine::word(machine.status));
    Error::FailedPrecondition { reason: "MachineInUse".into(), message }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// `$1` to `$19`: every column but the time of creation.
fn bind<'q>(query: Query<'q>, machine: &Machine) -> Query<'q> {
    let Machine { id, spec, login, status, message, host_key, last_checked_at, generation, created_at: _, updated_at } = machine;
    let labels = serde_json::to_string(&spec.labels).unwrap_or_default();
    query
        .bind(id.to_string())
        .bind(spec.name.clone())
        .bind(spec.ip_address.clone())
        .bind(i64::from(spec.ssh_port))
        .bind(spec.internal_address.clone())
        .bind(spec.user.clone())
        .bind(machine::role_word(spec.role))
        .bind(spec.artifact_path.clone())
        .bind(spec.image_repo.clone())
        .bind(spec.registry_address.clone())
        .bind(labels)
        .bind(machine::word(*status))
        .bind(message.clone())
        .bind(login.password.clone())
        .bind(login.private_key.clone())
        .bind(host_key.clone())
        .bind(last_checked_at.map(row::ms))
        .bind(*generation)
        .bind(row::ms(*updated_at))
}

fn read(row: &AnyRow) -> Result<Machine, sqlx::Error> {
    Ok(Machine {
        id: row::uuid(row, "id")?,
        spec: MachineSpec {
            name: row.try_get("name")?,
            ip_address: row.try_get("ip_address")?,
            ssh_port: row::number(row, "ssh_port")?,
            internal_address: row.try_get("internal_address")?,
            user: row.try_get("username")?,
            role: row::machine_role(row, "role")?,
            artifact_path: row.try_get("artifact_path")?,
            image_repo: row.try_get("image_repo")?,
            registry_address: row.try_get("registry_address")?,
            labels: row::json(row, "labels")?,
        },
        login: SealedLogin { password: row.try_get("sealed_password")?, private_key: row.try_get("sealed_private_key")? },
        status: row::machine_status(row, "status")?,
        message: row.try_get("message")?,
        host_key: row.try_get("host_key")?,
        last_checked_at: row::maybe_timestamp(row, "last_checked_at")?,
        generation: row.try_get("generation")?,
        created_at: row::timestamp(row, "created_at")?,
        updated_at: row::timestamp(row, "updated_at")?,
    })
}
