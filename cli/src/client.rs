//! The JSON API over HTTP. Knows how to call and what an error looks like, but no operation by name.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::Value;

use crate::output::{printable, say};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest wait between two tries that the server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// A wait from which on it is worth saying.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// A line of a stream is one message, and no message of the API is larger.
const MAX_LINE_BYTES: usize = 32 * 1024 * 1024;

/// A call that brought no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server said no.
    #[error("{message} ({code})")]
    Refused { status: StatusCode, code: String, message: String, retry_after: Option<Duration> },
    /// The server did not answer.
    #[error("cannot reach the server at {url}: {cause}")]
    Unreachable { url: Url, cause: String },
    /// What answers does not speak this API.
    #[error("{url} does not answer like a control plane: {cause}")]
    Unintelligible { url: Url, cause: String },
    /// It cannot be called at all.
    #[error("{0}")]
    Settings(String),
}

impl Error {
    /// What the user may try next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { retry_after: Some(wait), .. } => Some(format!("try again in {} s", wait.as_secs().max(1))),
            Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED => {
                Some("log in with `aiinfra login NAME`".to_owned())
            }
            Self::Refused { status, code, .. }
                if *status == StatusCode::FORBIDDEN && matches!(&**code, "403" | "PermissionDenied") =>
            {
                Some("`aiinfra whoami` says who you are and which role you have".to_owned())
            }
            Self::Refused { code, .. } if matches!(&**code, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => {
                Some("make an access key with `aiinfra s3 keys create NAME --save`".to_owned())
            }
            Self::Unreachable { .. } => {
                Some("start it with `aiinfra up`, or name another server with --url or `aiinfra config set-url`".to_owned())
            }
            Self::Refused { .. } | Self::Unintelligible { .. } | Self::Settings(_) => None,
        }
    }

    /// How long the server wants the caller to wait, when it was called too often.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Unintelligible { .. } | Self::Settings(_) => None,
        }
    }

    pub(crate) fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// Whether the server gave this reason.
    pub(crate) fn says(&self, reason: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == reason)
    }

    /// Whether a read is tried again by itself: the server, or one behind it, says that it is busy or away for a moment.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Refused { status, retry_after, .. } => match status.as_u16() {
                429 => retry_after.is_some_and(|wait| wait <= LONGEST_WAIT),
                502..=504 => retry_after.is_none_or(|wait| wait <= LONGEST_WAIT),
                _ => false,
            },
            Self::Unreachable { .. } | Self::Unintelligible { .. } | Self::Settings(_) => false,
        }
    }

    /// Whether the same call may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, .. } => {
                status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Unreachable { .. } => true,
            Self::Unintelligible { .. } | Self::Settings(_) => false,
        }
    }
}

/// How calls are made, whatever they call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// In place of each call's own limit.
    pub(crate) timeout: Option<Duration>,
    /// Whether waits are said.
    pub(crate) quiet: bool,
    /// Whether calls are said.
    pub(crate) verbose: bool,
}

/// A server, and as whom it is called.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: Url,
    token: Option<String>,
    manner: Manner,
}

impl Client {
    pub(crate) fn new(url: Url, token: Option<String>, server_ca: Option<&Path>, manner: Manner) -> Result<Self, Error> {
        Ok(Self { http: http_client(server_ca)?, url, token, manner })
    }

