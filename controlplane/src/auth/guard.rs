//! The layer around every service: identify → limit → authorize. It knows methods only by the contract's options.
//!
//! Of audited methods it writes down what failed or was refused; what succeeded is written by the store, with the change.

mod answer;
mod attempt;
mod journal;
mod lasting;

use std::{
    fmt,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{Either, Ready, ready};
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use prost_reflect::DescriptorPool;
use tonic::{Code, Status, body::Body};
use tower::Service;
use tracing::{Instrument as _, Span};
use utopia_certs::PeerIdentity;
use utopia_gateway::ClientAddress;
use utopia_proto::{
    policy::{Access, Limit, MethodPolicy, Policies},
    status::status,
};

pub use self::journal::{Journal, Writer};
use self::{
    answer::Answering,
    attempt::{Attempt, Subjects},
};
use super::{
    agent_token::AgentTokens,
    credentials::Credentials,
    identity::{Caller, Identity},
    limits::{Limits, Standing},
};
use crate::{error::Result, model::audit::Trail, server::ConnectionInfo};

/// Makes [`Guard`]s.
#[derive(Clone)]
pub struct GuardLayer(Arc<Rules>);

/// What all guards go by. Every call clones its guard, so there is one count to raise.
struct Rules {
    policies: Policies,
    subjects: Subjects,
    credentials: Credentials,
    limits: Limits,
    journal: Journal,
}

impl GuardLayer {
    /// A guard over the methods that the policies name; all others are refused. The pool describes their requests.
    #[must_use]
    pub fn new(pool: &DescriptorPool, policies: Policies, credentials: Credentials, limits: Limits, journal: Journal) -> Self {
        let subjects = Subjects::new(pool, &policies);
        Self(Arc::new(Rules { policies, subjects, credentials, limits, journal }))
    }
}

impl Rules {
    fn policy(&self, path: &str) -> Result<MethodPolicy, Status> {
        let unknown = || status(Code::Unimplemented, "UnknownMethod", "there is no such method", None);
        self.policies.get(path).ok_or_else(unknown)
    }

    /// Who is about to do what, if the audit log is to know.
    fn trail<B>(&self, request: &Request<B>, identity: &Identity) -> Option<Trail> {
        let audit = self.policies.audit(request.uri().path())?;
        Some(Trail {
            user: identity.caller.to_string(),
            address: identity.address,
            resource: audit.resource.clone(),
            action: audit.action.clone(),
            method: request.uri().path().into(),
            request_id: request_id(request.headers()).to_owned(),
        })
    }

    /// An attempt whose failure is to be written down. Of strangers only those who try to get in are: whoever likes could fill the
    /// log otherwise.
    fn attempt<B>(&self, request: &Request<B>, trail: &Trail, policy: MethodPolicy, identity: &Identity) -> Option<Attempt> {
        let is_known = match identity.caller {
            Caller::Person(_) | Caller::Node(_) | Caller::Host(_) => true,
            Caller::Anonymous | Caller::Gateway => false,
        };
        let subject = || self.subjects.of(request.uri().path());
        (is_known || policy.limit == Limit::Login).then(|| Attempt::new(trail.clone(), subject(), self.journal.clone()))
    }
}

/// Who is calling, as far as the connection tells.
fn peer<B>(request: &Request<B>) -> Identity {
    let connection = request.extensions().get::<Arc<ConnectionInfo>>();
    let peer = connection.and_then(|connection| connection.peer.as_ref());
    let address = match (request.extensions().get::<ClientAddress>(), peer) {
        (Some(ClientAddress(address)), _) => Some(*address),
        (None, Some(PeerIdentity::Gateway(_))) => forwarded_for(request.headers()),
        (None, Some(PeerIdentity::Node(_)) | None) => connection.map(|connection| connection.address.ip()),
    };
    let caller = match peer {
        Some(PeerIdentity::Node(id)) => Caller::Node(*id),
        Some(PeerIdentity::Gateway(_)) => Caller::Gateway,
        None => Caller::Anonymous,
    };
    Identity { caller, address }
}

/// The token of a request; that of a host may also be in the header `X-Agent-Token`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Status> {
    let Some(value) = headers.get(AUTHORIZATION) else { return agent_token(headers) };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(Some(token.trim())),
        Some(_) | None => {
            Err(status(Code::Unauthenticated, "InvalidToken", "the Authorization header must be `Bearer` and a token", None))
        }
    }
}

