//! Lets in who has the agent's token. Which methods want it is in the contract.

use std::{
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::Either;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tonic::{Code, body::Body};
use tower::{Layer, Service};
use utopia_proto::{
    policy::{Access, Policies},
    status::status,
};

type Digest = [u8; 32];

/// Puts the check in front of a gRPC service.
#[derive(Debug, Clone)]
pub(super) struct TokenLayer(Arc<Guard>);

#[derive(Debug)]
struct Guard {
    policies: Policies,
    /// Digests are compared, so that neither time nor length tells of the token.
    token: Digest,
}

/// A gRPC service behind the check.
#[derive(Debug, Clone)]
pub(super) struct Guarded<S> {
    guard: Arc<Guard>,
    inner: S,
}

impl TokenLayer {
    pub(super) fn new(token: &str, policies: Policies) -> Self {
        Self(Arc::new(Guard { policies, token: digest(token) }))
    }
}

impl Guard {
    fn lets_in(&self, path: &str, headers: &HeaderMap) -> bool {
        let is_public = self.policies.get(path).is_some_and(|policy| policy.access == Access::Public);
        is_public || bearer(headers).is_some_and(|token| bool::from(digest(token).ct_eq(&self.token)))
    }
}

fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl<S> Layer<S> for TokenLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { guard: self.0.clone(), inner }
    }
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.guard.lets_in(request.uri().path(), request.headers()) {
            return Either::Left(self.inner.call(request));
        }
        let refused = status(Code::Unauthenticated, "InvalidToken", "a valid bearer token is needed", None);
        Either::Right(ready(Ok(refused.into_http())))
    }
}
