//! `/minio` of a gateway in a process of its own: requests go on to the control plane as they came.
//!
//! Clients of S3 sign the path, the host and most headers, so nothing of a request may change but what belongs to the one connection.
//! Who signed it is for the control plane to find out; the gateway asks nobody.

use std::{str::FromStr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, StatusCode, Uri, header, uri::Authority};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A control plane that vanished is noticed although nothing is sent.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Headers that are about one connection (RFC 9110, section 7.6.1), beside those that `Connection` names.
const OF_CONNECTIONS: [HeaderName; 5] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Where the control plane serves S3: `http://` with host and port, and nothing behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Upstream(Authority);

/// An address that is no [`S3Upstream`].
#[derive(Debug, thiserror::Error)]
#[error("must be http:// with host and port, such as http://127.0.0.1:8080")]
pub struct S3UpstreamError;

impl FromStr for S3Upstream {
    type Err = S3UpstreamError;

    fn from_str(text: &str) -> Result<Self, S3UpstreamError> {
        let uri: Uri = text.parse().map_err(|_| S3UpstreamError)?;
        let is_bare = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
        uri.into_parts().authority.filter(|_| is_bare).map(Self).ok_or(S3UpstreamError)
    }
}

/// The routes of `/minio`; without an upstream they say which setting is missing.
pub fn router(upstream: Option<S3Upstream>) -> Router {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(TCP_KEEP_ALIVE));
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let handler = move |request: Request| async move {
        match &upstream {
            Some(upstream) => pass(&client, upstream, request).await,
            None => unavailable("this gateway knows no S3 interface: set UTOPIA_S3_UPSTREAM"),
        }
    };
    Router::new()
        .route("/minio", axum::routing::any(handler.clone()))
        .route("/minio/", axum::routing::any(handler.clone()))
        .route("/minio/{*rest}", axum::routing::any(handler))
}

async fn pass(client: &Client<HttpConnector, Body>, upstream: &S3Upstream, mut request: Request) -> Response {
    if !request.headers().contains_key(header::HOST)
        && let Some(host) = request.uri().authority().and_then(|authority| authority.as_str().parse().ok())
    {
        // HTTP/2 has it elsewhere, and it is signed.
        request.headers_mut().insert(header::HOST, host);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = Uri::builder().scheme("http").authority(upstream.0.clone()).path_and_query(path).build() else {
        return unavailable("the address cannot be passed on");
    };
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_11;
    drop_connection_headers(request.headers_mut());
    match client.request(request).await {
        Ok(mut answer) => {
            drop_connection_headers(answer.headers_mut());
            answer.map(Body::new)
        }
        Err(error) => {
            tracing::warn!(upstream = %upstream.0, error = &error as &dyn std::error::Error, "the S3 interface does not answer");
            unavailable("the S3 interface at UTOPIA_S3_UPSTREAM does not answer")
        }
    }
}

fn drop_connection_headers(headers: &mut HeaderMap) {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named =
        named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok()).collect::<Vec<_>>();
    for name in named.iter().chain(&OF_CONNECTIONS) {
        headers.remove(name);
    }
}

/// An error as S3 words it. Clients try again.
fn unavailable(message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>ServiceUnavailable</Code><Message>{message}</Message></Error>"
    );
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_origin_without_tls_is_an_upstream() {
        assert_eq!("http://127.0.0.1:8080".parse::<S3Upstream>().unwrap().0, "127.0.0.1:8080");
        assert!("http://control.example:8080/".parse::<S3Upstream>().is_ok());
        for wrong in ["", "127.0.0.1:8080", "https://control.example", "http://control.example/minio", "http://a?b", "http://"] {
            assert!(wrong.parse::<S3Upstream>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_of_the_connection_stay_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "keep-alive, X-Private"), ("x-private", "1"), ("upgrade", "h2c"), ("host", "s3.example")]
        {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        drop_connection_headers(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["host"]);
    }
}
