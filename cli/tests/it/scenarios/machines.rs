//! Machines of their own that are reached over SSH, and what becomes of them.

use serde_json::{Value, json};

use crate::system::api::Api;
use crate::system::server::Server;
use crate::system::sshd::{PASSWORD, Sshd};
use crate::system::until;

const MACHINES: &str = "/api/v1/machines";

/// Waits until the background checks say this of the machine.
async fn becomes(api: &Api, path: &str, status: &str, why: &str) -> Value {
    until(&format!("the machine is {status}: {why}"), async || {
        let machine = api.get(path).await.expect(200)["data"].take();
        let there = machine["status"] == status && machine["message"].as_str().unwrap().contains(why);
        there.then_some(machine)
    })
    .await
}

#[tokio::test]
async fn a_machine_that_comes_and_goes_is_seen_without_being_asked() {
    let Some(mut sshd) = Sshd::create() else { return };
    let server = Server::control_plane_with(&[("UTOPIA_MACHINE_CHECK_INTERVAL_SECONDS", "1")]).await;
    let admin = server.admin().await;
    let address = sshd.nat().inside().to_string();
    let machine = json!({"name": "m1", "ip_address": address, "user": "root", "password": PASSWORD, "role": "worker"});
    let made = admin.post(MACHINES, machine.clone()).await.expect(201)["data"].take();
    let path = format!("{MACHINES}/{}", made["id"].as_str().unwrap());

    // Its firewall answers nothing at first.
    becomes(&admin, &path, "unavailable", "no answer within 5 s").await;
    sshd.nat().open();
    becomes(&admin, &path, "unavailable", "connection refused").await;
    sshd.start();
    let seen = becomes(&admin, &path, "available", "logged in with the password").await;
    assert!(sshd.host_key().starts_with(seen["host_key"].as_str().unwrap()), "{seen:#}");

    sshd.stop();
    becomes(&admin, &path, "unavailable", "connection refused").await;
    sshd.start();
    becomes(&admin, &path, "available", "").await;

    // Set up anew, it has another host key, and no password is shown to it.
    sshd.stop();
    sshd.new_host_key();
    sshd.start();
    let changed = becomes(&admin, &path, "unavailable", "host key has changed").await;
    assert_eq!(changed["host_key"], seen["host_key"]);
    server.process.says("the host key of a machine has changed").await;
    let mut accepted = machine.clone();
    accepted["host_key"] = sshd.host_key().into();
    admin.put(&path, accepted).await.expect(200);
    becomes(&admin, &path, "available", "").await;

    let mut wrong = machine;
    wrong["password"] = "not the password".into();
    admin.put(&path, wrong).await.expect(200);
    becomes(&admin, &path, "unavailable", "the password was refused").await;

    // Set aside, it is left alone, whatever a check finds.
    admin.put(&format!("{path}/status"), json!({"status": "maintenance", "message": "new disk"})).await.expect(200);
    let checked = admin.post(&format!("{path}/check"), json!({})).await.expect(200)["data"].take();
    assert_eq!(checked["status"], "maintenance");
    becomes(&admin, &path, "maintenance", "new disk").await;
    for secret in [PASSWORD, "not the password"] {
        assert!(!server.process.log().contains(secret), "a password is in the log");
    }
}

#[tokio::test]
async fn a_control_plane_ends_in_order_in_the_middle_of_a_check() {
    let Some(sshd) = Sshd::create() else { return };
    let mut server = Server::control_plane().await;
    let admin = server.admin().await;
    let address = sshd.nat().inside().to_string();
    let machine = json!({"name": "m1", "ip_address": address, "user": "root", "password": PASSWORD, "role": "worker"});
    admin.post(MACHINES, machine).await.expect(201);
    assert!(server.process.terminate().await.success(), "{}", server.process.log());
    assert!(!server.process.log().contains("some background work was cut"), "{}", server.process.log());
}
