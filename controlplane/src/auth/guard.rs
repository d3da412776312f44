//! The layer around every service: identify → limit → authorize. It knows methods only by the contract's options.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{Either, Ready, ready};
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use tonic::{Code, Status, body::Body};
use tower::Service;
use tracing::{Instrument as _, Span, instrument::Instrumented};
use utopia_certs::PeerIdentity;
use utopia_gateway::ClientAddress;
use utopia_proto::{
    policy::{MethodPolicy, Policies},
    status::status,
};

use super::{
    credentials::Credentials,
    identity::{Caller, Identity},
};
use crate::{error::Result, model::audit::Trail, server::ConnectionInfo};

/// Decides whether a call is within its limits.
pub type Limiter = Arc<dyn Fn(MethodPolicy, &Identity) -> Result<(), Status> + Send + Sync>;

/// Makes [`Guard`]s.
#[derive(Clone)]
pub struct GuardLayer {
    policies: Arc<Policies>,
    credentials: Credentials,
    limiter: Limiter,
}

impl GuardLayer {
    /// A guard over the methods that the policies name; all others are refused.
    #[must_use]
    pub fn new(policies: Arc<Policies>, credentials: Credentials, limiter: Limiter) -> Self {
        Self { policies, credentials, limiter }
    }

    /// The policy of the method, and who is calling as far as the connection tells.
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

    fn admit(&self, policy: MethodPolicy, identity: &Identity) -> Result<(), Status> {
        (self.limiter)(policy, identity)?;
        identity.authorize(policy.access)
    }
}

/// Who is calling, as far as the connection tells.
fn peer<B>(request: &Request<B>) -> Identity {
    let connection = request.extensions().get::<ConnectionInfo>();
    let peer = connection.and_then(|connection| connection.peer.as_deref());
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

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Status> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(Some(token.trim())),
        Some(_) | None => {
            Err(status(Code::Unauthenticated, "InvalidToken", "the Authorization header must be `Bearer` and a token", None))
        }
    }
}

/// The client's address as a gateway reports it; only the last entry, which the gateway itself wrote.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get("x-forwarded-for")?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

impl<S> tower::Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { layer: self.clone(), inner }
    }
}

/// A guarded service.
#[derive(Clone)]
pub struct Guard<S> {
    layer: GuardLayer,
    inner: S,
}

/// The answer to a call.
type Answer<E> = Result<Response<Body>, E>;

/// A call that is refused, or goes on.
type Admitted<F, E> = Either<Ready<Answer<E>>, Instrumented<F>>;

/// A call that is refused or goes on, or first waits for a key that is not at hand.
type GuardFuture<F, E> = Either<Admitted<F, E>, Pin<Box<dyn Future<Output = Answer<E>> + Send>>>;

impl<S, B> Service<Request<B>> for Guard<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = GuardFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = tracing::info_span!(
            "request",
            method = request.uri().path(),
            id = request_id(request.headers()),
            user = tracing::field::Empty
        );
        let known = self.layer.policy(request.uri().path());
        let (policy, token) = match known.and_then(|policy| Ok((policy, bearer(request.headers())?))) {
            Ok(found) => found,
            Err(status) => return Either::Left(refuse(&span, &status)),
        };
        let identity = peer(&request);
        let Some(token) = token else { return Either::Left(self.proceed(request, policy, identity, span)) };
        // A token that does not hold is refused also where none is needed: the caller believes to be somebody.
        match self.layer.credentials.at_hand(token) {
            Some(Ok(caller)) => Either::Left(self.proceed(request, policy, Identity { caller, ..identity }, span)),
            Some(Err(error)) => Either::Left(refuse(&span, &error.into())),
            None => {
                let (token, credentials) = (token.to_owned(), self.layer.credentials.clone());
                // The clone takes the place of the service that is ready.
                let inner = self.inner.clone();
                let mut guard = Self { layer: self.layer.clone(), inner: std::mem::replace(&mut self.inner, inner) };
                Either::Right(Box::pin(async move {
                    let proceeding = match credentials.caller(&token).await {
                        Ok(caller) => guard.proceed(request, policy, Identity { caller, ..identity }, span),
                        Err(error) => refuse(&span, &error.into()),
                    };
                    drop(guard);
                    proceeding.await
                }))
            }
        }
    }
}

impl<S> Guard<S> {
    fn proceed<B>(
        &mut self,
        mut request: Request<B>,
        policy: MethodPolicy,
        identity: Identity,
        span: Span,
    ) -> Admitted<S::Future, S::Error>
    where
        S: Service<Request<B>, Response = Response<Body>>,
    {
        if let Caller::Person(person) = &identity.caller {
            span.record("user", person.username.as_str());
        }
        if let Err(status) = self.layer.admit(policy, &identity) {
            return refuse(&span, &status);
        }
        if let Some(trail) = self.layer.trail(&request, &identity) {
            request.extensions_mut().insert(trail);
        }
        request.extensions_mut().insert(identity);
        Either::Right(self.inner.call(request).instrument(span))
    }
}

fn refuse<F, E>(span: &Span, status: &Status) -> Admitted<F, E> {
    tracing::debug!(parent: span, code = ?status.code(), "refused: {}", status.message());
    Either::Left(ready(Ok(status.clone().into_http())))
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
    fn of_forwarded_addresses_only_the_gateways_own_counts() {
        let headers = HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), "6.6.6.6, 10.0.0.7".parse().unwrap())]);
        let headers: HeaderMap = headers;
        assert_eq!(forwarded_for(&headers), Some("10.0.0.7".parse().unwrap()));
    }
}
