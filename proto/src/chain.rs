//! Proving the audit log: the hash of a link, and a verifier that is fed with one link after another.
//!
//! This needs no database and no key: whoever has the links that `ExportAuditChain` sends can prove them. What is proved is that
//! nothing between the first and the last link was changed, removed, added or put elsewhere.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::audit::v1::AuditLink;

/// The hash before the first link of all.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The hash of a link: SHA-256 of the hash before and the payload, as lower-case hex.
#[must_use]
pub fn link_hash(previous_hash: &str, payload: &str) -> String {
    let digest = Sha256::new().chain_update(previous_hash).chain_update(payload).finalize();
    digest.iter().fold(String::with_capacity(GENESIS.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is wrong with a chain, and from which link on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Links are missing, doubled or not in their order.
    #[error("link {expected} was expected, and link {found} came: links were removed, added or moved")]
    Sequence {
        /// The sequence that should have come.
        expected: i64,
        /// The sequence that came.
        found: i64,
    },
    /// The link does not follow the one before.
    #[error("link {sequence} does not follow the link before it: that one was changed or replaced")]
    Previous {
        /// The link.
        sequence: i64,
    },
    /// The link's payload is not what was hashed.
    #[error("link {sequence} was changed: its hash does not fit its payload")]
    Hash {
        /// The link.
        sequence: i64,
    },
}

/// A chain as far as it is proved.
///
/// The first link that comes is believed to follow what was before it, because retention removes the oldest ones; only link 1 must
/// follow [`GENESIS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    first: Option<i64>,
    head: Option<(i64, String)>,
}

impl Chain {
    /// A chain without links.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A chain that was proved up to a link before; the next link must follow it.
    #[must_use]
    pub fn after(sequence: i64, hash: &str) -> Self {
        Self { first: None, head: Some((sequence, hash.to_owned())) }
    }

    /// Proves the next link.
    ///
    /// # Errors
    /// When it breaks the chain, which then stays as it was.
    pub fn push(&mut self, link: &AuditLink) -> Result<(), Broken> {
        let sequence = link.sequence;
        let (expected, previous) = match &self.head {
            Some((head, hash)) => (head.saturating_add(1), Some(&**hash)),
            None => (sequence.max(1), (sequence <= 1).then_some(GENESIS)),
        };
        if sequence != expected {
            return Err(Broken::Sequence { expected, found: sequence });
        }
        if previous.is_some_and(|previous| previous != link.previous_hash) {
            return Err(Broken::Previous { sequence });
        }
        if link_hash(&link.previous_hash, &link.payload) != link.hash {
            return Err(Broken::Hash { sequence });
        }
        self.first = self.first.or(Some(sequence));
        self.head = Some((sequence, link.hash.clone()));
        Ok(())
    }

    /// The first link that was pushed.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.first
    }

    /// The newest proved link, its sequence and hash.
    #[must_use]
    pub fn head(&self) -> Option<(i64, &str)> {
        self.head.as_ref().map(|(sequence, hash)| (*sequence, &**hash))
    }
}

/// Proves links that are all at hand.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify<'a>(links: impl IntoIterator<Item = &'a AuditLink>) -> Result<Chain, Broken> {
    links.into_iter().try_fold(Chain::new(), |mut chain, link| chain.push(link).map(|()| chain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(count: i64) -> Vec<AuditLink> {
        let mut previous = GENESIS.to_owned();
        let link = |sequence| {
            let payload = format!(r#"{{"sequence":{sequence}}}"#);
            let hash = link_hash(&previous, &payload);
            let previous_hash = std::mem::replace(&mut previous, hash.clone());
            AuditLink { sequence, previous_hash, payload, hash }
        };
        (1..=count).map(link).collect()
    }

    #[test]
    fn the_hash_is_sha_256_in_lower_case_hex() {
        // `printf abc | sha256sum`
        assert_eq!(link_hash("a", "bc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_whole_chain_holds_from_any_link_on() {
        let links = links(5);
        assert_eq!(verify(&links).unwrap().head(), Some((5, &*links[4].hash)));
        let rest = verify(&links[2..]).unwrap();
        assert_eq!((rest.first(), rest.head()), (Some(3), Some((5, &*links[4].hash))));
        assert_eq!(verify(&[]).unwrap().head(), None);
        let mut later = Chain::after(2, &links[1].hash);
        later.push(&links[2]).unwrap();
    }

    #[test]
    fn whatever_was_done_to_it_shows() {
        let broken = |change: fn(&mut Vec<AuditLink>)| {
            let mut links = links(5);
            change(&mut links);
            verify(&links).unwrap_err()
        };
        assert_eq!(broken(|links| links[2].payload.push(' ')), Broken::Hash { sequence: 3 });
        assert_eq!(
            broken(|links| {
                links[2].payload.push(' ');
                links[2].hash = link_hash(&links[2].previous_hash, &links[2].payload);
            }),
            Broken::Previous { sequence: 4 }
        );
        assert_eq!(broken(|links| drop(links.remove(2))), Broken::Sequence { expected: 3, found: 4 });
        assert_eq!(broken(|links| links.swap(1, 2)), Broken::Sequence { expected: 2, found: 3 });
        assert_eq!(broken(|links| links.insert(1, links[0].clone())), Broken::Sequence { expected: 2, found: 1 });
        // Renumbered, so that nothing seems to be missing.
        assert_eq!(
            broken(|links| {
                links.remove(2);
                links.iter_mut().skip(2).for_each(|link| link.sequence -= 1);
            }),
            Broken::Previous { sequence: 3 }
        );
        assert_eq!(broken(|links| links[0].previous_hash = "f".repeat(64)), Broken::Previous { sequence: 1 });
        assert_eq!(broken(|links| links[0].sequence = 0), Broken::Sequence { expected: 1, found: 0 });
    }

    #[test]
    fn a_link_that_breaks_the_chain_does_not_become_its_head() {
        let links = links(3);
        let mut chain = Chain::new();
        chain.push(&links[0]).unwrap();
        chain.push(&links[2]).unwrap_err();
        chain.push(&links[1]).unwrap();
    }
}
