//! What can be done with accounts, whichever of the APIs it is asked through: registration, log-in, sessions, passwords, roles.
//!
//! It checks what was given and knows no transport. Who may do what to whom is the services' to decide.

mod attempts;

use std::sync::Arc;

use jiff::Timestamp;

use self::attempts::Attempts;
use crate::{
    auth::{
        Credential, Person,
        jwt::{Issued, REFRESH_GRACE, Session, Tokens},
        password::Passwords,
        sessions::{Sessions, revoked},
    },
    clock::Clock,
    error::{Error, Result},
    model::{
        Role,
        audit::Trail,
        people::{NewUser, User, UserChange},
    },
    service::validate,
    store::{DeletedUser, Revocation, Store},
};

pub use self::attempts::FORGET_AFTER;

/// The user that test tokens stand for.
const DEVELOPER: &str = "developer";

/// The accounts. Clones are the same.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// Has the users.
    store: Store,
    passwords: Passwords,
    tokens: Tokens,
    sessions: Sessions,
    attempts: Attempts,
    clock: Clock,
    /// Well-known pairs of name and password are accepted, and there are test tokens.
    development: bool,
}

/// Who wants to be a user.
#[derive(Debug)]
pub struct Registration {
    /// The user name.
    pub username: String,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The password.
    pub password: String,
    /// What they may do.
    pub role: Role,
}

/// Who sets a password.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// The user, with the old one.
    OldPassword(&'a str),
    /// An administrator, for somebody else.
    Administrator,
}

impl Accounts {
    /// The accounts of a store.
    #[must_use]
    pub fn new(store: Store, passwords: Passwords, tokens: Tokens, sessions: Sessions, clock: Clock, development: bool) -> Self {
        let attempts = Attempts::new(store.clone(), clock.clone());
        Self { store, passwords, tokens, sessions, attempts, clock, development }
    }

    /// Adds a user.
    ///
    /// # Errors
    /// `Missing` or `Invalid` for a field; `AlreadyExists` when the name or the address is taken.
    pub async fn register(&self, new: Registration, mut trail: Trail) -> Result<User> {
        let Registration { username, email, password, role } = new;
        for (field, value) in [("username", &username), ("password", &password)] {
            if value.is_empty() {
                return Err(Error::missing(field));
            }
        }
        validate::username(&username)?;
        validate::email("email", &email)?;
        validate::password("password", &username, &password, self.development)?;
        if trail.user.is_empty() {
            trail.user.clone_from(&username);
        }
        let password_hash = self.passwords.hash(&password).await?;
        let new = NewUser { username: &username, email: &email, password_hash: &password_hash, role };
        let user = self.store.create_user(new, self.clock.now(), &trail).await?;
        tracing::info!(user = %user.username, id = user.id, role = %user.role, "user registered");
        Ok(user)
    }

    /// A token for a user name and its password.
    ///
    /// # Errors
    /// `Unauthenticated`, alike for an unknown user and a wrong password; `Exhausted` (`LoginLocked`).
    pub async fn log_in(&self, username: &str, password: &str, mut trail: Trail) -> Result<(Issued, User)> {
        for (field, value) in [("username", username), ("password", password)] {
            if value.is_empty() {
                return Err(Error::missing(field));
            }
        }
        let user = self.attempts.check(username, async || self.whose_password(username, password).await).await?;
        let user = user.ok_or_else(wrong_credentials)?;
        let issued = self.tokens.issue(&user)?;
        let now = self.clock.now();
        trail.user.clone_from(&user.username);
        let _change = self.sessions.changing_user(user.id);
        if !self.store.begin_session(&user, issued.session.token_id, now, &trail).await? {
            // Somebody changed the password, or deleted the user, since it was checked.
            return Err(wrong_credentials());
        }
        tracing::info!(user = %user.username, "logged in");
        Ok((issued, User { last_login_at: Some(now), ..user }))
    }

    /// A person's own account. With a session no database is asked: the guard has just had it looked up.
    ///
    /// # Errors
    /// `Unauthenticated` when the person is gone.
    pub async fn own(&self, person: &Person) -> Result<Arc<User>> {
        match person.credential {
            Credential::Session(session) => self.sessions.account(session).await,
            Credential::ApiToken(_) => self.store.user_by_id(person.id).await?.map(Arc::new).ok_or_else(revoked),
        }
    }

