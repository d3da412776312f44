//! Whatever is in a string stays in it: nothing that a caller sends is read by a shell, or by Salt as anything else.

use serde_json::{Value as Json, json};

use super::{deploy, execute, results, with_real};
use crate::plane::text;

/// What shells, YAML and Salt's own command line would read.
const TRICKY: [&str; 20] = [
    "$(id)",
    "`id`",
    "; id #",
    "| id",
    "&& id",
    "> /tmp/never",
    "' \" \\ '",
    "${HOME} $HOME ~",
    "*?[a-z]{a,b}",
    "!!python/object/apply:os.system [id]",
    "{a: 1}",
    "[1, 2]",
    "null",
    "true",
    "0x10",
    "012",
    "1_000",
    "--tgt=*",
    "{{ 7 * 7 }}{% raw %}",
    "line\nline\ttab\r\n\u{1b}[31m ü 🦀",
];

#[tokio::test]
async fn arguments_reach_a_function_exactly() {
    with_real(async |plane| {
        let args =
            TRICKY.map(Json::from).into_iter().chain([json!(3), json!(2.5), json!(null), json!({"a": [true]}), json!([[]])]);
        let args = args.collect::<Vec<_>>();
        // Names that mean something to Salt's own calls are arguments like others here.
        let mut kwargs = json!({
            "tgt": "*", "tgt_type": "compound", "fun": "cmd.run", "client": "wheel", "ret": "mysql", "batch": 1, "jid": "1",
            "timeout": 0, "kwarg": {"a": 1}, "arg": [1], "user": "root", "token": "x", "eauth": "pam", "full_return": true,
            "metadata": {"a": 1}, "module_executors": ["sudo"], "subset": 1,
        });
        for (at, text) in TRICKY.iter().enumerate() {
            kwargs[format!("a{at}")] = json!(text);
        }
        let command = json!({"target": "node01", "function": "test.arg", "args": args, "kwargs": kwargs});
        let job = execute(plane, &command).await.expect(200);
        let mut returned = results(&job)["node01"].clone();
        // Salt adds what it knows of the job itself.
        returned["kwargs"].as_object_mut().unwrap().retain(|name, _| !name.starts_with("__pub_"));
        assert_eq!(returned["args"], json!(args));
        assert_eq!(returned["kwargs"], kwargs);
        assert_eq!((&job["complete"], &job["missing"]), (&json!(true), &json!([])));
    })
    .await;
}

#[tokio::test]
async fn a_string_in_every_other_field_is_nothing_else() {
    with_real(async |plane| {
        let before = changes(plane).await;
        for text in TRICKY {
            let with = |field: &str| {
                let mut command = json!({"target": "node01", "function": "test.ping"});
                command[field] = json!(text);
                command
            };
            // A target is a pattern, and matches nobody.
            let answer = execute(plane, &with("target")).await;
            let is_control = text.contains('\n');
            // To a pattern these mean what they mean.
            if text != "*?[a-z]{a,b}" {
                let expected = if is_control { (400, "InvalidField".to_owned()) } else { (404, "NoSuchMinion".to_owned()) };
                assert_eq!(answer.outcome(), expected, "{text}: {}", answer.text);
            }
            execute(plane, &with("function")).await.expect_error(400, "InvalidField");
            let state = json!({"target": "node01", "state": text});
            let outcome = deploy(plane, &state).await.outcome();
            let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_word {
                assert_eq!(outcome, (400, "InvalidField".to_owned()), "{text}");
            }
        }
        // Words are states that do not exist.
        assert!(changes(plane).await - before <= 5);
    })
    .await;
}

#[tokio::test]
async fn what_salt_would_read_as_something_else_is_refused() {
    with_real(async |plane| {
        for (args, kwargs, field) in [
            (json!(["tgt=*"]), json!({}), "args[0]"),
            (json!(["a", {"__kwarg__": true, "text": "b"}]), json!({}), "args[1]"),
            (json!(["a\u{0}b"]), json!({}), "args[0]"),
            (json!([]), json!({"__pub_user": "root"}), "kwargs.__pub_user"),
            (json!([]), json!({"__kwarg__": true}), "kwargs.__kwarg__"),
            (json!([]), json!({"text": {"deep": "a\u{0}"}}), "kwargs.text.deep"),
        ] {
            let command = json!({"target": "node01", "function": "test.arg", "args": args, "kwargs": kwargs});
            let sentence = execute(plane, &command).await.expect_error(400, "InvalidField");
            assert!(sentence.starts_with(field), "{sentence}");
        }
        let command =
            json!({"target": "node01", "function": "state.apply", "args": ["motd"], "kwargs": {"localconfig": "/tmp/minion"}});
        execute(plane, &command).await.expect_error(400, "InvalidField");
        for target in ["a\u{0}b", &"a".repeat(1025)] {
            let sentence =
                execute(plane, &json!({"target": target, "function": "test.ping"})).await.expect_error(400, "InvalidField");
            assert!(sentence.starts_with("target"), "{sentence}");
        }
        for (kind, target) in [("list", "node01,*"), ("grain", "rack"), ("compound", "node01 or *")] {
            let command = json!({"target": target, "target_type": kind, "function": "test.ping"});
            assert_eq!(execute(plane, &command).await.status, 400, "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_ran_is_written_down() {
    with_real(async |plane| {
        let kwargs = json!({"pillar": {"password": "hunter2-in-the-pillar"}});
        let command = json!({"target": "node01", "function": "test.arg", "args": ["$(id)"], "kwargs": kwargs, "async": true});
        let job = execute(plane, &command).await.expect(200);
        let list = plane.as_admin().get("/api/v1/audit?event_type=salt").await.expect(200)["data"].clone();
        let event = &list["events"][0];
        assert_eq!((&list["total"], &event["user"], &event["action"]), (&json!(1), &json!("olga"), &json!("Execute")));
        assert_eq!((text(event, "resource_id"), text(event, "result")), ("node01", "success"));
        let expected = json!({
            "job_id": job["job_id"], "function": "test.arg", "target_type": "glob", "minions": ["node01"], "args": ["$(id)"],
            "kwargs": {"pillar": {"password": "***"}},
        });
        assert_eq!(event["new_value"], expected);
        // What was refused is there too.
        execute(plane, &json!({"target": "node01", "function": "cmd.run"})).await.expect_error(403, "FunctionNotAllowed");
        let denied = crate::wait::eventually("the refusal in the log", async || {
            let list = plane.as_admin().get("/api/v1/audit?event_type=salt&limit=1").await.expect(200)["data"].clone();
            Some(list["events"][0].clone()).filter(|event| event["result"] != "success")
        });
        assert_eq!(text(&denied.await, "resource_id"), "node01");
    })
    .await;
}

/// How many calls to Salt the audit log tells of.
async fn changes(plane: &crate::plane::Plane) -> i64 {
    plane.as_admin().get("/api/v1/audit?event_type=salt&result=success&limit=1").await.expect(200)["data"]["total"]
        .as_i64()
        .unwrap()
}
