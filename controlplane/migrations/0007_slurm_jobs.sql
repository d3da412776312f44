-- Jobs of Slurm that were submitted here, or seen before they had ended. A change of status is written with its event.
create table slurm_jobs (
    cluster text not null,
    job_id bigint not null,
    -- The Slurm user.
    slurm_user text not null,
    -- Who sees its events beside operators; 0 for nobody.
    owner_id bigint not null,
    status text not null,
    -- When Slurm accepted it; 0 when that is not known. It tells apart jobs that had the same number.
    submitted_at bigint not null,
    -- When Slurm was asked for what stands here: older answers change nothing.
    seen_at bigint not null,
    -- A message utopia.slurm.v1.Job.
    job bytea not null,
    primary key (cluster, job_id)
);

create index slurm_jobs_unfinished on slurm_jobs (cluster) where status in ('pending', 'running');

create index slurm_jobs_by_age on slurm_jobs (seen_at);
