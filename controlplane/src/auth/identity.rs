//! Who is calling.

use std::{fmt, net::IpAddr};

use tonic::{Code, Status};
use utopia_proto::{api::v1::Access, status::status};
use uuid::Uuid;

use super::jwt::Session;
use crate::model::{Role, audit::Trail};

/// What a person proved themselves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A token they got for their password.
    Session(Session),
    /// An API token, by its id.
    ApiToken(Uuid),
}

/// A person, with what holds for them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user's id.
    pub id: i64,
    /// The user name.
    pub username: String,
    /// What they may do with this credential.
    pub role: Role,
    /// What they proved themselves with.
    pub credential: Credential,
}

impl Person {
    /// Whether the person sees what belongs to others.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        self.role >= Role::Operator
    }

    /// Whose things the person sees: their own, or everybody's.
    #[must_use]
    pub fn scope(&self) -> Option<i64> {
        if self.sees_all() { None } else { Some(self.id) }
    }

    /// The session, for what an API token is not enough for.
    ///
    /// # Errors
    /// `PermissionDenied` (`NotASession`) with an API token.
    pub fn session(&self) -> Result<Session, Status> {
        match self.credential {
            Credential::Session(session) => Ok(session),
            Credential::ApiToken(_) => {
                let message = "this needs a token from a log-in; an API token is not enough";
                Err(status(Code::PermissionDenied, "NotASession", message, None))
            }
        }
    }
}

/// Who a caller has proved to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody.
    Anonymous,
    /// A person, by a token.
    Person(Person),
    /// A node, by a client certificate.
    Node(Uuid),
    /// A host, by its agent token.
    Host(Uuid),
    /// A gateway speaking for nobody, by a client certificate.
    Gateway,
}

impl fmt::Display for Caller {
    /// As the audit log names them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => Ok(()),
            Self::Person(person) => f.write_str(&person.username),
            Self::Node(id) => write!(f, "node:{id}"),
            Self::Host(id) => write!(f, "host:{id}"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}

/// Who is calling, and from where. The guard puts it on every request.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who.
    pub caller: Caller,
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
}

impl Identity {
    /// The identity the guard found.
    #[must_use]
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or(Self { caller: Caller::Anonymous, address: None })
    }

    /// Who is about to do what, as the audit log shall know it.
    #[must_use]
    pub fn trail<T>(request: &tonic::Request<T>) -> Trail {
        let trail = request.extensions().get::<Trail>();
        // Only a method without the contract's option has none.
        trail.cloned().unwrap_or_else(|| Trail::system("", ""))
    }

    /// The person calling.
    ///
    /// # Errors
    /// `Unauthenticated` when it is none.
    pub fn person(self) -> Result<Person, Status> {
        match self.caller {
            Caller::Person(person) => Ok(person),
            Caller::Anonymous | Caller::Node(_) | Caller::Host(_) | Caller::Gateway => Err(missing_token()),
        }
    }

    /// The host calling.
    ///
    /// # Errors
    /// `Unauthenticated` when it is none.
    pub fn host(self) -> Result<Uuid, Status> {
        match self.caller {
            Caller::Host(id) => Ok(id),
            Caller::Anonymous | Caller::Person(_) | Caller::Node(_) | Caller::Gateway => Err(missing_agent_token()),
        }
    }

    /// The node calling.
    ///
    /// # Errors
    /// `Unauthenticated` when it is none.
    pub fn node(self) -> Result<Uuid, Status> {
        match self.caller {
            Caller::Node(id) => Ok(id),
            Caller::Anonymous | Caller::Person(_) | Caller::Host(_) | Caller::Gateway => Err(missing_certificate()),
        }
    }

    /// Decides whether the caller may use a method.
    ///
    /// # Errors
    /// `Unauthenticated` without the kind of credentials the method wants, `PermissionDenied` when they are not enough.
    pub fn authorize(&self, access: Access) -> Result<(), Status> {
        match access {
            Access::Public => Ok(()),
            Access::Reader => self.at_least(Role::Readonly),
            Access::User => self.at_least(Role::User),
            Access::Operator => self.at_least(Role::Operator),
            Access::Admin => self.at_least(Role::Admin),
            Access::AgentCertificate => match self.caller {
                Caller::Node(_) => Ok(()),
                Caller::Anonymous | Caller::Person(_) | Caller::Host(_) | Caller::Gateway => Err(missing_certificate()),
            },
            Access::AgentToken => match self.caller {
                Caller::Host(_) => Ok(()),
                Caller::Person(_) => Err(denied("this needs the agent token of the host")),
                Caller::Anonymous | Caller::Node(_) | Caller::Gateway => Err(missing_agent_token()),
            },
            Access::Unspecified => Err(denied("this method is closed")),
        }
    }

    fn at_least(&self, role: Role) -> Result<(), Status> {
        match &self.caller {
            Caller::Person(person) if person.role >= role => Ok(()),
            Caller::Person(person) => Err(denied(&format!("this needs the role `{role}`; yours is `{}`", person.role))),
            Caller::Host(_) => Err(denied("an agent token serves the heartbeats of its host only")),
            Caller::Anonymous | Caller::Node(_) | Caller::Gateway => Err(missing_token()),
        }
    }
}

fn missing_token() -> Status {
    status(Code::Unauthenticated, "MissingToken", "a bearer token is needed", None)
}

fn missing_agent_token() -> Status {
    status(Code::Unauthenticated, "MissingToken", "the agent token of the host is needed", None)
}

fn missing_certificate() -> Status {
    status(Code::Unauthenticated, "MissingCertificate", "an agent's client certificate is needed", None)
}

fn denied(message: &str) -> Status {
    status(Code::PermissionDenied, "PermissionDenied", message, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(caller: Caller) -> Identity {
        Identity { caller, address: None }
    }

    #[test]
    fn every_access_admits_the_callers_it_names_and_no_other() {
        let person =
            |role| Caller::Person(Person { id: 1, username: "ada".into(), role, credential: Credential::ApiToken(Uuid::nil()) });
        let callers = [
            Caller::Anonymous,
            person(Role::Readonly),
            person(Role::User),
            person(Role::Operator),
            person(Role::Admin),
            Caller::Node(Uuid::nil()),
            Caller::Host(Uuid::nil()),
            Caller::Gateway,
        ];
        let table = [
            (Access::Public, [true; 8]),
            (Access::Reader, [false, true, true, true, true, false, false, false]),
            (Access::User, [false, false, true, true, true, false, false, false]),
            (Access::Operator, [false, false, false, true, true, false, false, false]),
            (Access::Admin, [false, false, false, false, true, false, false, false]),
            (Access::AgentCertificate, [false, false, false, false, false, true, false, false]),
            (Access::AgentToken, [false, false, false, false, false, false, true, false]),
            (Access::Unspecified, [false; 8]),
        ];
        for (access, expected) in table {
            let admitted = callers.clone().map(|caller| identity(caller).authorize(access).is_ok());
            assert_eq!(admitted, expected, "{access:?}");
        }
    }

    #[test]
    fn lacking_credentials_and_lacking_rights_are_told_apart() {
        let anonymous = identity(Caller::Anonymous).authorize(Access::User).unwrap_err();
        assert_eq!(anonymous.code(), Code::Unauthenticated);
        let person = Caller::Person(Person {
            id: 1,
            username: "ada".into(),
            role: Role::User,
            credential: Credential::ApiToken(Uuid::nil()),
        });
        assert_eq!(identity(person).authorize(Access::Admin).unwrap_err().code(), Code::PermissionDenied);
    }
}
