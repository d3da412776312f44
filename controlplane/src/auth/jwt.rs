//! People's bearer tokens: JWTs under HS256 for the audience `utopia-user`. Agents' and join tokens are none of these, and are
//! refused here whatever they say.
//!
//! A token says who someone was when they logged in; it is believed until it expires.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::KeyRing;
use crate::{
    clock::Clock,
    error::{Error, Result},
    model::{Role, User},
};

/// How long a token is good for.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How far the clocks of two replicas may be apart.
pub(super) const LEEWAY: SignedDuration = SignedDuration::from_secs(5);

const AUDIENCE: &str = "utopia-user";
const ISSUER: &str = "utopia";

/// Issues and verifies tokens. Clones share the keys.
#[derive(Debug, Clone)]
pub struct Tokens {
    keys: KeyRing,
    clock: Clock,
}

/// Whom a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's id.
    pub user_id: i64,
    /// The user's name.
    pub username: String,
    /// What they may do.
    pub role: Role,
    /// The token's own id.
    pub token_id: Uuid,
    /// The token is refused from then on.
    pub expires_at: Timestamp,
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
    /// It was made for something else.
    WrongAudience,
    /// None of the control plane's keys signed it.
    BadSignature,
}

impl TokenError {
    const fn reason(self) -> &'static str {
        match self {
            Self::Expired => "TokenExpired",
            Self::Missing | Self::Malformed | Self::WrongAudience | Self::BadSignature => "InvalidToken",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Missing => "a bearer token is needed",
            Self::Malformed => "the token cannot be read",
            Self::Expired => "the token has expired",
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

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    jti: String,
    iat: i64,
    exp: i64,
    username: String,
    role: String,
}

impl Tokens {
    /// Tokens under these keys.
    #[must_use]
    pub fn new(keys: KeyRing, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// A new token for the user.
    pub fn issue(&self, user: &User) -> Result<String> {
        let key = self.keys.signing()?;
        let now = self.clock.now();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.to_string(),
            jti: Uuid::new_v4().to_string(),
            iat: now.as_second(),
            exp: (now + LIFETIME).as_second(),
            username: user.username.clone(),
            role: user.role.as_str().to_owned(),
        };
        let header = Header { kid: Some(key.kid), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(|error| Error::internal("sign a token", error))
    }

    /// Whom the token stands for; an empty one is missing.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] as of [`TokenError`]; others when the keys cannot be loaded.
    pub async fn verify(&self, token: &str) -> Result<Identity> {
        if token.is_empty() {
            return Err(TokenError::Missing.into());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        let kid = header.kid.ok_or(TokenError::Malformed)?;
        let key = self.keys.by_kid(&kid).await?.ok_or(TokenError::BadSignature)?;
        let data = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation()).map_err(|error| refusal(error.kind()))?;
        Ok(self.identity(data.claims)?)
    }

    fn identity(&self, claims: Claims) -> Result<Identity, TokenError> {
        let expires_at = Timestamp::from_second(claims.exp).map_err(|_| TokenError::Malformed)?;
        if self.clock.now().duration_since(expires_at) >= LEEWAY {
            return Err(TokenError::Expired);
        }
        Ok(Identity {
            user_id: claims.sub.parse().map_err(|_| TokenError::Malformed)?,
            username: claims.username,
            role: claims.role.parse().map_err(|_| TokenError::Malformed)?,
            token_id: claims.jti.parse().map_err(|_| TokenError::Malformed)?,
            expires_at,
        })
    }
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
