//! The keys that sign people's tokens, as the store has them. One signs; those that were retired still verify until the last token
//! they signed has expired. They lie in the store in plain.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jsonwebtoken::{DecodingKey, EncodingKey};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::jwt;
use crate::{
    clock::Clock,
    error::{Error, Result},
    store::{SigningKey, Store},
};

/// The least time between two looks for a key that another replica may have made: tokens that name invented keys must not become
/// a load on the store.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// The key ring. Clones share it.
#[derive(Clone)]
pub struct KeyRing(Arc<Shared>);

struct Shared {
    store: Store,
    clock: Clock,
    keys: ArcSwap<Vec<Key>>,
    /// When the keys were last loaded; held while they are.
    loaded_at: Mutex<Timestamp>,
}

/// A key, ready for use.
#[derive(Clone)]
pub struct Key {
    /// Its name in the tokens' headers.
    pub kid: String,
    /// For signing.
    pub encoding: EncodingKey,
    /// For verifying.
    pub decoding: DecodingKey,
    retired: bool,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyRing").field(&self.0.keys.load()).finish()
    }
}

impl KeyRing {
    /// Loads the keys. At the very first start there is none yet: one is made.
    pub async fn load(store: Store, clock: Clock) -> Result<Self> {
        if store.signing_keys().await?.is_empty() {
            let (kid, secret) = new_secret()?;
            store.insert_first_signing_key(&kid, &secret, clock.now()).await?;
        }
        let shared = Shared { store, loaded_at: Mutex::new(clock.now()), clock, keys: ArcSwap::default() };
        let ring = Self(Arc::new(shared));
        ring.reload().await?;
        Ok(ring)
    }

    /// The key that signs now: the newest that is not retired.
    pub fn signing(&self) -> Result<Key> {
        let keys = self.0.keys.load();
        let key = keys.iter().find(|key| !key.retired);
        key.cloned().ok_or_else(|| Error::internal("find the signing key", "all keys are retired"))
    }

    /// The key of this name. One that is not known is looked for in the store, since another replica may just have made it.
    pub async fn by_kid(&self, kid: &str) -> Result<Option<Key>> {
        if let Some(key) = self.known(kid) {
            return Ok(Some(key));
        }
        let mut loaded_at = self.0.loaded_at.lock().await;
        let now = self.0.clock.now();
        if now.duration_since(*loaded_at).unsigned_abs() >= RELOAD_INTERVAL {
            *loaded_at = now;
            self.reload().await?;
        }
        Ok(self.known(kid))
    }

    /// From now on a new key signs; tokens signed before hold until they expire. Answers the new key's name.
    pub async fn rotate(&self) -> Result<String> {
        let mut loaded_at = self.0.loaded_at.lock().await;
        let now = self.0.clock.now();
        let old = self.0.store.signing_keys().await?;
        let (kid, secret) = new_secret()?;
        // The new key first: at no time is there none.
        self.0.store.insert_signing_key(&kid, &secret, now).await?;
        for key in old.iter().filter(|key| key.retired_at.is_none()) {
            self.0.store.retire_signing_key(&key.kid, now).await?;
        }
        self.reload().await?;
        *loaded_at = now;
        Ok(kid)
    }

    /// The key of this name, if it is at hand.
    pub(super) fn known(&self, kid: &str) -> Option<Key> {
        self.0.keys.load().iter().find(|key| key.kid == kid).cloned()
    }

    async fn reload(&self) -> Result<()> {
        let keys = self.0.store.signing_keys().await?;
        let now = self.0.clock.now();
        let keys = keys.iter().filter(|key| still_verifies(key, now)).map(ready).collect();
        self.0.keys.store(Arc::new(keys));
        Ok(())
    }
}

/// A token may have been signed at the moment of retirement, and is good for its whole life and to be exchanged after it.
fn still_verifies(key: &SigningKey, now: Timestamp) -> bool {
    key.retired_at.is_none_or(|retired_at| now.duration_since(retired_at) <= jwt::LIFETIME + jwt::LEEWAY + jwt::REFRESH_GRACE)
}

fn ready(key: &SigningKey) -> Key {
    Key {
        kid: key.kid.clone(),
        encoding: EncodingKey::from_secret(&key.secret),
        decoding: DecodingKey::from_secret(&key.secret),
        retired: key.retired_at.is_some(),
    }
}

fn new_secret() -> Result<(String, [u8; 32])> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| Error::internal("make a signing key", error))?;
    Ok((Uuid::new_v4().simple().to_string(), secret))
}
