//! `utopia.slurm.v1.SlurmService`.

mod spec;

use std::{cmp::Reverse, collections::HashMap};

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::slurm::v1::{
    CancelJobRequest, Cluster as WireCluster, ClusterStatus, GetJobRequest, Job, JobStatus, ListClustersRequest,
    ListClustersResponse, ListJobsRequest, ListJobsResponse, ListNodesRequest, ListNodesResponse, SubmitJobRequest,
    SubmitJobResponse, slurm_service_server::SlurmService,
};

use super::{convert, validate};
use crate::{
    auth::{Identity, Person},
    backend::slurm::{Cluster, FoundNode, MARKER, Slurm},
    clock::Clock,
    error::{Error, Result},
    model::{
        Page, PageRequest,
        audit::{AuditResult, Change, Trail},
        slurm::{is_over, resource_id, word},
    },
    store::Store,
};

/// The service.
#[derive(Debug, Clone)]
pub struct SlurmServer {
    /// Reaches the clusters.
    pub slurm: Slurm,
    /// Remembers jobs.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl SlurmService for SlurmServer {
    async fn list_clusters(&self, _: Request<ListClustersRequest>) -> Result<Response<ListClustersResponse>, Status> {
        // With none, says so.
        self.slurm.cluster("")?;
        let mut nodes = join_all(self.slurm.clusters().iter().map(Cluster::nodes)).await;
        if nodes.iter().all(Result::is_err) {
            nodes.swap_remove(0)?;
        }
        let clusters = (1..).zip(self.slurm.clusters()).zip(nodes).map(|((id, cluster), nodes)| show_cluster(id, cluster, nodes));
        Ok(Response::new(ListClustersResponse { clusters: clusters.collect() }))
    }

    async fn submit_job(&self, request: Request<SubmitJobRequest>) -> Result<Response<SubmitJobResponse>, Status> {
        let person = Identity::of(&request).person()?;
        let trail = Identity::trail(&request);
        let request = request.into_inner();
        let cluster = self.slurm.cluster(&request.cluster)?;
        let mut submission = spec::submission(request)?;
        let user = self.slurm.users().slurm_name(&person.username)?;
        let account = self.store.user_by_id(person.id).await?.ok_or_else(|| Error::not_found("user", person.id))?;
        submission.comment = format!("{MARKER}{}", account.uuid);
        let before = self.clock.now();
        let job_id = cluster.submit(user, &submission).await?;
        tracing::info!(cluster = cluster.name(), job = job_id, user, "job submitted to Slurm");
        let job = self.accepted(cluster, user, job_id, submission.name, submission.partition).await?;
        self.remember(&job, person.id, before, &trail).await;
        Ok(Response::new(SubmitJobResponse {
            job_id,
            status: job.status,
            submit_time: job.submit_time.or_else(|| Some(convert::timestamp(self.clock.now()))),
            cluster: job.cluster,
        }))
    }

