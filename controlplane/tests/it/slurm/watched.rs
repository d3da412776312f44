//! What happens to jobs is an event each, also when the control plane or Slurm was away meanwhile.

use http::{Method, header};
use http_body_util::Full;
use serde_json::{Value as Json, json};

use super::{JOBS, Real, cluster::Cluster, name, reaches, start, submit, with_slurm};
use crate::{
    databases::{with_postgres, with_sqlite},
    http::Http,
    plane::{Plane, text},
    stand_in::Relay,
    wait::eventually,
};

/// The events of a job so far, as somebody sees them.
async fn events(http: &Http, resource_id: &str) -> Vec<Json> {
    let path = format!("/api/events?cursor=0&once=true&types=job.*&resource_id={resource_id}");
    let request = http.request(Method::GET, &path).header(header::ACCEPT, "application/x-ndjson");
    let mut stream = http.open(request.body(Full::default()).unwrap()).await;
    let mut events = Vec::new();
    while let Some(line) = stream.line().await {
        events.push(serde_json::from_str::<Json>(&line).unwrap());
    }
    events.retain(|event| event["type"] != "bookmark");
    events
}

async fn kinds(http: &Http, resource_id: &str) -> Vec<String> {
    events(http, resource_id).await.iter().map(|event| text(event, "type").to_owned()).collect()
}

