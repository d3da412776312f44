//! Where an authority is kept, and what it puts into certificates.

use std::os::unix::fs::PermissionsExt as _;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, KeyPair};
use utopia_certs::{Authority, Error, PeerIdentity, Validity, generate_key};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{DAY, House, csr};

#[test]
fn an_authority_is_made_once_and_its_key_is_private() {
    let house = House::new();
    let dir = house.dir.path().join("ca");
    let mode = |name: &str| std::fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("ca-key.pem")), (0o700, 0o600));

    let again = Authority::open_or_create(&dir, Timestamp::now()).unwrap();
    assert_eq!(again.hash(), house.authority.hash());
    assert_eq!(std::fs::read_to_string(dir.join("ca.pem")).unwrap(), again.certificate_pem());
    assert!(again.hash().starts_with("sha256:") && again.hash().len() == 71, "{}", again.hash());
    assert!(!format!("{again:?}").to_lowercase().contains("key"), "{again:?}");
}

#[test]
fn two_authorities_are_different() {
    assert_ne!(House::new().authority.hash(), House::new().authority.hash());
}

#[test]
fn a_lost_certificate_is_made_again_with_the_same_key() {
    let house = House::new();
    let node = house.node(Timestamp::now());
    let dir = house.dir.path().join("ca");
    std::fs::remove_file(dir.join("ca.pem")).unwrap();
    let again = Authority::open_or_create(&dir, Timestamp::now()).unwrap();
    assert_ne!(again.hash(), house.authority.hash());
    let owner = again.verify_expired(&node.certificate, &csr(&node.key), Timestamp::now(), SignedDuration::ZERO);
    assert_eq!(owner.unwrap(), node.id);
}

#[test]
fn files_that_do_not_fit_are_named() {
    let house = House::new();
    let dir = house.dir.path();
    let (own_certificate, own_key) = (dir.join("ca/ca.pem"), dir.join("ca/ca-key.pem"));
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let other_key = write("other.pem", &generate_key().unwrap().to_pem());
    let junk = write("junk.pem", "junk");
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::default().self_signed(&leaf_key).unwrap();
    let (leaf, leaf_key) = (write("leaf.pem", &leaf.pem()), write("leaf-key.pem", &leaf_key.serialize_pem()));

    for (certificate, key, problem) in [
        (&own_certificate, &other_key, "other.pem cannot serve as the certificate authority: it is not the key"),
        (&own_certificate, &junk, "junk.pem cannot serve as the certificate authority: it holds no private key"),
        (&junk, &own_key, "junk.pem cannot serve as the certificate authority: it holds no certificate"),
        (&leaf, &leaf_key, "leaf.pem cannot serve as the certificate authority: its certificate is not that of an authority"),
        (&dir.join("absent.pem"), &own_key, "cannot read"),
    ] {
        let error = Authority::open(certificate, key).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    Authority::open(&own_certificate, &own_key).unwrap();
}

#[test]
fn a_certificate_names_its_node_and_has_its_own_serial() {
    let house = House::new();
    let now = Timestamp::now();
    let (one, other) = (house.node(now), house.node(now));
    assert_eq!(PeerIdentity::from_certificate(&one.certificate).unwrap(), PeerIdentity::Node(one.id));
    let serial = |der| X509Certificate::from_der(der).unwrap().1.raw_serial().to_vec();
    assert_ne!(serial(&one.certificate), serial(&other.certificate));

    let gateway = house.authority.issue_gateway("edge-1", now, DAY).unwrap();
    assert_eq!(PeerIdentity::from_certificate(&gateway.chain[0]).unwrap(), PeerIdentity::Gateway("edge-1".to_owned()));
    assert!(matches!(house.authority.issue_gateway("Edge 1", now, DAY), Err(Error::NameInvalid { .. })));
}

#[test]
fn a_certificate_says_when_it_was_issued() {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let validity = Validity::from_certificate(&House::new().node(now).certificate).unwrap();
    assert_eq!(validity, Validity { issued_at: now, not_after: now + DAY });
    assert_eq!(validity.lifetime(), DAY);
}

#[test]
fn a_servers_certificate_names_no_peer() {
    let server = House::new().authority.issue_server(&["localhost".to_owned()], Timestamp::now(), DAY).unwrap();
    assert!(PeerIdentity::from_certificate(&server.chain[0]).is_err());
}

#[test]
fn a_server_name_must_be_a_name_or_an_address() {
    let house = House::new();
    let issue = |name: &str| house.authority.issue_server(&[name.to_owned()], Timestamp::now(), DAY);
    for name in ["localhost", "control.example.org", "*.example.org", "127.0.0.1", "::1"] {
        issue(name).unwrap();
    }
    for name in ["", "a b", "https://example.org", "exa*mple.org", "ä.example.org"] {
        assert!(matches!(issue(name), Err(Error::NameInvalid { .. })), "{name}");
    }
}

#[test]
fn no_certificate_outlives_the_authority() {
    let house = House::new();
    let century = DAY * 36_500;
    let request = csr(&generate_key().unwrap());
    let issue = |at: Timestamp| house.authority.issue_node(&request, Uuid::new_v4(), at, century);
    let issued = issue(Timestamp::now()).unwrap();
    let (_, ca) = X509Certificate::from_der(house.authority.certificate_der()).unwrap();
    assert_eq!(issued.not_after.as_second(), ca.validity().not_after.timestamp());
    assert!(matches!(issue(Timestamp::now() + DAY * 3651), Err(Error::AuthorityExpired)));
}
