//! Webhooks over HTTP, with real receivers.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::Stdio,
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::{
    databases::on_both_databases,
    http::Http,
    plane::{Plane, claim, text},
    receiver::{Received, Receiver},
    wait::{eventually, soon},
};

on_both_databases!(
    a_webhook_is_made_shown_changed_and_deleted,
    what_cannot_be_a_webhook_is_refused,
    targets_in_private_networks_are_refused,
);

mod with_receivers {
    use super::*;

    on_both_databases!(
        urls: events_arrive_signed_with_what_they_tell,
        a_failure_is_tried_again_with_the_same_id,
        a_paused_webhook_gets_nothing,
        a_dead_subscriber_delays_nobody,
        every_fault_of_a_receiver_is_told,
        a_target_that_is_not_allowed_any_more_is_not_reached,
        several_control_planes_send_each_event_once,
        nothing_is_lost_when_the_process_is_killed,
    );
}

/// Receivers here are on the loopback.
const ALLOW: &[&str] = &["--webhook-allow-private", "127.0.0.0/8"];

async fn webhook(http: &Http, url: &str, events: &[&str]) -> Json {
    http.post("/api/webhooks", &json!({"url": url, "events": events})).await.expect(201)
}

fn path(webhook: &Json) -> String {
    format!("/api/webhooks/{}", text(webhook, "id"))
}

async fn host(plane: &Plane, name: &str) -> String {
    let host = plane.as_admin().post("/api/v1/hosts", &json!({"name": name})).await.expect(201);
    text(&host["data"], "host_id").to_owned()
}

async fn deliveries(http: &Http, webhook: &Json) -> Vec<Json> {
    let list = http.get(&format!("{}/deliveries?limit=100", path(webhook))).await.expect(200);
    list["deliveries"].as_array().unwrap().clone()
}

/// Waits until the newest delivery stands so.
async fn newest_becomes(http: &Http, webhook: &Json, status: &str) -> Json {
    let newest = async || deliveries(http, webhook).await.into_iter().next().filter(|newest| newest["status"] == status);
    eventually(&format!("a delivery that is {status}"), newest).await
}

async fn a_webhook_is_made_shown_changed_and_deleted(plane: &Plane) {
    let http = plane.as_operator();
    let documented = json!({
        "url": "https://your-webhook.example.com",
        "events": ["job.completed", "job.failed", "node.down"],
        "secret": "your-webhook-secret"
    });
    let made = http.post("/api/webhooks", &documented).await.expect(201);
    assert_eq!(text(&made, "secret"), "your-webhook-secret");
    let random = webhook(&http, "https://hooks.example/a?token=b", &["*"]).await;
    assert!(text(&random, "secret").starts_with("whsec_"), "{random}");

    let shown = http.get(&path(&made)).await.expect(200);
    let expected = json!({
        "id": made["id"],
        "url": "https://your-webhook.example.com/",
        "events": ["job.completed", "job.failed", "node.down"],
        "active": true,
        "description": "",
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "secret": "",
    });
    assert_eq!(shown, expected);
    let list = http.get("/api/webhooks?limit=1").await.expect(200);
    assert_eq!(
        (&list["total"], &list["webhooks"][0]["id"], &list["webhooks"][0]["secret"]),
        (&json!(2), &random["id"], &json!(""))
    );

    let body = json!({"url": "https://other.example/", "events": ["claim.*"], "description": "mine", "paused": true});
    let changed = http.put(&path(&made), &body).await.expect(200);
    assert_eq!((&changed["active"], &changed["secret"], &changed["events"]), (&json!(false), &json!(""), &json!(["claim.*"])));
    assert_eq!(http.get(&path(&made)).await.expect(200), changed);
    assert_eq!(deliveries(&http, &made).await, Vec::<Json>::new());

    http.delete(&path(&made)).await.expect(204);
    for answer in [
        http.get(&path(&made)).await,
        http.put(&path(&made), &body).await,
        http.delete(&path(&made)).await,
        http.post(&format!("{}/test", path(&made)), &json!({})).await,
        http.get(&format!("{}/deliveries", path(&made))).await,
    ] {
        answer.expect_error(404, "NotFound");
    }
    plane.as_user().get("/api/webhooks").await.expect(403);
}

