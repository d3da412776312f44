//! Who may recover an expired certificate.

use jiff::{SignedDuration, Timestamp};
use utopia_certs::{Csr, Error, generate_key};

use crate::{DAY, House, csr};

const GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);

#[test]
fn the_owner_recovers_within_the_grace_period() {
    let house = House::new();
    let issued_at = Timestamp::now();
    let node = house.node(issued_at);
    let request = csr(&node.key);
    let verify = |now| house.authority.verify_expired(&node.certificate, &request, now, GRACE);
    assert_eq!(verify(issued_at).unwrap(), node.id, "not yet expired");
    assert_eq!(verify(issued_at + DAY * 2).unwrap(), node.id, "expired yesterday");
    assert_eq!(verify(issued_at + DAY * 30).unwrap(), node.id, "expired 29 days ago");
    assert!(matches!(verify(issued_at + DAY * 32), Err(Error::ExpiredTooLongAgo)));
    assert!(matches!(verify(issued_at - DAY), Err(Error::WrongAuthority)), "not valid yet");
}

#[test]
fn nobody_else_does() {
    let (house, foreign) = (House::new(), House::new());
    let now = Timestamp::now();
    let node = house.node(now - DAY * 2);
    let own = csr(&node.key);
    let verify = |certificate: &[u8], request: &Csr| house.authority.verify_expired(certificate, request, now, GRACE);

    let other_key = csr(&generate_key().unwrap());
    assert!(matches!(verify(&node.certificate, &other_key), Err(Error::KeyMismatch)));

    let stranger = foreign.node(now - DAY * 2);
    assert!(matches!(verify(&stranger.certificate, &csr(&stranger.key)), Err(Error::WrongAuthority)));

    let server = house.authority.issue_server(&["localhost".to_owned()], now, DAY).unwrap();
    assert!(matches!(verify(&server.chain[0], &own), Err(Error::WrongAuthority)));

    assert!(matches!(verify(b"junk", &own), Err(Error::CertificateInvalid { .. })));
    let mut tampered = node.certificate.to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    assert!(verify(&tampered, &own).is_err());
}
