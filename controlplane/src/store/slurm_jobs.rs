//! Jobs of Slurm: those that were submitted here, and those that were seen. Each change of status is written with its event.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sqlx::{Any, Row as _, any::AnyRow, query::Query};
use utopia_proto::slurm::v1::{Job, JobStatus};

use super::{
    Doing as _, Store, audit, batch,
    outbox::{self, NewEvent},
    row,
};
use crate::{
    error::Result,
    model::{
        audit::{Change, Trail},
        slurm,
    },
};

/// A job as it was found, and who may see its events beside operators.
#[derive(Debug, Clone)]
pub struct ObservedJob {
    /// The job.
    pub job: Job,
    /// A user's id; none for nobody.
    pub owner_id: Option<i64>,
}

/// The most jobs that are removed in one transaction.
const FORGET: i64 = 1000;

impl Store {
    /// Adds a job that a person has submitted, unless it was seen meanwhile. `seen_at` is a time before it was.
    pub async fn add_slurm_job(&self, job: &Job, owner_id: i64, seen_at: Timestamp, now: Timestamp, trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "add a job of Slurm";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let insert = sqlx::query(
            "insert into slurm_jobs (cluster, job_id, slurm_user, owner_id, status, submitted_at, seen_at, job) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (cluster, job_id) do nothing",
        );
        let observed = ObservedJob { job: job.clone(), owner_id: Some(owner_id) };
        let added = bind(insert, &observed, seen_at).execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 1;
        audit::append(&mut transaction, trail, Change::created(slurm::resource_id(job), describe(job).into()), now).await?;
        if added {
            outbox::append(&mut transaction, &[event(job, owner_id)], now).await.doing(CONTEXT)?;
        }
        self.commit_events(transaction).await.doing(CONTEXT)
    }

    /// Writes how jobs were found at a time, and an event for each whose status has changed since then.
    pub async fn note_slurm_jobs(&self, mut jobs: Vec<ObservedJob>, seen_at: Timestamp, now: Timestamp) -> Result<()> {
        const CONTEXT: &str = "write how jobs of Slurm stand";
        if jobs.is_empty() {
            return Ok(());
        }
        // Always in the same order, so that two who write the same jobs wait for each other, not both at once.
        jobs.sort_by(|a, b| (&a.job.cluster, a.job.job_id).cmp(&(&b.job.cluster, b.job.job_id)));
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let mut events = Vec::new();
        for jobs in batch::pieces(&jobs) {
            let sql = batch::statement(
                "insert into slurm_jobs (cluster, job_id, slurm_user, owner_id, status, submitted_at, seen_at, job) values ",
                "($, $, $, $, $, $, $, $)",
                jobs.len(),
                " on conflict (cluster, job_id) do update set slurm_user = excluded.slurm_user, \
                 owner_id = case when slurm_jobs.slurm_user = excluded.slurm_user then slurm_jobs.owner_id else excluded.owner_id end, \
                 status = excluded.status, submitted_at = excluded.submitted_at, seen_at = excluded.seen_at, job = excluded.job \
                 where slurm_jobs.seen_at <= excluded.seen_at and (slurm_jobs.status <> excluded.status \
                 or (slurm_jobs.submitted_at <> 0 and slurm_jobs.submitted_at <> excluded.submitted_at)) \
                 returning cluster, job_id, owner_id",
                0,
            );
            let query = jobs.iter().fold(sqlx::query(sql), |query, observed| bind(query, observed, seen_at));
            let rows = query.fetch_all(&mut *transaction).await.doing(CONTEXT)?;
            let owners = rows.iter().map(owner).collect::<Result<HashMap<_, _>, _>>().doing(CONTEXT)?;
            let owner = |job: &Job| owners.get(&(job.cluster.clone(), job.job_id)).copied();
            events.extend(jobs.iter().filter_map(|ObservedJob { job, .. }| Some(event(job, owner(job)?))));
        }
        outbox::append(&mut transaction, &events, now).await.doing(CONTEXT)?;
        self.commit_events(transaction).await.doing(CONTEXT)
    }

