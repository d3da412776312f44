//! JupyterHub through the JSON API: the real hub, and hubs that are away, slow or strange.
//!
//! The names of users say how the real hub's servers behave: see `.ci/backends/jupyterhub.py`.

mod faults;

use std::env;

use http::{Method, header};
use http_body_util::Full;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    databases::with_sqlite,
    http::{Http, Opened},
    people::Member,
    plane::{Plane, text},
    wait::eventually,
};

const USERS: &str = "/api/jupyterhub/users";

/// What the control plane shows to hubs that are played.
const PLAYED_TOKEN: &str = "not-the-token-of-the-hub";

/// Where the real hub is, and the file with the token of its service.
struct Hub {
    url: String,
    token_file: String,
}

impl Hub {
    /// The hub that the environment names. Without one the test is skipped, except where `CI` is set.
    fn real() -> Option<Self> {
        let variable = |name: &str| env::var(name).ok();
        match (variable("UTOPIA_TEST_JUPYTERHUB_URL"), variable("UTOPIA_TEST_JUPYTERHUB_TOKEN_FILE")) {
            (Some(url), Some(token_file)) => Some(Self { url, token_file }),
            _ if env::var("CI").is_ok_and(|ci| ci == "true") => panic!("there is no JupyterHub to test with"),
            _ => {
                eprintln!("SKIPPED: there is no JupyterHub to test with: see .ci/backends.sh");
                None
            }
        }
    }

    fn arguments(&self) -> [&str; 4] {
        ["--jupyterhub-url", &self.url, "--jupyterhub-token-file", &self.token_file]
    }
}

/// Runs a test with a control plane that knows the real hub.
async fn with_hub(test: impl AsyncFnOnce(&Plane)) {
    with_hub_as(&[], test).await;
}

/// The same with further settings.
pub(crate) async fn with_hub_as(more: &[&str], test: impl AsyncFnOnce(&Plane)) {
    let Some(hub) = Hub::real() else { return };
    with_sqlite(async |url| {
        let plane = Plane::start_as(url, &[&hub.arguments(), more].concat()).await;
        test(&plane).await;
        plane.stop().await;
    })
    .await;
}

/// Runs a test with a control plane that takes something else for the hub, with a token that the hub does not know.
pub(crate) async fn with_played(url: &str, test: impl AsyncFnOnce(&Plane)) {
    with_played_as(url, &[], test).await;
}

/// The same with further settings.
pub(crate) async fn with_played_as(url: &str, more: &[&str], test: impl AsyncFnOnce(&Plane)) {
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("token");
    std::fs::write(&token_file, PLAYED_TOKEN).unwrap();
    let hub = Hub { url: url.to_owned(), token_file: token_file.to_str().unwrap().to_owned() };
    with_sqlite(async |database| {
        let plane = Plane::start_as(database, &[&hub.arguments(), more].concat()).await;
        test(&plane).await;
        plane.stop().await;
    })
    .await;
}

/// A person of ours who is a user of the hub as well.
async fn member(plane: &Plane, prefix: &str) -> Member {
    let username = format!("{prefix}-{}", Uuid::new_v4().simple());
    let member = Member::new(plane, &username, "user").await;
    plane.as_operator().post(USERS, &json!({"username": username})).await.expect(201);
    member
}

fn path(username: &str) -> String {
    format!("{USERS}/{username}")
}

/// Leaves nothing at the hub, which others use as well.
async fn forget(plane: &Plane, username: &str) {
    let gone = async || {
        let answer = plane.as_operator().delete(&path(username)).await;
        // A server that still stops has to be waited for.
        (answer.outcome() != (409, "JupyterHubDeclined".to_owned())).then_some(answer)
    };
    eventually("a user who can be deleted", gone).await.expect(204);
}

/// The servers of a user by name, with how they stand.
async fn servers(http: &Http, username: &str) -> Vec<(String, String)> {
    let user = http.get(&path(username)).await.expect(200);
    let servers = user["servers"].as_array().unwrap().iter();
    servers.map(|server| (text(server, "server_name").to_owned(), text(server, "status").to_owned())).collect()
}

