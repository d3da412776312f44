//! Jobs of Slurm, wherever they are known: their words, and whether they are over. No I/O.

use utopia_proto::slurm::v1::{Job, JobStatus};

/// The reason of a job that is lost.
pub const FORGOTTEN: &str = "ForgottenBySlurm";

/// A job's name among those of all clusters.
#[must_use]
pub fn resource_id(job: &Job) -> String {
    format!("{}/{}", job.cluster, job.job_id)
}

/// Whether a job with this status has ended, as far as anybody knows.
#[must_use]
pub const fn is_over(status: JobStatus) -> bool {
    match status {
        JobStatus::Unspecified | JobStatus::Pending | JobStatus::Running => false,
        JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled | JobStatus::Timeout | JobStatus::Lost => true,
    }
}

/// The word for a status, as in JSON.
#[must_use]
pub const fn word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Unspecified => "",
        JobStatus::Pending => "pending",
        JobStatus::Running => "running",
        JobStatus::Completed => "completed",
        JobStatus::Failed => "failed",
        JobStatus::Cancelled => "cancelled",
        JobStatus::Timeout => "timeout",
        JobStatus::Lost => "lost",
    }
}
