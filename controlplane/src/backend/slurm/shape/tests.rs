//! The same jobs and nodes as versions of slurmrestd tell them.

use serde_json::json;

use super::*;

fn job(value: Value) -> Job {
    let list: JobList = serde_json::from_value(json!({"jobs": [value]})).unwrap();
    list.into_jobs("c").pop().unwrap().job
}

fn node(value: Value) -> FoundNode {
    let list: NodeList = serde_json::from_value(json!({"nodes": [value]})).unwrap();
    list.into_nodes("c").pop().unwrap()
}

fn set(number: i64) -> Value {
    json!({"set": true, "infinite": false, "number": number})
}

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

#[test]
fn a_running_job_in_the_old_shape() {
    let job = job(json!({
        "job_id": 2, "name": "demo", "user_name": "alice", "job_state": "RUNNING", "state_reason": "None", "partition": "gpu",
        "nodes": "node[01-02]", "submit_time": 1_795_211_263, "start_time": 1_795_211_264, "end_time": 1_795_211_864,
        "time_limit": 10, "exit_code": 0, "cpus": 4, "node_count": 2, "gres_detail": ["gpu:h100:2(IDX:0-1)"],
        "tres_per_node": "gres:gpu:h100:2", "tres_alloc_str": "cpu=2,mem=1G,node=1,billing=2", "array_task_id": null,
    }));
    let expected = Job {
        job_id: 2,
        status: JobStatus::Running.into(),
        partition: "gpu".into(),
        nodes: vec!["node01".into(), "node02".into()],
        start_time: at(1_795_211_264),
        job_name: "demo".into(),
        cluster: "c".into(),
        user: "alice".into(),
        submit_time: at(1_795_211_263),
        slurm_state: "RUNNING".into(),
        cpus: 4,
        gpus: 2,
        time_limit_minutes: 10,
        ..Job::default()
    };
    assert_eq!(job, expected);
}

#[test]
fn the_same_job_in_the_new_shape() {
    let old = job(json!({
        "job_id": 7, "job_state": "FAILED", "state_reason": "NonZeroExitCode", "exit_code": 768, "nodes": "n1", "end_time": 20,
        "submit_time": 10, "start_time": 11, "time_limit": null, "cpus": 1, "gres_detail": [],
        "tres_alloc_str": "cpu=1,gres/gpu=4,gres/gpu:h100=4",
    }));
    let new = job(json!({
        "job_id": 7, "job_state": ["FAILED"], "state_reason": "NonZeroExitCode", "nodes": "n1", "end_time": set(20),
        "exit_code": {"status": ["ERROR"], "return_code": set(3), "signal": {"id": {"set": false, "infinite": false, "number": 0}, "name": ""}},
        "submit_time": set(10), "start_time": set(11), "time_limit": {"set": true, "infinite": true, "number": 0}, "cpus": set(1),
        "gres_detail": [], "tres_alloc_str": "cpu=1,gres/gpu=4,gres/gpu:h100=4",
    }));
    assert_eq!(new, old);
    assert_eq!((new.exit_code, new.gpus, new.time_limit_minutes, new.end_time), (3, 4, 0, at(20)));
}

#[test]
fn exit_codes_and_signals() {
    let signal = |id: Value| json!({"return_code": 0, "signal": id});
    for (value, code) in [
        (json!(0), 0),
        (json!(768), 3),
        (json!(15), 143),
        (json!(9), 137),
        (json!(null), 0),
        (json!(4_294_967_294_u32), 0),
        (set(256), 1),
        (json!({"status": ["SUCCESS"], "return_code": set(0)}), 0),
        (signal(json!({"signal_id": 9, "name": "KILL"})), 137),
        (signal(json!({"id": set(15), "name": "SIGTERM"})), 143),
    ] {
        assert_eq!(exit_code(&value), code, "{value}");
    }
}

#[test]
fn a_pending_job_has_no_start_and_no_end() {
    let job = job(json!({
        "job_id": 3, "job_state": ["PENDING"], "state_reason": "Resources", "nodes": "", "start_time": set(99), "end_time": set(100),
        "submit_time": set(1), "node_count": set(2), "tres_per_node": "gres/gpu:h100:2",
    }));
    assert_eq!((job.start_time, job.end_time, &*job.reason, job.gpus), (None, None, "Resources", 4));
    assert!(job.nodes.is_empty());
}

#[test]
fn nodes_in_both_shapes() {
    let old = node(json!({
        "name": "node01", "state": "mixed", "state_flags": ["DRAIN"], "cpus": 8, "alloc_cpus": 2, "real_memory": 16_000,
        "gres": "gpu:h100:4", "gres_used": "gpu:h100:2(IDX:0-1)", "reason": "maint", "owner": null,
    }));
    let new = node(json!({
        "name": "node01", "state": ["MIXED", "DRAIN"], "cpus": 8, "alloc_cpus": 2, "real_memory": set(16_000),
        "gres": "gpu:h100:4", "gres_used": "gpu:h100:2(IDX:0-1)", "reason": "maint",
    }));
    assert_eq!(old, new);
    assert_eq!((&*old.node.state, old.memory_mib, old.is_there), ("draining", 16_000, true));
    assert_eq!(old.gpus_in_use, [0, 1].into());
    assert!(!node(json!({"name": "n", "state": "down*"})).is_there);
}

#[test]
fn heads_and_submissions_in_both_shapes() {
    for (release, text) in [
        ("22.05.8", json!({"meta": {"Slurm": {"version": {"major": 22}, "release": "22.05.8"}}, "errors": []})),
        ("24.11.1", json!({"meta": {"slurm": {"version": {"major": "24"}, "release": "24.11.1"}}, "errors": [], "warnings": []})),
        ("", json!({"errors": null})),
    ] {
        assert_eq!(serde_json::from_value::<Head>(text).unwrap().release(), release);
    }
    for (id, text) in [
        (Some(2), json!({"job_id": 2, "step_id": "BATCH"})),
        (Some(3), json!({"result": {"job_id": 3, "step_id": "batch"}})),
        (None, json!({"job_id": 0})),
        (None, json!({})),
    ] {
        assert_eq!(serde_json::from_value::<Submitted>(text).unwrap().job_id(), id);
    }
}