/// Posts without a body, as the documented call does.
async fn start(http: &Http, path: &str) -> crate::http::Answer {
    http.send(http.request(Method::POST, path).body(Full::default()).unwrap()).await
}

async fn progress(http: &Http, path: &str, accept: &str) -> Opened {
    let request = http.request(Method::GET, path).header(header::ACCEPT, accept);
    http.open(request.body(Full::default()).unwrap()).await
}

/// All messages of a stream of lines.
async fn messages(mut stream: Opened) -> Vec<Json> {
    assert_eq!(stream.status, 200);
    let mut messages = Vec::new();
    while let Some(line) = stream.line().await {
        if !line.is_empty() {
            messages.push(serde_json::from_str(&line).unwrap());
        }
    }
    messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_started_once_and_stopped() {
    with_hub(async |plane| {
        let username = format!("quick-{}", Uuid::new_v4().simple());
        let (operator, member) = (plane.as_operator(), Member::new(plane, &username, "user").await);
        let new = json!({"username": username, "admin": false});
        let mut user = operator.post(USERS, &new).await.expect(201);
        assert!(text(&user, "created_at").ends_with('Z'), "{user}");
        user["created_at"].take();
        let shape =
            json!({"username": username, "admin": false, "groups": [], "servers": [], "created_at": null, "last_activity": null});
        assert_eq!(user, shape);
        let said = operator.post(USERS, &new).await.expect_error(409, "HubUserExists");
        assert!(said.contains(&username), "{said}");

        let server = format!("{}/server", path(&username));
        let answer = start(&member.http, &server).await.expect(201);
        assert!(text(&answer, "started_at").ends_with('Z'), "{answer}");
        let expected =
            [("username", &*username), ("server_name", ""), ("status", "ready"), ("url", &format!("/user/{username}/"))];
        for (key, expected) in expected {
            assert_eq!(text(&answer, key), expected);
        }
        let again = start(&member.http, &server).await.expect(200);
        assert_eq!((&again["status"], &again["started_at"]), (&json!("ready"), &answer["started_at"]));
        assert_eq!(servers(&member.http, &username).await, [(String::new(), "ready".to_owned())]);

        let followed = messages(progress(&member.http, &format!("{server}/progress"), "application/x-ndjson").await).await;
        let [ready] = &*followed else { panic!("{followed:?}") };
        let message = format!("Server ready at /user/{username}/");
        assert_eq!(
            *ready,
            json!({"progress": 100, "message": message, "ready": true, "failed": false, "url": format!("/user/{username}/")})
        );

        for _ in 0..2 {
            assert_eq!(member.http.delete(&server).await.expect(204), Json::Null);
        }
        assert_eq!(servers(&member.http, &username).await, [(String::new(), "stopped".to_owned())]);
        let said = member.http.get(&format!("{server}/progress")).await.expect_error(409, "JupyterHubDeclined");
        assert!(said.contains("not starting"), "{said}");
        operator.delete(&path(&username)).await.expect(204);
        operator.delete(&path(&username)).await.expect_error(404, "NotFound");
        operator.get(&path(&username)).await.expect_error(404, "NotFound");
        start(&member.http, &server).await.expect_error(404, "NotFound");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_is_followed_until_it_is_ready() {
    with_hub(async |plane| {
        let member = member(plane, "slow-quick").await;
        let server = format!("{}/server", path(&member.username));
        let answer = start(&member.http, &server).await.expect(202);
        assert_eq!((text(&answer, "status"), text(&answer, "server_name")), ("starting", ""));
        assert_eq!(start(&member.http, &server).await.expect(202)["status"], "starting");
        let mut events = progress(&member.http, &format!("{server}/progress"), "text/event-stream").await;
        assert_eq!((events.status, &events.headers["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        let mut last = Json::Null;
        while let Some(line) = events.line().await {
            if let Some(data) = line.strip_prefix("data: ") {
                assert!(!last["ready"].as_bool().unwrap_or_default(), "something follows {last}");
                last = serde_json::from_str(data).unwrap();
            }
        }
        assert_eq!((&last["progress"], &last["ready"], &last["failed"]), (&json!(100), &json!(true), &json!(false)));
        assert_eq!(servers(&member.http, &member.username).await, [(String::new(), "ready".to_owned())]);

        let stopping = member.http.delete(&server).await;
        assert_eq!(stopping.expect(202), json!({}));
        assert_eq!(servers(&member.http, &member.username).await, [(String::new(), "stopping".to_owned())]);
        let said = start(&member.http, &server).await.expect_error(409, "JupyterHubDeclined");
        assert!(said.contains("pending stop"), "{said}");
        forget(plane, &member.username).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_start_says_why() {
    with_hub(async |plane| {
        let (broken, slow) = (member(plane, "broken").await, member(plane, "slow-broken").await);
        let server = format!("{}/server", path(&broken.username));
        let said = start(&broken.http, &server).await.expect_error(503, "JupyterHubStartFailed");
        assert!(said.contains("there is no room for this server"), "{said}");

        let server = format!("{}/server", path(&slow.username));
        start(&slow.http, &server).await.expect(202);
        let followed = messages(progress(&slow.http, &format!("{server}/progress"), "*/*").await).await;
        let last = followed.last().unwrap();
        assert_eq!((&last["ready"], &last["failed"], &last["url"]), (&json!(false), &json!(true), &json!("")));
        assert!(text(last, "message").contains("there is no room for this server"), "{last}");
        for member in [broken, slow] {
            forget(plane, &member.username).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_servers_with_names() {
    with_hub(async |plane| {
        let member = member(plane, "quick").await;
        let (http, user) = (&member.http, path(&member.username));
        for name in ["gpu-2", "gpu-1"] {
            let answer = start(http, &format!("{user}/servers/{name}")).await.expect(201);
            let url = format!("/user/{}/{name}/", member.username);
            assert_eq!((text(&answer, "server_name"), text(&answer, "url")), (name, &*url));
        }
        http.post(&format!("{user}/server"), &json!({"server_name": "gpu-1"})).await.expect(200);
        http.delete(&format!("{user}/servers/gpu-1")).await.expect(204);
        let named = |name: &str, status: &str| (name.to_owned(), status.to_owned());
        assert_eq!(
            servers(http, &member.username).await,
            [named("", "stopped"), named("gpu-1", "stopped"), named("gpu-2", "ready")]
        );
        http.delete(&format!("{user}/servers/gpu-1?remove=true")).await.expect(204);
        assert_eq!(servers(http, &member.username).await, [named("", "stopped"), named("gpu-2", "ready")]);
        let followed = messages(progress(http, &format!("{user}/servers/gpu-2/progress"), "*/*").await).await;
        assert_eq!(followed[0]["url"], format!("/user/{}/gpu-2/", member.username));

        http.delete(&format!("{user}/servers/gpu-3")).await.expect_error(404, "NotFound");
        let said = start(http, &format!("{user}/servers/No%20Name")).await.expect_error(400, "InvalidField");
        assert!(said.contains("server_name"), "{said}");
        http.delete(&format!("{user}/server?remove=true")).await.expect_error(400, "InvalidField");
        forget(plane, &member.username).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_reach_the_hub_user_of_their_own_name_only() {
    with_hub(async |plane| {
        let (owner, other) = (member(plane, "quick").await, member(plane, "quick").await);
        let (user, server) = (path(&owner.username), format!("{}/server", path(&owner.username)));
        start(&owner.http, &server).await.expect(201);
        for http in [&other.http, &plane.as_user(), &plane.as_person(&plane.people.readonly)] {
            let said = http.get(&user).await.expect_error(404, "NotFound");
            // As for one whom the hub does not know.
            assert_eq!(said, format!("hub user {} does not exist", owner.username));
            http.get(&format!("{server}/progress")).await.expect_error(404, "NotFound");
        }
        start(&other.http, &server).await.expect_error(404, "NotFound");
        other.http.delete(&server).await.expect_error(404, "NotFound");
        other.http.delete(&user).await.expect_error(403, "PermissionDenied");
        owner.http.delete(&user).await.expect_error(403, "PermissionDenied");
        owner.http.post(USERS, &json!({"username": "quick-x"})).await.expect_error(403, "PermissionDenied");
        let readonly = plane.as_person(&plane.people.readonly);
        start(&readonly, &format!("{}/server", path("rita"))).await.expect_error(403, "PermissionDenied");

        assert_eq!(servers(&plane.as_operator(), &owner.username).await[0].1, "ready");
        let own = owner.http.get(USERS).await.expect(200);
        assert_eq!((&own["total"], &own["page"], &own["limit"]), (&json!(1), &json!(1), &json!(20)));
        assert_eq!((own["users"].as_array().unwrap().len(), text(&own["users"][0], "username")), (1, &*owner.username));
        assert_eq!(owner.http.get(&format!("{USERS}?page=2")).await.expect(200)["users"], json!([]));
        // Somebody whom the hub does not know.
        let nobody = plane.as_user().get(USERS).await.expect(200);
        assert_eq!((&nobody["total"], &nobody["users"]), (&json!(0), &json!([])));
        for member in [owner, other] {
            forget(plane, &member.username).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_go_beyond_a_page_of_the_hubs() {
    with_hub(async |plane| {
        let operator = plane.as_operator();
        let prefix = format!("list-{}", Uuid::new_v4().simple());
        let names = (1..=7).map(|number| format!("{prefix}-{number}")).collect::<Vec<_>>();
        for username in names.iter().rev() {
            operator.post(USERS, &json!({"username": username})).await.expect(201);
        }
        let ours = |list: &Json| {
            let users = list["users"].as_array().unwrap().iter().map(|user| text(user, "username").to_owned());
            users.filter(|name| name.starts_with(&prefix)).collect::<Vec<_>>()
        };
        // While others come and go, one may be pushed over the edge of a page.
        eventually("all users in one list, by name", async || {
            let list = operator.get(&format!("{USERS}?limit=100")).await.expect(200);
            assert!(list["total"].as_i64().unwrap() >= 7, "{list}");
            (ours(&list) == names).then_some(())
        })
        .await;
        eventually("the same page by page", async || {
            let (mut found, mut page) = (Vec::new(), 1);
            loop {
                let list = operator.get(&format!("{USERS}?limit=3&page={page}")).await.expect(200);
                assert!(list["users"].as_array().unwrap().len() <= 3);
                found.extend(ours(&list));
                if list["total"].as_i64().unwrap() <= 3 * page {
                    return (found == names).then_some(());
                }
                page += 1;
            }
        })
        .await;
        for username in &names {
            forget(plane, username).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_none_are_refused() {
    with_hub(async |plane| {
        let operator = plane.as_operator();
        for name in ["", "a/b", "..", "a b", "a%2Fb", "-a", "ü", &"a".repeat(65)] {
            let answer = operator.post(USERS, &json!({"username": name})).await;
            let reason = if name.is_empty() { "MissingField" } else { "InvalidField" };
            assert_eq!(answer.outcome(), (400, reason.to_owned()), "{name}: {}", answer.text);
        }
        for name in ["a%2Fserver", "..%2F..%2Fshutdown", "%2E%2E", ".", "a%20b", "a%00b", "a%252Fb", "a%3Fb%23c"] {
            for path in
                [path(name), format!("{}/server/progress", path(name)), format!("{}/servers/{name}/progress", path("quick-x"))]
            {
                operator.get(&path).await.expect_error(404, "NotFound");
            }
            start(&operator, &format!("{}/server", path(name))).await.expect_error(404, "NotFound");
            operator.delete(&format!("{}/server", path(name))).await.expect_error(404, "NotFound");
            operator.delete(&path(name)).await.expect_error(404, "NotFound");
        }
    })
    .await;
}
