//! An administrator's work by the command line: people, tokens, hosts and machines, and the audit log that tells of all of it.

use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};

use crate::invoke::Shell;
use crate::system::api::PASSWORD;
use crate::system::ports::free_port;
use crate::system::server::Server;
use crate::system::until;

const SECOND_PASSWORD: &str = "another battery staple";
const THIRD_PASSWORD: &str = "yet another battery";

async fn log_in(up: &Server, username: &str, password: &str) -> Shell {
    let shell = Shell::at(up.api().url());
    shell.run_with_input(&["login", username, "--password-stdin"], password).await.ok();
    shell
}

async fn json(shell: &Shell, arguments: &[&str]) -> Value {
    serde_json::from_str(&shell.run(&[arguments, &["-o", "json"]].concat()).await.ok()).unwrap()
}

#[tokio::test]
async fn people_are_made_locked_out_unlocked_and_get_new_passwords() {
    let up = Server::up().await;
    let admin = log_in(&up, "admin", &up.secret("admin-password")).await;
    let create = ["users", "create", "bob", "--role", "operator", "--email", "bob@example.com", "--password-stdin"];
    assert_eq!(admin.run_with_input(&create, PASSWORD).await.ok(), "user bob is made with the role operator\n");
    assert!(admin.run_with_input(&create, PASSWORD).await.failed(5).ends_with("(409)\n"));
    let listed = admin.run(&["users", "list", "--search", "EXAMPLE.com"]).await.ok();
    assert!(listed.lines().count() == 2 && listed.contains("bob@example.com"), "{listed}");

    let nobody = Shell::at(up.api().url());
    until("bob is locked out", async || {
        let refused = nobody.run_with_input(&["login", "bob", "--password-stdin"], "wrong").await;
        refused.stderr.contains("LoginLocked").then(|| assert!(refused.failed(6).contains("hint: try again in ")))
    })
    .await;
    assert_eq!(admin.run(&["users", "unlock", "bob"]).await.ok(), "user bob can log in again\n");
    let bob = log_in(&up, "bob", PASSWORD).await;
    assert!(bob.run(&["whoami"]).await.ok().contains("Role:        operator"));

    admin.run_with_input(&["users", "passwd", "bob", "--password-stdin"], SECOND_PASSWORD).await.ok();
    assert!(bob.run(&["whoami"]).await.failed(3).contains("hint: log in"));
    let bob = log_in(&up, "bob", SECOND_PASSWORD).await;
    let both = format!("{SECOND_PASSWORD}\n{THIRD_PASSWORD}\n");
    bob.run_with_input(&["users", "passwd", "--password-stdin"], &both).await.ok();
    let bob = log_in(&up, "bob", THIRD_PASSWORD).await;

    bob.run(&["users", "list"]).await.failed(3);
    admin.run(&["users", "update", "bob", "--role", "readonly"]).await.ok();
    bob.run(&["whoami"]).await.failed(3);
    admin.run(&["users", "delete", "bob"]).await.ok();
    admin.run(&["users", "get", "bob"]).await.failed(4);
    admin.run(&["logout"]).await.ok();
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked() {
    let up = Server::up().await;
    let admin = log_in(&up, "admin", &up.secret("admin-password")).await;
    let token = admin.run(&["tokens", "create", "nightly", "--role", "user", "--ttl", "1h"]).await.ok();
    let mut script = Shell::at(up.api().url());
    script.set("UTOPIA_TOKEN", token.trim());
    assert!(script.run(&["whoami"]).await.ok().contains("User name:   admin"));
    script.run(&["claims", "list"]).await.ok();
    assert!(script.run(&["users", "list"]).await.failed(3).contains("(403)\nhint: `aiinfra whoami`"), "its role is `user`");

    let list = json(&admin, &["tokens", "list"]).await;
    let id = list["tokens"][0]["id"].as_str().unwrap();
    assert_eq!((&list["tokens"][0]["name"], &list["total"]), (&"nightly".into(), &1.into()));
    admin.run(&["tokens", "revoke", id]).await.ok();
    script.run(&["whoami"]).await.failed(3);
}

#[tokio::test]
async fn hosts_are_registered_and_taken_out_of_service() {
    let up = Server::up().await;
    let admin = log_in(&up, "admin", &up.secret("admin-password")).await;
    up.admin().await.nodes_online(1).await;
    let create = ["hosts", "create", "gpu-02", "--memory", "128GiB", "--cpus", "32", "-l", "region=us-west"];
    let token = admin.run(&create).await.ok();
    assert!(token.starts_with("uta_") && token.lines().count() == 1, "{token}");
    assert_ne!(admin.run(&["hosts", "rotate-token", "gpu-02"]).await.ok(), token);
    let listed = admin.run(&["hosts", "list", "-l", "region in (us-west,us-east)"]).await.ok();
    assert!(listed.lines().count() == 2 && listed.contains("of 128 GiB"), "{listed}");
    admin.run(&["hosts", "update", "gpu-02", "--name", "gpu-02-west", "--no-labels"]).await.ok();
    assert!(!admin.run(&["hosts", "get", "gpu-02-west"]).await.ok().contains("us-west"));
    admin.run(&["hosts", "delete", "gpu-02-west"]).await.ok();

    let local = json(&admin, &["hosts", "list", "--status", "online"]).await;
    let local = local["items"][0]["host_id"].as_str().unwrap();
    let text = admin.run(&["hosts", "get", local]).await.ok();
    assert!(text.contains("Simulated GPU 1") && text.contains("GPUs used:    0 of 2"), "{text}");
    let maintenance = ["hosts", "maintenance", "start", local, "--reason", "new power supply", "--claims", "move", "--wait"];
    assert!(admin.run(&maintenance).await.ok().contains("new power supply; claims are moved, 0 left"));
    assert!(admin.run(&["hosts", "list", "--status", "maintenance"]).await.ok().contains(local));
    assert!(!admin.run(&["hosts", "maintenance", "end", local]).await.ok().contains("Maintenance"));
}

#[tokio::test]
async fn machines_are_added_checked_and_set_aside() {
    let up = Server::up().await;
    let admin = log_in(&up, "admin", &up.secret("admin-password")).await;
    let closed = free_port().to_string();
    let create = ["machines", "create", "web-1", "127.0.0.1", "--user", "root", "--role", "worker", "--ssh-port", &closed];
    let said = admin.run_with_input(&[&create[..], &["--password-stdin"]].concat(), PASSWORD).await.ok();
    assert!(said.starts_with("machine web-1 is added as "), "{said}");
    let said = admin.run(&["machines", "check", "web-1"]).await.failed(7);
    assert!(said.starts_with("error: machine web-1 cannot be logged in to: ") && said.contains("refused"), "{said}");
    let listed = admin.run(&["machines", "list", "--status", "unavailable"]).await.ok();
    assert!(listed.lines().count() == 2 && listed.contains(&format!("root@127.0.0.1:{closed}")), "{listed}");

    let set = admin.run(&["machines", "status", "web-1", "maintenance", "--message", "new disk"]).await.ok();
    assert!(set.contains("maintenance") && set.contains("new disk"), "{set}");
    let no_key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&no_key, "no key").unwrap();
    admin.run(&["machines", "update", "web-1", "--private-key-file", no_key.path().to_str().unwrap()]).await.failed(1);
    admin.run(&["machines", "update", "web-1", "--name", "web-2", "-l", "rack=7"]).await.ok();
    let shown = admin.run(&["machines", "get", "web-2"]).await.ok();
    for part in ["Status:         maintenance\n", "With:           password\n", "Role:           worker\n", "rack=7", &closed] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!json(&admin, &["audit", "list", "--type", "machine"]).await.to_string().contains(PASSWORD));
    admin.run(&["machines", "delete", "web-2"]).await.ok();
    admin.run(&["machines", "get", "web-2"]).await.failed(4);
}

