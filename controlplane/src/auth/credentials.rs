//! Whom a bearer token stands for. The token's form says which kind it is: no kind opens another's door.

use futures_util::FutureExt as _;

use super::{
    identity::{Caller, Person},
    jwt::{self, Tokens},
};
use crate::error::Result;

/// Reads bearer tokens of every kind.
#[derive(Clone)]
pub struct Credentials {
    tokens: Tokens,
}

impl Credentials {
    /// Reads the tokens that these keys signed.
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self { tokens }
    }

    /// Whom a token stands for, if that can be told without waiting; the answer of every call but the first few.
    #[must_use]
    pub fn at_hand(&self, token: &str) -> Option<Result<Caller>> {
        self.tokens.verify(token).now_or_never().map(|verified| verified.map(person))
    }

    /// Whom a token stands for.
    ///
    /// # Errors
    /// `Unauthenticated` when the token does not hold; others when the store fails.
    pub async fn caller(&self, token: &str) -> Result<Caller> {
        self.tokens.verify(token).await.map(person)
    }
}

fn person(token: jwt::Identity) -> Caller {
    Caller::Person(Person { id: token.user_id, username: token.username, role: token.role })
}
