//! The listener for gateways of their own processes.

use jiff::{SignedDuration, Timestamp};
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use utopia_certs::{Authority, Csr, generate_key, tls};
use uuid::Uuid;

use crate::{
    dial::dial,
    plane::{Running, config},
};

#[tokio::test]
async fn only_gateways_are_welcome_at_the_internal_address() {
    let directory = tempfile::tempdir().unwrap();
    let plane = Running::start(config(&directory, &["--internal-addr", "127.0.0.1:0"])).await;
    let address = plane.started.internal_addr.unwrap();
    let now = Timestamp::now();
    let authority = Authority::open_or_create(&directory.path().join("data/ca"), now).unwrap();
    let hour = SignedDuration::from_hours(1);

    let gateway = authority.issue_gateway("edge", now, hour).unwrap();
    let gateway = tls::client_config(authority.certificate_der(), Some((gateway.chain, gateway.key))).unwrap();
    assert!(is_serving(dial(address, gateway).await).await);

    let key = generate_key().unwrap();
    let node = authority.issue_node(&Csr::parse(&key.csr().unwrap()).unwrap(), Uuid::new_v4(), now, hour).unwrap();
    let node = tls::client_config(authority.certificate_der(), Some((vec![node.der], key.to_der()))).unwrap();
    assert!(!is_serving(dial(address, node).await).await);

    let nobody = tls::client_config(authority.certificate_der(), None).unwrap();
    assert!(!is_serving(dial(address, nobody).await).await);
    plane.stop().await;
}

/// Whether the connection holds and its calls are answered.
async fn is_serving(channel: anyhow::Result<Channel>) -> bool {
    let Ok(channel) = channel else { return false };
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
}
