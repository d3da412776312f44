use serde_json::json;

use super::super::super::convert;
use super::*;

fn ping() -> ExecuteRequest {
    ExecuteRequest { target: "node01".into(), function: "test.ping".into(), ..ExecuteRequest::default() }
}

fn motd() -> DeployRequest {
    DeployRequest { target: "node*".into(), state: "motd".into(), ..DeployRequest::default() }
}

fn kwargs(object: &Value) -> Option<Struct> {
    Some(convert::structure(object.as_object()))
}

fn field<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Invalid { field, .. } | Error::Missing { field }) => field.into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn targets_are_patterns_names_or_grains() {
    let of = |text: &str, kind| target(text, kind);
    assert_eq!(of("node*", TargetType::Unspecified).unwrap(), Target::Glob("node*".into()));
    assert_eq!(of("a, b", TargetType::List).unwrap(), Target::List(vec!["a".into(), "b".into()]));
    assert_eq!(of("os:De*", TargetType::Grain).unwrap(), Target::Grain("os:De*".into()));
    // To a pattern letters of a shell are letters.
    assert_eq!(of("$(id);`id`", TargetType::Glob).unwrap(), Target::Glob("$(id);`id`".into()));
    let long = "a".repeat(MAX_TARGET + 1);
    for (text, kind) in [
        ("", TargetType::Glob),
        ("a\0b", TargetType::Glob),
        ("a\nb", TargetType::Glob),
        (long.as_str(), TargetType::Glob),
        ("a,,b", TargetType::List),
        ("a,b*", TargetType::List),
        ("a,$(id)", TargetType::List),
        ("os", TargetType::Grain),
        (":Debian", TargetType::Grain),
        ("os:", TargetType::Grain),
    ] {
        assert_eq!(field(of(text, kind)), "target", "{text:?}");
    }
}

#[test]
fn what_is_refused_is_named() {
    let with_args = |args: &[Value]| ExecuteRequest { args: args.iter().map(convert::value).collect(), ..ping() };
    let with_kwargs =
        |function: &str, object: &Value| ExecuteRequest { function: function.into(), kwargs: kwargs(object), ..ping() };
    let mut deep = json!(1);
    for _ in 0..=MAX_DEPTH {
        deep = json!([deep]);
    }
    for (request, expected) in [
        (ExecuteRequest { function: String::new(), ..ping() }, "function"),
        (ExecuteRequest { function: "test.ping,cmd.run".into(), ..ping() }, "function"),
        (ExecuteRequest { function: "test.ping\0".into(), ..ping() }, "function"),
        (ExecuteRequest { timeout_seconds: 121, ..ping() }, "timeout_seconds"),
        (ExecuteRequest { timeout_seconds: -1, ..ping() }, "timeout_seconds"),
        (with_args(&[json!("a"), json!("a\0b")]), "args[1]"),
        (with_args(&[json!("tgt=*")]), "args[0]"),
        (with_args(&[json!("pillar={a: 1}")]), "args[0]"),
        (with_args(&[json!({"__kwarg__": true, "ret": "mysql"})]), "args[0]"),
        (with_args(&vec![json!(1); MAX_ARGUMENTS + 1]), "args"),
        (with_args(&[json!("x".repeat(MAX_ARGUMENT_BYTES))]), "args"),
        (with_args(&[json!([{"a": "\0"}])]), "args[0][0].a"),
        (with_kwargs("test.arg", &json!({"__pub_user": "root"})), "kwargs.__pub_user"),
        (with_kwargs("state.apply", &json!({"localconfig": "/tmp/minion"})), "kwargs.localconfig"),
        (with_kwargs("test.arg", &json!({"": 1})), "kwargs."),
        (with_kwargs("test.arg", &json!({"a\nb": 1})), "kwargs"),
        (with_kwargs("test.arg", &json!({"a": {"b": "\0"}})), "kwargs.a.b"),
    ] {
        assert_eq!(field(Order::execute(request.clone())), expected, "{request:?}");
    }
    assert!(field(Order::execute(with_args(&[deep]))).starts_with("args[0][0]"));
    for (request, expected) in [
        (DeployRequest { state: String::new(), ..motd() }, "state"),
        (DeployRequest { state: "motd,broken".into(), ..motd() }, "state"),
        (DeployRequest { state: "../motd".into(), ..motd() }, "state"),
        (DeployRequest { state: "motd;id".into(), ..motd() }, "state"),
        (DeployRequest { timeout_seconds: 601, ..motd() }, "timeout_seconds"),
        (DeployRequest { pillar: kwargs(&json!({"a": "\0"})), ..motd() }, "pillar.a"),
    ] {
        assert_eq!(field(Order::deploy(request.clone())), expected, "{request:?}");
    }
}

#[test]
fn arguments_stay_what_they_are() {
    let args = [
        json!("$(id)`id`;|&\"'"),
        json!("a == b"),
        json!("1=2"),
        json!("null"),
        json!(3),
        json!(2.5),
        json!([null, {"a": true}]),
    ];
    let order = Order::execute(ExecuteRequest {
        args: args.iter().map(convert::value).collect(),
        kwargs: kwargs(&json!({"ret": "mysql", "batch": 1, "tgt": "*"})),
        ..ping()
    });
    let Order { command, wait } = order.unwrap();
    assert_eq!(command.args, args);
    assert_eq!(Value::Object(command.kwargs), json!({"ret": "mysql", "batch": 1, "tgt": "*"}));
    assert_eq!(wait, Some(Duration::from_secs(30)));
}

#[test]
fn states_are_applied_with_their_pillar() {
    let request = DeployRequest { test: true, pillar: kwargs(&json!({"role": "gpu"})), r#async: true, ..motd() };
    let Order { command, wait } = Order::deploy(request).unwrap();
    assert_eq!((command.function.as_str(), command.args), ("state.apply", vec![json!("motd")]));
    assert_eq!(Value::Object(command.kwargs), json!({"test": true, "pillar": {"role": "gpu"}}));
    assert_eq!(wait, None);
}

#[test]
fn what_salt_takes_for_a_named_argument() {
    for (text, named) in [
        ("a=b", true),
        ("_a.b-c=", true),
        ("ä=b", true),
        ("a=b=c", true),
        ("a==b", false),
        ("=b", false),
        ("1=2", false),
        ("a b=c", false),
        ("$(a)=b", false),
        ("a", false),
    ] {
        assert_eq!(is_taken_for_named(text), named, "{text}");
    }
}
