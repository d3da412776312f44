//! Which pages of other origins may call (CORS).
//!
//! Credentials travel in headers that a page sets itself, never in cookies: no browser is told to send any.

use std::{str::FromStr, time::Duration};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use tower::ServiceExt as _;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember what it is allowed.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// The headers that a page may send.
const SENT: [&str; 12] = [
    "authorization",
    "content-type",
    "grpc-timeout",
    "if-none-match",
    "prefer",
    "traceparent",
    "tracestate",
    "x-agent-token",
    "x-grpc-web",
    "x-request-id",
    "x-user-agent",
    "accept",
];

/// The headers of answers that a page may read.
const READ: [&str; 10] = [
    "etag",
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "preference-applied",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
];

/// The origins whose pages may call.
///
/// As text they stand separated by commas: `https://console.example,http://localhost:3000`. `*` is every origin; an empty
/// text is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsOrigins(Vec<HeaderValue>);

/// A text that is no list of origins.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not an origin such as https://console.example or http://localhost:3000")]
pub struct OriginError(String);

impl FromStr for CorsOrigins {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(origin).collect::<Result<_, _>>().map(Self)
    }
}

fn origin(entry: &str) -> Result<HeaderValue, OriginError> {
    let error = || OriginError(entry.to_owned());
    if entry != "*" {
        let uri = entry.parse::<Uri>().map_err(|_| error())?;
        let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(error()) };
        // Browsers send exactly this: no path, no user, in lower case.
        let exact = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
        if exact != entry || entry.contains('@') || entry.to_lowercase() != entry {
            return Err(error());
        }
    }
    HeaderValue::try_from(entry).map_err(|_| error())
}

impl CorsOrigins {
    /// The same routes, for pages of these origins too.
    pub(crate) fn admit(&self, router: Router) -> Router {
        if self.0.is_empty() {
            return router;
        }
        let layer = self.layer();
        router.layer(middleware::from_fn(move |request: Request, next: Next| respond(layer.clone(), request, next)))
    }

    /// Whether a request may open a WebSocket, which browsers let pages of any origin try: it comes from no page, from one of this
    /// server, or from one of an admitted origin.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        let is_own = authority.is_some() && authority == own;
        is_own || self.0.iter().any(|admitted| admitted == "*" || admitted == origin)
    }

    fn layer(&self) -> CorsLayer {
        let everybody = HeaderValue::from_static("*");
        let origins = if self.0.contains(&everybody) { AllowOrigin::any() } else { AllowOrigin::list(self.0.clone()) };
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers(SENT.map(HeaderName::from_static))
            .expose_headers(READ.map(HeaderName::from_static))
            .max_age(MAX_AGE)
    }
}

async fn respond(layer: CorsLayer, request: Request, next: Next) -> Response {
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    // OPTIONS that is no preflight asks the resource what it can do.
    if !request.headers().contains_key(header::ORIGIN) || request.method() == Method::OPTIONS && !is_preflight {
        return next.run(request).await;
    }
    let service = tower::Layer::layer(&layer, next);
    let Ok(response) = service.oneshot(request).await;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_are_taken() {
        for good in ["", "*", "https://console.example", "http://localhost:3000, https://[::1]:8443"] {
            assert!(good.parse::<CorsOrigins>().is_ok(), "{good}");
        }
        for bad in ["console.example", "https://console.example/", "ftp://x", "https://a@b", "https://Console.example", "null"] {
            let error = bad.parse::<CorsOrigins>().unwrap_err().to_string();
            assert_eq!(error, format!("{bad} is not an origin such as https://console.example or http://localhost:3000"));
        }
    }
}
