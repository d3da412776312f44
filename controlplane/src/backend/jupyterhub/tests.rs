//! Paths and shapes.

use serde_json::json;

use super::*;

fn hub(url: &str) -> anyhow::Result<JupyterHub> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, "0123456789abcdef\n").unwrap();
    let settings =
        Settings { jupyterhub_url: Some(url.parse().unwrap()), jupyterhub_token_file: Some(file), ..Settings::default() };
    Ok(JupyterHub::open(&settings, &client::http_client().unwrap(), &Clock::system())?.unwrap())
}

#[test]
fn names_stay_in_their_segments() {
    for (base, name, server, path) in [
        ("http://hub", "ada", "", "/hub/api/users/ada/server"),
        ("http://hub/", "ada", "gpu-1", "/hub/api/users/ada/servers/gpu-1"),
        ("http://hub/jupyter", "ada", "", "/jupyter/hub/api/users/ada/server"),
        ("http://hub/jupyter/", "ada", "", "/jupyter/hub/api/users/ada/server"),
        ("http://hub", "a/b", "../x", "/hub/api/users/a%2Fb/servers/..%2Fx"),
        ("http://hub", "a b?c#d", "%2e%2e", "/hub/api/users/a%20b%3Fc%23d/servers/%252e%252e"),
        ("http://hub", "a\\b", "ü", "/hub/api/users/a%5Cb/servers/%C3%BC"),
    ] {
        let url = hub(base).unwrap().url_of_server(name, server, &[]).unwrap();
        assert_eq!((url.path(), url.query(), url.fragment()), (path, None, None), "{base} {name} {server}");
    }
}

#[test]
fn what_cannot_be_a_segment_names_nothing() {
    let hub = hub("http://hub").unwrap();
    for name in ["", ".", "..", "a\0b", "a\nb", &"a".repeat(256)] {
        assert!(matches!(hub.url_of_user(name, &[]), Err(Error::NotFound { .. })), "{name:?}");
        let of_server = hub.url_of_server("ada", name, &[]);
        assert_eq!(of_server.is_ok(), name.is_empty(), "{name:?}");
    }
}

#[test]
fn an_address_that_makes_no_sense_is_refused_at_the_start() {
    for url in ["ftp://hub", "http://a:b@hub", "http://hub?x=1"] {
        let error = hub(url).unwrap_err().to_string();
        assert!(error.contains("UTOPIA_JUPYTERHUB_URL") && !error.contains("a:b"), "{error}");
    }
}

#[test]
fn the_token_is_shown_to_nobody() {
    let shown = format!("{:?}", hub("http://hub").unwrap());
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
}

#[test]
fn the_hubs_users_are_understood() {
    let server = |pending: Value, ready: bool| {
        json!({"name": "", "pending": pending, "ready": ready, "stopped": false, "url": "/user/alice/",
            "started": "2026-11-20T21:54:56.194509Z", "last_activity": "2026-11-20T21:54:57Z", "state": {"pid": 7}})
    };
    let page = json!({
        "items": [{
            "kind": "user", "name": "alice", "admin": true, "groups": ["a"], "created": "2026-11-20T21:54:16.670447Z",
            "last_activity": null, "pending": "spawn", "server": null,
            "servers": {
                "z": server(Value::Null, false), "b": server("stop".into(), true), "": server("spawn".into(), false),
                "a": server(Value::Null, true),
            },
        }, {"name": "bob"}],
        "_pagination": {"offset": 0, "limit": 5, "total": 7, "next": {"offset": 5, "limit": 5, "url": "http://elsewhere"}},
    });
    let page: UserPage = serde_json::from_value(page).unwrap();
    assert_eq!((page.pagination.total, page.pagination.next.map(|next| next.offset)), (7, Some(5)));
    let [alice, bob] = <[User; 2]>::try_from(page.items.into_iter().map(User::from).collect::<Vec<_>>()).unwrap();
    let states = alice.servers.iter().map(|server| (&*server.name, server.state)).collect::<Vec<_>>();
    assert_eq!(states, [("", State::Starting), ("a", State::Ready), ("b", State::Stopping), ("z", State::Stopped)]);
    let [first, .., stopped] = &*alice.servers else { panic!("{alice:?}") };
    assert_eq!((&*first.url, first.started_at.is_some()), ("/user/alice/", true));
    assert_eq!((&*stopped.url, stopped.started_at, stopped.last_activity.is_some()), ("", None, true));
    assert!(alice.admin && bob.servers.is_empty() && bob.created_at.is_none());
}
