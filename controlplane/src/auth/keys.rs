//! The keys that sign people's tokens, as the store has them. One signs; those that were retired still verify until the last token
//! they signed has expired. They lie in the store sealed.

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
    seal::{Place, Sealer},
    store::{KeptSecret, SigningKey, Store},
};

/// The least time between two looks for a key that another replica may have made: tokens that name invented keys must not become
/// a load on the store.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// The key ring. Clones share it.
#[derive(Clone)]
pub struct KeyRing(Arc<Shared>);

struct Shared {
    store: Store,
    sealer: Sealer,
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
    /// Loads the keys. At the very first start there is none yet: one is made. Keys that an older version left in plain are sealed.
    ///
    /// # Errors
    /// [`Error::FailedPrecondition`] (`WrongSealKey`) when they are sealed with another key.
    pub async fn load(store: Store, sealer: Sealer, clock: Clock) -> Result<Self> {
        let kept = store.signing_keys().await?;
        if kept.is_empty() {
            let (kid, sealed) = new_key(&sealer)?;
            store.insert_first_signing_key(&kid, &sealed, clock.now()).await?;
        }
        for key in &kept {
            if let KeptSecret::Plain(secret) = &key.secret {
                store.seal_signing_key(&key.kid, &seal(&sealer, &key.kid, secret)?).await?;
                tracing::info!(kid = key.kid, "a signing key that lay in plain is sealed");
            }
        }
        let shared = Shared { store, sealer, loaded_at: Mutex::new(clock.now()), clock, keys: ArcSwap::default() };
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
        let (kid, sealed) = new_key(&self.0.sealer)?;
        // The new key first: at no time is there none.
        self.0.store.insert_signing_key(&kid, &sealed, now).await?;
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
        let keys = keys.iter().filter(|key| still_verifies(key, now));
        // A plain key among sealed ones is none of ours.
        let keys = keys.filter_map(|key| ready(&self.0.sealer, key).transpose()).collect::<Result<_>>()?;
        self.0.keys.store(Arc::new(keys));
        Ok(())
    }
}

/// A token may have been signed at the moment of retirement, and is good for its whole life and to be exchanged after it.
fn still_verifies(key: &SigningKey, now: Timestamp) -> bool {
    key.retired_at.is_none_or(|retired_at| now.duration_since(retired_at) <= jwt::LIFETIME + jwt::LEEWAY + jwt::REFRESH_GRACE)
}

/// None for a key that is not sealed.
fn ready(sealer: &Sealer, key: &SigningKey) -> Result<Option<Key>> {
    let KeptSecret::Sealed(sealed) = &key.secret else {
        tracing::warn!(kid = key.kid, "a signing key that is not sealed is passed over");
        return Ok(None);
    };
    let secret = sealer.open(place(&key.kid), sealed).map_err(|error| Error::FailedPrecondition {
        reason: "WrongSealKey".into(),
        message: format!(
            "the signing key {} in the database cannot be opened: {error}; UTOPIA_SEAL_KEY or DATA_DIR/seal-key must have \
             the key that the database was first used with",
            key.kid
        ),
    })?;
    Ok(Some(Key {
        kid: key.kid.clone(),
        encoding: EncodingKey::from_secret(&secret),
        decoding: DecodingKey::from_secret(&secret),
        retired: key.retired_at.is_some(),
    }))
}

/// The name of a new key, and the key sealed.
fn new_key(sealer: &Sealer) -> Result<(String, Vec<u8>)> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| Error::internal("make a signing key", error))?;
    let kid = Uuid::new_v4().simple().to_string();
    let sealed = seal(sealer, &kid, &secret)?;
    Ok((kid, sealed))
}

fn seal(sealer: &Sealer, kid: &str, secret: &[u8]) -> Result<Vec<u8>> {
    sealer.seal(place(kid), secret).map_err(|error| Error::internal("seal a signing key", error))
}

fn place(kid: &str) -> Place<'_> {
    Place { table: "signing_keys", column: "secret", row: kid }
}
