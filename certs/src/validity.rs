//! From when to when a certificate holds.

use jiff::{SignedDuration, Timestamp};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{Error, Result};

/// A certificate is valid from a little before its issue, for machines whose clocks are behind.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The time of a certificate that this crate issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When it was issued: a little after its begin.
    pub issued_at: Timestamp,
    /// When it expires.
    pub not_after: Timestamp,
}

impl Validity {
    /// Reads the validity from a certificate in DER.
    pub fn from_certificate(der: &[u8]) -> Result<Self> {
        let unreadable = || Error::CertificateInvalid { problem: "cannot be read" };
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| unreadable())?;
        let validity = certificate.validity();
        let issued_at = timestamp(validity.not_before.timestamp())?.checked_add(CLOCK_SKEW).map_err(|_| unreadable())?;
        Ok(Self { issued_at, not_after: timestamp(validity.not_after.timestamp())? })
    }

    /// How long it lives.
    #[must_use]
    pub fn lifetime(&self) -> SignedDuration {
        self.not_after.duration_since(self.issued_at)
    }
}

pub(crate) fn timestamp(second: i64) -> Result<Timestamp> {
    Timestamp::from_second(second).map_err(|_| Error::CertificateInvalid { problem: "has an impossible time" })
}
