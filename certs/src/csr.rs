//! Certificate requests, as they come from machines nobody knows yet.
//!
//! A request proves the possession of a key and says nothing else: one that asks for a name, a use or any other extension
//! is refused, so that nothing of it can find its way into a certificate.

use rcgen::{CertificateSigningRequestParams, PublicKeyData as _};
use rustls_pki_types::CertificateSigningRequestDer;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ED25519};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::{Error, Result};

/// Far above the 200 or so bytes of a request without names.
const MAX_BYTES: usize = 2048;

/// A request that was checked: it is signed by its own key, and asks for no identity.
#[derive(Debug, Clone)]
pub struct Csr {
    public_key: rcgen::PublicKey,
}

impl Csr {
    /// Reads and checks a PKCS#10 request in DER.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let unreadable = || Error::CsrInvalid { problem: "cannot be read" };
        if der.len() > MAX_BYTES {
            return Err(Error::CsrInvalid { problem: "is too long" });
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| unreadable())?;
        if !rest.is_empty() {
            return Err(unreadable());
        }
        let info = &request.certification_request_info;
        if !is_supported(&info.subject_pki) {
            return Err(Error::CsrInvalid { problem: "is for a key that is neither P-256 nor Ed25519" });
        }
        if info.subject.iter().next().is_some() || !info.attributes().is_empty() {
            return Err(Error::CsrInvalid { problem: "asks for an identity" });
        }
        let parsed = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der));
        let parsed = parsed.map_err(|error| {
            let forged = error == rcgen::Error::InvalidCertificationRequestSignature;
            Error::CsrInvalid { problem: if forged { "is not signed by its own key" } else { "cannot be read" } }
        })?;
        Ok(Self { public_key: parsed.public_key })
    }

    /// The key as a `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.public_key.subject_public_key_info()
    }

    pub(crate) fn key(&self) -> &rcgen::PublicKey {
        &self.public_key
    }
}

fn is_supported(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let algorithm = &key.algorithm;
    if algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        return curve == Some(OID_EC_P256);
    }
    algorithm.algorithm == OID_SIG_ED25519
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, KeyUsagePurpose};

    use super::*;
    use crate::generate_key;

    fn nameless() -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
    }

    fn problem(params: &CertificateParams, key: &KeyPair) -> String {
        Csr::parse(params.serialize_request(key).unwrap().der()).unwrap_err().to_string()
    }

    #[test]
    fn the_agents_own_request_is_accepted() {
        Csr::parse(&generate_key().unwrap().csr().unwrap()).unwrap();
        let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        Csr::parse(nameless().serialize_request(&ed25519).unwrap().der()).unwrap();
    }

    #[test]
    fn a_request_for_an_identity_is_refused() {
        let key = KeyPair::generate().unwrap();
        let mut named = nameless();
        named.distinguished_name.push(DnType::CommonName, "node-1");
        let mut alternative = nameless();
        alternative.subject_alt_names = vec![rcgen::SanType::URI("spiffe://utopia/gateway/x".try_into().unwrap())];
        let mut usage = nameless();
        usage.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let mut authority = nameless();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        for params in [named, alternative, usage, authority] {
            assert_eq!(problem(&params, &key), "the certificate request asks for an identity");
        }
    }

    #[test]
    fn a_request_for_another_kind_of_key_is_refused() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        assert!(problem(&nameless(), &key).contains("neither P-256 nor Ed25519"));
    }

    #[test]
    fn no_tampering_puts_another_key_into_a_request() {
        let der = generate_key().unwrap().csr().unwrap();
        let public_key = Csr::parse(&der).unwrap().public_key();
        for (at, bit) in (0..der.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut tampered = der.clone();
            tampered[at] ^= 1 << bit;
            // The tag of the signature's algorithm is read leniently, which changes nothing.
            if let Ok(csr) = Csr::parse(&tampered) {
                assert_eq!(csr.public_key(), public_key, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_broken_request_is_refused() {
        let der = generate_key().unwrap().csr().unwrap();
        let mut other_signature = der.clone();
        *other_signature.last_mut().unwrap() ^= 1;
        let error = Csr::parse(&other_signature).unwrap_err().to_string();
        assert_eq!(error, "the certificate request is not signed by its own key");
        for broken in [&[&der[..], &[0]].concat(), &[0; MAX_BYTES + 1][..], &der[..der.len() - 1], b""] {
            assert!(matches!(Csr::parse(broken), Err(Error::CsrInvalid { .. })));
        }
    }
}
