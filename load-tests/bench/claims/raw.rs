//! The database alone: one connection that copies the rows of a claim, as fast as it goes.

use std::fmt::Write as _;

use anyhow::Context as _;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection as _, Row as _, any::AnyArguments, query::Query};
use uuid::Uuid;

/// Claims of one transaction, where they share one.
pub(crate) const BATCH: u32 = 64;

const CLAIM: &str = "insert into claims (id, user_id, request_id, spec, gpu_count, phase, reason, message, epoch, container_id, \
                     generation, created_at, updated_at)";
const OUTBOX: &str = "insert into outbox (sequence, id, type, resource_id, owner_id, at, data)";
const EVENT: &str = "insert into audit_events (sequence, id, at, resource, resource_id, action, user_name, result, payload, \
                     previous_hash, hash)";

/// A connection, and the rows that it copies.
#[derive(Debug)]
pub(crate) struct Raw {
    connection: AnyConnection,
    begin: &'static str,
    /// A claim: owner, specification, GPUs.
    claim: (i64, Vec<u8>, i64),
    /// Its event in the audit log: user, text, hash.
    event: (String, String, String),
    sequence: i64,
    /// Its event in the log of events: an object.
    happening: String,
    happened: i64,
    now: i64,
}

impl Raw {
    /// Connects as the control plane does, and takes the newest claim for the one to copy.
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let mut connection = AnyConnection::connect(url).await?;
        let mut begin = "begin";
        if url.starts_with("sqlite:") {
            begin = "begin immediate";
            let settings = "pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = full; \
                            pragma foreign_keys = on; pragma secure_delete = fast";
            sqlx::raw_sql(settings).execute(&mut connection).await?;
        }
        let claim = "select user_id, spec, gpu_count, created_at from claims order by created_at desc limit 1";
        let claim = sqlx::query(claim).fetch_one(&mut connection).await.context("there is no claim")?;
        let event = "select sequence, user_name, payload, hash from audit_events where action = 'CreateClaim' \
                     order by sequence desc limit 1";
        let event = sqlx::query(event).fetch_one(&mut connection).await.context("there is no event")?;
        let happening = "select data from outbox where type = 'claim.pending' order by sequence desc limit 1";
        let happening = sqlx::query(happening).fetch_one(&mut connection).await.context("nothing has happened")?;
        let happened = sqlx::query_scalar("select max(sequence) from outbox").fetch_one(&mut connection).await?;
        Ok(Self {
            begin,
            happening: happening.try_get(0)?,
            happened,
            claim: (claim.try_get(0)?, claim.try_get(1)?, claim.try_get(2)?),
            now: claim.try_get(3)?,
            sequence: event.try_get(0)?,
            event: (event.try_get(1)?, event.try_get(2)?, event.try_get(3)?),
            connection,
        })
    }

    /// How many claims there are.
    pub(crate) async fn claims(&mut self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("select count(*) from claims").fetch_one(&mut self.connection).await?)
    }

    /// Writes so many in one transaction.
    pub(crate) async fn write(&mut self, rows: u32) -> anyhow::Result<()> {
        let mut claims = sqlx::query(AssertSqlSafe(statement(CLAIM, 13, rows)));
        let mut events = sqlx::query(AssertSqlSafe(statement(EVENT, 11, rows)));
        let mut happenings = sqlx::query(AssertSqlSafe(statement(OUTBOX, 7, rows)));
        for _ in 0..rows {
            let id = Uuid::new_v4().to_string();
            claims = self.bind_claim(claims, &id);
            self.sequence += 1;
            events = self.bind_event(events, &id);
            self.happened += 1;
            happenings = self.bind_happening(happenings, &id);
        }
        let mut transaction = self.connection.begin_with(self.begin).await?;
        claims.execute(&mut *transaction).await?;
        events.execute(&mut *transaction).await?;
        happenings.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    fn bind_claim(&self, query: Insert, id: &str) -> Insert {
        let (user_id, spec, gpu_count) = &self.claim;
        let query = query.bind(id.to_owned()).bind(*user_id).bind(None::<String>).bind(spec.clone()).bind(*gpu_count);
        let query = query.bind("pending").bind("").bind("").bind(0_i64).bind("").bind(1_i64);
        query.bind(self.now).bind(self.now)
    }

    fn bind_event(&self, query: Insert, claim: &str) -> Insert {
        let (user, payload, hash) = &self.event;
        let query = query.bind(self.sequence).bind(Uuid::new_v4().to_string()).bind(self.now);
        let query = query.bind("claim").bind(claim.to_owned()).bind("CreateClaim").bind(user.clone()).bind("success");
        query.bind(payload.clone()).bind(hash.clone()).bind(hash.clone())
    }

    fn bind_happening(&self, query: Insert, claim: &str) -> Insert {
        let query = query.bind(self.happened).bind(Uuid::new_v4().to_string()).bind("claim.pending").bind(claim.to_owned());
        query.bind(self.claim.0).bind(self.now).bind(self.happening.clone())
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        Ok(self.connection.close().await?)
    }
}

type Insert = Query<'static, Any, AnyArguments>;

/// An insertion of so many rows.
fn statement(head: &str, columns: u32, rows: u32) -> String {
    let mut sql = format!("{head} values ");
    for number in 1..=columns * rows {
        let before = match (number % columns, number) {
            (1, 1) => "(",
            (1, _) => "), (",
            _ => ", ",
        };
        // Writing to a string does not fail.
        let _ = write!(sql, "{before}${number}");
    }
    sql.push(')');
    sql
}