    /// The jobs of a cluster that had not ended when they were last seen.
    pub async fn unfinished_slurm_jobs(&self, cluster: &str) -> Result<Vec<Job>> {
        const CONTEXT: &str = "load the jobs of Slurm that have not ended";
        let query =
            sqlx::query("select job from slurm_jobs where cluster = $1 and status in ('pending', 'running')").bind(cluster);
        let rows = query.fetch_all(&self.read).await.doing(CONTEXT)?;
        rows.iter().map(|row| row::message(row, "job")).collect::<Result<_, _>>().doing(CONTEXT)
    }

    /// A job as it was last seen.
    pub async fn slurm_job(&self, cluster: &str, job_id: i64) -> Result<Option<Job>> {
        const CONTEXT: &str = "load a job of Slurm";
        let query = sqlx::query("select job from slurm_jobs where cluster = $1 and job_id = $2").bind(cluster).bind(job_id);
        let row = query.fetch_optional(&self.read).await.doing(CONTEXT)?;
        row.map(|row| row::message(&row, "job")).transpose().doing(CONTEXT)
    }

    /// Forgets some of the jobs that ended before a time, and says how many.
    pub async fn forget_slurm_jobs(&self, before: Timestamp) -> Result<u64> {
        let delete = sqlx::query(
            "delete from slurm_jobs where exists (select 1 from (select cluster, job_id from slurm_jobs where seen_at < $1 \
             and status not in ('pending', 'running') order by seen_at limit $2) old where old.cluster = slurm_jobs.cluster and old.job_id = slurm_jobs.job_id)",
        );
        let deleted = delete.bind(row::ms(before)).bind(FORGET).execute(&self.write).await;
        Ok(deleted.doing("forget jobs of Slurm")?.rows_affected())
    }
}

fn bind<'q>(
    query: Query<'q, Any, sqlx::any::AnyArguments>,
    ObservedJob { job, owner_id }: &ObservedJob,
    seen_at: Timestamp,
) -> Query<'q, Any, sqlx::any::AnyArguments> {
    let submitted_at = job.submit_time.map_or(0, |at| at.seconds.saturating_mul(1000));
    let query = query.bind(job.cluster.clone()).bind(job.job_id).bind(job.user.clone()).bind(owner_id.unwrap_or_default());
    let query = query.bind(slurm::word(job.status())).bind(submitted_at).bind(row::ms(seen_at));
    query.bind(prost::Message::encode_to_vec(job))
}

fn owner(row: &AnyRow) -> Result<((String, i64), i64), sqlx::Error> {
    Ok(((row.try_get("cluster")?, row.try_get("job_id")?), row.try_get("owner_id")?))
}

fn event(job: &Job, owner_id: i64) -> NewEvent {
    let kind = match job.status() {
        JobStatus::Unspecified | JobStatus::Pending => "job.pending",
        JobStatus::Running => "job.running",
        JobStatus::Completed => "job.completed",
        JobStatus::Failed => "job.failed",
        JobStatus::Cancelled => "job.cancelled",
        JobStatus::Timeout => "job.timeout",
        JobStatus::Lost => "job.lost",
    };
    // A job of nobody here is nobody's: without an owner everybody would see it.
    NewEvent { kind, resource_id: slurm::resource_id(job), owner_id: Some(owner_id), data: describe(job).into() }
}

/// What events and the audit log say of a job.
fn describe(job: &Job) -> Map<String, Value> {
    let time = |at: Option<prost_types::Timestamp>| {
        let at = at.and_then(|at| Timestamp::from_second(at.seconds).ok());
        at.map_or(Value::Null, |at| at.to_string().into())
    };
    let members = [
        ("cluster", json!(job.cluster)),
        ("job_id", json!(job.job_id)),
        ("job_name", json!(job.job_name)),
        ("user", json!(job.user)),
        ("partition", json!(job.partition)),
        ("status", json!(slurm::word(job.status()))),
        ("slurm_state", json!(job.slurm_state)),
        ("reason", json!(job.reason)),
        ("exit_code", json!(job.exit_code)),
        ("nodes", json!(job.nodes)),
        ("gpus", json!(job.gpus)),
        ("submit_time", time(job.submit_time)),
        ("start_time", time(job.start_time)),
        ("end_time", time(job.end_time)),
    ];
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