fn agent_token(headers: &HeaderMap) -> Result<Option<&str>, Status> {
    let Some(value) = headers.get("x-agent-token") else { return Ok(None) };
    let token = value.to_str().ok().map(str::trim).filter(|token| AgentTokens::is_one(token));
    let invalid = || status(Code::Unauthenticated, "InvalidToken", "the X-Agent-Token header must be an agent token", None);
    token.map(Some).ok_or_else(invalid)
}

/// What log lines about a call begin with. It is made once who calls is known: fields that come later are written at a price.
fn span<B>(request: &Request<B>, identity: &Identity) -> Span {
    let user = match &identity.caller {
        Caller::Person(person) => Some(person.username.as_str()),
        Caller::Anonymous | Caller::Node(_) | Caller::Host(_) | Caller::Gateway => None,
    };
    tracing::info_span!(
        "request",
        method = %Word(request.uri().path()),
        id = %Word(request_id(request.headers())),
        user = user.map(|user| tracing::field::display(Word(user)))
    )
}

/// A text for the log, in quotes only where it could be taken for something else. Quoting is what costs most of a span.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte));
        if is_plain { f.write_str(self.0) } else { fmt::Debug::fmt(self.0, f) }
    }
}

/// The client's address as a gateway reports it; only the last entry, which the gateway itself wrote.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get("x-forwarded-for")?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

impl<S> tower::Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { rules: Arc::clone(&self.0), inner }
    }
}

/// A guarded service.
#[derive(Clone)]
pub struct Guard<S> {
    rules: Arc<Rules>,
    inner: S,
}

/// The answer to a call.
type Answer<E> = Result<Response<Body>, E>;

/// An answer after something had to be waited for: a key that is not at hand, or the rest of a request that is refused.
type Later<E> = Pin<Box<dyn Future<Output = Answer<E>> + Send>>;

/// A call that is refused or goes on.
type Decided<F, E> = Either<Either<Ready<Answer<E>>, Answering<F>>, Later<E>>;

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Decided<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let identity = peer(&request);
        let policy = match self.rules.policy(request.uri().path()) {
            Ok(policy) => policy,
            Err(status) => return at_once(refusal(&span(&request, &identity), &status, None)),
        };
        let token = match bearer(request.headers()) {
            Ok(None) => return self.proceed(request, policy, identity),
            Ok(Some(token)) => token,
            Err(status) => return self.unknown(request, policy, &identity, status),
        };
        match self.rules.credentials.at_hand(token) {
            Some(Ok(caller)) => self.proceed(request, policy, Identity { caller, ..identity }),
            Some(Err(error)) => self.unknown(request, policy, &identity, error.into()),
            None => {
                let (token, credentials) = (token.to_owned(), self.rules.credentials.clone());
                // The clone takes the place of the service that is ready.
                let inner = self.inner.clone();
                let mut guard = Self { rules: Arc::clone(&self.rules), inner: std::mem::replace(&mut self.inner, inner) };
                Either::Right(Box::pin(async move {
                    let decided = match credentials.caller(&token).await {
                        Ok(caller) => guard.proceed(request, policy, Identity { caller, ..identity }),
                        Err(error) => guard.unknown(request, policy, &identity, error.into()),
                    };
                    drop(guard);
                    decided.await
                }))
            }
        }
    }
}

