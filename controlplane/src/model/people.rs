//! People, and the credentials they have beside their passwords.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Role;

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    /// Ascending from 1.
    pub id: i64,
    /// The same person's id in the APIs that use UUIDs.
    pub uuid: Uuid,
    /// Unique without regard to case.
    pub username: String,
    /// Unique without regard to case; may be empty.
    pub email: String,
    /// A PHC string.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
    /// Tokens carry the epoch they were made in; a new one revokes them all.
    pub token_epoch: i64,
    /// When they registered.
    pub created_at: Timestamp,
    /// When the account last changed.
    pub updated_at: Timestamp,
    /// When they last logged in.
    pub last_login_at: Option<Timestamp>,
}

impl User {
    /// As the audit log shows it.
    #[must_use]
    pub fn audit_value(&self) -> Value {
        json!({ "username": self.username, "email": self.email, "role": self.role.as_str() })
    }
}

/// A person to add.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    /// Unique without regard to case.
    pub username: &'a str,
    /// Unique without regard to case; may be empty.
    pub email: &'a str,
    /// A PHC string.
    pub password_hash: &'a str,
    /// What they may do.
    pub role: Role,
}

/// What of a person changes; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The new e-mail address.
    pub email: Option<String>,
    /// The new role.
    pub role: Option<Role>,
}

/// Which people to list.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only those whose name or e-mail address contains this, without regard to case; may be empty.
    pub search: String,
}

/// What decides whether a token of a person holds.
#[derive(Debug, Clone)]
pub struct SessionState {
    /// The person. Only tokens of their epoch hold.
    pub user: Arc<User>,
    /// Whether the one token was revoked, or all because the person is deleted.
    pub revoked: bool,
}

/// An API token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Not secret.
    pub id: Uuid,
    /// Its owner.
    pub user_id: i64,
    /// Its owner's name.
    pub username: String,
    /// What it is for; unique among the owner's.
    pub name: String,
    /// The most it may do.
    pub role: Role,
    /// It is refused from then on.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl ApiToken {
    /// As the audit log shows it.
    #[must_use]
    pub fn audit_value(&self) -> Value {
        let expires_at = self.expires_at.to_string();
        json!({ "name": self.name, "owner": self.username, "role": self.role.as_str(), "expires_at": expires_at })
    }
}

/// What decides whether an API token holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTokenState {
    /// The token.
    pub token: ApiToken,
    /// The hash of its secret.
    pub secret_hash: Vec<u8>,
    /// What its owner may do now.
    pub owner_role: Role,
}