    /// A new token for one that is valid or expired a short while ago. The old one is revoked.
    ///
    /// # Errors
    /// `Unauthenticated` when it does not hold; of several who exchange one token, one succeeds.
    pub async fn refresh(&self, token: &str, mut trail: Trail) -> Result<(Issued, User)> {
        if token.is_empty() {
            return Err(Error::missing("token"));
        }
        let old = self.tokens.verify_within(token, REFRESH_GRACE).await?;
        let user = self.store.user_by_id(old.user_id).await?.ok_or_else(revoked)?;
        let issued = self.tokens.issue(&user)?;
        trail.user.clone_from(&user.username);
        let change = self.sessions.revoking(old);
        let now = self.clock.now();
        // The epoch is that of the user as loaded too: a new token of an older one would not hold.
        let same_epoch = issued.session.epoch == old.epoch;
        if !same_epoch || !self.store.revoke_session(revocation(old), Some(issued.session.token_id), now, &trail).await? {
            return Err(revoked());
        }
        drop(change);
        Ok((issued, user))
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// When the store fails. That it was revoked meanwhile is none.
    pub async fn log_out(&self, session: Session, trail: &Trail) -> Result<()> {
        let _change = self.sessions.revoking(session);
        self.store.revoke_session(revocation(session), None, self.clock.now(), trail).await?;
        Ok(())
    }

    /// A token of a plain user, for development.
    ///
    /// # Errors
    /// `NotFound` outside development, and when the user became more than a plain one.
    pub async fn test_token(&self, mut trail: Trail) -> Result<Issued> {
        let none = || Error::not_found("path", "/api/v1/auth/token");
        if !self.development {
            return Err(none());
        }
        let user = match self.store.user_by_name(DEVELOPER).await? {
            Some(user) => user,
            None => self.make_developer().await?,
        };
        if user.role > Role::User {
            return Err(none());
        }
        let issued = self.tokens.issue(&user)?;
        trail.user.clone_from(&user.username);
        let _change = self.sessions.changing_user(user.id);
        if !self.store.begin_session(&user, issued.session.token_id, self.clock.now(), &trail).await? {
            return Err(none());
        }
        Ok(issued)
    }

    /// Changes the e-mail address or the role. A changed role revokes the sessions of the user.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyExists` for an address that is taken; `FailedPrecondition` (`LastAdministrator`).
    pub async fn update(&self, user: &User, change: UserChange, trail: &Trail) -> Result<User> {
        validate::email("email", change.email.as_deref().unwrap_or_default())?;
        let _change = self.sessions.changing_user(user.id);
        let updated = self.store.update_user(user.id, change, self.clock.now(), trail).await?;
        let updated = updated.ok_or_else(|| Error::not_found("user", user.uuid))?;
        tracing::info!(user = %updated.username, role = %updated.role, by = %trail.user, "user changed");
        Ok(updated)
    }

    /// Sets a new password and revokes the sessions of the user.
    ///
    /// # Errors
    /// `Missing` or `Invalid` for a field; `Denied` (`WrongPassword`); `Exhausted` (`LoginLocked`).
    pub async fn change_password(&self, user: &User, proof: Proof<'_>, new: &str, trail: &Trail) -> Result<()> {
        if new.is_empty() {
            return Err(Error::missing("new_password"));
        }
        validate::password("new_password", &user.username, new, self.development)?;
        if let Proof::OldPassword(old) = proof {
            if old.is_empty() {
                return Err(Error::missing("old_password"));
            }
            let owner = self.attempts.check(&user.username, async || self.whose_password(&user.username, old).await).await?;
            if owner.is_none_or(|owner| owner.id != user.id) {
                return Err(Error::Denied { reason: "WrongPassword", message: "the old password is wrong".to_owned() });
            }
        }
        let password_hash = self.passwords.hash(new).await?;
        let _change = self.sessions.changing_user(user.id);
        if !self.store.set_password(user, &password_hash, self.clock.now(), trail).await? {
            let message = "the user was changed meanwhile: try again".to_owned();
            return Err(Error::FailedPrecondition { reason: "UserChanged".into(), message });
        }
        tracing::info!(user = %user.username, by = %trail.user, "password changed");
        Ok(())
    }

    /// Deletes a user. What they were logged in with holds no longer.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` (`LastAdministrator`, `UserHasClaims`).
    pub async fn delete(&self, user: &User, with_claims: bool, trail: &Trail) -> Result<DeletedUser> {
        let _change = self.sessions.changing_user(user.id);
        let deleted = self.store.delete_user(user.id, with_claims, self.clock.now(), trail).await?;
        let deleted = deleted.ok_or_else(|| Error::not_found("user", user.uuid))?;
        tracing::info!(user = %user.username, by = %trail.user, claims = deleted.claims.len(), "user deleted");
        Ok(deleted)
    }

    /// Lifts the lock that too many failures put on a user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unlock(&self, user: &User, trail: &Trail) -> Result<()> {
        self.store.unlock_user(user, self.clock.now(), trail).await
    }

    /// The user with this name, if this is the password. It takes alike long when there is no such user.
    async fn whose_password(&self, username: &str, password: &str) -> Result<Option<User>> {
        let user = self.store.user_by_name(username).await?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let matches = self.passwords.verify(password, hash).await?;
        Ok(user.filter(|_| matches))
    }

    /// The user that test tokens stand for, with a password that nobody has.
    async fn make_developer(&self) -> Result<User> {
        let password_hash = self.passwords.hash_of_nothing().await?;
        let new = NewUser { username: DEVELOPER, email: "", password_hash: &password_hash, role: Role::User };
        let trail = Trail::system("user", "CreateDeveloper");
        match self.store.create_user(new, self.clock.now(), &trail).await {
            // Another call was faster.
            Err(Error::AlreadyExists { .. }) => {
                self.store.user_by_name(DEVELOPER).await?.ok_or_else(|| Error::not_found("user", DEVELOPER))
            }
            created => created,
        }
    }
}

/// It must be remembered for as long as the token could be exchanged.
fn revocation(session: Session) -> Revocation {
    let forget_at = session.expires_at.checked_add(REFRESH_GRACE * 2).unwrap_or(Timestamp::MAX);
    Revocation { token_id: session.token_id, user_id: session.user_id, epoch: session.epoch, forget_at }
}

fn wrong_credentials() -> Error {
    Error::Unauthenticated { reason: "InvalidCredentials", message: "the user name or the password is wrong" }
}

#[cfg(test)]
mod tests;