    async fn list_jobs(&self, request: Request<ListJobsRequest>) -> Result<Response<ListJobsResponse>, Status> {
        let person = Identity::of(&request).person()?;
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, query.page_size);
        let state = JobStatus::try_from(query.state).map_err(|_| Error::invalid("state", "is not among the words for it"))?;
        validate::text("user", &query.user, 256)?;
        validate::text("partition", &query.partition, 256)?;
        let jobs = self.slurm.cluster(&query.cluster)?.jobs().await?;
        let is_wanted = |job: &Job| {
            (state == JobStatus::Unspecified || job.status() == state)
                && (query.user.is_empty() || job.user == query.user)
                && (query.partition.is_empty() || job.partition == query.partition)
                && self.may_see(&person, job)
        };
        let mut jobs = jobs.into_iter().map(|found| found.job).filter(is_wanted).collect::<Vec<_>>();
        jobs.sort_by_key(|job| Reverse((job.submit_time.map(|at| at.seconds), job.job_id)));
        let Page { items, total } = window.cut(jobs);
        let now = self.clock.now();
        Ok(Response::new(ListJobsResponse {
            jobs: items.into_iter().map(|job| show(job, now)).collect(),
            total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<Job>, Status> {
        let person = Identity::of(&request).person()?;
        let GetJobRequest { job_id, cluster } = request.into_inner();
        let job = self.find(self.slurm.cluster(&cluster)?, job_id, &person).await?;
        Ok(Response::new(show(job, self.clock.now())))
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Result<Response<Job>, Status> {
        let person = Identity::of(&request).person()?;
        let trail = Identity::trail(&request);
        let CancelJobRequest { job_id, cluster } = request.into_inner();
        let cluster = self.slurm.cluster(&cluster)?;
        let before = self.find(cluster, job_id, &person).await?;
        let mut after = before.clone();
        if !is_over(before.status()) {
            // As its user, whoever asks: nobody needs more.
            cluster.cancel(&before.user, job_id).await?;
            tracing::info!(cluster = cluster.name(), job = job_id, by = person.username, "job of Slurm cancelled");
            after = cluster.job(job_id).await?.map_or(after, |found| found.job);
        }
        let status = |job: &Job| json!({"status": word(job.status()), "slurm_state": job.slurm_state});
        let change = Change::updated(resource_id(&before), status(&before), status(&after));
        self.store.record(&trail, change, AuditResult::Success, self.clock.now()).await?;
        Ok(Response::new(show(after, self.clock.now())))
    }

    async fn list_nodes(&self, request: Request<ListNodesRequest>) -> Result<Response<ListNodesResponse>, Status> {
        let cluster = self.slurm.cluster(&request.get_ref().cluster)?;
        let (nodes, jobs) = tokio::try_join!(cluster.nodes(), cluster.jobs())?;
        let mut by_node = HashMap::<String, Vec<i64>>::new();
        for job in jobs.into_iter().map(|found| found.job).filter(|job| job.status() == JobStatus::Running) {
            for node in job.nodes {
                by_node.entry(node).or_default().push(job.job_id);
            }
        }
        let nodes = nodes.into_iter().map(|FoundNode { mut node, memory_mib, .. }| {
            node.memory = convert::gibibytes(memory_mib);
            node.jobs = by_node.remove(&node.name).unwrap_or_default();
            node.jobs.sort_unstable();
            node
        });
        Ok(Response::new(ListNodesResponse { nodes: nodes.collect() }))
    }
}

impl SlurmServer {
    /// A job that the person may see, as Slurm has it, or else as it was last seen.
    async fn find(&self, cluster: &Cluster, job_id: i64, person: &Person) -> Result<Job> {
        let job = match cluster.job(job_id).await? {
            Some(found) => Some(found.job),
            None => self.store.slurm_job(cluster.name(), job_id).await?,
        };
        job.filter(|job| self.may_see(person, job)).ok_or_else(|| Error::not_found("job", job_id))
    }

    fn may_see(&self, person: &Person, job: &Job) -> bool {
        person.sees_all() || self.slurm.users().slurm_name(&person.username).is_ok_and(|name| name == job.user)
    }

    /// The job that was just accepted, as Slurm has it.
    async fn accepted(&self, cluster: &Cluster, user: &str, job_id: i64, job_name: String, partition: String) -> Result<Job> {
        let sent = Job {
            job_id,
            status: JobStatus::Pending.into(),
            slurm_state: "PENDING".to_owned(),
            cluster: cluster.name().to_owned(),
            user: user.to_owned(),
            job_name,
            partition,
            ..Job::default()
        };
        match cluster.job(job_id).await {
            Ok(Some(found)) if found.job.user == user => Ok(found.job),
            Ok(Some(_)) => Err(cluster.disown(user, job_id).await),
            // It was accepted, whatever came after that.
            Ok(None) | Err(_) => Ok(sent),
        }
    }

    /// Writes down that a job was submitted. Without that the watcher finds it: it was submitted all the same.
    async fn remember(&self, job: &Job, owner_id: i64, before: Timestamp, trail: &Trail) {
        // However fast it was, it has waited, and what comes after that the watcher tells.
        let waiting = Job {
            status: JobStatus::Pending.into(),
            slurm_state: "PENDING".to_owned(),
            nodes: Vec::new(),
            start_time: None,
            end_time: None,
            exit_code: 0,
            ..job.clone()
        };
        if let Err(error) = self.store.add_slurm_job(&waiting, owner_id, before, self.clock.now(), trail).await {
            tracing::error!(cluster = job.cluster, job = job.job_id, %error, "a submitted job could not be written down");
        }
    }
}

fn show_cluster(id: i32, cluster: &Cluster, nodes: Result<Vec<FoundNode>>) -> WireCluster {
    let health = cluster.backend().health();
    let known = WireCluster {
        id,
        name: cluster.name().to_owned(),
        slurm_version: health.version,
        api_version: cluster.api_version().map(|version| version.to_string()).unwrap_or_default(),
        total_memory: "0GB".to_owned(),
        ..WireCluster::default()
    };
    match nodes {
        Err(error) => WireCluster { status: ClusterStatus::Unreachable.into(), message: error.to_string(), ..known },
        Ok(nodes) => WireCluster {
            status: ClusterStatus::Active.into(),
            nodes: i32::try_from(nodes.len()).unwrap_or(i32::MAX),
            total_cpus: nodes.iter().map(|found| found.node.cpus).fold(0, i32::saturating_add),
            total_memory: convert::gibibytes(nodes.iter().map(|found| found.memory_mib).fold(0, i64::saturating_add)),
            total_gpus: nodes.iter().flat_map(|found| &found.node.gpus).map(|gpus| gpus.count).fold(0, i32::saturating_add),
            ..known
        },
    }
}

/// The job with how long it has run.
fn show(job: Job, now: Timestamp) -> Job {
    let end = if job.status() == JobStatus::Running { Some(now.as_second()) } else { job.end_time.map(|at| at.seconds) };
    let seconds = job.start_time.zip(end).map_or(0, |(start, end)| (end - start.seconds).max(0));
    Job { elapsed_time: elapsed(seconds), ..job }
}

/// `HH:MM:SS`, and the days before it when there are any.
fn elapsed(seconds: i64) -> String {
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if seconds < 86_400 { time } else { format!("{}-{time}", seconds / 86_400) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (seconds, text) in [(0, "00:00:00"), (330, "00:05:30"), (86_399, "23:59:59"), (90_061, "1-01:01:01")] {
            assert_eq!(elapsed(seconds), text);
        }
    }
}
