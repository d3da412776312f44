//! What shows Slurm as whom a call is made.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::{
    clock::Clock,
    config::slurm::Credentials,
    error::{Error, Result},
};

/// How many seconds a token is good for: longer than any call, and than clocks are apart.
const LIFETIME_SECONDS: i64 = 120;

/// Makes or finds the token of a call.
pub(super) enum Tokens {
    /// Each call has a token of its user.
    Minted { key: EncodingKey, clock: Clock },
    /// All calls have the token in this file, which may be replaced at any time.
    Given(PathBuf),
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    /// Slurm's user name.
    sun: &'a str,
}

impl Tokens {
    /// What the settings say, which must be there.
    pub(super) fn open(credentials: &Credentials, clock: Clock) -> anyhow::Result<Self> {
        match credentials {
            Credentials::Key(path) => {
                let key = fs::read(path).with_context(|| format!("read {}", path.display()))?;
                anyhow::ensure!(!key.is_empty(), "{} is empty", path.display());
                Ok(Self::Minted { key: EncodingKey::from_secret(&key), clock })
            }
            Credentials::Token(path) => {
                read(path)?;
                Ok(Self::Given(path.clone()))
            }
        }
    }

    /// The token of a call as a user.
    pub(super) async fn token(&self, user: &str) -> Result<String> {
        match self {
            Self::Minted { key, clock } => {
                let iat = clock.now().as_second();
                let claims = Claims { iat, exp: iat + LIFETIME_SECONDS, sun: user };
                let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, key);
                token.map_err(|error| Error::internal("make a token for Slurm", error))
            }
            Self::Given(path) => {
                let path = path.clone();
                let token = tokio::task::spawn_blocking(move || read(&path)).await;
                let token = token.map_err(|error| Error::internal("read a token for Slurm", error))?;
                token.map_err(|error| Error::Unavailable {
                    reason: "SlurmRefused".into(),
                    message: format!("the token for Slurm cannot be used: {error:#}; see {}", super::SETTING),
                })
            }
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minted { .. } => "Minted",
            Self::Given(_) => "Given",
        })
    }
}

/// A token as files have it: alone, or as `scontrol token` prints it.
fn read(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let token = text.trim();
    let token = token.strip_prefix("SLURM_JWT=").unwrap_or(token);
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    anyhow::ensure!(is_token, "{} has no token", path.display());
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_token_names_its_user_and_soon_expires() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), [7; 32]).unwrap();
        let clock = Clock::from_fn(|| jiff::Timestamp::from_second(1000).unwrap());
        let tokens = Tokens::open(&Credentials::Key(file.path().into()), clock).unwrap();
        let token = tokens.token("ada").await.unwrap();
        let parts = token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).collect::<Vec<_>>();
        let json = |part: &[u8]| serde_json::from_slice::<Value>(part).unwrap();
        assert_eq!(json(&parts[0])["alg"], "HS256");
        assert_eq!(json(&parts[1]), json!({"iat": 1000, "exp": 1120, "sun": "ada"}));
    }

    #[tokio::test]
    async fn a_given_token_is_read_anew_each_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "SLURM_JWT=a.b.c\n").unwrap();
        let tokens = Tokens::open(&Credentials::Token(file.path().into()), Clock::system()).unwrap();
        assert_eq!(tokens.token("ada").await.unwrap(), "a.b.c");
        fs::write(file.path(), "d.e.f").unwrap();
        assert_eq!(tokens.token("ada").await.unwrap(), "d.e.f");
        fs::write(file.path(), "").unwrap();
        assert_eq!(tonic::Status::from(tokens.token("ada").await.unwrap_err()).code(), tonic::Code::Unavailable);
        assert!(Tokens::open(&Credentials::Token(file.path().into()), Clock::system()).is_err());
    }
}
