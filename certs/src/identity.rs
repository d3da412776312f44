//! Whom a client certificate names: one URI of the form `spiffe://utopia/<kind>/<name>`.
//!
//! This reads a name, it proves nothing: the certificate must have come out of a verified TLS handshake.

use std::fmt;

use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::{Error, Result};

const NODE_PREFIX: &str = "spiffe://utopia/node/";
const GATEWAY_PREFIX: &str = "spiffe://utopia/gateway/";
const GATEWAY_NAME_MAX_CHARS: usize = 63;

/// The peer that a client certificate names. Displayed as its SPIFFE id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PeerIdentity {
    /// An agent, by its node's id.
    Node(Uuid),
    /// A gateway, by its name.
    Gateway(String),
}

impl PeerIdentity {
    /// Reads the identity from a certificate in DER. Exactly one URI must stand in it, and be one of ours.
    pub fn from_certificate(der: &[u8]) -> Result<Self> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| Error::CertificateInvalid { problem: "cannot be read" })?;
        Self::of(&certificate)
    }

    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Result<Self> {
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| Error::CertificateInvalid { problem: "cannot be read" })?
            .map_or(&[][..], |extension| &extension.value.general_names);
        match names {
            [GeneralName::URI(uri)] => {
                Self::parse(uri).ok_or(Error::CertificateInvalid { problem: "names neither a node nor a gateway" })
            }
            _ => Err(Error::CertificateInvalid { problem: "does not name exactly one identity" }),
        }
    }

    /// A gateway's identity; the name is made of lower-case letters, digits and hyphens.
    pub fn gateway(name: &str) -> Result<Self> {
        let fits = !name.is_empty()
            && name.len() <= GATEWAY_NAME_MAX_CHARS
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fits { Ok(Self::Gateway(name.to_owned())) } else { Err(Error::NameInvalid { name: name.to_owned() }) }
    }

    fn parse(uri: &str) -> Option<Self> {
        if let Some(name) = uri.strip_prefix(GATEWAY_PREFIX) {
            return Self::gateway(name).ok();
        }
        let id = Uuid::try_parse(uri.strip_prefix(NODE_PREFIX)?).ok()?;
        let identity = Self::Node(id);
        // A UUID has several spellings; only the one we issue is ours.
        (identity.to_string() == uri).then_some(identity)
    }
}

impl fmt::Display for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => write!(f, "{NODE_PREFIX}{id}"),
            Self::Gateway(name) => write!(f, "{GATEWAY_PREFIX}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_is_an_identity() {
        let id = Uuid::from_u128(0xabcd_ef01);
        assert_eq!(PeerIdentity::parse(&format!("{NODE_PREFIX}{id}")), Some(PeerIdentity::Node(id)));
        assert_eq!(PeerIdentity::parse("spiffe://utopia/gateway/edge-1"), Some(PeerIdentity::Gateway("edge-1".to_owned())));
        for other in [
            format!("{NODE_PREFIX}{}", id.simple()),
            format!("{NODE_PREFIX}{}", id.to_string().to_uppercase()),
            format!("{NODE_PREFIX}{id}/"),
            format!("spiffe://elsewhere/node/{id}"),
            "spiffe://utopia/gateway/".to_owned(),
            "spiffe://utopia/gateway/A b".to_owned(),
            String::new(),
        ] {
            assert_eq!(PeerIdentity::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        assert!(matches!(PeerIdentity::from_certificate(b"junk"), Err(Error::CertificateInvalid { .. })));
    }
}
