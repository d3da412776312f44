//! Join tokens and the agent tokens of hosts: what a machine shows once to enrol.
//!
//! A join token is `utj_<id>_<secret>`, an agent token `uta_<id>_<secret>`. The id finds the row, the secret proves; a server keeps
//! only the secret's hash.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::{Error, Result};

const ID_CHARS: usize = 10;
const SECRET_BYTES: usize = 32;
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What a token lets its machine become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A node; for as many machines as the server allows.
    Join,
    /// The one host that the token was made for.
    Agent,
}

impl TokenKind {
    /// What tokens of the kind begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Join => "utj_",
            Self::Agent => "uta_",
        }
    }
}

/// A token that lets a machine enrol. `Debug` hides the secret, `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Which of the two it is.
    pub kind: TokenKind,
    /// What finds the token; not secret.
    pub id: String,
    secret: String,
}

impl JoinToken {
    /// Makes a random join token.
    pub fn generate() -> Result<Self> {
        Self::random(TokenKind::Join)
    }

    /// Makes a random agent token.
    pub fn generate_agent() -> Result<Self> {
        Self::random(TokenKind::Agent)
    }

    fn random(kind: TokenKind) -> Result<Self> {
        let mut random = [0; ID_CHARS + SECRET_BYTES];
        getrandom::fill(&mut random).map_err(|_| Error::Internal("draw random numbers"))?;
        let (id, secret) = random.split_at(ID_CHARS);
        let id = id.iter().map(|byte| char::from(BASE32[usize::from(byte % 32)])).collect();
        Ok(Self { kind, id, secret: URL_SAFE_NO_PAD.encode(secret) })
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
        let of_kind = |kind: TokenKind| Some((kind, text.trim().strip_prefix(kind.prefix())?));
        let (kind, rest) = of_kind(TokenKind::Join).or_else(|| of_kind(TokenKind::Agent)).ok_or(Error::TokenInvalid)?;
        let (id, secret) = rest.split_once('_').ok_or(Error::TokenInvalid)?;
        let id_fits = id.len() == ID_CHARS && id.bytes().all(|byte| BASE32.contains(&byte));
        let secret_fits = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|secret| secret.len() == SECRET_BYTES);
        if !(id_fits && secret_fits) {
            return Err(Error::TokenInvalid);
        }
        Ok(Self { kind, id: id.to_owned(), secret: secret.to_owned() })
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}_{}", self.kind.prefix(), self.id, self.secret)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text() {
        // Many, so that underscores inside a secret occur.
        for at in 0..200 {
            let kind = if at % 2 == 0 { TokenKind::Join } else { TokenKind::Agent };
            let token = JoinToken::random(kind).unwrap();
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
        for text in [
            "",
            "utj_",
            "uta_",
            "utj_abc_def",
            "uta_abc_def",
            &token[1..],
            &token[..token.len() - 1],
            &format!("{token}A"),
            &token.to_uppercase(),
        ] {
            let error = text.parse::<JoinToken>().unwrap_err();
            assert!(matches!(error, Error::TokenInvalid), "{text}");
        }
    }
}
