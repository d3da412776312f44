//! Who people are: passwords, the tokens they get for them, and the keys that sign the tokens.
//!
//! [`guard`] finds out who is calling and decides, by the contract's options alone, whether they may; [`limits`]
//! says how often.

pub mod agent_token;
pub mod api_token;
pub mod credentials;
pub mod guard;
pub mod identity;
pub mod jwt;
pub mod keys;
pub mod limits;
pub mod password;
mod proved;
mod recent;
pub mod sessions;

pub use identity::{Caller, Credential, Identity, Person};
