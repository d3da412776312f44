//! Join tokens: what a machine shows once to enrol.
//!
//! A token is `utj_<id>_<secret>`. The id finds the row, the secret proves; a server keeps only the secret's hash.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::{Error, Result};

const PREFIX: &str = "utj_";
const ID_CHARS: usize = 10;
const SECRET_BYTES: usize = 32;
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A join token. `Debug` hides the secret, `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// What finds the token; not secret.
    pub id: String,
    secret: String,
}

impl JoinToken {
    /// Makes a random token.
    pub fn generate() -> Result<Self> {
        let mut random = [0; ID_CHARS + SECRET_BYTES];
        getrandom::fill(&mut random).map_err(|_| Error::Internal("draw random numbers"))?;
        let (id, secret) = random.split_at(ID_CHARS);
        let id = id.iter().map(|byte| char::from(BASE32[usize::from(byte % 32)])).collect();
        Ok(Self { id, secret: URL_SAFE_NO_PAD.encode(secret) })
    }

    /// The SHA-256 of the secret, which is what a server keeps. A plain hash is enough: the secret is 256 random bits.
    #[must_use]
    pub fn secret_hash(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.secret.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        hash
    }

    /// Whether a kept hash is that of this token's secret, in constant time.
    #[must_use]
    pub fn matches(&self, secret_hash: &[u8]) -> bool {
        self.secret_hash().ct_eq(secret_hash).into()
    }
}

impl FromStr for JoinToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (id, secret) = text.trim().strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(Error::TokenInvalid)?;
        let id_fits = id.len() == ID_CHARS && id.bytes().all(|byte| BASE32.contains(&byte));
        let secret_fits = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|secret| secret.len() == SECRET_BYTES);
        if !(id_fits && secret_fits) {
            return Err(Error::TokenInvalid);
        }
        Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_{}", self.id, self.secret)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text() {
        // Many, so that underscores inside a secret occur.
        for _ in 0..200 {
            let token = JoinToken::generate().unwrap();
            let read: JoinToken = token.to_string().parse().unwrap();
            assert_eq!(read, token);
            assert!(read.matches(&token.secret_hash()));
        }
    }

    #[test]
    fn another_secret_does_not_match() {
        let token = JoinToken::generate().unwrap();
        assert!(!token.matches(&JoinToken::generate().unwrap().secret_hash()));
        assert!(!token.matches(&[]));
    }

    #[test]
    fn debug_hides_the_secret() {
        let token = JoinToken::generate().unwrap();
        let shown = format!("{token:?}");
        assert!(shown.contains(&token.id) && !shown.contains(&token.secret), "{shown}");
    }

    #[test]
    fn other_text_is_no_token_and_is_not_repeated() {
        let token = JoinToken::generate().unwrap().to_string();
        for text in
            ["", "utj_", "utj_abc_def", &token[1..], &token[..token.len() - 1], &format!("{token}A"), &token.to_uppercase()]
        {
            let error = text.parse::<JoinToken>().unwrap_err();
            assert!(matches!(error, Error::TokenInvalid), "{text}");
        }
    }
}
