//! What can go wrong with certificates, keys and tokens.
//!
//! Sentences are fit for users: they name what to look at and never contain key material.

use std::path::{Path, PathBuf};

/// A certificate, key or token that could not be made, read or accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// A verb, e.g. `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the authority cannot serve as one.
    #[error("{} cannot serve as the certificate authority: {problem}", path.display())]
    AuthorityInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, as the end of the sentence.
        problem: String,
    },
    /// The authority's own certificate is not valid at the time of issue.
    #[error("the certificate authority's own certificate has expired")]
    AuthorityExpired,
    /// The certificate request cannot be accepted.
    #[error("the certificate request {problem}")]
    CsrInvalid {
        /// What is wrong, as the end of the sentence.
        problem: &'static str,
    },
    /// The certificate cannot be read, or does not name a peer of ours.
    #[error("the certificate {problem}")]
    CertificateInvalid {
        /// What is wrong, as the end of the sentence.
        problem: &'static str,
    },
    /// The certificate was not issued by this authority, or not for clients.
    #[error("the certificate was not issued by this certificate authority")]
    WrongAuthority,
    /// The certificate expired longer ago than recovery allows.
    #[error("the certificate expired too long ago to be recovered")]
    ExpiredTooLongAgo,
    /// The request is signed by another key than the certificate's.
    #[error("the certificate request is not signed by the certificate's key")]
    KeyMismatch,
    /// The text is no join token.
    #[error("a join token looks like utj_<id>_<secret>; this is not one")]
    TokenInvalid,
    /// The text is no hash of a certificate.
    #[error("a certificate hash is `sha256:` and 64 hexadecimal digits; this is not one")]
    HashInvalid,
    /// A name cannot stand in a certificate.
    #[error("`{name}` cannot stand in a certificate")]
    NameInvalid {
        /// The name.
        name: String,
    },
    /// A private key cannot be read.
    #[error("the private key cannot be read: a P-256 or Ed25519 key in PKCS#8 is expected")]
    KeyInvalid,
    /// TLS settings cannot be made from what was given.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// The random number generator or the encoder failed.
    #[error("cannot {0}")]
    Internal(&'static str),
}

/// The result of an operation on certificates.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error.to_string())
    }
}
