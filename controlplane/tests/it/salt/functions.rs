//! Functions on real minions: results, jobs, and what may not run.

use http::StatusCode;
use serde_json::json;

use super::{execute, real, results, with, with_real};
use crate::{
    plane::text,
    wait::{eventually, soon},
};

#[tokio::test]
async fn a_function_runs_on_the_minions_that_are_named() {
    with_real(async |plane| {
        let ping = json!({"target": "node01", "function": "test.ping"});
        let job = execute(plane, &ping).await.expect(200);
        let id = text(&job, "job_id").to_owned();
        let expected = json!({
            "job_id": id, "function": "test.ping", "target": "node01", "complete": true, "success": true,
            "results": [{"minion": "node01", "success": true, "result": true, "return_code": 0}], "missing": [],
            "start_time": job["start_time"],
        });
        assert_eq!(job, expected);
        let compact = text(&job, "start_time").replace(['-', ':', 'T', '.'], "");
        assert_eq!((id.len(), compact), (20, id));

        for (target, kind, who) in [
            ("node0[12]", "glob", json!({"node01": 7, "node02": 7})),
            ("node02,node01", "list", json!({"node01": 7, "node02": 7})),
            ("rack:r2", "grain", json!({"node02": 7})),
        ] {
            let command = json!({"target": target, "target_type": kind, "function": "test.echo", "args": [7]});
            let job = execute(plane, &command).await.expect(200);
            assert_eq!((results(&job), &job["complete"]), (who, &json!(true)), "{job}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_does_not_exist_is_named() {
    with_real(async |plane| {
        for (target, kind) in [("node99", "glob"), ("node98,node99", "list"), ("rack:r99", "grain")] {
            let command = json!({"target": target, "target_type": kind, "function": "test.ping"});
            let sentence = execute(plane, &command).await.expect_error(404, "NoSuchMinion");
            assert_eq!(sentence, format!("{target} names no minion"));
        }
        let command = json!({"target": "node01,node99", "target_type": "list", "function": "test.ping"});
        let job = execute(plane, &command).await.expect(200);
        assert_eq!((&job["complete"], &job["success"], &job["missing"]), (&json!(false), &json!(false), &json!(["node99"])));
        assert_eq!(results(&job), json!({"node01": true}));
        let id = text(&job, "job_id");
        let again = plane.as_operator().get(&format!("/api/saltstack/jobs/{id}")).await.expect(200);
        assert_eq!(again, job);
    })
    .await;
}

#[tokio::test]
async fn what_takes_long_is_a_job_that_goes_on() {
    with_real(async |plane| {
        let begun = json!({"target": "node01", "function": "test.echo", "args": ["later"], "async": true});
        let job = execute(plane, &begun).await.expect(200);
        assert_eq!((&job["complete"], &job["missing"], &job["results"]), (&json!(false), &json!(["node01"]), &json!([])));
        let slow = json!({"target": "node02", "function": "test.sleep", "args": [5], "timeout_seconds": 1});
        let long = soon("an answer before the end", execute(plane, &slow)).await.expect(200);
        assert_eq!((&long["complete"], &long["success"], &long["missing"]), (&json!(false), &json!(false), &json!(["node02"])));
        for (job, minion, result) in [(job, "node01", json!("later")), (long, "node02", json!(true))] {
            let path = format!("/api/saltstack/jobs/{}", text(&job, "job_id"));
            let look = async || Some(plane.as_operator().get(&path).await.expect(200)).filter(|job| job["complete"] == true);
            let job = eventually("the end of a job", look).await;
            assert_eq!((results(&job), &job["success"]), (json!({ minion: result }), &json!(true)));
        }
    })
    .await;
}

#[tokio::test]
async fn only_jobs_of_the_control_plane_are_shown() {
    with_real(async |plane| {
        for id in ["20010101000000000000", "1", "2026112021513642212x", "..", "%00"] {
            plane.as_operator().get(&format!("/api/saltstack/jobs/{id}")).await.expect_error(404, "NotFound");
        }
        // The master keeps the questions of its own runners as jobs too.
        let job = execute(plane, &json!({"target": "node01", "function": "test.ping"})).await.expect(200);
        let path = format!("/api/saltstack/jobs/{}", text(&job, "job_id"));
        plane.as_operator().get(&path).await.expect(200);
        assert_eq!(plane.as_user().get(&path).await.status, StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn only_functions_of_the_list_run() {
    with_real(async |plane| {
        for function in ["cmd.run", "cmd.shell", "state.single", "test.cross_test", "test.try", "pillar.items", "testing.ping"] {
            let command = json!({"target": "node01", "function": function, "args": ["cmd.run", ["id"]]});
            let sentence = execute(plane, &command).await.expect_error(403, "FunctionNotAllowed");
            assert!(sentence.contains(function) && sentence.contains("UTOPIA_SALT_ALLOW"), "{sentence}");
        }
        let command = json!({"target": "node01", "function": "test.ping"});
        for person in [&plane.people.user, &plane.people.readonly] {
            let http = plane.as_person(person);
            http.post("/api/saltstack/execute", &command).await.expect_error(403, "PermissionDenied");
        }
    })
    .await;
    let Some(salt) = real() else { return };
    with(&salt, &["--salt-allow", "test.ping,test.cross_test"], async |plane| {
        let command = json!({"target": "node01", "function": "test.cross_test", "args": ["test.echo", ["named in full"]]});
        assert_eq!(results(&execute(plane, &command).await.expect(200)), json!({"node01": "named in full"}));
        let echo = json!({"target": "node01", "function": "test.echo", "args": ["a"]});
        execute(plane, &echo).await.expect_error(403, "FunctionNotAllowed");
        let state = json!({"target": "node01", "state": "motd"});
        super::deploy(plane, &state).await.expect_error(403, "FunctionNotAllowed");
    })
    .await;
}

#[tokio::test]
async fn a_function_that_fails_is_a_result() {
    with_real(async |plane| {
        let command = json!({"target": "node01", "function": "test.retcode", "args": [3]});
        let job = execute(plane, &command).await.expect(200);
        assert_eq!(
            (&job["complete"], &job["success"], &job["results"][0]["return_code"]),
            (&json!(true), &json!(false), &json!(3))
        );
        let command = json!({"target": "node01", "function": "test.nothing"});
        let job = execute(plane, &command).await.expect(200);
        assert_eq!((&job["complete"], &job["success"]), (&json!(true), &json!(false)), "{job}");
    })
    .await;
}
