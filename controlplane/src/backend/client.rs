//! What the clients of all servers share: one HTTP client, deadlines, repeating what may be repeated, a circuit breaker, and how the server
//! was found last.
//!
//! It knows no paths and no shapes of any server.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable as _};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use recloser::{AsyncRecloser, Recloser};
use reqwest::{RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;

use crate::{
    clock::Clock,
    error::{Error, Result},
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// Calls of which the breaker remembers whether they failed, and the share of failures at which it opens.
const REMEMBERED_CALLS: usize = 8;
const FAILURES: f32 = 0.75;

/// How long nobody is asked after the breaker has opened; then one call shows whether it closes.
const BREAK: Duration = Duration::from_secs(5);

/// Whether a call may be made again when it failed: only what changes nothing, or changes the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// At most twice more, within the deadline.
    Allowed,
    /// Never: the first may have been done.
    Never,
}

/// How a server was found when it was last asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// Whether it answered; none before it was asked.
    pub is_up: Option<bool>,
    /// Its version, where it tells.
    pub version: String,
    /// How long the last answer took.
    pub latency: Duration,
    /// What went wrong last; empty after a success.
    pub last_error: String,
    /// When it was asked.
    pub checked_at: Option<Timestamp>,
    /// How often it was asked.
    pub calls: u64,
    /// How often it did not answer, or not so that it could be used.
    pub failures: u64,
}

/// What a server is called, where it is, and which setting says so.
#[derive(Debug, Clone)]
pub struct Place {
    /// The product, e.g. `Slurm`. Reasons of errors begin with it.
    pub product: &'static str,
    /// Its name among several; the product's in lower case where there is one.
    pub name: String,
    /// The setting that names it.
    pub setting: &'static str,
    /// Where it is, without credentials.
    pub url: Url,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.product, self.url)
    }
}

/// One server. Clones are the same.
#[derive(Clone)]
pub struct Backend(Arc<Inner>);

struct Inner {
    place: Place,
    http: reqwest::Client,
    breaker: AsyncRecloser,
    clock: Clock,
    health: Mutex<Health>,
}

/// What a server answered, whatever the status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Bytes,
}

/// An answer that is still coming, whatever the status. Dropping it hangs up.
#[derive(Debug)]
pub struct Opened {
    backend: Backend,
    response: Response,
}

/// Why there is no answer.
#[derive(Debug)]
enum Failure {
    /// Nobody was reached, or the answer broke off.
    Unreachable(String),
    /// The deadline is over.
    TooSlow(Duration),
    /// It says itself that it cannot answer now.
    Unavailable(StatusCode),
    /// More than is read.
    TooLarge,
}

impl Backend {
    /// A server that is not asked yet.
    #[must_use]
    pub fn new(place: Place, http: reqwest::Client, clock: Clock) -> Self {
        let breaker = Recloser::custom().error_rate(FAILURES).closed_len(REMEMBERED_CALLS).half_open_len(1).open_wait(BREAK);
        let breaker = AsyncRecloser::from(breaker.build());
        Self(Arc::new(Inner { place, http, breaker, clock, health: Mutex::default() }))
    }

