//! Access keys: how they look, whom they stand for, and when they were used. Secrets are opened for one verification and not kept.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use s3s::{
    S3Result,
    auth::{S3Auth, SecretKey},
    s3_error,
};

use super::front::answer;
use crate::{
    clock::Clock,
    error::{Error, Result},
    model::storage::KeyHolder,
    seal::{Place, Sealer},
    store::Store,
};

/// What every access key id begins with.
const ID_PREFIX: &str = "UTAK";

/// The digits of the rest: those of base 32.
const ID_DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new access key: its id, its secret, and the secret sealed for its row.
///
/// # Errors
/// When there are no random numbers.
pub fn new_key(sealer: &Sealer, id: Option<&str>) -> Result<(String, String, Vec<u8>)> {
    const CONTEXT: &str = "make an access key";
    let mut random = [0_u8; 46];
    getrandom::fill(&mut random).map_err(|error| Error::internal(CONTEXT, error))?;
    let (digits, secret) = random.split_at(16);
    let digits = digits.iter().map(|byte| char::from(ID_DIGITS[usize::from(byte % 32)]));
    let id = id.map_or_else(|| ID_PREFIX.chars().chain(digits).collect(), str::to_owned);
    let secret = URL_SAFE_NO_PAD.encode(secret);
    let sealed = sealer.seal(place(&id), secret.as_bytes()).map_err(|error| Error::internal(CONTEXT, error))?;
    Ok((id, secret, sealed))
}

fn place(id: &str) -> Place<'_> {
    Place { table: "access_keys", column: "sealed_secret", row: id }
}

/// The access keys. Clones share what they noted.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    store: Store,
    sealer: Sealer,
    clock: Clock,
    used: Arc<Mutex<HashSet<String>>>,
}

impl Keys {
    pub(super) fn new(store: Store, sealer: Sealer, clock: Clock) -> Self {
        Self { store, sealer, clock, used: Arc::default() }
    }

    /// Whom a key that has just been verified stands for.
    pub(super) async fn holder(&self, id: &str) -> S3Result<KeyHolder> {
        let holder = self.find(id).await?;
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        Ok(holder)
    }

    /// Writes down which keys were used since the last time.
    pub(super) async fn note_use(&self) {
        let used = mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        if used.is_empty() {
            return;
        }
        let used = used.into_iter().collect::<Vec<_>>();
        if let Err(error) = self.store.touch_access_keys(&used, self.clock.now()).await {
            tracing::warn!(%error, "the use of access keys could not be noted");
        }
    }

    async fn find(&self, id: &str) -> S3Result<KeyHolder> {
        let found = self.store.key_holder(id).await.map_err(answer)?;
        found.ok_or_else(|| s3_error!(InvalidAccessKeyId, "The access key id does not exist, or was revoked"))
    }
}

#[async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let holder = self.find(access_key).await?;
        let opened = self.sealer.open(place(access_key), &holder.sealed_secret);
        let opened = opened.map_err(|error| answer(Error::internal("open an access key", error)))?;
        let secret = String::from_utf8(opened).map_err(|error| answer(Error::internal("open an access key", error)))?;
        Ok(SecretKey::from(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_looks_as_clients_expect() {
        let sealer = Sealer::new([7; 32]);
        let (id, secret, sealed) = new_key(&sealer, None).unwrap();
        assert!(id.len() == 20 && id.starts_with("UTAK"), "{id}");
        assert_eq!(secret.len(), 40);
        assert_eq!(sealer.open(place(&id), &sealed).unwrap(), secret.as_bytes());
        let (same, another, _) = new_key(&sealer, Some(&id)).unwrap();
        assert_eq!(same, id);
        assert_ne!(another, secret);
    }
}
