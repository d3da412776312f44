//! What holds for people's credentials now: roles, epochs, revocations. The store has it, a cache answers.
//!
//! Whoever changes a person or revokes a credential holds a [`Change`] while doing so; when that is dropped, however the change
//! ended, the cache knows no more of what changed.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    api_token::ApiTokenSecret,
    identity::{Credential, Person},
    jwt::{LEEWAY, Session},
    recent::Recent,
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    model::people::{ApiTokenState, SessionState, User},
    store::Store,
};

/// How often it is written down which API tokens were used.
const USE_INTERVAL: Duration = Duration::from_mins(1);

/// How often it is looked whether the caller of a stream may still see it, beside after each change made in this process.
const STREAM_INTERVAL: Duration = Duration::from_secs(15);

/// The most API tokens whose use is remembered between two writings; the use of more goes unnoticed.
const MAX_USED: usize = 65_536;

/// What holds for credentials. Clones share the cache.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    clock: Clock,
    sessions: Recent<SessionState>,
    api_tokens: Recent<ApiTokenState>,
    /// The API tokens that were used since this was last written down.
    used: Mutex<HashSet<Uuid>>,
    /// Wakes whoever waits for something to change.
    changed: Notify,
}

/// Something is about to change.
#[derive(Debug)]
#[must_use = "what changed is forgotten when this is dropped"]
pub struct Change<'a> {
    shared: &'a Shared,
    what: Changed,
}

#[derive(Debug, Clone, Copy)]
enum Changed {
    User(i64),
    Session(Uuid),
    ApiToken(Uuid),
}

