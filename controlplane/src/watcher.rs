//! Follows the jobs of a Slurm cluster: writes down how they stand, and with each change its event.
//!
//! What it last knew is in the store, so that whatever happened while nobody looked is found out afterwards. Slurm forgets jobs some time
//! after they have ended: one that is gone before it was seen to end is lost, and its event says so.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use utopia_proto::slurm::v1::{Job, JobStatus};
use uuid::Uuid;

use crate::{
    backend::slurm::{Cluster, FoundJob, MARKER, Users},
    clock::Clock,
    error::Result,
    model::slurm::{FORGOTTEN, is_over},
    store::{ObservedJob, Store},
};

/// The most jobs that are asked for one by one in one look.
const LOOKUPS: usize = 64;

/// A look may take this part of the time at most: a cluster with very many jobs is looked at less often.
const LEAST_REST: u32 = 4;

/// Follows one cluster.
pub(crate) struct Watcher {
    pub(crate) cluster: Cluster,
    pub(crate) users: Users,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// Between two looks.
    pub(crate) interval: Duration,
}

/// What is remembered between two looks: the jobs that had ended at the last one; none before the first.
type Settled = Option<HashMap<i64, Stamp>>;

/// How a job stands. A job that takes the number of another has another time.
type Stamp = (JobStatus, Option<i64>);

impl Watcher {
    /// Runs until cancelled.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let (mut settled, mut is_away) = (None, false);
        let mut pause = Duration::ZERO;
        while cancel.run_until_cancelled(sleep(pause)).await.is_some() {
            let began = Instant::now();
            // What is being written when the end comes is rolled back, and found out anew.
            let Some(looked) = cancel.run_until_cancelled(self.look(&mut settled)).await else { return };
            match &looked {
                Ok(()) if is_away => tracing::info!(cluster = self.cluster.name(), "jobs of Slurm are followed again"),
                Err(error) if !is_away => {
                    tracing::warn!(cluster = self.cluster.name(), %error, "jobs of Slurm are not followed for now");
                }
                Ok(()) | Err(_) => {}
            }
            is_away = looked.is_err();
            pause = self.interval.max(began.elapsed() * LEAST_REST);
        }
    }

    /// Looks once at all jobs.
    async fn look(&self, settled: &mut Settled) -> Result<()> {
        let seen_at = self.clock.now();
        let listed = self.cluster.jobs().await?;
        let unfinished = self.store.unfinished_slurm_jobs(self.cluster.name()).await?;
        let mut unfinished = unfinished.into_iter().map(|job| (job.job_id, job)).collect::<HashMap<_, _>>();
        let mut ended = HashMap::new();
        let mut changed = Vec::new();
        for found in listed {
            let known = unfinished.remove(&found.job.job_id);
            if is_over(found.job.status()) {
                ended.insert(found.job.job_id, stamp(&found.job));
            }
            if is_news(&found, known.as_ref(), settled.as_ref()) {
                changed.push(found);
            }
        }
        for known in unfinished.into_values().take(LOOKUPS) {
            match self.cluster.job(known.job_id).await? {
                Some(found) if stamp(&found.job) == stamp(&known) => {}
                Some(found) => changed.push(found),
                None => changed.push(lost(known)),
            }
        }
        self.note(changed, seen_at).await?;
        *settled = Some(ended);
        Ok(())
    }

    async fn note(&self, changed: Vec<FoundJob>, seen_at: Timestamp) -> Result<()> {
        let mut owners = HashMap::new();
        let mut jobs = Vec::with_capacity(changed.len());
        for FoundJob { job, comment } in changed {
            let who = (job.user.clone(), comment);
            let owner_id = match owners.get(&who) {
                Some(owner_id) => *owner_id,
                None => *owners.entry(who.clone()).or_insert(self.owner(&who.0, &who.1).await?),
            };
            jobs.push(ObservedJob { job, owner_id });
        }
        self.store.note_slurm_jobs(jobs, seen_at, self.clock.now()).await
    }

    /// Who a job belongs to: whoever submitted it here, as far as that can be true; else whoever has its user's name.
    async fn owner(&self, slurm_user: &str, comment: &str) -> Result<Option<i64>> {
        let is_user = |username: &str| self.users.slurm_name(username).is_ok_and(|name| name == slurm_user);
        if let Some(uuid) = comment.strip_prefix(MARKER).and_then(|uuid| uuid.parse::<Uuid>().ok())
            && let Some(user) = self.store.user_by_uuid(uuid).await?
            && is_user(&user.username)
        {
            return Ok(Some(user.id));
        }
        for name in self.users.names_of(slurm_user) {
            if let Some(user) = self.store.user_by_name(&name).await?
                && is_user(&user.username)
            {
                return Ok(Some(user.id));
            }
        }
        Ok(None)
    }
}

/// Whether it is worth writing down how a job was found. `known` is how it stood when it had not ended.
fn is_news(found: &FoundJob, known: Option<&Job>, settled: Option<&HashMap<i64, Stamp>>) -> bool {
    let stamp_now = stamp(&found.job);
    match (stamp_now.0, known) {
        (JobStatus::Unspecified, _) => false,
        (_, Some(known)) => stamp(known) != stamp_now,
        (status, None) if !is_over(status) => true,
        (_, None) => match settled {
            // It has ended since the last look.
            Some(settled) => settled.get(&found.job.job_id) != Some(&stamp_now),
            // Nobody knows when it ended, but it may be one whose submission was not written down any more.
            None => found.comment.starts_with(MARKER),
        },
    }
}

fn stamp(job: &Job) -> Stamp {
    (job.status(), job.submit_time.map(|at| at.seconds))
}

fn lost(mut job: Job) -> FoundJob {
    job.set_status(JobStatus::Lost);
    FORGOTTEN.clone_into(&mut job.reason);
    FoundJob { job, comment: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(status: JobStatus, seconds: i64, comment: &str) -> FoundJob {
        let submit_time = Some(prost_types::Timestamp { seconds, nanos: 0 });
        FoundJob { job: Job { job_id: 1, status: status.into(), submit_time, ..Job::default() }, comment: comment.to_owned() }
    }

    #[test]
    fn what_changed_is_news() {
        use JobStatus::{Completed, Pending, Running, Unspecified};
        let known = |status| Some(found(status, 5, "").job);
        let settled = |status, seconds| Some(HashMap::from([(1, (status, Some(seconds)))]));
        let none = || Some(HashMap::new());
        for (found, known, settled, expected) in [
            (found(Running, 5, ""), None, None, true),
            (found(Running, 5, ""), known(Running), None, false),
            (found(Running, 5, ""), known(Pending), none(), true),
            (found(Completed, 5, ""), known(Running), None, true),
            (found(Completed, 5, ""), None, None, false),
            (found(Completed, 5, "utopia:x"), None, None, true),
            (found(Completed, 5, ""), None, none(), true),
            (found(Completed, 5, ""), None, settled(Completed, 5), false),
            (found(Completed, 9, ""), None, settled(Completed, 5), true),
            (found(Pending, 5, ""), None, settled(Completed, 5), true),
            (found(Unspecified, 5, ""), known(Running), none(), false),
        ] {
            assert_eq!(is_news(&found, known.as_ref(), settled.as_ref()), expected, "{found:?} {known:?} {settled:?}");
        }
    }
}