async fn what_cannot_be_a_webhook_is_refused(plane: &Plane) {
    let http = plane.as_operator();
    let (url, events) = ("https://example.com", json!(["*"]));
    for (body, field) in [
        (json!({"events": events}), "url"),
        (json!({"url": "example.com", "events": events}), "url"),
        (json!({"url": "ftp://example.com", "events": events}), "url"),
        (json!({"url": "https://user:pass@example.com", "events": events}), "url"),
        (json!({"url": format!("{url}/{}", "a".repeat(2048)), "events": events}), "url"),
        (json!({"url": url}), "events"),
        (json!({"url": url, "events": ["Job"]}), "events[0]"),
        (json!({"url": url, "events": ["audit.*"]}), "events[0]"),
        (json!({"url": url, "events": vec!["*"; 65]}), "events"),
        (json!({"url": url, "events": events, "secret": "hunter2"}), "secret"),
        (json!({"url": url, "events": events, "secret": "whsec_c2hvcnQ="}), "secret"),
        (json!({"url": url, "events": events, "secret": "with\u{0}nul-in-it"}), "secret"),
        (json!({"url": url, "events": events, "description": "a\u{0}b"}), "description"),
        (json!({"url": url, "events": events, "description": "a".repeat(257)}), "description"),
    ] {
        let answer = http.post("/api/webhooks", &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.text.contains(&format!("\"{field}: ")) && !answer.text.contains("hunter2"), "{body}: {}", answer.text);
    }
    assert_eq!(http.get("/api/webhooks").await.expect(200)["total"], 0);
}

async fn targets_in_private_networks_are_refused(plane: &Plane) {
    let http = plane.as_operator();
    for url in [
        "http://localhost:8080/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "http://[64:ff9b::a00:1]/",
    ] {
        let refused = http.post("/api/webhooks", &json!({"url": url, "events": ["*"]})).await.expect_error(400, "InvalidField");
        assert!(refused.contains("UTOPIA_WEBHOOK_ALLOW_PRIVATE"), "{url}: {refused}");
    }
}

