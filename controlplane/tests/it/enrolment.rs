//! How machines become nodes, and stop being them.

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SanType};
use serde_json::json;
use tonic::{Code, Status};
use utopia_certs::{Authority, Csr, generate_key};
use utopia_proto::{
    link::v1::{EnrolRequest, EnrolResponse, RecoverRequest, enrolment_service_client::EnrolmentServiceClient},
    status::reason,
};
use uuid::Uuid;

use crate::{
    agent::{self, Agent, hello},
    databases::on_both_databases,
    dial::dial,
    machine::{Machine, Node, client_tls, enrol},
    plane::{Plane, text},
    wait::eventually,
};

on_both_databases!(
    a_join_token_that_does_not_hold_is_refused,
    a_machine_keeps_its_identity,
    a_request_that_asks_for_an_identity_is_refused,
    a_pending_node_is_approved,
    certificates_are_renewed,
    expired_certificates_are_recovered_by_their_owners,
    a_deleted_node_is_cut_off,
);

/// What a refused call says.
fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    (status.code(), reason(&status))
}

fn refused(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

async fn a_join_token_that_does_not_hold_is_refused(plane: &Plane) {
    let admin = plane.as_admin();
    let machine = Machine::new("n1", 0);
    let once = plane.join_token(1).await;
    assert!(text(&once, "command").contains(text(&once, "token")) && text(&once, "command").contains(text(&once, "ca_hash")));
    let forged = format!("{}x", text(&once, "token"));
    for bad in ["", "nonsense", "utj_aaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &forged] {
        let result = enrol(plane, machine.enrolment(bad)).await;
        assert_eq!(refusal(result), refused(Code::Unauthenticated, "JoinTokenInvalid"), "{bad}");
    }

    enrol(plane, machine.enrolment(text(&once, "token"))).await.unwrap();
    let second = Machine::new("n2", 0);
    let result = enrol(plane, second.enrolment(text(&once, "token"))).await;
    assert_eq!(refusal(result), refused(Code::Unauthenticated, "JoinTokenUsedUp"));

    let many = plane.join_token(0).await;
    enrol(plane, machine.enrolment(text(&many, "token"))).await.unwrap();
    enrol(plane, second.enrolment(text(&many, "token"))).await.unwrap();
    let listed = admin.get("/api/join-tokens").await.expect(200);
    let listed = listed["join_tokens"].as_array().unwrap().iter().find(|token| token["id"] == many["id"]).unwrap();
    assert_eq!((&listed["uses"], &listed["token"], &listed["command"]), (&json!(2), &json!(""), &json!("")));

    let path = format!("/api/join-tokens/{}", text(&many, "id"));
    admin.delete(&path).await.expect(204);
    admin.delete(&path).await.expect_error(404, "NotFound");
    let result = enrol(plane, second.enrolment(text(&many, "token"))).await;
    assert_eq!(refusal(result), refused(Code::Unauthenticated, "JoinTokenInvalid"));

    let short = admin.post("/api/join-tokens", &json!({"ttl_seconds": 1})).await.expect(201);
    let expired = async || enrol(plane, second.enrolment(text(&short, "token"))).await.err();
    let status = eventually("the token to expire", expired).await;
    assert_eq!(refusal::<()>(Err(status)), refused(Code::Unauthenticated, "JoinTokenExpired"));
}

async fn a_machine_keeps_its_identity(plane: &Plane) {
    let token = plane.join_token(0).await;
    let token = text(&token, "token");
    let machine = Machine::new("n1", 0);
    let id = enrol(plane, machine.enrolment(token)).await.unwrap().node_id;
    let renamed = Machine { machine_id: machine.machine_id.clone(), ..Machine::new("n1-renamed", 0) };
    assert_eq!(enrol(plane, renamed.enrolment(token)).await.unwrap().node_id, id);
    assert_eq!(plane.as_user().get(&format!("/api/nodes/{id}")).await.expect(200)["hostname"], "n1-renamed");

    let thief = Machine::new("thief", 0);
    let stolen = EnrolRequest { node_id: id.clone(), ..thief.enrolment(token) };
    assert_eq!(refusal(enrol(plane, stolen).await), refused(Code::NotFound, "NotFound"));
    assert_ne!(enrol(plane, thief.enrolment(token)).await.unwrap().node_id, id);
}

/// A certificate request that asks for the identity of a node.
fn greedy_csr(node_id: &str) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(format!("spiffe://utopia/node/{node_id}").try_into().unwrap())];
    params.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

async fn a_request_that_asks_for_an_identity_is_refused(plane: &Plane) {
    let victim = Machine::new("victim", 0).join(plane).await;
    let token = plane.join_token(1).await;
    let machine = Machine::new("n1", 0);
    for csr in [greedy_csr(&victim.id), b"junk".to_vec(), Vec::new()] {
        let request = EnrolRequest { csr, ..machine.enrolment(text(&token, "token")) };
        assert_eq!(refusal(enrol(plane, request).await), refused(Code::InvalidArgument, "CsrInvalid"));
    }
    // The refusals have not used the token up.
    let node = machine.enrol(plane, text(&token, "token")).await.unwrap();
    assert_ne!(node.id, victim.id);
}

