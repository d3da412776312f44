use serde_json::json;

use super::*;

const ID: &str = "20261120215136422127";

fn job(raw: Value) -> Option<Job> {
    serde_json::from_value::<RawJob>(raw).unwrap().job(ID)
}

fn outcome(value: Value, return_code: i32) -> MinionOutcome {
    MinionOutcome { value, return_code, is_success: return_code == 0 }
}

#[test]
fn a_job_tells_who_answered_and_who_did_not() {
    let found = job(json!({
        "jid": ID, "Function": "test.echo", "Arguments": ["a"], "Target": ["node01", "node02", "gone"], "Target-type": "list",
        "User": "utopia", "Minions": ["node01", "node02"], "StartTime": "2026, Nov 20 21:51:36.422127",
        "Result": {"node01": {"return": "a", "retcode": 0, "success": true}}
    }))
    .unwrap();
    assert_eq!((found.function.as_str(), found.target.as_str()), ("test.echo", "node01,node02,gone"));
    assert_eq!(found.outcomes, BTreeMap::from([("node01".to_owned(), outcome(json!("a"), 0))]));
    assert_eq!(found.missing().collect::<Vec<_>>(), ["gone", "node02"]);
    assert_eq!(found.start_time, "2026-11-20T21:51:36.422127");
}

#[test]
fn what_salt_does_not_know_is_no_job() {
    let error = "Cannot contact returner or no job with this jid";
    assert_eq!(job(json!({"jid": ID, "Error": error, "StartTime": "", "Result": {}})), None);
    assert_eq!(job(json!({"jid": ID})), None);
}

#[test]
fn a_return_code_or_the_minion_itself_says_that_it_failed() {
    for (raw, expected) in [
        (json!({"return": 1, "retcode": 0, "success": true}), (0, true)),
        (json!({"return": 1, "retcode": 2, "success": true}), (2, false)),
        (json!({"return": 1, "retcode": 0, "success": false}), (0, false)),
        (json!({"return": 1}), (0, true)),
    ] {
        let outcome = serde_json::from_value::<RawOutcome>(raw.clone()).unwrap().outcome();
        assert_eq!((outcome.return_code, outcome.is_success), expected, "{raw}");
    }
}

#[test]
fn states_are_told_in_the_order_in_which_they_ran() {
    let value = json!({
        "cmd_|-after_|-echo a_|-b_|-run": {"result": false, "comment": "One or more requisite failed: broken", "changes": {},
            "__run_num__": 2, "__id__": "after", "name": "echo a_|-b"},
        "file_|-motd_|-/etc/motd_|-managed": {"result": true, "comment": ["updated", "twice"], "changes": {"diff": "New file"},
            "__run_num__": 0, "__id__": "motd", "name": "/etc/motd", "duration": 38.5},
        "cmd_|-check_|-true_|-run": {"result": null, "comment": "would run", "changes": {"cmd": "true"}, "__run_num__": 1},
    });
    let told = state_outcome(&outcome(value, 2));
    let part = |id: &str, function: &str, name: &str, holds| (id.to_owned(), function.to_owned(), name.to_owned(), holds);
    let parts = told.parts.iter().map(|told| part(&told.id, &told.function, &told.name, told.holds)).collect::<Vec<_>>();
    assert_eq!(
        parts,
        [
            part("motd", "file.managed", "/etc/motd", Some(true)),
            part("check", "cmd.run", "true", None),
            part("after", "cmd.run", "echo a_|-b", Some(false)),
        ]
    );
    assert_eq!((told.parts[0].comment.as_str(), told.parts[0].duration_ms), ("updated\ntwice", 38.5));
    assert!(!told.is_success && told.errors.is_empty());
}

#[test]
fn why_no_state_ran_is_told() {
    let none = "No matching sls found for 'nosuch' in env 'base'";
    for (value, errors) in [
        (json!([none]), vec![none.to_owned()]),
        (json!("Pillar failed to render"), vec!["Pillar failed to render".to_owned()]),
        (json!({"retcode": 1}), vec!["retcode: 1".to_owned()]),
        (json!(null), vec!["null".to_owned()]),
    ] {
        let told = state_outcome(&outcome(value.clone(), 1));
        assert_eq!((told.errors, told.parts, told.is_success), (errors, Vec::new(), false), "{value}");
    }
}

#[test]
fn only_ids_of_salt_tell_a_time() {
    for id in ["", "2026", "2026112021513642212x", "２0261120215136422127"] {
        assert_eq!(start_time(id), "", "{id}");
    }
}