/// Whether a message is signed with a secret, by the public library; without it the test says that this was not looked at.
async fn verify_with_library(secret: &str, received: &Received) {
    let Ok(python) = env::var("UTOPIA_TEST_WEBHOOK_PYTHON") else {
        assert!(env::var("CI").is_err(), "UTOPIA_TEST_WEBHOOK_PYTHON is not set");
        return eprintln!("SKIPPED: UTOPIA_TEST_WEBHOOK_PYTHON names no Python with `standardwebhooks`");
    };
    // The library takes keys in base64 only.
    let secret = if secret.starts_with("whsec_") { secret.to_owned() } else { STANDARD.encode(secret) };
    let script = "import json, sys\n\
        from standardwebhooks import Webhook, WebhookVerificationError\n\
        m = json.load(sys.stdin)\n\
        print(json.dumps(Webhook(m['secret']).verify(m['body'], m['headers'])))\n\
        try:\n    Webhook(m['secret']).verify(m['body'] + ' ', m['headers'])\n    sys.exit('a changed body passes')\n\
        except WebhookVerificationError:\n    pass\n";
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers =
        names.into_iter().map(|name| (name.to_owned(), received.header(name).into())).collect::<serde_json::Map<_, _>>();
    let message = json!({"secret": secret, "body": received.body, "headers": headers});
    let mut child = Command::new(python);
    let child = child.args(["-c", script]).kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(message.to_string().as_bytes()).await.unwrap();
    let output = soon("the library", child.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(serde_json::from_slice::<Json>(&output.stdout).unwrap(), received.json());
}

async fn events_arrive_signed_with_what_they_tell(url: &str) {
    let plane = Plane::start_as(url, ALLOW).await;
    let (http, receiver) = (plane.as_operator(), Receiver::start().await);
    let plain = json!({"url": receiver.url("plain"), "events": ["host.*"], "secret": "your-webhook-secret"});
    http.post("/api/webhooks", &plain).await.expect(201);
    let standard = webhook(&http, &receiver.url("standard"), &["host.created", "claim.pending"]).await;
    let host_id = host(&plane, "h1").await;
    plane.as_admin().put(&format!("/api/v1/hosts/{host_id}"), &json!({"os_version": "13"})).await.expect(200);
    let claim_id = text(&claim(&plane.as_user(), 0).await, "id").to_owned();

    let of_plain = receiver.gets("plain", 2).await;
    let of_standard = receiver.gets("standard", 2).await;
    let types = |received: &[Received]| received.iter().map(|one| text(&one.json(), "type").to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(types(&of_plain), ["host.created", "host.updated"].map(str::to_owned).into());
    assert_eq!(types(&of_standard), ["host.created", "claim.pending"].map(str::to_owned).into());
    for (secret, received) in [("your-webhook-secret", &of_plain), (text(&standard, "secret"), &of_standard)] {
        for one in received {
            verify_with_library(secret, one).await;
            let json = one.json();
            assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["data", "timestamp", "type"]);
            let expected = if text(&json, "type").starts_with("host") { &host_id } else { &claim_id };
            assert_eq!(text(&json["data"], "id"), expected);
            assert!(text(&json, "timestamp").ends_with('Z'));
            assert_eq!(one.header("content-type"), "application/json");
        }
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"your-webhook-secret");
    let mac = hmac::sign(&key, of_plain[0].body.as_bytes());
    let hex = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(of_plain[0].header("x-webhook-signature"), format!("sha256={hex}"));

    // The same event has the same id everywhere, also in the log of events.
    let created = |received: &[Received]| {
        let found = received.iter().find(|one| text(&one.json(), "type") == "host.created");
        found.unwrap().id().to_owned()
    };
    assert_eq!(created(&of_plain), created(&of_standard));
    let delivered = newest_becomes(&http, &standard, "delivered").await;
    assert_eq!(
        (&delivered["response_status"], &delivered["attempts"], &delivered["error"]),
        (&json!(204), &json!(1), &json!(""))
    );
    assert_eq!((&delivered["next_attempt_at"], text(&delivered, "webhook_id")), (&Json::Null, text(&standard, "id")));
    plane.stop().await;
}

async fn a_failure_is_tried_again_with_the_same_id(url: &str) {
    let plane = Plane::start_as(url, ALLOW).await;
    let (http, receiver) = (plane.as_operator(), Receiver::start().await);
    let made = webhook(&http, &receiver.url("moody"), &["host.created"]).await;
    host(&plane, "h1").await;
    let failed = async || deliveries(&http, &made).await.into_iter().find(|delivery| delivery["attempts"] == 1);
    let failed = eventually("a first attempt", failed).await;
    assert_eq!((&failed["status"], &failed["response_status"]), (&json!("pending"), &json!(503)));
    assert_eq!(text(&failed, "error"), "the answer is 503 Service Unavailable: not in the mood");
    let again = format!("{}/deliveries/{}/redeliver", path(&made), text(&failed, "id"));
    http.post(&again, &json!({})).await.expect_error(409, "DeliveryPending");

    receiver.cheer_up();
    let delivered = newest_becomes(&http, &made, "delivered").await;
    assert_eq!((&delivered["id"], &delivered["error"]), (&failed["id"], &json!("")));
    http.post(&again, &json!({})).await.expect(202);
    newest_becomes(&http, &made, "delivered").await;
    let received = receiver.gets("moody", 3).await;
    for one in &received {
        assert_eq!((one.id(), &one.body), (text(&failed, "event_id"), &received[0].body));
    }
    let unknown = format!("{}/deliveries/00000000-0000-4000-8000-000000000000/redeliver", path(&made));
    http.post(&unknown, &json!({})).await.expect_error(404, "NotFound");
    for (status, count) in [("delivered", 1), ("pending", 0), ("failed", 0)] {
        let list = http.get(&format!("{}/deliveries?status={status}", path(&made))).await.expect(200);
        assert_eq!(list["total"], count, "{status}");
    }
    plane.stop().await;
}

async fn a_paused_webhook_gets_nothing(url: &str) {
    let plane = Plane::start_as(url, ALLOW).await;
    let (http, receiver) = (plane.as_operator(), Receiver::start().await);
    let body = |paused| json!({"url": receiver.url("ok"), "events": ["host.created"], "paused": paused});
    let made = http.post("/api/webhooks", &body(true)).await.expect(201);
    let witness = webhook(&http, &receiver.url("witness"), &["host.created"]).await;
    host(&plane, "h1").await;
    // It can be tested nevertheless.
    let tested = http.post(&format!("{}/test", path(&made)), &json!({})).await.expect(200);
    assert_eq!((text(&tested, "status"), text(&tested, "event_type")), ("delivered", "webhook.test"));
    http.put(&path(&made), &body(false)).await.expect(200);
    let second = host(&plane, "h2").await;
    receiver.gets("witness", 2).await;
    let received = receiver.gets("ok", 2).await;
    let types = received.iter().map(|one| text(&one.json(), "type").to_owned()).collect::<Vec<_>>();
    assert_eq!(types, ["webhook.test", "host.created"]);
    assert_eq!(text(&received[1].json()["data"], "id"), second);
    assert_eq!(deliveries(&http, &witness).await.len(), 2);
    plane.stop().await;
}

async fn a_dead_subscriber_delays_nobody(url: &str) {
    const HOSTS: usize = 20;
    let plane = Plane::start_as(url, ALLOW).await;
    let (http, receiver) = (plane.as_operator(), Receiver::start().await);
    let dead = webhook(&http, &receiver.url("hang"), &["host.created"]).await;
    for number in 0..4 {
        host(&plane, &format!("early-{number}")).await;
    }
    receiver.gets("hang", 4).await;
    webhook(&http, &receiver.url("ok"), &["host.created"]).await;
    let mut made = BTreeMap::new();
    for number in 0..HOSTS {
        let begun_at = Instant::now();
        made.insert(host(&plane, &format!("late-{number}")).await, begun_at);
    }
    for one in receiver.gets("ok", HOSTS).await {
        // An attempt at the dead one takes 15 s.
        let took = one.at.duration_since(made[text(&one.json()["data"], "id")]);
        assert!(took.as_secs() < 10, "{took:?}");
    }
    let list = http.get(&format!("{}/deliveries?status=pending", path(&dead))).await.expect(200);
    assert_eq!(list["total"], 4 + HOSTS);
    plane.stop().await;
}

async fn every_fault_of_a_receiver_is_told(url: &str) {
    let plane = Plane::start_as(url, ALLOW).await;
    let (http, receiver) = (plane.as_operator(), Receiver::start().await);
    let unbound = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let test = async |url: &str| {
        let made = webhook(&http, url, &["job.*"]).await;
        let tested = http.post(&format!("{}/test", path(&made)), &json!({})).await.expect(200);
        assert_eq!(deliveries(&http, &made).await, std::slice::from_ref(&tested));
        (http.get(&path(&made)).await.expect(200), tested)
    };
    let urls = [receiver.url("hang"), receiver.url("redirect"), receiver.url("huge"), receiver.url("slow"), receiver.url("gone")];
    let refusing = format!("http://{unbound}/");
    let (hang, redirect, huge, slow, gone, refused) =
        tokio::join!(test(&urls[0]), test(&urls[1]), test(&urls[2]), test(&urls[3]), test(&urls[4]), test(&refusing));
    let outcome = |(_, delivery): &(Json, Json)| {
        (text(delivery, "status").to_owned(), delivery["response_status"].as_i64().unwrap(), text(delivery, "error").to_owned())
    };
    let failed = "failed".to_owned();
    assert_eq!(outcome(&hang), (failed.clone(), 0, "there was no answer within 15 s".to_owned()));
    let error = "the answer is 302 Found, to \"http://169.254.169.254/latest/meta-data/\": redirects are not followed";
    assert_eq!(outcome(&redirect), (failed.clone(), 302, error.to_owned()));
    let (status, code, error) = outcome(&huge);
    assert_eq!((&status, code), (&failed, 400));
    assert!(error.len() < 300 && error.ends_with('x'), "{error}");
    assert_eq!(outcome(&slow), ("delivered".to_owned(), 200, String::new()));
    assert_eq!(outcome(&gone), (failed.clone(), 410, "the answer is 410 Gone: the webhook is paused".to_owned()));
    let (status, code, error) = outcome(&refused);
    assert_eq!((status, code), (failed, 0));
    assert!(error.starts_with("nobody was reached: "), "{error}");
    let active = [&hang, &redirect, &huge, &slow, &gone, &refused].map(|(webhook, _)| webhook["active"].as_bool().unwrap());
    assert_eq!(active, [true, true, true, true, false, true]);
    plane.stop().await;
}

async fn a_target_that_is_not_allowed_any_more_is_not_reached(url: &str) {
    let plane = Plane::start_as(url, ALLOW).await;
    let receiver = Receiver::start().await;
    let literal = webhook(&plane.as_operator(), &receiver.url("literal"), &["host.created"]).await;
    let named_url = receiver.url("named").replace("127.0.0.1", "localhost");
    let named = json!({"url": named_url, "events": ["host.created"]});
    // The name may have an address of IPv6, too.
    let plane = plane.restart_as(&["--webhook-allow-private", "127.0.0.0/8,::1/128"]).await;
    let named = plane.as_operator().post("/api/webhooks", &named).await.expect(201);
    host(&plane, "h1").await;
    let (one, two) = (receiver.gets("literal", 1).await.len(), receiver.gets("named", 1).await.len());
    assert_eq!((one, two), (1, 1));

    let plane = plane.restart_as(&[]).await;
    let http = plane.as_operator();
    for webhook in [&literal, &named] {
        let tested = http.post(&format!("{}/test", path(webhook)), &json!({})).await.expect(200);
        assert_eq!((text(&tested, "status"), &tested["response_status"]), ("failed", &json!(0)));
        assert!(text(&tested, "error").contains("UTOPIA_WEBHOOK_ALLOW_PRIVATE"), "{tested}");
    }
    assert_eq!((receiver.received("literal").len(), receiver.received("named").len()), (1, 1));
    plane.stop().await;
}

async fn several_control_planes_send_each_event_once(url: &str) {
    // SQLite is for one.
    if !url.starts_with("postgres") {
        return;
    }
    const HOSTS: usize = 30;
    let one = Plane::start_as(url, ALLOW).await;
    let two = one.beside().await;
    let receiver = Receiver::start().await;
    webhook(&one.as_operator(), &receiver.url("ok"), &["host.created"]).await;
    for number in 0..HOSTS {
        host(if number % 2 == 0 { &one } else { &two }, &format!("h{number}")).await;
    }
    let marker = webhook(&two.as_operator(), &receiver.url("marker"), &["host.created"]).await;
    host(&one, "last").await;
    receiver.gets("ok", HOSTS + 1).await;
    newest_becomes(&one.as_operator(), &marker, "delivered").await;
    let ids = receiver.received("ok").iter().map(|one| one.id().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), HOSTS + 1);
    assert_eq!(ids.len(), HOSTS + 1);
    two.stop().await;
    one.stop().await;
}

