//! The agent tokens of hosts. The store knows only the hashes of their secrets; those that were used are remembered here, so that a
//! heartbeat asks no database.
//!
//! What is remembered is forgotten by [`AgentTokens::revoke`], which is called after the change is committed: a token that was
//! revoked is refused from then on. A revocation by another replica holds here after [`LIFETIME`] at the latest.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use utopia_certs::join_token::{JoinToken, TokenKind};
use uuid::Uuid;

use super::identity::Caller;
use crate::{
    error::{Error, Result},
    store::Store,
};

/// How long a token is believed without asking the store: a few heartbeats.
const LIFETIME: Duration = Duration::from_mins(2);

/// Verifies agent tokens. Clones remember the same.
#[derive(Debug, Clone)]
pub struct AgentTokens {
    store: Store,
    known: Arc<RwLock<Known>>,
}

/// At most one token of each host.
#[derive(Debug, Default)]
struct Known {
    by_id: HashMap<String, Remembered>,
    /// Grows with every revocation: what was read before is not remembered after.
    revocations: u64,
}

#[derive(Debug)]
struct Remembered {
    host: Uuid,
    hash: Vec<u8>,
    since: Instant,
}

impl AgentTokens {
    /// Verifies the tokens that this store has.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, known: Arc::default() }
    }

    /// Whether a bearer token is of this kind, by its form.
    #[must_use]
    pub fn is_one(token: &str) -> bool {
        token.starts_with(TokenKind::Agent.prefix())
    }

    /// Whom a token stands for, if that can be told without asking the store.
    #[must_use]
    pub fn at_hand(&self, token: &str) -> Option<Result<Caller>> {
        let token = match parse(token) {
            Ok(token) => token,
            Err(error) => return Some(Err(error)),
        };
        let known = self.read();
        let known = known.by_id.get(&token.id).filter(|known| known.since.elapsed() < LIFETIME)?;
        Some(check(&token, known.host, &known.hash))
    }

    /// Whom a token stands for.
    ///
    /// # Errors
    /// `Unauthenticated` when the token does not hold; others when the store fails.
    pub async fn caller(&self, token: &str) -> Result<Caller> {
        let token = parse(token)?;
        let revocations = self.read().revocations;
        let (host, hash) = self.store.agent_token(&token.id).await?.ok_or_else(invalid)?;
        let caller = check(&token, host, &hash)?;
        let mut known = self.write();
        if known.revocations == revocations {
            known.by_id.retain(|_, other| other.host != host);
            known.by_id.insert(token.id, Remembered { host, hash, since: Instant::now() });
        }
        Ok(caller)
    }

    /// Forgets a host's token, because the host or the token is gone.
    pub fn revoke(&self, host: Uuid) {
        let mut known = self.write();
        known.revocations += 1;
        known.by_id.retain(|_, other| other.host != host);
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(token: &str) -> Result<JoinToken> {
    token.parse().ok().filter(|token: &JoinToken| token.kind == TokenKind::Agent).ok_or_else(invalid)
}

fn check(token: &JoinToken, host: Uuid, hash: &[u8]) -> Result<Caller> {
    if token.matches(hash) { Ok(Caller::Host(host)) } else { Err(invalid()) }
}

fn invalid() -> Error {
    Error::Unauthenticated { reason: "InvalidToken", message: "the agent token is not valid" }
}
