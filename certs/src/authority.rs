//! The certificate authority: it decides who is who, and for how long.
//!
//! Names in a certificate come from the caller's arguments alone, never from a request. No certificate outlives the
//! authority's own. The key stays in its file and in memory; nothing here shows it.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, DnsName, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::validity::{CLOCK_SKEW, timestamp};
use crate::{Csr, Error, PeerIdentity, Result, secret_file, tls};

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca-key.pem";
const OWN_VALIDITY: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// A certificate authority with its key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    not_after: Timestamp,
    issuer: Issuer<'static, KeyPair>,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// A certificate whose key was made here too.
pub struct Issued {
    /// The certificate, then the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// When it expires.
    pub not_after: Timestamp,
}

impl Issued {
    /// The chain in PEM.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|certificate| encode_pem("CERTIFICATE", certificate)).collect()
    }

    /// The key in PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        encode_pem("PRIVATE KEY", self.key.secret_der())
    }
}

/// A certificate for a key that is elsewhere.
#[derive(Debug, Clone)]
pub struct IssuedCertificate {
    /// The certificate in DER.
    pub der: CertificateDer<'static>,
    /// When it expires.
    pub not_after: Timestamp,
}

/// The hash by which a certificate is pinned: `sha256:` and the hexadecimal SHA-256 of its DER.
#[must_use]
pub fn certificate_hash(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    digest.as_ref().iter().fold("sha256:".to_owned(), |hash, byte| format!("{hash}{byte:02x}"))
}

impl Authority {
    /// Opens the authority in a directory (`ca.pem`, `ca-key.pem`), making the directory and a new authority if there is
    /// none. A new one is valid for ten years.
    pub fn open_or_create(dir: &Path, now: Timestamp) -> Result<Self> {
        secret_file::create_private_dir(dir)?;
        let (certificate_path, key_path) = (dir.join(CERTIFICATE_FILE), dir.join(KEY_FILE));
        if secret_file::read_if_present(&certificate_path)?.is_none() {
            create(&certificate_path, &key_path, now)?;
        }
        Self::open(&certificate_path, &key_path)
    }

    /// Opens an authority from two PEM files. The first certificate of the file is the authority's; the key is PKCS#8.
    pub fn open(certificate_pem: &Path, key_pem: &Path) -> Result<Self> {
        let invalid = |path: &Path, problem: &str| Error::AuthorityInvalid { path: path.into(), problem: problem.into() };
        let certificate = CertificateDer::from_pem_slice(&secret_file::read(certificate_pem)?)
            .map_err(|_| invalid(certificate_pem, "it holds no certificate in PEM"))?;
        let key = String::from_utf8(secret_file::read(key_pem)?).ok();
        let key = key
            .and_then(|pem| KeyPair::from_pem(&pem).ok())
            .ok_or_else(|| invalid(key_pem, "it holds no private key in PKCS#8 PEM"))?;
        let (_, parsed) =
            X509Certificate::from_der(&certificate).map_err(|_| invalid(certificate_pem, "its certificate cannot be read"))?;
        if !parsed.is_ca() {
            return Err(invalid(certificate_pem, "its certificate is not that of an authority"));
        }
        if parsed.key_usage().ok().flatten().is_some_and(|usage| !usage.value.key_cert_sign()) {
            return Err(invalid(certificate_pem, "its certificate may not sign others"));
        }
        if key.subject_public_key_info() != parsed.public_key().raw {
            return Err(invalid(key_pem, "it is not the key of the certificate"));
        }
        let not_after = timestamp(parsed.validity().not_after.timestamp())?;
        let verifier = WebPkiClientVerifier::builder_with_provider(tls::roots(&certificate)?, tls::provider())
            .build()
            .map_err(|error| invalid(certificate_pem, &error.to_string()))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|_| invalid(certificate_pem, "its certificate has names or uses that are not supported"))?;
        Ok(Self { certificate, not_after, issuer, verifier })
    }

    /// The authority's certificate in DER.
    #[must_use]
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        encode_pem("CERTIFICATE", &self.certificate)
    }

    /// The hash by which agents pin this authority.
    #[must_use]
    pub fn hash(&self) -> String {
        certificate_hash(&self.certificate)
    }

    /// Issues a server's certificate for DNS names and addresses. Its chain includes the authority's own certificate,
    /// which is how an agent that knows only the hash gets to see it.
    pub fn issue_server(&self, names: &[String], now: Timestamp, validity: SignedDuration) -> Result<Issued> {
        let mut params = leaf("utopia server", ExtendedKeyUsagePurpose::ServerAuth);
        params.subject_alt_names = names.iter().map(|name| server_name(name)).collect::<Result<_>>()?;
        self.issue_with_key(params, now, validity)
    }

    /// Issues a node's client certificate for the key of its request.
    pub fn issue_node(&self, csr: &Csr, node_id: Uuid, now: Timestamp, validity: SignedDuration) -> Result<IssuedCertificate> {
        let params = client(&PeerIdentity::Node(node_id))?;
        self.issue(params, csr.key(), now, validity)
    }

    /// Issues a gateway's client certificate.
    pub fn issue_gateway(&self, name: &str, now: Timestamp, validity: SignedDuration) -> Result<Issued> {
        self.issue_with_key(client(&PeerIdentity::gateway(name)?)?, now, validity)
    }

    /// Checks a node's certificate that may have expired, at most `grace` ago, and answers whose it is. The request must be
    /// signed by the certificate's key: that is the proof, since without TLS a certificate alone proves nothing.
    pub fn verify_expired(&self, certificate: &[u8], csr: &Csr, now: Timestamp, grace: SignedDuration) -> Result<Uuid> {
        let unreadable = || Error::CertificateInvalid { problem: "cannot be read" };
        let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|_| unreadable())?;
        if !rest.is_empty() {
            return Err(unreadable());
        }
        let not_after = timestamp(parsed.validity().not_after.timestamp())?;
        let while_valid = UnixTime::since_unix_epoch(since_epoch(now.min(not_after)));
        self.verifier
            .verify_client_cert(&CertificateDer::from(certificate), &[], while_valid)
            .map_err(|_| Error::WrongAuthority)?;
        if now.duration_since(not_after) > grace {
            return Err(Error::ExpiredTooLongAgo);
        }
        if parsed.public_key().raw != csr.public_key() {
            return Err(Error::KeyMismatch);
        }
        match PeerIdentity::of(&parsed)? {
            PeerIdentity::Node(id) => Ok(id),
            PeerIdentity::Gateway(_) => Err(Error::CertificateInvalid { problem: "is not a node's" }),
        }
    }

    fn issue_with_key(&self, params: CertificateParams, now: Timestamp, validity: SignedDuration) -> Result<Issued> {
        let key = KeyPair::generate().map_err(|_| Error::Internal("make a key"))?;
        let IssuedCertificate { der, not_after } = self.issue(params, &key, now, validity)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Ok(Issued { chain: vec![der, self.certificate.clone()], key, not_after })
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
        now: Timestamp,
        validity: SignedDuration,
    ) -> Result<IssuedCertificate> {
        if now >= self.not_after {
            return Err(Error::AuthorityExpired);
        }
        let not_after = set_validity(&mut params, now, validity, self.not_after)?;
        params.serial_number = Some(random_serial()?);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer).map_err(|_| Error::Internal("sign a certificate"))?;
        Ok(IssuedCertificate { der: certificate.into(), not_after })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("hash", &self.hash()).field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// Writes a new authority: the key first, so that a certificate never stands there without its key.
