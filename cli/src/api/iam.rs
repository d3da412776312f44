//! People and their API tokens.

use jiff::Timestamp;
use serde::Deserialize;

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccountList {
    pub(crate) users: Vec<Account>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) role: String,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) updated_at: Option<Timestamp>,
    pub(crate) last_login_at: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiTokenList {
    pub(crate) tokens: Vec<ApiToken>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiToken {
    pub(crate) id: String,
    /// Empty but in the answer that made it.
    pub(crate) token: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) username: String,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) last_used_at: Option<Timestamp>,
}
