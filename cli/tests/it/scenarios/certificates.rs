//! Certificates that live for seconds: renewed in time, recovered after their time, and of no use to a machine that was deleted.

use jiff::Timestamp;
use utopia_certs::Validity;

use crate::system::agent::Agent;
use crate::system::api::Api;
use crate::system::server::Server;
use crate::system::until;

/// The shortest that can be set, in seconds.
const LIFETIME: (&str, &str) = ("UTOPIA_CERTIFICATE_LIFETIME", "10");

async fn the_node(admin: &Api) -> String {
    let [node] = admin.nodes_online(1).await.try_into().unwrap();
    node["id"].as_str().unwrap().to_owned()
}

fn not_after(certificate: &[u8]) -> Timestamp {
    Validity::from_certificate(certificate).unwrap().not_after
}

#[tokio::test]
async fn a_machine_stays_online_past_the_end_of_its_certificate() {
    let mut control_plane = Server::control_plane_with(&[LIFETIME]).await;
    let admin = control_plane.admin().await;
    let agent = Agent::join_as(&admin, &[]).await;
    let node = the_node(&admin).await;
    let first = agent.certificate().unwrap();
    until("the first certificate has expired", async || {
        assert_eq!(admin.node_status(&node).await, "Online", "{}", agent.process.log());
        (Timestamp::now() > not_after(&first)).then_some(())
    })
    .await;
    let renewed = agent.certificate().unwrap();
    assert!(not_after(&renewed) > Timestamp::now());

    // A session holds for longer than the certificate it began with; the next one needs the renewed one.
    control_plane.process.kill().await;
    control_plane.start_again().await;
    assert_eq!(the_node(&admin).await, node);
}

#[tokio::test]
async fn a_machine_that_was_off_when_its_certificate_expired_recovers_by_itself() {
    let control_plane = Server::control_plane_with(&[LIFETIME]).await;
    let admin = control_plane.admin().await;
    let mut agent = Agent::join_as(&admin, &[]).await;
    let node = the_node(&admin).await;
    assert!(agent.process.terminate().await.success(), "{}", agent.process.log());
    let expired = agent.certificate().unwrap();
    until("the certificate has expired", async || (Timestamp::now() > not_after(&expired)).then_some(())).await;

    agent.start_again();
    assert_eq!(the_node(&admin).await, node);
    assert!(not_after(&agent.certificate().unwrap()) > not_after(&expired));
}

#[tokio::test]
async fn an_expired_certificate_of_a_deleted_machine_recovers_nothing() {
    let control_plane = Server::control_plane_with(&[LIFETIME]).await;
    let admin = control_plane.admin().await;
    let mut agent = Agent::join_as(&admin, &[]).await;
    let node = the_node(&admin).await;
    agent.process.kill().await;
    admin.delete(&format!("/api/nodes/{node}")).await.expect(204);
    let expired = agent.certificate().unwrap();
    until("the certificate has expired", async || (Timestamp::now() > not_after(&expired)).then_some(())).await;

    agent.start_again();
    assert_eq!(agent.process.wait().await.code(), Some(1), "{}", agent.process.log());
    assert_eq!(agent.process.errors().len(), 1, "{}", agent.process.log());
    admin.nodes_online(0).await;
}