    /// What it is called, and where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// How it was found last.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health_mut().clone()
    }

    /// Notes the version that it told.
    pub fn note_version(&self, version: &str) {
        version.clone_into(&mut self.health_mut().version);
    }

    /// Takes note that it cannot be used, although it may have answered.
    pub fn note_failure(&self, error: &Error) {
        let now = self.0.clock.now();
        let mut health = self.health_mut();
        health.is_up = Some(false);
        health.last_error = error.to_string();
        health.checked_at = Some(now);
        health.failures += 1;
    }

    /// Makes a call within a deadline; every answer is one, whatever its status, but 502, 503 and 504, which say that there is none.
    ///
    /// # Errors
    /// `Unavailable` (`<Product>Unreachable`) or `DeadlineExceeded`.
    pub async fn call(
        &self,
        deadline: Duration,
        repeat: Repeat,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer> {
        self.guarded(deadline, repeat, || async { read(self.head(request(&self.0.http)).await?).await }).await
    }

    /// Makes a call that changes nothing, and whose answer is read as it comes; the deadline is that of its head.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn open(&self, deadline: Duration, request: impl Fn(&reqwest::Client) -> RequestBuilder) -> Result<Opened> {
        let response = self.guarded(deadline, Repeat::Allowed, || self.head(request(&self.0.http))).await?;
        Ok(Opened { backend: self.clone(), response })
    }

    async fn guarded<T, F>(&self, deadline: Duration, repeat: Repeat, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let began = Instant::now();
        let guarded = self.0.breaker.call(async {
            let attempts = async {
                match repeat {
                    Repeat::Never => attempt().await,
                    Repeat::Allowed => {
                        let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_max_times(2);
                        (&attempt).retry(pauses.with_jitter()).when(Failure::is_transient).await
                    }
                }
            };
            tokio::time::timeout(deadline, attempts).await.unwrap_or(Err(Failure::TooSlow(deadline)))
        });
        match guarded.await {
            Ok(answer) => {
                self.note(began.elapsed(), None);
                Ok(answer)
            }
            Err(recloser::Error::Inner(failure)) => {
                let error = self.error(&failure);
                self.note(began.elapsed(), Some(error.to_string()));
                Err(error)
            }
            Err(recloser::Error::Rejected) => {
                let last = self.health().last_error;
                Err(self.unreachable(&format!("it has failed repeatedly and is left alone for a moment; last: {last}")))
            }
        }
    }

    /// Says, and notes, that it answered what cannot be understood.
    #[must_use]
    pub fn unintelligible(&self, answer: &Answer, cause: &str) -> Error {
        let error = self.not_understood(answer.status, &answer.headers, cause);
        self.note_failure(&error);
        error
    }

    /// Says, and notes, that it does not accept our credentials, which the setting names.
    #[must_use]
    pub fn refused(&self, setting: &str) -> Error {
        let Place { product, .. } = &self.0.place;
        let message = format!("{} refuses the control plane's credentials; see {setting}", self.0.place);
        let error = Error::Unavailable { reason: format!("{product}Refused").into(), message };
        self.note_failure(&error);
        error
    }

    async fn head(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| Failure::Unreachable(cause(&error)))?;
        let unavailable = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
        if unavailable.contains(&response.status()) {
            return Err(Failure::Unavailable(response.status()));
        }
        Ok(response)
    }

    fn error(&self, failure: &Failure) -> Error {
        match failure {
            Failure::Unreachable(cause) => self.unreachable(cause),
            Failure::Unavailable(status) => self.unreachable(&format!("it answers {status}")),
            Failure::TooLarge => self.unreachable(&format!("its answer is larger than {MAX_ANSWER_BYTES} bytes")),
            Failure::TooSlow(deadline) => {
                Error::DeadlineExceeded { message: format!("{} did not answer within {deadline:?}", self.0.place) }
            }
        }
    }

    fn not_understood(&self, status: StatusCode, headers: &HeaderMap, cause: &str) -> Error {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type");
        self.unreachable(&format!("its answer ({status}, {kind}) cannot be understood: {cause}"))
    }

    fn unreachable(&self, cause: &str) -> Error {
        let Place { product, setting, .. } = &self.0.place;
        let message = format!("{} cannot be used: {cause}; see {setting}", self.0.place);
        Error::Unavailable { reason: format!("{product}Unreachable").into(), message }
    }

    fn note(&self, latency: Duration, error: Option<String>) {
        let now = self.0.clock.now();
        let mut health = self.health_mut();
        health.is_up = Some(error.is_none());
        health.latency = latency;
        health.calls += 1;
        health.failures += u64::from(error.is_some());
        health.last_error = error.unwrap_or_default();
        health.checked_at = Some(now);
    }

    fn health_mut(&self) -> std::sync::MutexGuard<'_, Health> {
        self.0.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// All that is left of it, within a deadline.
    ///
    /// # Errors
    /// As [`Backend::call`].
    pub async fn rest(self, deadline: Duration) -> Result<Answer> {
        let rest = tokio::time::timeout(deadline, read(self.response)).await;
        rest.unwrap_or(Err(Failure::TooSlow(deadline))).map_err(|failure| self.backend.error(&failure))
    }

    /// The next piece of its body, for which it may take so long; none when it is at its end.
    ///
    /// # Errors
    /// As [`Backend::call`].
    pub async fn chunk(&mut self, patience: Duration) -> Result<Option<Bytes>> {
        let chunk = tokio::time::timeout(patience, self.response.chunk()).await;
        let chunk = match chunk {
            Ok(chunk) => chunk.map_err(|error| Failure::Unreachable(cause(&error))),
            Err(_) => Err(Failure::TooSlow(patience)),
        };
        chunk.map_err(|failure| self.backend.error(&failure))
    }

    /// Says that it cannot be understood.
    #[must_use]
    pub fn unintelligible(&self, cause: &str) -> Error {
        self.backend.not_understood(self.response.status(), self.response.headers(), cause)
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("place", &self.0.place).finish_non_exhaustive()
    }
}

impl Answer {
    /// The body as JSON; what is wrong with it when it is none.
    ///
    /// # Errors
    /// What the parser says, or that this is HTML.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        if self.body.trim_ascii_start().starts_with(b"<") {
            return Err("it is a page of HTML".to_owned());
        }
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }
}

impl Failure {
    fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Unavailable(_) => true,
            Self::TooSlow(_) | Self::TooLarge => false,
        }
    }
}

/// Says that no setting names a server.
#[must_use]
pub fn not_configured(product: &'static str, setting: &str) -> Error {
    let message = format!("there is no {product} here; {setting} names one");
    Error::Unavailable { reason: format!("{product}NotConfigured").into(), message }
}

/// The client of all servers.
///
/// # Errors
/// When it cannot be made.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    Ok(client_builder()?.build()?)
}

/// The beginning of a client. Redirects are not followed: none of these servers needs them, and they would carry credentials elsewhere.
///
/// # Errors
/// When the system has no certificates.
pub fn client_builder() -> anyhow::Result<reqwest::ClientBuilder> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(provider.clone())?;
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let tls = tls.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).redirect(reqwest::redirect::Policy::none());
    Ok(client.connect_timeout(CONNECT_TIMEOUT).user_agent(concat!("utopia/", env!("CARGO_PKG_VERSION"))))
}

async fn read(mut response: Response) -> Result<Answer, Failure> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::Unreachable(cause(&error)))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Failure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

/// The innermost source: the layers above repeat the URL and say less.
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |error| error.source()).last();
    innermost.map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests;
