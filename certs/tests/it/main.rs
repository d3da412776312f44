//! The authority as its users see it: files on disk, and real TLS handshakes between both ends of the link.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod authority;
mod handshake;
mod recovery;

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use utopia_certs::{Authority, Csr, NodeKey, generate_key};
use uuid::Uuid;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An authority in a directory of its own.
struct House {
    authority: Authority,
    dir: TempDir,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("ca"), Timestamp::now()).unwrap();
        Self { authority, dir }
    }

    /// A node that enrolled at a time, for a day.
    fn node(&self, at: Timestamp) -> Node {
        let key = generate_key().unwrap();
        let id = Uuid::new_v4();
        let certificate = self.authority.issue_node(&csr(&key), id, at, DAY).unwrap();
        Node { id, key, certificate: certificate.der }
    }
}

struct Node {
    id: Uuid,
    key: NodeKey,
    certificate: CertificateDer<'static>,
}

impl Node {
    fn identity(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![self.certificate.clone()], self.key.to_der())
    }
}

fn csr(key: &NodeKey) -> Csr {
    Csr::parse(&key.csr().unwrap()).unwrap()
}
