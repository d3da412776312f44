//! People's bearer tokens: JWTs under HS256 for the audience `utopia-user`. Agents' and join tokens are none of these, and are
//! refused here whatever they say.
//!
//! A token names a person and the epoch it was made in. What the person may do it does not decide: see [`super::sessions`].

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    keys::{Key, KeyRing},
    proved::{Proof, Proved},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    model::people::User,
};

/// How long a token is good for.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How long after its end a token can still be exchanged for a new one.
pub const REFRESH_GRACE: SignedDuration = SignedDuration::from_mins(10);
/// How far the clocks of two replicas may be apart.
pub(super) const LEEWAY: SignedDuration = SignedDuration::from_secs(5);

const AUDIENCE: &str = "utopia-user";
const ISSUER: &str = "utopia";

/// Issues and verifies tokens. Clones share the keys, and what was verified before.
#[derive(Debug, Clone)]
pub struct Tokens {
    keys: KeyRing,
    clock: Clock,
    proved: Arc<Proved>,
}

/// What a token says that holds by itself. Whether it was revoked is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The user's id.
    pub user_id: i64,
    /// The token's own id.
    pub token_id: Uuid,
    /// The epoch of the user's tokens in which it was made.
    pub epoch: i64,
    /// The token is refused from then on.
    pub expires_at: Timestamp,
}

/// A new token.
#[derive(Clone)]
pub struct Issued {
    /// What the client sends.
    pub token: String,
    /// What it says.
    pub session: Session,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum TokenError {
    /// There is none.
    Missing,
    /// It is no JWT, or lacks a claim.
    Malformed,
    /// It was good once.
    Expired,
    /// It was made later than now: a clock jumped.
    NotYetValid,
    /// It was made for something else.
    WrongAudience,
    /// None of the control plane's keys signed it.
    BadSignature,
}

impl TokenError {
    const fn reason(self) -> &'static str {
        match self {
            Self::Expired => "TokenExpired",
            Self::Missing | Self::Malformed | Self::NotYetValid | Self::WrongAudience | Self::BadSignature => "InvalidToken",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Missing => "a bearer token is needed",
            Self::Malformed => "the token cannot be read",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token was made later than now: log in again",
            Self::WrongAudience => "the token is for another purpose",
            Self::BadSignature => "the token's signature is not valid",
        }
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::Unauthenticated { reason: error.reason(), message: error.message() }
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: String,
    jti: String,
    iat: i64,
    exp: i64,
    epoch: i64,
    /// For those who look into the token; nothing here believes it.
    username: &'a str,
    role: &'a str,
}

/// What is read back.
#[derive(Deserialize)]
struct Read {
    sub: String,
    jti: String,
    iat: i64,
    exp: i64,
    epoch: i64,
}

impl Tokens {
    /// Tokens under these keys.
    #[must_use]
    pub fn new(keys: KeyRing, clock: Clock) -> Self {
        Self { keys, clock, proved: Arc::default() }
    }

    /// A new token for the user.
    pub fn issue(&self, user: &User) -> Result<Issued> {
        const CONTEXT: &str = "sign a token";
        let key = self.keys.signing()?;
        let now = self.clock.now();
        let expires_at = now.checked_add(LIFETIME).map_err(|error| Error::internal(CONTEXT, error))?;
        let session = Session { user_id: user.id, token_id: Uuid::new_v4(), epoch: user.token_epoch, expires_at };
        let claims = Claims {
            iss: ISSUER,
            aud: AUDIENCE,
            sub: user.id.to_string(),
            jti: session.token_id.to_string(),
            iat: now.as_second(),
            exp: expires_at.as_second(),
            epoch: session.epoch,
            username: &user.username,
            role: user.role.as_str(),
        };
        let header = Header { kid: Some(key.kid), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(|error| Error::internal(CONTEXT, error))?;
        Ok(Issued { token, session })
    }

    /// What the token says, if that can be told without waiting for a key.
    pub(super) fn at_hand(&self, token: &str) -> Option<Result<Session>> {
        if let Some(proof) = self.proved.get(token) {
            return Some(self.in_time(proof, SignedDuration::ZERO).map_err(Error::from));
        }
        match kid(token) {
            Ok(kid) => self.keys.known(&kid).map(|key| Ok(self.read(token, &key, SignedDuration::ZERO)?)),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// What the token says; an empty one is missing.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] as of [`TokenError`]; others when the keys cannot be loaded.
    pub async fn verify(&self, token: &str) -> Result<Session> {
        self.verify_within(token, SignedDuration::ZERO).await
    }

    /// What a token says that may have expired so long ago.
    ///
    /// # Errors
    /// As of [`Self::verify`].
    pub async fn verify_within(&self, token: &str, grace: SignedDuration) -> Result<Session> {
        let key = self.keys.by_kid(&kid(token)?).await?.ok_or(TokenError::BadSignature)?;
        Ok(self.read(token, &key, grace)?)
    }

    fn read(&self, token: &str, key: &Key, grace: SignedDuration) -> Result<Session, TokenError> {
        let proof = prove(token, key)?;
        let session = self.in_time(proof, grace)?;
        self.proved.keep(token, proof, self.clock.now());
        Ok(session)
    }

    fn in_time(&self, proof: Proof, grace: SignedDuration) -> Result<Session, TokenError> {
        let now = self.clock.now();
        if now.duration_since(proof.session.expires_at) >= LEEWAY + grace {
            return Err(TokenError::Expired);
        }
        // A clock that was set back must not prolong a token's life.
        if proof.issued_at.duration_since(now) > LEEWAY {
            return Err(TokenError::NotYetValid);
        }
        Ok(proof.session)
    }
}

/// What a token says, if the key signed it.
fn prove(token: &str, key: &Key) -> Result<Proof, TokenError> {
    let data = jsonwebtoken::decode::<Read>(token, &key.decoding, &validation()).map_err(|error| refusal(error.kind()))?;
    let read = data.claims;
    let time = |second| Timestamp::from_second(second).map_err(|_| TokenError::Malformed);
    let session = Session {
        user_id: read.sub.parse().map_err(|_| TokenError::Malformed)?,
        token_id: read.jti.parse().map_err(|_| TokenError::Malformed)?,
        epoch: read.epoch,
        expires_at: time(read.exp)?,
    };
    Ok(Proof { session, issued_at: time(read.iat)? })
}

/// The name of the key that a token says it is signed with.
fn kid(token: &str) -> Result<String, TokenError> {
    if token.is_empty() {
        return Err(TokenError::Missing);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    header.kid.ok_or(TokenError::Malformed)
}

/// All but the expiry, which goes by our clock and not the library's.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

fn refusal(kind: &ErrorKind) -> TokenError {
    if matches!(kind, ErrorKind::InvalidAudience) {
        TokenError::WrongAudience
    } else if matches!(kind, ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::InvalidIssuer) {
        TokenError::BadSignature
    } else {
        TokenError::Malformed
    }
}

#[cfg(test)]
mod tests;