impl<S> Guard<S> {
    /// Limits, authorizes, and lets the call through.
    fn proceed(&mut self, mut request: Request<Body>, policy: MethodPolicy, identity: Identity) -> Decided<S::Future, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let span = span(&request, &identity);
        let standing = match self.rules.limits.admit(policy, &identity) {
            Ok(standing) => standing,
            Err(refused) => return at_once(refusal(&span, &refused.into(), None)),
        };
        if let Err(status) = identity.authorize(policy.access) {
            return self.refuse(request, policy, &identity, &span, status, standing);
        }
        let mut attempt = None;
        if let Some(trail) = self.rules.trail(&request, &identity) {
            attempt = self.rules.attempt(&request, &trail, policy, &identity);
            if let Some(attempt) = &attempt {
                request = request.map(|body| attempt.listen(body));
            }
            request.extensions_mut().insert(trail);
        }
        let viewer = match &identity.caller {
            Caller::Person(person) if policy.streams => Some((person.clone(), self.rules.credentials.sessions().clone())),
            Caller::Person(_) | Caller::Anonymous | Caller::Node(_) | Caller::Host(_) | Caller::Gateway => None,
        };
        request.extensions_mut().insert(identity);
        Either::Left(Either::Right(Answering { call: self.inner.call(request).instrument(span), standing, attempt, viewer }))
    }

    /// Refuses a caller whose credentials do not hold; whoever guesses is counted by their address. Where none are needed they are
    /// as good as none: who comes for a new token may well show the one that has expired.
    fn unknown(
        &mut self,
        request: Request<Body>,
        policy: MethodPolicy,
        identity: &Identity,
        status: Status,
    ) -> Decided<S::Future, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let identity = Identity { caller: Caller::Anonymous, address: identity.address };
        if policy.access == Access::Public && status.code() == Code::Unauthenticated {
            return self.proceed(request, policy, identity);
        }
        let span = span(&request, &identity);
        match self.rules.limits.admit(policy, &identity) {
            Ok(standing) => self.refuse(request, policy, &identity, &span, status, standing),
            Err(refused) => at_once(refusal(&span, &refused.into(), None)),
        }
    }

    /// Refuses a call, and writes it down if the audit log is to know.
    fn refuse(
        &self,
        request: Request<Body>,
        policy: MethodPolicy,
        identity: &Identity,
        span: &Span,
        status: Status,
        standing: Option<Standing>,
    ) -> Decided<S::Future, S::Error>
    where
        S: Service<Request<Body>>,
    {
        let response = refusal(span, &status, standing);
        let trail = self.rules.trail(&request, identity);
        let attempt = trail.and_then(|trail| self.rules.attempt(&request, &trail, policy, identity));
        let Some(attempt) = attempt else { return at_once(response) };
        let body = request.into_body();
        Either::Right(Box::pin(async move {
            attempt.refused(body, &status).await;
            Ok(response)
        }))
    }
}

/// An answer for which nothing has to be waited for.
fn at_once<F, E>(response: Response<Body>) -> Decided<F, E> {
    Either::Left(Either::Left(ready(Ok(response))))
}

fn refusal(span: &Span, status: &Status, standing: Option<Standing>) -> Response<Body> {
    tracing::debug!(parent: span, code = ?status.code(), "refused: {}", status.message());
    let mut response = status.clone().into_http();
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    response
}

fn request_id(headers: &HeaderMap) -> &str {
    headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_taken() {
        let header = |value: &'static str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(bearer(&HeaderMap::new()).unwrap(), None);
        assert_eq!(bearer(&header("Bearer abc")).unwrap(), Some("abc"));
        assert_eq!(bearer(&header("bearer  abc ")).unwrap(), Some("abc"));
        for bad in ["Basic abc", "Bearer", "Bearer ", "abc"] {
            assert_eq!(bearer(&header(bad)).unwrap_err().code(), Code::Unauthenticated, "{bad}");
        }
    }

    #[test]
    fn an_agent_token_has_a_header_of_its_own() {
        let header = |value: &'static str| HeaderMap::from_iter([("x-agent-token".parse().unwrap(), value.parse().unwrap())]);
        let mut both: HeaderMap = header("uta_abc_def");
        assert_eq!(bearer(&both).unwrap(), Some("uta_abc_def"));
        both.insert(AUTHORIZATION, "Bearer abc".parse().unwrap());
        assert_eq!(bearer(&both).unwrap(), Some("abc"));
        for bad in ["", "abc", "Bearer uta_abc_def", "utj_abc_def"] {
            assert_eq!(bearer(&header(bad)).unwrap_err().code(), Code::Unauthenticated, "{bad}");
        }
    }

    #[test]
    fn what_a_client_wrote_is_no_other_field_in_the_log() {
        for (text, written) in
            [("a-1_b.c", "a-1_b.c"), ("/a.B/C", "/a.B/C"), ("x user=admin", "\"x user=admin\""), ("a\"", "\"a\\\"\"")]
        {
            assert_eq!(Word(text).to_string(), written);
        }
    }

    #[test]
    fn of_forwarded_addresses_only_the_gateways_own_counts() {
        let headers = HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), "6.6.6.6, 10.0.0.7".parse().unwrap())]);
        let headers: HeaderMap = headers;
        assert_eq!(forwarded_for(&headers), Some("10.0.0.7".parse().unwrap()));
    }
}
