//! Slurm through the JSON API: the real one, and clusters that are played, away, slow or strange.

pub(crate) mod cluster;
mod faults;
mod watched;

use std::env;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    agent::{Agent, hesitate},
    databases::with_sqlite,
    http::Http,
    machine::Machine,
    people::Member,
    plane::{Plane, text},
    wait::eventually,
};

const JOBS: &str = "/api/slurm/jobs";

/// Where the real Slurm is, the key of its tokens, and two of its users.
struct Real {
    url: String,
    key_file: String,
    users: [String; 2],
}

impl Real {
    /// The Slurm that the environment names. Without one the test is skipped, except where `CI` is set.
    fn find() -> Option<Self> {
        let variable = |name: &str| env::var(format!("UTOPIA_TEST_SLURM_{name}")).ok();
        let found = || {
            let users = [variable("USER")?, variable("OTHER_USER")?];
            Some(Self { url: variable("URL")?, key_file: variable("KEY_FILE")?, users })
        };
        let found = found();
        if found.is_none() {
            assert_ne!(env::var("CI").as_deref(), Ok("true"), "there is no Slurm to test with");
            eprintln!("SKIPPED: there is no Slurm to test with: see .ci/backends.sh");
        }
        found
    }

    /// The settings of a control plane that knows it, by this address, under two names, and uma and otto as its users, and others by their own names.
    fn arguments(&self, url: &str) -> [String; 6] {
        let key = format!("key-file={}", self.key_file);
        let [uma, otto] = &self.users;
        [
            "--slurm".to_owned(),
            format!("default={url} {key}; twin={url} {key}"),
            "--slurm-users".to_owned(),
            format!("uma={uma},otto={otto},*"),
            "--slurm-poll-seconds".to_owned(),
            "1".to_owned(),
        ]
    }
}

/// Runs a test with a control plane that knows the real Slurm.
async fn with_slurm(test: impl AsyncFnOnce(&Plane, &Real)) {
    let Some(real) = Real::find() else { return };
    with_sqlite(async |url| {
        let plane = start(url, &real.arguments(&real.url)).await;
        test(&plane, &real).await;
        plane.stop().await;
    })
    .await;
}

