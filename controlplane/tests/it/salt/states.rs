//! States on real minions. A minion applies one at a time, so all of it is one test.

use serde_json::{Value as Json, json};

use super::{deploy, with_real};
use crate::{
    plane::{Plane, text},
    wait::eventually,
};

#[tokio::test]
async fn states_are_told_part_by_part() {
    with_real(async |plane| {
        what_holds(plane).await;
        what_fails(plane).await;
        what_would_change(plane).await;
        what_runs_on(plane).await;
    })
    .await;
}

async fn what_holds(plane: &Plane) {
    let deployment = deploy(plane, &json!({"target": "node*", "state": "slurm.compute"})).await.expect(200);
    assert_eq!(keys(&deployment), ["complete", "job_id", "missing", "results", "state", "success", "target"]);
    assert_eq!((text(&deployment, "state"), text(&deployment, "target")), ("slurm.compute", "node*"));
    assert_eq!(
        (&deployment["complete"], &deployment["success"], &deployment["missing"]),
        (&json!(true), &json!(true), &json!([]))
    );
    for (at, minion) in ["node01", "node02"].into_iter().enumerate() {
        let result = &deployment["results"][at];
        assert_eq!((&result["minion"], &result["success"], &result["errors"]), (&json!(minion), &json!(true), &json!([])));
        let functions = parts(result, "function");
        assert_eq!(functions, [json!("file.managed"), json!("cmd.run")], "{result}");
        assert_eq!(parts(result, "id"), [json!("compute_conf"), json!("compute_check")]);
        let check = &result["states"][1];
        assert_eq!((&check["success"], &check["changed"]), (&json!(true), &json!(true)));
        assert_eq!(check["changes"]["stdout"], format!("NodeName={minion}"));
        assert!(check["duration_ms"].as_f64().unwrap() > 0.0, "{check}");
    }
    let audited = plane.as_admin().get("/api/v1/audit?event_type=salt").await.expect(200)["data"]["events"][0].clone();
    assert_eq!((text(&audited, "action"), text(&audited, "resource_id")), ("Deploy", "node*"));
    assert_eq!(audited["new_value"]["job_id"], deployment["job_id"]);
}

async fn what_fails(plane: &Plane) {
    let deployment = deploy(plane, &json!({"target": "node01", "state": "mixed"})).await.expect(200);
    assert_eq!((&deployment["complete"], &deployment["success"]), (&json!(true), &json!(false)));
    let result = &deployment["results"][0];
    assert_eq!((&result["minion"], &result["success"]), (&json!("node01"), &json!(false)));
    assert_eq!(parts(result, "success"), [json!(true), json!(false), json!(false)], "{result}");
    let broken = &result["states"][1];
    assert_eq!((text(broken, "id"), &broken["changes"]["retcode"]), ("broken_command", &json!(7)));
    assert_eq!(broken["changes"]["stderr"], "cannot");
    assert!(text(&result["states"][2], "comment").contains("requisite"), "{result}");

    let none = deploy(plane, &json!({"target": "node01", "state": "no.such"})).await.expect(200);
    let result = &none["results"][0];
    assert_eq!((&none["success"], &result["states"]), (&json!(false), &json!([])));
    assert!(result["errors"][0].as_str().unwrap().contains("no.such"), "{none}");

    deploy(plane, &json!({"target": "node99", "state": "motd"})).await.expect_error(404, "NoSuchMinion");
}

async fn what_would_change(plane: &Plane) {
    // What the file says depends on the pillar, so one of the two would change it.
    let mut changed = Vec::new();
    for role in ["gpu-of-a-test", "another"] {
        let body = json!({"target": "node02", "state": "motd", "test": true, "pillar": {"role": role}});
        let deployment = deploy(plane, &body).await.expect(200);
        assert_eq!((&deployment["success"], &deployment["results"][0]["success"]), (&json!(true), &json!(true)), "{deployment}");
        changed.push(deployment["results"][0]["states"][0]["changed"] == true);
    }
    assert_eq!(changed, [true, true]);
}

async fn what_runs_on(plane: &Plane) {
    let slow = json!({"target": "node01", "state": "slow", "timeout_seconds": 1});
    let deployment = deploy(plane, &slow).await.expect(200);
    assert_eq!((&deployment["complete"], &deployment["missing"]), (&json!(false), &json!(["node01"])));
    let path = format!("/api/saltstack/jobs/{}", text(&deployment, "job_id"));
    let look = async || Some(plane.as_operator().get(&path).await.expect(200)).filter(|job| job["complete"] == true);
    let job = eventually("the end of a state", look).await;
    assert_eq!((text(&job, "function"), &job["success"]), ("state.apply", &json!(true)));
}

fn parts(result: &Json, key: &str) -> Vec<Json> {
    result["states"].as_array().unwrap().iter().map(|part| part[key].clone()).collect()
}

fn keys(object: &Json) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