/// Waits for the last event of a job; answers all.
async fn ends(http: &Http, resource_id: &str, last: &str) -> Vec<String> {
    let look = async || Some(kinds(http, resource_id).await).filter(|kinds| kinds.last().is_some_and(|kind| kind == last));
    eventually(&format!("{last} of {resource_id}"), look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_end_with_their_event_once() {
    with_slurm(async |plane, _| {
        let http = plane.as_user();
        let failing = submit(&http, "sleep 1; exit 3").await;
        let path = format!("default/{failing}");
        let seen = ends(&http, &path, "job.failed").await;
        assert_eq!((&*seen[0], seen.iter().filter(|kind| *kind == "job.failed").count()), ("job.pending", 1));
        let last = events(&http, &path).await.pop().unwrap();
        assert_eq!((&last["data"]["exit_code"], &last["data"]["reason"]), (&json!(3), &json!("NonZeroExitCode")));
        assert!(text(&last["data"], "end_time").ends_with('Z'), "{last}");
        // Others do not see it, and operators do.
        assert!(events(&plane.as_other(), &path).await.is_empty());
        assert_eq!(kinds(&plane.as_operator(), &path).await, seen);

        let sleeping = submit(&http, "sleep 600").await;
        ends(&http, &format!("default/{sleeping}"), "job.running").await;
        http.delete(&format!("{JOBS}/{sleeping}")).await.expect(200);
        assert_eq!(ends(&http, &format!("default/{sleeping}"), "job.cancelled").await.len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_while_the_control_plane_is_away_is_found_out_afterwards() {
    let Some(real) = Real::find() else { return };
    with_sqlite(async |url| {
        let plane = start(url, &real.arguments(&real.url)).await;
        let gate = format!("/tmp/{}", name());
        let id = submit(&plane.as_user(), &format!("while ! test -e {gate}; do sleep 0.1; done")).await;
        let path = format!("default/{id}");
        ends(&plane.as_user(), &path, "job.running").await;
        // Somebody else's control plane watches the job end meanwhile.
        let stopped = plane.pause().await;
        std::fs::write(&gate, "").unwrap();
        with_sqlite(async |url| {
            let witness = start(url, &real.arguments(&real.url)).await;
            reaches(&witness.as_operator(), id, "completed").await;
            witness.stop().await;
        })
        .await;
        std::fs::remove_file(&gate).unwrap();
        let plane = stopped.resume().await;
        assert_eq!(ends(&plane.as_user(), &path, "job.completed").await, ["job.pending", "job.running", "job.completed"]);
        // And not once more after another start.
        let plane = plane.restart().await;
        let other = submit(&plane.as_user(), "true").await;
        ends(&plane.as_user(), &format!("default/{other}"), "job.completed").await;
        assert_eq!(kinds(&plane.as_user(), &path).await.len(), 3);
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_while_slurm_cannot_be_reached_is_found_out_afterwards() {
    let Some(real) = Real::find() else { return };
    with_sqlite(async |url| {
        let relay = Relay::before(&real.url).await;
        let plane = start(url, &real.arguments(&relay.url)).await;
        let http = plane.as_user();
        let gate = format!("/tmp/{}", name());
        let id = submit(&http, &format!("while ! test -e {gate}; do sleep 0.1; done")).await;
        ends(&http, &format!("default/{id}"), "job.running").await;
        relay.cut();
        std::fs::write(&gate, "").unwrap();
        let said = http.get(&format!("{JOBS}/{id}")).await.expect_error(503, "SlurmUnreachable");
        assert!(said.contains("UTOPIA_SLURM"), "{said}");
        let gpus = http.get("/api/gpus").await.expect(200);
        assert_eq!((&gpus["gpus"], gpus["warnings"].as_array().unwrap().len()), (&json!([]), 2));
        assert!(gpus["warnings"][0].as_str().unwrap().contains("cluster default"), "{gpus}");
        relay.mend();
        let seen = ends(&http, &format!("default/{id}"), "job.completed").await;
        assert_eq!(seen, ["job.pending", "job.running", "job.completed"]);
        std::fs::remove_file(&gate).unwrap();
        plane.stop().await;
    })
    .await;
}

/// A newer Slurm, which is played, and a control plane on a database of each kind.
async fn with_played(test: impl AsyncFn(&Plane, &Cluster)) {
    let on = async |url: &str| {
        let cluster = Cluster::start().await;
        let plane = Plane::start_as(url, &cluster.arguments()).await;
        test(&plane, &cluster).await;
        plane.stop().await;
    };
    with_sqlite(on).await;
    with_postgres(on).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_slurm_forgets_is_lost_and_remembered() {
    with_played(async |plane, cluster| {
        let http = plane.as_user();
        let submitted = http.post(JOBS, &json!({"script": "#!/bin/sh\n", "job_name": "train"})).await.expect(201);
        let id = submitted["job_id"].as_i64().unwrap();
        cluster.set(id, "RUNNING");
        ends(&http, &format!("default/{id}"), "job.running").await;
        cluster.forget(id);
        assert_eq!(ends(&http, &format!("default/{id}"), "job.lost").await, ["job.pending", "job.running", "job.lost"]);
        let job = http.get(&format!("{JOBS}/{id}")).await.expect(200);
        assert_eq!((text(&job, "status"), text(&job, "reason")), ("lost", "ForgottenBySlurm"));
        assert_eq!((text(&job, "slurm_state"), text(&job, "job_name")), ("RUNNING", "train"));
        plane.as_other().get(&format!("{JOBS}/{id}")).await.expect_error(404, "NotFound");
        // There is nothing left to cancel.
        assert_eq!(http.delete(&format!("{JOBS}/{id}")).await.expect(200)["status"], "lost");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_others_are_seen_once_they_are_there() {
    with_played(async |plane, cluster| {
        let (user, operator) = (plane.as_user(), plane.as_operator());
        // By hand, as a user whose name somebody here has, and as one whose name nobody has.
        let of_user = cluster.add("uma", "RUNNING");
        let of_nobody = cluster.add("zoe", "PENDING");
        ends(&user, &format!("default/{of_user}"), "job.running").await;
        ends(&operator, &format!("default/{of_nobody}"), "job.pending").await;
        assert!(kinds(&user, &format!("default/{of_nobody}")).await.is_empty());
        cluster.set(of_user, "TIMEOUT");
        cluster.set(of_nobody, "OUT_OF_MEMORY");
        assert_eq!(ends(&user, &format!("default/{of_user}"), "job.timeout").await.len(), 2);
        ends(&operator, &format!("default/{of_nobody}"), "job.failed").await;
        // So quick that nobody saw it run.
        let quick = cluster.add("uma", "COMPLETED");
        assert_eq!(ends(&user, &format!("default/{quick}"), "job.completed").await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_had_ended_before_anybody_looked_is_no_event() {
    let cluster = Cluster::start().await;
    let old = cluster.add("uma", "COMPLETED");
    with_sqlite(async |url| {
        let plane = Plane::start_as(url, &cluster.arguments()).await;
        let new = cluster.add("uma", "RUNNING");
        ends(&plane.as_user(), &format!("default/{new}"), "job.running").await;
        assert!(kinds(&plane.as_user(), &format!("default/{old}")).await.is_empty());
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_that_was_not_written_down_is_found_out_afterwards() {
    let cluster = Cluster::start().await;
    with_sqlite(async |url| {
        let plane = Plane::start_as(url, &cluster.arguments()).await;
        // As if the control plane had ended between Slurm's answer and its own, and the job before it started again.
        let uuid = plane.people.user.uuid.clone();
        let stopped = plane.pause().await;
        let id = cluster.add_marked("uma", "FAILED", &format!("utopia:{uuid}"));
        let forged = cluster.add_marked("zoe", "FAILED", &format!("utopia:{uuid}"));
        let plane = stopped.resume().await;
        assert_eq!(ends(&plane.as_user(), &format!("default/{id}"), "job.failed").await.len(), 1);
        // Zoe may write what she likes: her job is not somebody else's.
        ends(&plane.as_operator(), &format!("default/{forged}"), "job.failed").await;
        assert!(kinds(&plane.as_user(), &format!("default/{forged}")).await.is_empty());
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_tell_of_a_change_once() {
    let cluster = Cluster::start().await;
    with_postgres(async |url| {
        let plane = Plane::start_as(url, &cluster.arguments()).await;
        let beside = plane.beside().await;
        let http = plane.as_user();
        let id = http.post(JOBS, &json!({"script": "#!/bin/sh\n"})).await.expect(201)["job_id"].as_i64().unwrap();
        cluster.set(id, "RUNNING");
        ends(&http, &format!("default/{id}"), "job.running").await;
        cluster.set(id, "COMPLETED");
        ends(&http, &format!("default/{id}"), "job.completed").await;
        // Both have looked at all since then when both have written something that is new.
        let mark = cluster.add("uma", "RUNNING");
        ends(&http, &format!("default/{mark}"), "job.running").await;
        beside.stop().await;
        assert_eq!(kinds(&http, &format!("default/{id}")).await, ["job.pending", "job.running", "job.completed"]);
        plane.stop().await;
    })
    .await;
}
