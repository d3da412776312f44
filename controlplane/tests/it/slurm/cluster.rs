//! A cluster of Slurm that is played, in the shapes of a newer slurmrestd than Debian's.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::stand_in::{Asked, StandIn, json as answer};

/// What the tests know of its API.
const API: &str = "/slurm/v0.0.41";

/// The cluster, and what a control plane is told of it.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) server: StandIn,
    jobs: Jobs,
    setting: String,
    _directory: TempDir,
}

type Jobs = Arc<Mutex<Vec<Json>>>;

impl Cluster {
    /// One that is called `default`.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("jwt.key");
        std::fs::write(&key_file, [7; 32]).unwrap();
        let jobs = Jobs::default();
        let known = jobs.clone();
        let server = StandIn::start(move |asked| play(asked, &known)).await;
        let setting = format!("default={} key-file={}", server.url, key_file.display());
        Self { server, jobs, setting, _directory: directory }
    }

    /// People have their own names in it.
    pub(crate) fn arguments(&self) -> [&str; 6] {
        // Nobody waits for events longer than necessary.
        ["--slurm", &self.setting, "--slurm-users", "*", "--slurm-poll-seconds", "1"]
    }

    /// Adds a job of a user in a state, and answers its number.
    pub(crate) fn add(&self, user: &str, state: &str) -> i64 {
        self.add_marked(user, state, "")
    }

    /// The same with a comment.
    pub(crate) fn add_marked(&self, user: &str, state: &str, comment: &str) -> i64 {
        let mut jobs = self.jobs();
        let job = job(&jobs, user, state, "by hand", comment);
        let id = job["job_id"].as_i64().unwrap();
        jobs.push(job);
        id
    }

    /// Puts a job into a state.
    pub(crate) fn set(&self, id: i64, state: &str) {
        let mut jobs = self.jobs();
        let job = jobs.iter_mut().find(|job| job["job_id"] == id).unwrap();
        job["job_state"] = json!([state]);
    }

    /// Forgets a job.
    pub(crate) fn forget(&self, id: i64) {
        self.jobs().retain(|job| job["job_id"] != id);
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<Json>> {
        self.jobs.lock().unwrap()
    }

    /// What was sent with the last submission.
    pub(crate) fn submitted(&self) -> Json {
        let asked = self.server.asked().into_iter().rev().find(|asked| asked.path().ends_with("/job/submit"));
        serde_json::from_slice(&asked.expect("a submission").body).unwrap()
    }
}

fn job(jobs: &[Json], user: &str, state: &str, name: &str, comment: &str) -> Json {
    let id = jobs.iter().filter_map(|job| job["job_id"].as_i64()).max().unwrap_or(100) + 1;
    let set = |number: i64| json!({"set": true, "infinite": false, "number": number});
    json!({
        "job_id": id, "name": name, "user_name": user, "job_state": [state], "state_reason": "None", "partition": "gpu",
        "nodes": "n[1-2]", "submit_time": set(1_795_211_263), "start_time": set(1_795_211_264), "end_time": set(1_795_211_864),
        "time_limit": {"set": true, "infinite": true, "number": 0}, "cpus": set(4), "node_count": set(2), "gres_detail": [],
        "exit_code": {"status": ["SUCCESS"], "return_code": set(0), "signal": {"id": set(0), "name": ""}},
        "tres_alloc_str": "cpu=4,gres/gpu=4", "tres_per_node": "gres/gpu:2", "comment": comment,
    })
}

fn head(body: Json) -> Json {
    let mut head = json!({"meta": {"slurm": {"release": "24.11.1"}}, "errors": [], "warnings": []});
    head.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    head
}

fn play(asked: &Asked, jobs: &Jobs) -> Response {
    let mut jobs = jobs.lock().unwrap();
    let header = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let (Some(user), Some(_)) = (header("x-slurm-user-name"), header("x-slurm-user-token")) else {
        return answer(401, &json!({}));
    };
    if asked.path() == "/openapi/v3" {
        return answer(
            200,
            &json!({"paths": {"/slurm/v0.0.39/jobs": {}, format!("{API}/jobs/"): {}, "/slurmdb/v0.0.41/jobs/": {}}}),
        );
    }
    let path = asked.path().strip_prefix(API).unwrap_or_default();
    let id = path.strip_prefix("/job/").and_then(|id| id.parse::<i64>().ok());
    let at = jobs.iter().position(|job| Some(job["job_id"].as_i64().unwrap()) == id);
    let unknown = || answer(404, &head(json!({"errors": [{"error_number": 2017, "error": "Invalid job id specified"}]})));
    match (&asked.method, path) {
        (&Method::GET, "/ping") => answer(200, &head(json!({"pings": []}))),
        (&Method::GET, "/jobs") => answer(200, &head(json!({"jobs": *jobs}))),
        (&Method::GET, "/nodes") => {
            let node = json!({
                "name": "n1", "state": ["MIXED"], "cpus": 8, "alloc_cpus": 2, "real_memory": 16_000,
                "gres": "gpu:h100:2", "gres_used": "gpu:h100:1(IDX:1)", "reason": "",
            });
            answer(200, &head(json!({"nodes": [node]})))
        }
        (&Method::POST, "/job/submit") => {
            let body: Json = serde_json::from_slice(&asked.body).unwrap();
            let text = |key: &str| body["job"][key].as_str().unwrap_or_default().to_owned();
            let job = job(&jobs, &user, "PENDING", &text("name"), &text("comment"));
            let id = job["job_id"].clone();
            jobs.push(job);
            answer(200, &head(json!({"result": {"job_id": id}})))
        }
        (&Method::GET, _) => at.map_or_else(unknown, |at| answer(200, &head(json!({"jobs": [jobs[at]]})))),
        (&Method::DELETE, _) => match at {
            None => unknown(),
            Some(at) => {
                jobs[at]["job_state"] = json!(["CANCELLED"]);
                answer(200, &head(json!({})))
            }
        },
        _ => answer(StatusCode::NOT_FOUND.as_u16(), &json!("Unable find requested URL")),
    }
}