    /// Reads. What the server is too busy for is asked again when it says, a few times.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Error> {
        let asked = || self.call(self.request(Method::GET, path).query(query));
        asked
            .retry(ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_max_times(4).with_jitter())
            .when(Error::is_worth_another_try)
            .adjust(|error, wait| wait.map(|wait| error.retry_after().unwrap_or(wait)))
            .notify(|error, wait| {
                if wait >= LONG_WAIT && !self.manner.quiet {
                    say(&format!("{}; trying again in {} s", printable(&error.to_string()), wait.as_secs()));
                }
            })
            .await
    }

    /// Calls a path as it was typed, which may have a query; the answer is left as it comes.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Option<Value>,
    ) -> Result<Response, Error> {
        let (path, typed_query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        url.set_query(typed_query);
        let request = self.authorized(self.http.request(method, url)).query(query);
        let request = body.into_iter().fold(request, |request, body| request.json(&body));
        let request = request.header("accept", "application/json, application/x-ndjson;q=0.9, */*;q=0.8");
        // A stream has no end that could be waited for.
        self.send(self.manner.timeout.into_iter().fold(request, RequestBuilder::timeout)).await
    }

    /// The next part of an answer's body; none at its end.
    pub(crate) async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, Error> {
        response.chunk().await.map_err(|error| unreachable(&self.url, &error))
    }

    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.call(self.request(Method::POST, path).json(body)).await
    }

    /// A call that the server may take long for.
    pub(crate) async fn post_within(&self, timeout: Duration, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.call_within(timeout, self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.call(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Error> {
        self.call(self.request(Method::DELETE, path).query(query)).await
    }

    /// Messages of a server stream, one JSON document each. The stream has no time limit.
    pub(crate) async fn stream(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<impl Stream<Item = Result<Value, Error>> + Unpin + use<>, Error> {
        let request = self.request(Method::GET, path).query(query).header("accept", "application/x-ndjson");
        Ok(self.messages(self.send(request).await?))
    }

    /// The messages of an answer that is a stream.
    pub(crate) fn messages(&self, response: Response) -> impl Stream<Item = Result<Value, Error>> + Unpin + use<> {
        let url = self.url.clone();
        let lost = self.url.clone();
        let chunks = response.bytes_stream().map_err(move |error| unreachable(&lost, &error));
        Box::pin(lines(chunks).map(move |line| parse_line(&url, &line?)))
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        self.authorized(self.http.request(method, url))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn call(&self, request: RequestBuilder) -> Result<Value, Error> {
        self.call_within(REQUEST_TIMEOUT, request).await
    }

    /// The result of a call; null for an answer without a body.
    async fn call_within(&self, timeout: Duration, request: RequestBuilder) -> Result<Value, Error> {
        let response = self.send(request.timeout(self.manner.timeout.unwrap_or(timeout))).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let body = response.bytes().await.map_err(|error| unreachable(&self.url, &error))?;
        serde_json::from_slice(&body).map(opened).map_err(|error| unintelligible(&self.url, error))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let request = request.build().map_err(|error| Error::Settings(format!("cannot call that: {}", cause(&error))))?;
        let (called, began) = (format!("{} {}", request.method(), request.url()), Instant::now());
        let response = self.http.execute(request).await.map_err(|error| unreachable(&self.url, &error))?;
        if self.manner.verbose {
            say(&format!("{} {called} in {} ms", response.status().as_u16(), began.elapsed().as_millis()));
        }
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }
}

/// What speaks HTTP with a server.
pub(crate) fn http_client(server_ca: Option<&Path>) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls(server_ca)?)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("aiinfra/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::Settings(format!("cannot make an HTTP client: {}", cause(&error))))
}

fn tls(server_ca: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    let unreadable =
        |path: &Path, cause: String| Error::Settings(format!("cannot read CA certificates from {}: {cause}", path.display()));
    let roots = match server_ca {
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, error.to_string()))?;
            certificates.collect::<Result<Vec<_>, _>>().map_err(|error| unreadable(path, error.to_string()))?
        }
        None => Vec::new(),
    };
    let invalid = |error: rustls::Error| Error::Settings(format!("cannot set up TLS: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(invalid)?;
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(invalid)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// What is in an envelope, `{"code": 0, "message", "data"}`; an answer without one is itself the result.
pub(crate) fn opened(mut answer: Value) -> Value {
    match answer.as_object_mut() {
        Some(envelope)
            if envelope.len() == 3 && envelope.get("code") == Some(&Value::from(0)) && envelope.contains_key("message") =>
        {
            envelope.remove("data").unwrap_or(answer)
        }
        Some(_) | None => answer,
    }
}

/// The two shapes of an error body; `code` is a word in one and a number in the other.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(alias = "message")]
    error: String,
    #[serde(default)]
    code: Value,
}

async fn refusal(response: Response) -> Error {
    let status = response.status();
    let retry_after =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    let body = response.bytes().await.unwrap_or_default();
    let number = || status.as_u16().to_string();
    let (code, message) = match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(ErrorBody { error: message, code: Value::String(code) }) => (code, message),
        Ok(ErrorBody { error: message, .. }) => (number(), message),
        Err(_) => (number(), format!("the server answered {}", status.canonical_reason().unwrap_or("with an error"))),
    };
    Error::Refused { status, code, message, retry_after }
}

/// What it means that no answer came. The error must not name the URL that was called when there is a signature in it.
pub(crate) fn unreachable(url: &Url, error: &reqwest::Error) -> Error {
    let cause = if error.is_timeout() { "it did not answer in time".to_owned() } else { cause(error) };
    Error::Unreachable { url: url.clone(), cause }
}

fn unintelligible(url: &Url, error: impl ToString) -> Error {
    Error::Unintelligible { url: url.clone(), cause: error.to_string() }
}

/// The innermost source: the layers above repeat the URL and say less.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<std::io::Error>() {
        Some(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        Some(_) | None => innermost.to_string(),
    }
}

