//! What an API token looks like: `utp_<id>_<secret>`. The id finds the row, the secret proves; the store keeps only its hash.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::error::{Error, Result};

/// What every API token begins with.
pub const PREFIX: &str = "utp_";

const SECRET_BYTES: usize = 32;

/// An API token as a client holds it. `Display` shows the secret, `Debug` does not.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiTokenSecret {
    /// Not secret.
    pub id: Uuid,
    secret: String,
}

impl ApiTokenSecret {
    /// Makes a random one.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn generate() -> Result<Self> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|error| Error::internal("make an API token", error))?;
        Ok(Self { id: Uuid::new_v4(), secret: URL_SAFE_NO_PAD.encode(secret) })
    }

    /// Reads one; none for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id = Uuid::try_parse(id).ok().filter(|_| id.len() == 32)?;
        let decoded = URL_SAFE_NO_PAD.decode(secret).ok()?;
        (decoded.len() == SECRET_BYTES).then(|| Self { id, secret: secret.to_owned() })
    }

    /// The SHA-256 of the secret, which is what the store keeps. A plain hash is enough: the secret is 256 random bits.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, self.secret.as_bytes()).as_ref());
        hash
    }

    /// Whether a kept hash is that of this secret, in constant time.
    #[must_use]
    pub fn matches(&self, hash: &[u8]) -> bool {
        self.hash().ct_eq(hash).into()
    }
}

impl fmt::Display for ApiTokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_{}", self.id.simple(), self.secret)
    }
}

impl fmt::Debug for ApiTokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiTokenSecret").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text() {
        // Many, so that underscores inside a secret occur.
        for _ in 0..200 {
            let token = ApiTokenSecret::generate().unwrap();
            let read = ApiTokenSecret::parse(&token.to_string()).unwrap();
            assert_eq!(read, token);
            assert!(read.matches(&token.hash()));
            assert!(!read.matches(&ApiTokenSecret::generate().unwrap().hash()) && !read.matches(&[]));
            assert!(!format!("{token:?}").contains(&token.secret));
        }
    }

    #[test]
    fn other_text_is_no_token() {
        let token = ApiTokenSecret::generate().unwrap();
        let text = token.to_string();
        let hyphenated = format!("{PREFIX}{}_{}", token.id, token.secret);
        let others = [
            "",
            "utp_",
            "utp__",
            "utp_a_b",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}A"),
            &format!(" {text}"),
            &hyphenated,
        ];
        for other in others {
            assert_eq!(ApiTokenSecret::parse(other), None, "{other}");
        }
    }
}
