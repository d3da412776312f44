//! The key of an agent, and the certificate request it signs.
//!
//! The key is made on the machine and never leaves it; only requests do.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{Error, Result};

/// A private key. `Debug` shows nothing of it.
pub struct NodeKey(KeyPair);

/// Makes a new P-256 key.
pub fn generate_key() -> Result<NodeKey> {
    KeyPair::generate().map(NodeKey).map_err(|_| Error::Internal("make a key"))
}

impl NodeKey {
    /// Reads a key from PKCS#8 in PEM.
    pub fn from_pem(pem: &str) -> Result<Self> {
        KeyPair::from_pem(pem).map(Self).map_err(|_| Error::KeyInvalid)
    }

    /// The key in PKCS#8 in PEM, to be kept in a private file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// The key for TLS.
    #[must_use]
    pub fn to_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }

    /// A PKCS#10 certificate request in DER. It names nobody: the authority decides who the key's owner is.
    pub fn csr(&self) -> Result<Vec<u8>> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&self.0).map_err(|_| Error::Internal("sign a certificate request"))?;
        Ok(request.der().to_vec())
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Csr;

    #[test]
    fn a_key_survives_its_file_and_hides_in_debug() {
        let key = generate_key().unwrap();
        let read = NodeKey::from_pem(&key.to_pem()).unwrap();
        let (one, other) = (Csr::parse(&key.csr().unwrap()).unwrap(), Csr::parse(&read.csr().unwrap()).unwrap());
        assert_eq!(one.public_key(), other.public_key());
        assert_eq!(format!("{key:?}"), "NodeKey { .. }");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(matches!(NodeKey::from_pem("junk"), Err(Error::KeyInvalid)));
    }
}
