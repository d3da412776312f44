//! Who is who on the link: the certificate authority, certificate requests, join tokens and the TLS settings of both ends.
//!
//! Pure functions and plain files: no runtime, no sockets, no clock (the time is an argument). Whoever needs a connection
//! takes a rustls configuration from [`tls`]. Key material never appears in an error or in `Debug` output.

pub mod authority;
pub mod csr;
mod error;
pub mod identity;
pub mod join_token;
pub mod keys;
pub mod secret_file;
pub mod tls;
mod validity;

pub use authority::{Authority, Issued, IssuedCertificate, certificate_hash};
pub use csr::Csr;
pub use error::{Error, Result};
pub use identity::PeerIdentity;
pub use join_token::JoinToken;
pub use keys::{NodeKey, generate_key};
pub use validity::Validity;