/// Cuts chunks of bytes into lines. An error ends the stream; empty lines are skipped.
fn lines<B: AsRef<[u8]>>(chunks: impl Stream<Item = Result<B, Error>>) -> impl Stream<Item = Result<Vec<u8>, Error>> {
    let state = (Box::pin(chunks), Vec::new());
    futures_util::stream::try_unfold(state, async |(mut chunks, mut buffer)| {
        loop {
            if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let rest = buffer.split_off(end + 1);
                let line = std::mem::replace(&mut buffer, rest);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some((line, (chunks, buffer))));
            }
            match chunks.try_next().await? {
                Some(_) if buffer.len() > MAX_LINE_BYTES => {
                    return Err(Error::Settings("the server's answer is too long".to_owned()));
                }
                Some(chunk) => buffer.extend_from_slice(chunk.as_ref()),
                None if buffer.trim_ascii().is_empty() => return Ok(None),
                None => return Ok(Some((std::mem::take(&mut buffer), (chunks, buffer)))),
            }
        }
    })
}

/// One message of a stream; a failure of the stream is its last line.
fn parse_line(url: &Url, line: &[u8]) -> Result<Value, Error> {
    let value: Value = serde_json::from_slice(line).map_err(|error| unintelligible(url, error))?;
    match (value.get("error").and_then(Value::as_str), value.get("code").and_then(Value::as_str)) {
        (Some(message), Some(code)) => {
            let status = match code {
                "NotFound" => StatusCode::NOT_FOUND,
                "InvalidToken" | "TokenExpired" | "TokenRevoked" => StatusCode::UNAUTHORIZED,
                "PermissionDenied" => StatusCode::FORBIDDEN,
                code if code.ends_with("Unavailable") => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            Err(Error::Refused { status, code: code.to_owned(), message: message.to_owned(), retry_after: None })
        }
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn cut(chunks: &[&str]) -> Vec<String> {
        let chunks = chunks.iter().map(|chunk| Ok(chunk.as_bytes().to_vec())).collect::<Vec<_>>();
        let lines = lines(futures_util::stream::iter(chunks)).try_collect::<Vec<_>>().await.unwrap();
        lines.into_iter().map(|line| String::from_utf8(line).unwrap().trim().to_owned()).collect()
    }

    #[tokio::test]
    async fn lines_are_cut_wherever_chunks_end() {
        assert_eq!(cut(&["{\"a\"", ":1}\n{\"b\":2}\n\n", "{\"c\":3}"]).await, ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
        assert_eq!(cut(&[]).await, Vec::<String>::new());
        assert_eq!(cut(&["\n", " \n"]).await, Vec::<String>::new());
    }

    #[test]
    fn envelopes_are_opened_and_all_else_is_left() {
        use serde_json::json;
        for (answer, result) in [
            (json!({"code": 0, "message": "success", "data": {"id": "x"}}), json!({"id": "x"})),
            (json!({"code": 0, "message": "success", "data": null}), Value::Null),
            (json!({"code": 0, "message": "no envelope", "id": "x"}), json!({"code": 0, "message": "no envelope", "id": "x"})),
            (json!({"id": "x", "data": 1}), json!({"id": "x", "data": 1})),
            (json!([1]), json!([1])),
        ] {
            assert_eq!(opened(answer), result);
        }
    }

    #[test]
    fn the_last_line_of_a_failed_stream_is_an_error() {
        let url = Url::parse("http://127.0.0.1:8080").unwrap();
        let error = parse_line(&url, br#"{"error":"claim x does not exist","code":"NotFound"}"#).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), "claim x does not exist (NotFound)");
        assert!(parse_line(&url, br#"{"id":"x"}"#).is_ok());
        assert!(matches!(parse_line(&url, b"<html>"), Err(Error::Unintelligible { .. })));
    }
}