#[tokio::test]
async fn the_audit_log_is_proved_until_somebody_touches_it() {
    let up = Server::up().await;
    // The agent's joining is an event as well: nothing of it comes later.
    up.admin().await.nodes_online(1).await;
    let admin = log_in(&up, "admin", &up.secret("admin-password")).await;
    admin.run_with_input(&["users", "create", "bob", "--password-stdin"], PASSWORD).await.ok();
    let token = admin.run(&["tokens", "create", "nightly"]).await.ok();
    let bob = log_in(&up, "bob", PASSWORD).await;
    bob.run_with_input(&["users", "create", "carol", "--password-stdin"], PASSWORD).await.failed(3);

    let listed = admin.run(&["audit", "list", "--user", "admin", "--since", "1h"]).await.ok();
    assert!(listed.contains("CreateUser") && listed.contains("CreateApiToken"), "{listed}");
    let denied = json(&admin, &["audit", "list", "--result", "denied", "--all"]).await;
    assert_eq!((&denied["total"], &denied["events"][0]["user"]), (&1.into(), &"bob".into()), "{denied:#}");
    let event = denied["events"][0]["id"].as_str().unwrap();
    assert!(admin.run(&["audit", "get", event]).await.ok().contains("PermissionDenied"));
    let all = json(&admin, &["audit", "list", "--all"]).await.to_string();
    assert!(!all.contains(PASSWORD) && !all.contains(token.trim()), "{all}");

    let proved = admin.run(&["audit", "verify"]).await.ok();
    let head = proved.lines().last().unwrap().strip_prefix("head ").unwrap().to_owned();
    admin.run(&["tokens", "create", "weekly"]).await.ok();
    let proved = json(&admin, &["audit", "verify", "--head", &head]).await;
    let last = proved["head"]["sequence"].as_i64().unwrap();
    let newer_head = format!("{last}:{}", proved["head"]["hash"].as_str().unwrap());
    assert_ne!(newer_head, head);

    let mut database = SqliteConnection::connect(&up.database_url()).await.unwrap();
    let mut tamper = async |statement: &'static str| {
        let done = sqlx::query(statement).bind(last).execute(&mut database).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{statement}");
    };
    tamper("update audit_events set payload = replace(payload, 'admin', 'carol') where sequence = $1").await;
    let said = admin.run(&["audit", "verify"]).await.failed(1);
    let expected = format!("error: the audit log is broken: link {last} was changed: its hash does not fit its payload\n");
    assert_eq!(said, expected);
    tamper("delete from audit_events where sequence = $1").await;
    assert!(admin.run(&["audit", "verify"]).await.failed(1).contains("links were removed"));
    // Who can write everything can cut the end off. Then only a head that was noted tells.
    tamper("update audit_head set (sequence, hash) = (select sequence, hash from audit_events where sequence = $1 - 1)").await;
    admin.run(&["audit", "verify"]).await.ok();
    let said = admin.run(&["audit", "verify", "--head", &newer_head]).await.failed(1);
    assert!(said.contains(&format!("link {last} was cut off")), "{said}");
}
