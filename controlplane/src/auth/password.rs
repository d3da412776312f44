//! Passwords: argon2id, on the threads for blocking work, never more at once than there are cores.
//!
//! Checking takes alike long whether the user exists or not; an answer must not tell.

use std::sync::{Arc, OnceLock};

use argon2::{
    Argon2,
    password_hash::{self, PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// Hashes and checks passwords. Clones share the bound.
#[derive(Debug, Clone)]
pub struct Passwords(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Each check takes 19 MiB and a core for tens of milliseconds; more at once would only slow each other and fill memory.
    permits: Semaphore,
    /// The hash that stands in for an unknown user's, made at the first need.
    stand_in: OnceLock<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

impl Passwords {
    /// With as many at once as there are cores.
    #[must_use]
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self(Arc::new(Shared { permits: Semaphore::new(cores), stand_in: OnceLock::new() }))
    }

    /// The PHC string to keep for a password, under a salt of its own.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.blocking(move |_| hash(&password)).await?.map_err(|error| Error::internal("hash a password", error))
    }

    /// The PHC string of a password that nobody knows.
    pub async fn hash_of_nothing(&self) -> Result<String> {
        let mut password = [0; 32];
        getrandom::fill(&mut password).map_err(|error| Error::internal("make a password", error))?;
        self.hash(&URL_SAFE_NO_PAD.encode(password)).await
    }

    /// Whether this is the password that was hashed; with no hash, because there is no such user, false after as long.
    ///
    /// # Errors
    /// When the hash cannot be read.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let password = password.to_owned();
        let hash = hash.map(str::to_owned);
        let verified = self.blocking(move |shared| match hash {
            Some(hash) => verify(&password, &hash),
            None => verify(&password, shared.stand_in()?).map(|_| false),
        });
        verified.await?.map_err(|error| Error::internal("check a password", error))
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Shared) -> T + Send + 'static) -> Result<T> {
        let shared = Arc::clone(&self.0);
        let _permit = self.0.permits.acquire().await.map_err(|error| Error::internal("wait for a core", error))?;
        tokio::task::spawn_blocking(move || work(&shared)).await.map_err(|error| Error::internal("use a password", error))
    }
}

impl Shared {
    fn stand_in(&self) -> password_hash::Result<&str> {
        if let Some(hash) = self.stand_in.get() {
            return Ok(hash);
        }
        let hash = hash("a password that nobody has")?;
        Ok(self.stand_in.get_or_init(|| hash))
    }
}

fn hash(password: &str) -> password_hash::Result<String> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes())?;
    Ok(hash.to_string())
}

fn verify(password: &str, hash: &str) -> password_hash::Result<bool> {
    let hash = PasswordHash::new(hash).map_err(|_| password_hash::Error::EncodingInvalid)?;
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_that_was_hashed_is_right() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horsf", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert!(!passwords.verify("a password that nobody has", None).await.unwrap());
    }

    #[tokio::test]
    async fn equal_passwords_have_different_hashes() {
        let passwords = Passwords::new();
        assert_ne!(passwords.hash("password123").await.unwrap(), passwords.hash("password123").await.unwrap());
    }

    #[tokio::test]
    async fn a_broken_hash_is_a_fault_and_not_a_wrong_password() {
        assert!(matches!(Passwords::new().verify("x", Some("not a hash")).await, Err(Error::Internal { .. })));
    }

    #[tokio::test]
    async fn more_at_once_than_cores_wait_for_their_turn() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse").await.unwrap();
        let checks = (0..64).map(|_| passwords.verify("correct horse", Some(&hash)));
        assert!(futures_util::future::join_all(checks).await.into_iter().all(Result::unwrap));
    }
}