fn create(certificate_path: &Path, key_path: &Path, now: Timestamp) -> Result<()> {
    let key = match secret_file::read_if_present(key_path)? {
        // Left by a crash before the certificate was written, or the certificate was lost: with the same key, what it signed
        // stays good.
        Some(pem) => String::from_utf8(pem).ok().and_then(|pem| KeyPair::from_pem(&pem).ok()).ok_or_else(|| {
            Error::AuthorityInvalid { path: key_path.into(), problem: "it holds no private key in PKCS#8 PEM".to_owned() }
        })?,
        None => {
            let key = KeyPair::generate().map_err(|_| Error::Internal("make a key"))?;
            secret_file::write_private(key_path, key.serialize_pem().as_bytes())?;
            key
        }
    };
    let mut params = CertificateParams::default();
    // The name is derived from the key: two authorities never have the same one, and a key always has the same.
    let fingerprint = certificate_hash(&key.subject_public_key_info());
    params.distinguished_name = named(&format!("Utopia CA {}", &fingerprint["sha256:".len()..][..16]));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(random_serial()?);
    set_validity(&mut params, now, OWN_VALIDITY, Timestamp::MAX)?;
    let certificate = params.self_signed(&key).map_err(|_| Error::Internal("sign a certificate"))?;
    secret_file::write_public(certificate_path, certificate.pem().as_bytes())
}

fn leaf(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}

fn client(identity: &PeerIdentity) -> Result<CertificateParams> {
    let name = match identity {
        PeerIdentity::Node(id) => id.to_string(),
        PeerIdentity::Gateway(name) => name.clone(),
    };
    let mut params = leaf(&name, ExtendedKeyUsagePurpose::ClientAuth);
    let uri = identity.to_string().try_into().map_err(|_| Error::NameInvalid { name })?;
    params.subject_alt_names = vec![SanType::URI(uri)];
    Ok(params)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn server_name(name: &str) -> Result<SanType> {
    let invalid = || Error::NameInvalid { name: name.to_owned() };
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    DnsName::try_from(name.strip_prefix("*.").unwrap_or(name)).map_err(|_| invalid())?;
    name.try_into().map(SanType::DnsName).map_err(|_| invalid())
}

/// Sets begin and end of a certificate and answers the end, to the second as certificates have it.
fn set_validity(params: &mut CertificateParams, now: Timestamp, validity: SignedDuration, limit: Timestamp) -> Result<Timestamp> {
    let out_of_range = |_| Error::Internal("represent the validity");
    let not_before = now.checked_sub(CLOCK_SKEW).map_err(out_of_range)?;
    let not_after = timestamp(now.checked_add(validity).map_err(out_of_range)?.as_second())?.min(limit);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(not_before);
    params.not_after = epoch + since_epoch(not_after);
    Ok(not_after)
}

fn random_serial() -> Result<SerialNumber> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| Error::Internal("draw random numbers"))?;
    // Positive, and never with a leading zero octet, so that the encoding is always 16 octets.
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&serial))
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::try_from(time.as_duration()).unwrap_or_default()
}

fn encode_pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}