async fn start(url: &str, arguments: &[String]) -> Plane {
    Plane::start_as(url, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Submits a job with a script, and answers its number.
async fn submit(http: &Http, script: &str) -> i64 {
    let body = json!({"job_name": name(), "script": format!("#!/bin/sh\n{script}\n"), "memory_per_node_mb": 10, "standard_output": "/dev/null"});
    http.post(JOBS, &body).await.expect(201)["job_id"].as_i64().unwrap()
}

/// A name that no other test uses.
fn name() -> String {
    format!("it-{}", Uuid::new_v4().simple())
}

/// Waits until a job stands so; answers it.
async fn reaches(http: &Http, id: i64, status: &str) -> Json {
    let look = async || Some(http.get(&format!("{JOBS}/{id}")).await.expect(200)).filter(|job| job["status"] == status);
    eventually(&format!("job {id} to be {status}"), look).await
}

fn keys(json: &Json) -> Vec<&str> {
    json.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_and_nodes_are_as_documented() {
    with_slurm(async |plane, _| {
        let http = plane.as_user();
        let clusters = http.get("/api/slurm/clusters").await.expect(200);
        let clusters = clusters["clusters"].as_array().unwrap();
        for (at, name) in ["default", "twin"].into_iter().enumerate() {
            let cluster = &clusters[at];
            assert_eq!((&cluster["id"], &cluster["name"], &cluster["status"]), (&json!(at + 1), &json!(name), &json!("active")));
            assert_eq!((&cluster["nodes"], &cluster["total_cpus"], &cluster["total_gpus"]), (&json!(2), &json!(16), &json!(8)));
            assert_eq!((&cluster["total_memory"], &cluster["api_version"]), (&json!("31GB"), &json!("v0.0.38")));
            assert!(text(cluster, "slurm_version").starts_with("22.05."), "{cluster}");
        }
        let nodes = http.get("/api/slurm/nodes?cluster=twin").await.expect(200);
        let nodes = nodes["nodes"].as_array().unwrap();
        assert_eq!(nodes.iter().map(|node| text(node, "name")).collect::<Vec<_>>(), ["node01", "node02"]);
        for node in nodes {
            assert_eq!((&node["cpus"], &node["memory"], &node["cluster"]), (&json!(8), &json!("16GB"), &json!("twin")));
            assert!(node["jobs"].is_array() && ["idle", "mixed", "allocated"].contains(&text(node, "state")), "{node}");
            assert_eq!((text(&node["gpus"][0], "type"), &node["gpus"][0]["count"]), ("h100", &json!(4)));
        }
        http.get("/api/slurm/nodes?cluster=other").await.expect_error(404, "NotFound");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_submitted_runs_and_completes() {
    with_slurm(async |plane, real| {
        let http = plane.as_user();
        let name = name();
        let output = format!("/tmp/{name}.out");
        let strange = "$(touch /tmp/never); `id` 'a' \"b\" \\ |&<>\n";
        let body = json!({
            "job_name": name, "partition": "gpu", "nodes": 1, "ntasks": 1, "cpus_per_task": 1, "memory_per_node_mb": 10,
            "gpus_per_node": 2, "gpu_type": "h100", "time_limit_minutes": 5, "standard_output": output,
            "script": "#!/bin/sh\nprintf '%s/%s/%s' \"$STRANGE\" \"$CUDA_VISIBLE_DEVICES\" \"$(id -un)\"; sleep 2\n",
            "environment": {"STRANGE": strange},
        });
        let submitted = http.post(JOBS, &body).await.expect(201);
        let id = submitted["job_id"].as_i64().unwrap();
        assert!(["pending", "running"].contains(&text(&submitted, "status")), "{submitted}");
        assert!(text(&submitted, "submit_time").ends_with('Z'), "{submitted}");
        let running = reaches(&http, id, "running").await;
        assert!(["node01", "node02"].contains(&running["nodes"][0].as_str().unwrap()), "{running}");
        assert_eq!((&running["partition"], &running["job_name"], &running["gpus"]), (&json!("gpu"), &json!(name), &json!(2)));
        assert_eq!((text(&running, "user"), &running["time_limit_minutes"]), (&*real.users[0], &json!(5)));
        assert!(
            text(&running, "start_time").ends_with('Z') && text(&running, "elapsed_time").starts_with("00:00:0"),
            "{running}"
        );
        let nodes = http.get("/api/slurm/nodes").await.expect(200);
        let node = nodes["nodes"].as_array().unwrap().iter().find(|node| node["name"] == running["nodes"][0]).unwrap();
        assert!(node["jobs"].as_array().unwrap().contains(&json!(id)), "{node}");
        let completed = reaches(&http, id, "completed").await;
        assert_eq!(
            (&completed["exit_code"], &completed["slurm_state"], &completed["reason"]),
            (&json!(0), &json!("COMPLETED"), &json!(""))
        );
        let expected =
            ["cluster", "cpus", "elapsed_time", "end_time", "exit_code", "gpus", "job_id", "job_name", "nodes", "partition"];
        assert_eq!(keys(&completed)[..10], expected);
        let written = std::fs::read_to_string(&output).unwrap();
        let devices = written.strip_prefix(strange).unwrap_or_else(|| panic!("{written}"));
        let (devices, user) = devices.strip_prefix('/').unwrap().split_once('/').unwrap();
        assert_eq!((devices.split(',').count(), user), (2, &*real.users[0]));
        std::fs::remove_file(output).unwrap();
        assert!(!std::path::Path::new("/tmp/never").exists());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_fail_and_are_cancelled_with_the_reason() {
    with_slurm(async |plane, _| {
        let http = plane.as_user();
        let failing = submit(&http, "exit 3").await;
        let failed = reaches(&http, failing, "failed").await;
        assert_eq!((&failed["exit_code"], &failed["reason"]), (&json!(3), &json!("NonZeroExitCode")));
        let sleeping = submit(&http, "sleep 600").await;
        reaches(&http, sleeping, "running").await;
        let job = http.delete(&format!("{JOBS}/{sleeping}")).await.expect(200);
        assert!(["running", "cancelled"].contains(&text(&job, "status")), "{job}");
        reaches(&http, sleeping, "cancelled").await;
        // Once more changes nothing, and neither does cancelling what has failed.
        assert_eq!(http.delete(&format!("{JOBS}/{sleeping}")).await.expect(200)["status"], "cancelled");
        assert_eq!(http.delete(&format!("{JOBS}/{failing}")).await.expect(200)["status"], "failed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_are_given_and_too_many_waited_for() {
    with_slurm(async |plane, _| {
        let http = plane.as_user();
        let body = |nodes: i32| {
            json!({"script": "#!/bin/sh\nsleep 1\n", "nodes": nodes, "memory_per_node_mb": 10, "standard_output": "/dev/null"})
        };
        let id = http.post(JOBS, &body(2)).await.expect(201)["job_id"].as_i64().unwrap();
        assert_eq!(reaches(&http, id, "completed").await["nodes"], json!(["node01", "node02"]));
        // Slurm says that this cannot run now, and keeps it.
        let waiting = http.post(JOBS, &body(1000)).await.expect(201);
        let path = format!("{JOBS}/{}", waiting["job_id"]);
        // It depends on which of its schedulers looked at the job last.
        let is_too_large = |job: &Json| ["PartitionConfig", "PartitionNodeLimit"].contains(&text(job, "reason"));
        let look = async || Some(http.get(&path).await.expect(200)).filter(is_too_large);
        let job = eventually("the reason why it waits", look).await;
        assert_eq!(job["status"], "pending");
        assert_eq!(http.delete(&path).await.expect(200)["status"], "cancelled");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_reach_their_own_jobs_and_operators_all() {
    with_slurm(async |plane, real| {
        let (user, other, operator) = (plane.as_user(), plane.as_other(), plane.as_operator());
        let readonly = plane.http.with_token(&plane.people.readonly.token);
        let id = submit(&user, "sleep 600").await;
        let path = format!("{JOBS}/{id}");
        for stranger in [&other, &readonly] {
            stranger.get(&path).await.expect_error(404, "NotFound");
            let listed = stranger.get(&format!("{JOBS}?limit=100")).await.expect(200);
            assert!(
                listed["jobs"].as_array().unwrap().iter().all(|job| job["job_id"] != id && text(job, "user") != real.users[0])
            );
        }
        other.delete(&path).await.expect_error(404, "NotFound");
        readonly.delete(&path).await.expect_error(403, "PermissionDenied");
        for who in [&user, &operator] {
            let listed = who.get(&format!("{JOBS}?user={}&partition=gpu&limit=100", real.users[0])).await.expect(200);
            assert!(listed["jobs"].as_array().unwrap().iter().any(|job| job["job_id"] == id), "{listed}");
            let submitted = listed["jobs"].as_array().unwrap().iter().map(|job| text(job, "submit_time")).collect::<Vec<_>>();
            assert!(submitted.is_sorted_by(|a, b| a >= b), "{submitted:?}");
        }
        let page = operator.get(&format!("{JOBS}?page=1&limit=1")).await.expect(200);
        assert_eq!((page["jobs"].as_array().unwrap().len(), &page["limit"], &page["page"]), (1, &json!(1), &json!(1)));
        assert!(page["total"].as_i64().unwrap() >= 1);
        operator.delete(&path).await.expect(200);
        reaches(&operator, id, "cancelled").await;
        let none = operator.get(&format!("{JOBS}?state=running&user=nobody-at-all")).await.expect(200);
        assert_eq!((&none["jobs"], &none["total"]), (&json!([]), &json!(0)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_slurm_refuses_is_told_as_what_it_is() {
    with_slurm(async |plane, _| {
        let http = plane.as_user();
        let script = "#!/bin/sh\n";
        for (body, field) in [
            (json!({"script": script, "partition": "no-such"}), "partition"),
            (json!({"script": script, "gpus_per_node": 100}), ""),
            (json!({"script": "sleep 1"}), "script"),
            (json!({"script": "#!/bin/sh\n\u{0}"}), "script"),
            (json!({"script": format!("#!{}", "x".repeat(256 * 1024))}), "script"),
            (json!({"script": script, "partition": "gpu;id"}), "partition"),
        ] {
            let said = http.post(JOBS, &body).await.expect_error(400, "InvalidField");
            assert!(said.starts_with(field), "{said}");
        }
        http.post(JOBS, &json!({})).await.expect_error(400, "MissingField");
        http.post(JOBS, &json!({"script": script, "cluster": "other"})).await.expect_error(404, "NotFound");
        for id in ["999999999", "99999999999", "0", "-1"] {
            http.get(&format!("{JOBS}/{id}")).await.expect_error(404, "NotFound");
            http.delete(&format!("{JOBS}/{id}")).await.expect_error(404, "NotFound");
        }
        http.get(&format!("{JOBS}/1;id")).await.expect(400);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_becomes_a_user_of_slurm_by_name() {
    with_slurm(async |plane, _| {
        let script = json!({"script": "#!/bin/sh\n"});
        for username in ["root", "000", "slurm"] {
            let member = Member::new(plane, username, "user").await;
            member.http.post(JOBS, &script).await.expect_error(403, "NoSlurmUser");
            assert_eq!(member.http.get(JOBS).await.expect(200)["total"], 0);
        }
        // One that could be, but is not: what an old Slurm accepts all the same is taken back.
        let stranger = Member::new(plane, &format!("x{}", &Uuid::new_v4().simple().to_string()[..16]), "user").await;
        let name = name();
        let named = json!({"script": "#!/bin/sh\n", "job_name": name});
        stranger.http.post(JOBS, &named).await.expect_error(403, "NoSlurmUser");
        let all = plane.as_operator().get(&format!("{JOBS}?limit=100")).await.expect(200);
        let of_stranger = all["jobs"].as_array().unwrap().iter().filter(|job| job["job_name"] == *name);
        assert!(of_stranger.clone().all(|job| job["status"] == "cancelled"), "{all}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_gpus_are_on_one_page() {
    with_slurm(async |plane, _| {
        let http = plane.as_user();
        let node = Machine::new("a-node", 2).join(plane).await;
        let _agent = Agent::scripted(plane, &node, hesitate).await;
        let free =
            async || Some(http.get("/api/gpus?source=agent&status=free").await.expect(200)).filter(|page| page["total"] == 2);
        eventually("the agent's GPUs", free).await;
        let gpus = http.get("/api/gpus?limit=100").await.expect(200);
        // The same two nodes of Slurm under two names, and one node with an agent.
        assert_eq!((&gpus["total"], &gpus["warnings"]), (&json!(18), &json!([])));
        let gpus = gpus["gpus"].as_array().unwrap();
        assert_eq!((text(&gpus[0], "source"), text(&gpus[0], "status"), text(&gpus[0], "node_id")), ("agent", "free", &*node.id));
        assert_eq!(
            (text(&gpus[2], "source"), text(&gpus[2], "node_name"), text(&gpus[2], "cluster")),
            ("slurm", "node01", "default")
        );
        assert_eq!((text(&gpus[2], "model"), &gpus[3]["index"]), ("h100", &json!(1)));
        let page = http.get("/api/gpus?source=slurm&node=node02&limit=3&page=2").await.expect(200);
        assert_eq!((&page["total"], page["gpus"].as_array().unwrap().len()), (&json!(8), 3));
        let id = submit_with_gpus(&http).await;
        reaches(&http, id, "running").await;
        let allocated = http.get("/api/gpus?status=allocated&limit=100").await.expect(200);
        // Other tests have GPUs as well; each of Slurm is there under both names.
        assert!(allocated["total"].as_i64().unwrap() >= 2 && allocated["total"].as_i64().unwrap() % 2 == 0, "{allocated}");
        http.delete(&format!("{JOBS}/{id}")).await.expect(200);
        http.get("/api/gpus?status=no-such").await.expect(400);
    })
    .await;
}

async fn submit_with_gpus(http: &Http) -> i64 {
    let body = json!({
        "job_name": name(), "script": "#!/bin/sh\nsleep 60\n", "memory_per_node_mb": 10, "gpus_per_node": 1,
        "standard_output": "/dev/null",
    });
    http.post(JOBS, &body).await.expect(201)["job_id"].as_i64().unwrap()
}