async fn a_pending_node_is_approved(plane: &Plane) {
    let admin = plane.as_admin();
    let announced = plane.http.post("/api/nodes/register", &json!({"hostname": "n1"})).await.expect(201);
    let other = plane.http.post("/api/nodes/register", &json!({"hostname": "n2"})).await.expect(201);
    let path = format!("/api/nodes/{}/approve", text(&announced, "id"));
    plane.as_operator().post(&path, &json!({})).await.expect_error(403, "PermissionDenied");
    let approval = admin.post(&path, &json!({})).await.expect(200);
    assert_eq!((&approval["node_id"], &approval["max_uses"]), (&announced["id"], &json!(1)));

    let machine = Machine::new("n1", 0);
    let elsewhere = EnrolRequest { node_id: text(&other, "id").into(), ..machine.enrolment(text(&approval, "token")) };
    assert_eq!(refusal(enrol(plane, elsewhere).await), refused(Code::PermissionDenied, "JoinTokenForOtherNode"));
    let node = machine.enrol(plane, text(&approval, "token")).await.unwrap();
    assert_eq!(node.id, text(&announced, "id"));
    let _agent = Agent::obedient(plane, &node).await;
    assert_eq!(admin.get(&format!("/api/nodes/{}", node.id)).await.expect(200)["status"], "Online");

    let result = Machine::new("n2", 0).enrol(plane, text(&approval, "token")).await;
    assert_eq!(refusal(result).0, Code::Unauthenticated);
    admin.post(&path, &json!({})).await.expect_error(409, "NodeNotPending");
}

async fn certificates_are_renewed(plane: &Plane) {
    let mut node = Machine::new("n1", 0).join(plane).await;
    let renewed = node.renew(plane).await.unwrap();
    assert_eq!(renewed.node_id, node.id);
    assert_ne!(renewed.certificate, node.certificate.certificate);
    node.certificate = renewed;
    let _agent = Agent::obedient(plane, &node).await;

    let mut client = EnrolmentServiceClient::new(node.channel(plane).await);
    let request = utopia_proto::link::v1::RenewRequest { csr: greedy_csr(&Uuid::new_v4().to_string()) };
    assert_eq!(refusal(client.renew(request).await), refused(Code::InvalidArgument, "CsrInvalid"));
}

/// The node's certificate as it would be if it had expired so long ago.
pub(crate) fn expired(authority: &Authority, node: &Node, ago: SignedDuration) -> Vec<u8> {
    let csr = Csr::parse(&node.machine.key.csr().unwrap()).unwrap();
    let day = SignedDuration::from_hours(24);
    authority.issue_node(&csr, node.id.parse().unwrap(), Timestamp::now() - ago - day, day).unwrap().der.to_vec()
}

pub(crate) async fn recover(plane: &Plane, csr: Vec<u8>, expired_certificate: Vec<u8>) -> Result<EnrolResponse, Status> {
    let mut client = EnrolmentServiceClient::new(plane.channel().await);
    Ok(client.recover(RecoverRequest { csr, expired_certificate }).await?.into_inner())
}

async fn expired_certificates_are_recovered_by_their_owners(plane: &Plane) {
    let mut node = Machine::new("n1", 0).join(plane).await;
    let csr = node.machine.key.csr().unwrap();
    let yesterday = expired(&plane.authority(), &node, SignedDuration::from_hours(1));
    let stale = EnrolResponse { certificate: yesterday.clone(), ..node.certificate.clone() };
    let tls = client_tls(&stale, node.machine.key.to_der());
    // With TLS 1.3 a client learns of the refusal at its first call.
    if let Ok(channel) = dial(plane.grpc_addr(), tls).await {
        let mut client = EnrolmentServiceClient::new(channel);
        client.renew(utopia_proto::link::v1::RenewRequest { csr: csr.clone() }).await.unwrap_err();
    }

    let not_recoverable = refused(Code::Unauthenticated, "CertificateNotRecoverable");
    let other_key = generate_key().unwrap().csr().unwrap();
    assert_eq!(refusal(recover(plane, other_key, yesterday.clone()).await), not_recoverable);
    let long_ago = expired(&plane.authority(), &node, SignedDuration::from_hours(31 * 24));
    assert_eq!(refusal(recover(plane, csr.clone(), long_ago).await), not_recoverable);
    let elsewhere = tempfile::tempdir().unwrap();
    let other_authority = Authority::open_or_create(&elsewhere.path().join("ca"), Timestamp::now()).unwrap();
    let foreign = expired(&other_authority, &node, SignedDuration::from_hours(1));
    assert_eq!(refusal(recover(plane, csr.clone(), foreign).await), not_recoverable);
    assert_eq!(refusal(recover(plane, csr.clone(), b"junk".to_vec()).await), not_recoverable);

    node.certificate = recover(plane, csr, yesterday).await.unwrap();
    assert_eq!(node.certificate.node_id, node.id);
    let _agent = Agent::obedient(plane, &node).await;
}

async fn a_deleted_node_is_cut_off(plane: &Plane) {
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::obedient(plane, &node).await;
    plane.as_admin().delete(&format!("/api/nodes/{}", node.id)).await.expect(204);
    let deleted = refused(Code::PermissionDenied, "NodeDeleted");
    assert_eq!(refusal::<()>(Err(agent.is_cut().await)), deleted);
    let again = Agent::connect(plane, &node, hello(&node), Box::new(agent::obey)).await;
    assert_eq!(refusal(again), deleted);
    assert_eq!(refusal(node.renew(plane).await), deleted);
    let yesterday = expired(&plane.authority(), &node, SignedDuration::from_hours(1));
    assert_eq!(refusal(recover(plane, node.machine.key.csr().unwrap(), yesterday).await), deleted);

    // The machine may join again, as a new node.
    let token = plane.join_token(1).await;
    let id = node.id.clone();
    let node = node.machine.enrol(plane, text(&token, "token")).await.unwrap();
    assert_ne!(node.id, id);
    let _agent = Agent::obedient(plane, &node).await;
}
