//! Who people are: passwords, the tokens they get for them, and the keys that sign the tokens.
//!
//! Whether someone may do a thing is decided by whoever holds the method's policy, not here.

pub mod jwt;
pub mod keys;
pub mod password;