const ADMIN_PASSWORD: &str = "correct horse battery";

/// The binary on a database, and its API as the administrator.
async fn spawn(directory: &TempDir, url: &str) -> (Child, Http) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-controlplane"));
    command.env_clear().kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.arg("--data-dir").arg(directory.path().join("data"));
    command.args(["--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--log-format", "json", "--limits", "off"]);
    command.env("UTOPIA_DATABASE_URL", url).env("UTOPIA_ADMIN_PASSWORD", ADMIN_PASSWORD);
    let mut child = command.env("UTOPIA_WEBHOOK_ALLOW_PRIVATE", "127.0.0.0/8").spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the binary gets ready");
            if line.contains("control plane is ready") {
                break serde_json::from_str::<Json>(&line).unwrap();
            }
        }
    };
    let ready = soon("the binary to be ready", ready).await;
    let address = ready.pointer("/fields/http").or(ready.get("http")).and_then(Json::as_str).expect("an address");
    let http = Http::new(address.parse().unwrap());
    // Nobody reads the rest, which is little.
    std::mem::forget(log);
    let account = json!({"username": "admin", "password": ADMIN_PASSWORD});
    let login = http.post("/api/auth/login", &account).await.expect(200);
    (child, http.with_token(text(&login, "token")))
}

async fn nothing_is_lost_when_the_process_is_killed(url: &str) {
    const HOSTS: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let (mut child, http) = spawn(&directory, url).await;
    let made = webhook(&http, &receiver.url("held"), &["host.created"]).await;
    let mut hosts = BTreeSet::new();
    for number in 0..HOSTS {
        let host = http.post("/api/v1/hosts", &json!({"name": format!("h{number}")})).await.expect(201);
        hosts.insert(text(&host["data"], "host_id").to_owned());
    }
    // Some are on the wire, some are deliveries, and the last are perhaps only events.
    receiver.gets("held", 1).await;
    child.start_kill().unwrap();
    soon("the end", child.wait()).await.unwrap();
    let before = receiver.received("held").len();
    receiver.let_go();

    let (mut child, http) = spawn(&directory, url).await;
    // What was on the wire is due again when nobody can be at it any more.
    receiver.gets("held", before + HOSTS - 4).await;
    let all = async || {
        let answered = receiver.received("held").split_off(before);
        let found = answered.iter().map(|one| text(&one.json()["data"], "id").to_owned()).collect::<BTreeSet<_>>();
        (found == hosts).then_some(())
    };
    eventually("all hosts at the receiver", all).await;
    let received = receiver.received("held");
    // Each event has one id, before and after.
    let ids =
        received.iter().map(|one| (text(&one.json()["data"], "id").to_owned(), one.id().to_owned())).collect::<BTreeSet<_>>();
    assert_eq!(ids.len(), HOSTS);
    let settled = async || {
        let list = deliveries(&http, &made).await;
        (list.len() == HOSTS && list.iter().all(|delivery| delivery["status"] == "delivered")).then_some(())
    };
    eventually("all to be settled", settled).await;
    child.start_kill().unwrap();
    soon("the end", child.wait()).await.unwrap();
}
