//! Tokens that were verified before. A client sends the same one with every call, and what its signature proved holds for as long as
//! its key does: until after it has expired. Whether it has, and whether it was revoked, is asked anew every time.

use std::{
    collections::HashMap,
    fmt,
    sync::{PoisonError, RwLock},
};

use jiff::Timestamp;

use super::jwt::Session;

/// The most tokens that are kept. Their text, mostly: a few hundred bytes each.
const MAX_TOKENS: usize = 16_384;

/// What a token's signature proves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof {
    /// What it says.
    pub(super) session: Session,
    /// When it says it was made.
    pub(super) issued_at: Timestamp,
}

/// Proofs by token. Only tokens with a good signature get in, so that nobody can fill it with others.
#[derive(Default)]
pub(super) struct Proved(RwLock<HashMap<Box<str>, Proof>>);

impl fmt::Debug for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proved").finish_non_exhaustive()
    }
}

impl Proved {
    /// What exactly this token proved.
    pub(super) fn get(&self, token: &str) -> Option<Proof> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(token).copied()
    }

    /// Keeps what a token proves. Who is in use when there are too many comes back at the price of one verification.
    pub(super) fn keep(&self, token: &str, proof: Proof, now: Timestamp) {
        let mut proved = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if proved.len() >= MAX_TOKENS {
            proved.retain(|_, proof| proof.session.expires_at > now);
            if proved.len() >= MAX_TOKENS {
                proved.clear();
            }
        }
        proved.insert(token.into(), proof);
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;

    fn proof(user_id: i64, expires_at: Timestamp) -> Proof {
        let session = Session { user_id, token_id: Uuid::nil(), epoch: 0, expires_at };
        Proof { session, issued_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn no_more_is_kept_than_fits_and_expired_tokens_go_first() {
        let (proved, now) = (Proved::default(), Timestamp::UNIX_EPOCH);
        let later = now + SignedDuration::from_hours(1);
        proved.keep("living", proof(7, later), now);
        for number in 1..MAX_TOKENS {
            proved.keep(&number.to_string(), proof(1, now), now);
        }
        proved.keep("one more", proof(8, later), now);
        assert_eq!(proved.get("living").unwrap().session.user_id, 7);
        assert_eq!(proved.get("one more").unwrap().session.user_id, 8);
        assert!(proved.get("1").is_none());
    }
}
