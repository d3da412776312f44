//! Whom a bearer token stands for. The token's form says which kind it is: no kind opens another's door.

use super::{
    agent_token::AgentTokens,
    api_token::{self, ApiTokenSecret},
    identity::Caller,
    jwt::Tokens,
    sessions::Sessions,
};
use crate::error::{Error, Result};

/// Reads bearer tokens of every kind.
#[derive(Clone)]
pub struct Credentials {
    tokens: Tokens,
    sessions: Sessions,
    agent_tokens: AgentTokens,
}

/// A token by its form.
enum Form<'a> {
    /// A JWT, or what claims to be one.
    Session(&'a str),
    /// An API token of a person.
    ApiToken(ApiTokenSecret),
    /// The agent token of a host.
    AgentToken(&'a str),
}

impl Credentials {
    /// Reads the tokens that these keys signed, API tokens, and the agent tokens of hosts; the sessions know which of people's still
    /// hold.
    #[must_use]
    pub fn new(tokens: Tokens, sessions: Sessions, agent_tokens: AgentTokens) -> Self {
        Self { tokens, sessions, agent_tokens }
    }

    /// What holds for people's credentials now.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Whom a token stands for, if that can be told without waiting: the answer of all but a few calls.
    #[must_use]
    pub fn at_hand(&self, token: &str) -> Option<Result<Caller>> {
        let person = match form(token) {
            Ok(Form::Session(token)) => match self.tokens.at_hand(token)? {
                Ok(session) => self.sessions.person_at_hand(session)?,
                Err(error) => Err(error),
            },
            Ok(Form::ApiToken(secret)) => self.sessions.owner_at_hand(&secret)?,
            Ok(Form::AgentToken(token)) => return self.agent_tokens.at_hand(token),
            Err(error) => Err(error),
        };
        Some(person.map(Caller::Person))
    }

    /// Whom a token stands for.
    ///
    /// # Errors
    /// `Unauthenticated` when the token does not hold; others when the store fails.
    pub async fn caller(&self, token: &str) -> Result<Caller> {
        let person = match form(token)? {
            Form::Session(token) => self.sessions.person(self.tokens.verify(token).await?).await,
            Form::ApiToken(secret) => self.sessions.owner(&secret).await,
            Form::AgentToken(token) => return self.agent_tokens.caller(token).await,
        };
        person.map(Caller::Person)
    }
}

fn form(token: &str) -> Result<Form<'_>> {
    if AgentTokens::is_one(token) {
        return Ok(Form::AgentToken(token));
    }
    if !token.starts_with(api_token::PREFIX) {
        return Ok(Form::Session(token));
    }
    let malformed = || Error::Unauthenticated { reason: "InvalidToken", message: "the token cannot be read" };
    ApiTokenSecret::parse(token).map(Form::ApiToken).ok_or_else(malformed)
}
