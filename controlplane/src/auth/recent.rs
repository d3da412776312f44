//! What the store said a moment ago. It is asked again once an answer is older than [`MAX_AGE`], which bounds for how long a change
//! made by another replica is not noticed. Changes made in this process are told by [`Recent::forget_if`] and hold at once.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;
use uuid::Uuid;

use crate::error::Result;

/// How old an answer may be.
const MAX_AGE: Duration = Duration::from_secs(2);

/// The most answers that are kept.
const MAX_ENTRIES: usize = 16_384;

/// How many loads may be under way at once, of different keys.
const LOADS: usize = 64;

/// Answers of the store, by id.
#[derive(Debug)]
pub(super) struct Recent<V> {
    entries: RwLock<Entries<V>>,
    /// Of many who want the same answer, one asks the store. Which lock is whose goes by the id's hash.
    loads: [Mutex<()>; LOADS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Entries<V> {
    by_id: HashMap<Uuid, Entry<V>>,
    /// How often something was forgotten: what was being loaded meanwhile may be older than the change, and is not kept.
    forgotten: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: Arc<V>,
    loaded_at: Instant,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self {
            entries: RwLock::new(Entries { by_id: HashMap::new(), forgotten: 0 }),
            loads: std::array::from_fn(|_| Mutex::new(())),
            hasher: RandomState::new(),
        }
    }
}

impl<V> Recent<V> {
    /// The answer, if it is young enough.
    pub(super) fn at_hand(&self, id: Uuid) -> Option<Arc<V>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.by_id.get(&id)?;
        (entry.loaded_at.elapsed() < MAX_AGE).then(|| Arc::clone(&entry.value))
    }

    /// The answer, asked for if it is not young enough. That there is no such thing is not kept.
    pub(super) async fn get(&self, id: Uuid, load: impl AsyncFnOnce() -> Result<Option<V>>) -> Result<Option<Arc<V>>> {
        let slot = self.hasher.hash_one(id) % LOADS as u64;
        let _turn = self.loads[slot as usize].lock().await;
        if let Some(value) = self.at_hand(id) {
            return Ok(Some(value));
        }
        let forgotten = self.write().forgotten;
        let loaded_at = Instant::now();
        let Some(value) = load().await? else { return Ok(None) };
        let value = Arc::new(value);
        let mut entries = self.write();
        if entries.forgotten == forgotten {
            entries.make_room();
            entries.by_id.insert(id, Entry { value: Arc::clone(&value), loaded_at });
        }
        Ok(Some(value))
    }

    /// Forgets what changed.
    pub(super) fn forget_if(&self, changed: impl Fn(Uuid, &V) -> bool) {
        let mut entries = self.write();
        entries.forgotten += 1;
        entries.by_id.retain(|id, entry| !changed(*id, &entry.value));
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Entries<V>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Entries<V> {
    fn make_room(&mut self) {
        if self.by_id.len() < MAX_ENTRIES {
            return;
        }
        self.by_id.retain(|_, entry| entry.loaded_at.elapsed() < MAX_AGE);
        // More in two seconds than fit: starting anew costs one question each.
        if self.by_id.len() >= MAX_ENTRIES {
            self.by_id.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn of_many_who_ask_at_once_one_asks_the_store() {
        let (recent, asked) = (Recent::default(), AtomicUsize::new(0));
        let id = Uuid::from_u128(1);
        let ask = || {
            recent.get(id, async || {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(Some(7))
            })
        };
        let answers = futures_util::future::join_all((0..32).map(|_| ask())).await;
        assert!(answers.into_iter().all(|answer| *answer.unwrap().unwrap() == 7));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(recent.at_hand(id).as_deref(), Some(&7));
    }

    #[tokio::test]
    async fn what_is_forgotten_while_it_loads_is_not_kept() {
        let recent = Recent::default();
        let id = Uuid::from_u128(1);
        let loaded = recent.get(id, async || {
            recent.forget_if(|changed, _: &i32| changed == id);
            Ok(Some(7))
        });
        assert_eq!(loaded.await.unwrap().as_deref(), Some(&7));
        assert_eq!(recent.at_hand(id), None);
        recent.get(id, async || Ok(Some(8))).await.unwrap();
        assert_eq!(recent.at_hand(id).as_deref(), Some(&8));
        recent.forget_if(|_, value| *value == 8);
        assert_eq!(recent.at_hand(id), None);
    }

    #[tokio::test]
    async fn no_more_is_kept_than_fits() {
        let recent = Recent::default();
        for id in 0..=MAX_ENTRIES as u128 {
            recent.get(Uuid::from_u128(id), async || Ok(Some(id))).await.unwrap();
        }
        assert!(recent.write().by_id.len() <= MAX_ENTRIES);
        assert_eq!(recent.at_hand(Uuid::from_u128(MAX_ENTRIES as u128)).as_deref(), Some(&(MAX_ENTRIES as u128)));
    }
}
