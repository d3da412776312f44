//! Jobs of Slurm, and their events.

use utopia_proto::slurm::v1::{Job, JobStatus};

use crate::{
    model::{Role, event::Event},
    store::{
        ObservedJob, Store,
        testing::{at, on_both_databases, trail, user},
    },
};

on_both_databases!(
    a_change_is_written_with_one_event,
    many_jobs_are_written_at_once,
    an_older_look_changes_nothing,
    a_submitted_job_is_added_once,
    a_number_that_is_given_again_is_another_job,
    jobs_that_ended_long_ago_are_forgotten,
);

fn job(id: i64, status: JobStatus) -> Job {
    let submit_time = Some(prost_types::Timestamp { seconds: 10, nanos: 0 });
    Job { job_id: id, cluster: "c".into(), user: "ada".into(), status: status.into(), submit_time, ..Job::default() }
}

fn observed(job: Job) -> ObservedJob {
    ObservedJob { job, owner_id: Some(7) }
}

async fn note(store: &Store, jobs: Vec<Job>, second: i64) {
    store.note_slurm_jobs(jobs.into_iter().map(observed).collect(), at(second), at(second)).await.unwrap();
}

async fn events(store: &Store) -> Vec<Event> {
    store.events_after(0, 10_000).await.unwrap().into_iter().filter(|event| event.resource() == "job").collect()
}

async fn kinds(store: &Store) -> Vec<String> {
    events(store).await.into_iter().map(|event| event.kind).collect()
}

async fn unfinished(store: &Store) -> Vec<i64> {
    let mut ids = store.unfinished_slurm_jobs("c").await.unwrap().iter().map(|job| job.job_id).collect::<Vec<_>>();
    ids.sort_unstable();
    ids
}

async fn a_change_is_written_with_one_event(store: Store) {
    let statuses = [JobStatus::Pending, JobStatus::Running, JobStatus::Running, JobStatus::Failed, JobStatus::Failed];
    for (second, status) in (1..).zip(statuses) {
        note(&store, vec![job(1, status)], second).await;
    }
    let events = events(&store).await;
    let expected = [("job.pending", 1), ("job.running", 2), ("job.failed", 4)];
    assert_eq!(events.iter().map(|event| (&*event.kind, event.at)).collect::<Vec<_>>(), expected.map(|(kind, s)| (kind, at(s))));
    for event in &events {
        assert_eq!((&*event.resource_id, event.owner_id), ("c/1", Some(7)));
        assert_eq!((&event.data["job_id"], &event.data["user"]), (&1.into(), &"ada".into()));
    }
    assert_eq!(store.slurm_job("c", 1).await.unwrap().unwrap().status(), JobStatus::Failed);
    assert_eq!(store.slurm_job("d", 1).await.unwrap(), None);
    assert!(unfinished(&store).await.is_empty());
}

async fn many_jobs_are_written_at_once(store: Store) {
    note(&store, (1..=1200).map(|id| job(id, JobStatus::Running)).collect(), 1).await;
    assert_eq!(unfinished(&store).await.len(), 1200);
    note(
        &store,
        (1..=1200).rev().map(|id| job(id, if id % 2 == 0 { JobStatus::Timeout } else { JobStatus::Running })).collect(),
        2,
    )
    .await;
    let ended = events(&store).await.split_off(1200);
    assert_eq!(ended.len(), 600);
    assert!(
        ended
            .iter()
            .zip((2..).step_by(2))
            .all(|(event, id)| event.kind == "job.timeout" && event.resource_id == format!("c/{id}"))
    );
}

async fn an_older_look_changes_nothing(store: Store) {
    note(&store, vec![job(1, JobStatus::Completed)], 5).await;
    note(&store, vec![job(1, JobStatus::Running)], 4).await;
    assert_eq!(kinds(&store).await, ["job.completed"]);
    note(&store, vec![job(1, JobStatus::Running)], 5).await;
    assert_eq!(kinds(&store).await, ["job.completed", "job.running"]);
}

async fn a_submitted_job_is_added_once(store: Store) {
    let owner = user(&store, "ada", Role::User).await;
    store.add_slurm_job(&job(1, JobStatus::Pending), owner.id, at(1), at(2), trail()).await.unwrap();
    note(&store, vec![job(1, JobStatus::Running)], 2).await;
    let seen = events(&store).await;
    // The watcher may have taken it for somebody else's; whoever submitted it has it.
    assert!(seen.iter().all(|event| event.owner_id == Some(owner.id)), "{seen:?}");
    // Seen before it was written down: it is no news any more.
    note(&store, vec![job(2, JobStatus::Running)], 3).await;
    store.add_slurm_job(&job(2, JobStatus::Pending), owner.id, at(2), at(4), trail()).await.unwrap();
    assert_eq!(kinds(&store).await, ["job.pending", "job.running", "job.running"]);
    assert_eq!(unfinished(&store).await, [1, 2]);
}

async fn a_number_that_is_given_again_is_another_job(store: Store) {
    note(&store, vec![job(1, JobStatus::Completed)], 1).await;
    let mut other = job(1, JobStatus::Completed);
    other.submit_time = Some(prost_types::Timestamp { seconds: 99, nanos: 0 });
    other.user = "bob".to_owned();
    let found = ObservedJob { job: other, owner_id: None };
    store.note_slurm_jobs(vec![found], at(2), at(2)).await.unwrap();
    let events = events(&store).await;
    let owners = events.iter().map(|event| (&*event.kind, event.owner_id)).collect::<Vec<_>>();
    // Nobody here is bob: 0 is nobody, where none would be everybody.
    assert_eq!(owners, [("job.completed", Some(7)), ("job.completed", Some(0))]);
}

async fn jobs_that_ended_long_ago_are_forgotten(store: Store) {
    note(&store, vec![job(1, JobStatus::Completed), job(2, JobStatus::Running)], 1).await;
    note(&store, vec![job(3, JobStatus::Lost)], 5).await;
    assert_eq!(store.forget_slurm_jobs(at(3)).await.unwrap(), 1);
    assert_eq!(store.forget_slurm_jobs(at(3)).await.unwrap(), 0);
    assert_eq!(store.slurm_job("c", 1).await.unwrap(), None);
    assert!(store.slurm_job("c", 2).await.unwrap().is_some() && store.slurm_job("c", 3).await.unwrap().is_some());
}