impl Sessions {
    /// With an empty cache.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        let (sessions, api_tokens) = (Recent::default(), Recent::default());
        Self(Arc::new(Shared { store, clock, sessions, api_tokens, used: Mutex::default(), changed: Notify::new() }))
    }

    /// Everything of this person is about to change.
    pub fn changing_user(&self, id: i64) -> Change<'_> {
        Change { shared: &self.0, what: Changed::User(id) }
    }

    /// This token is about to be revoked.
    pub fn revoking(&self, session: Session) -> Change<'_> {
        Change { shared: &self.0, what: Changed::Session(session.token_id) }
    }

    /// This API token is about to be revoked.
    pub fn revoking_api_token(&self, id: Uuid) -> Change<'_> {
        Change { shared: &self.0, what: Changed::ApiToken(id) }
    }

    /// Whom a session stands for, if the cache knows.
    pub(super) fn person_at_hand(&self, session: Session) -> Option<Result<Person>> {
        self.0.sessions.at_hand(session.token_id).map(|state| person(session, &state))
    }

    /// Whom a session stands for.
    pub(super) async fn person(&self, session: Session) -> Result<Person> {
        person(session, &*self.state(session).await?)
    }

    /// The account of whom a session stands for, as found when the session was last checked.
    ///
    /// # Errors
    /// `Unauthenticated` when the session holds no longer; others when the store fails.
    pub async fn account(&self, session: Session) -> Result<Arc<User>> {
        let state = match self.0.sessions.at_hand(session.token_id) {
            Some(state) => state,
            None => self.state(session).await?,
        };
        person(session, &state)?;
        Ok(Arc::clone(&state.user))
    }

    async fn state(&self, session: Session) -> Result<Arc<SessionState>> {
        let load = async || self.0.store.session_state(session.user_id, session.token_id).await;
        self.0.sessions.get(session.token_id, load).await?.ok_or_else(revoked)
    }

    /// Whom an API token stands for, if the cache knows.
    pub(super) fn owner_at_hand(&self, secret: &ApiTokenSecret) -> Option<Result<Person>> {
        self.0.api_tokens.at_hand(secret.id).map(|state| self.owner_by(secret, &state))
    }

    /// Whom an API token stands for.
    pub(super) async fn owner(&self, secret: &ApiTokenSecret) -> Result<Person> {
        let load = async || self.0.store.api_token_state(secret.id).await;
        let state = self.0.api_tokens.get(secret.id, load).await?.ok_or_else(unknown)?;
        self.owner_by(secret, &state)
    }

    /// Waits until what this person came with holds no longer, or not for the same role; answers why.
    pub(super) async fn until_revoked(&self, person: Person) -> Error {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.present(person.credential).await {
                Ok(present) if present.role != person.role => return revoked(),
                // A store that is away takes nothing back.
                Ok(_) | Err(Error::Unavailable { .. } | Error::Internal { .. }) => {}
                Err(error) => return error,
            }
            // Either way it is time to look again.
            let _ = tokio::time::timeout(STREAM_INTERVAL, changed).await;
        }
    }

    /// Whom a credential that was proved before stands for now.
    async fn present(&self, credential: Credential) -> Result<Person> {
        match credential {
            Credential::Session(session) if self.0.clock.now() >= session.expires_at => Err(expired()),
            Credential::Session(session) => self.person(session).await,
            Credential::ApiToken(id) => {
                let load = async || self.0.store.api_token_state(id).await;
                let state = self.0.api_tokens.get(id, load).await?.ok_or_else(unknown)?;
                self.owner_now(&state)
            }
        }
    }

    fn owner_by(&self, secret: &ApiTokenSecret, state: &ApiTokenState) -> Result<Person> {
        if !secret.matches(&state.secret_hash) {
            return Err(unknown());
        }
        let owner = self.owner_now(state)?;
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < MAX_USED {
            used.insert(state.token.id);
        }
        Ok(owner)
    }

    fn owner_now(&self, state: &ApiTokenState) -> Result<Person> {
        let (token, now) = (&state.token, self.0.clock.now());
        // A clock that was set back must not prolong a token's life.
        if now >= token.expires_at || token.created_at.duration_since(now) > LEEWAY {
            return Err(expired());
        }
        Ok(Person {
            id: token.user_id,
            username: token.username.clone(),
            role: token.role.min(state.owner_role),
            credential: Credential::ApiToken(token.id),
        })
    }

    /// Writes down every minute which API tokens were used, until cancelled, and once more then.
    pub async fn note_use(self, cancel: CancellationToken) {
        let mut interval = tokio::time::interval(USE_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while cancel.run_until_cancelled(interval.tick()).await.is_some() {
            self.write_use().await;
        }
        self.write_use().await;
    }

    async fn write_use(&self) {
        let used = std::mem::take(&mut *self.0.used.lock().unwrap_or_else(PoisonError::into_inner));
        let ids = used.into_iter().collect::<Vec<_>>();
        if let Err(error) = self.0.store.touch_api_tokens(&ids, self.0.clock.now()).await {
            tracing::warn!(%error, count = ids.len(), "the use of API tokens could not be written down");
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let Shared { sessions, api_tokens, .. } = self.shared;
        match self.what {
            Changed::User(id) => {
                sessions.forget_if(|_, state| state.user.id == id);
                api_tokens.forget_if(|_, state| state.token.user_id == id);
            }
            Changed::Session(id) => sessions.forget_if(|key, _| key == id),
            Changed::ApiToken(id) => api_tokens.forget_if(|key, _| key == id),
        }
        self.shared.changed.notify_waiters();
    }
}

/// The role is the present one; a token of an earlier epoch does not hold.
fn person(session: Session, state: &SessionState) -> Result<Person> {
    let user = &state.user;
    if state.revoked || user.id != session.user_id || user.token_epoch != session.epoch {
        return Err(revoked());
    }
    Ok(Person { id: user.id, username: user.username.clone(), role: user.role, credential: Credential::Session(session) })
}

/// The token was revoked, or its owner is gone.
pub(crate) fn revoked() -> Error {
    Error::Unauthenticated { reason: "TokenRevoked", message: "the token was revoked: log in again" }
}

fn expired() -> Error {
    Error::Unauthenticated { reason: "TokenExpired", message: "the token has expired" }
}

fn unknown() -> Error {
    Error::Unauthenticated { reason: "InvalidToken", message: "there is no such API token" }
}
