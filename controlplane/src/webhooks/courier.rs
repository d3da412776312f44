//! One attempt to send one event to one webhook: a signed POST, within a deadline, to where it may lead, of whose answer little is read.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use http::{StatusCode, header};
use jiff::SignedDuration;
use reqwest::{Response, Url};
use tokio::time::{Instant, timeout_at};

use super::{addresses::Allowed, secret_place, signature};
use crate::{
    backend::client::{cause, client_builder},
    clock::Clock,
    model::webhook::{Attempt, Message, Verdict, Webhook},
    seal::Sealer,
    telemetry::Metrics,
};

/// How long an attempt may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(15);

/// The most of an answer that is read.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The most characters of an answer that are told of a failure.
const MAX_EXCERPT: usize = 200;

/// How long a connection is kept for the next event.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Courier {
    http: reqwest::Client,
    allowed: Allowed,
    sealer: Sealer,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// An answer with its beginning, or why there is none.
type Outcome = Result<Answer, String>;

struct Answer {
    status: StatusCode,
    /// Where a redirect leads, or how the body begins.
    text: String,
    retry_after: Option<SignedDuration>,
}

impl Courier {
    /// A courier that goes where it is allowed.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(allowed: Allowed, sealer: Sealer, clock: Clock, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        // A proxy would look names up by itself, and lead anywhere.
        let http = client_builder()?.no_proxy().dns_resolver(allowed.clone());
        let http = http.pool_max_idle_per_host(1).pool_idle_timeout(IDLE_TIMEOUT).build()?;
        Ok(Self { http, allowed, sealer, clock, metrics })
    }

    /// Where it may go.
    #[must_use]
    pub fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Tries to send a message once.
    pub async fn send(&self, webhook: &Webhook, message: &Message) -> Attempt {
        let (began, at) = (Instant::now(), self.clock.now());
        let outcome = self.exchange(webhook, message, began + DEADLINE).await;
        let duration_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let failed =
            Attempt { verdict: Verdict::Failed, response_status: 0, error: String::new(), retry_after: None, at, duration_ms };
        let attempt = match outcome {
            Ok(Answer { status, text, retry_after }) => {
                let response_status = status.as_u16();
                match verdict(status) {
                    Verdict::Delivered => Attempt { verdict: Verdict::Delivered, response_status, ..failed },
                    verdict @ (Verdict::Failed | Verdict::Gone) => {
                        Attempt { verdict, response_status, error: explain(status, &text), retry_after, ..failed }
                    }
                }
            }
            Err(error) => Attempt { error, ..failed },
        };
        self.metrics.webhook_attempt(attempt.verdict);
        attempt
    }

    async fn exchange(&self, webhook: &Webhook, message: &Message, deadline: Instant) -> Outcome {
        let key = self.key(webhook)?;
        let url = Url::parse(&webhook.spec.url).map_err(|error| format!("the URL cannot be used: {error}"))?;
        self.allowed.check_literal(&url).map_err(|refused| refused.to_string())?;
        let mut request = self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(message.body.clone());
        for (name, value) in signature::headers(&key, &message.event_id, self.clock.now().as_second(), &message.body) {
            request = request.header(name, value);
        }
        let response = match timeout_at(deadline, request.send()).await {
            Ok(response) => response.map_err(|error| reason(&error))?,
            Err(_) => return Err(format!("there was no answer within {} s", DEADLINE.as_secs())),
        };
        let status = response.status();
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        let location = location.filter(|_| status.is_redirection()).map(str::to_owned);
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = retry_after.map(|seconds: u32| SignedDuration::from_secs(seconds.into()));
        // The status is the answer, whatever becomes of the rest.
        let body = timeout_at(deadline, beginning(response)).await.unwrap_or_default();
        let text = excerpt(&location.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned()));
        Ok(Answer { status, text, retry_after })
    }

    fn key(&self, webhook: &Webhook) -> Result<Vec<u8>, String> {
        let secret = self.sealer.open(secret_place(&webhook.id.to_string()), &webhook.sealed_secret);
        let secret = secret.ok().and_then(|secret| String::from_utf8(secret).ok());
        let key = secret.and_then(|secret| signature::key(&secret).ok());
        key.ok_or_else(|| "the secret that is kept cannot be opened; set it anew".to_owned())
    }
}

/// As much of an answer as is read at all.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let free = MAX_ANSWER_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(free)]);
        if body.len() >= MAX_ANSWER_BYTES {
            break;
        }
    }
    body
}

/// The beginning of a text, as one line.
fn excerpt(text: &str) -> String {
    let line = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    line.collect::<Vec<_>>().join(" ").chars().take(MAX_EXCERPT).collect()
}

fn verdict(status: StatusCode) -> Verdict {
    match status {
        StatusCode::GONE => Verdict::Gone,
        status if status.is_success() => Verdict::Delivered,
        _ => Verdict::Failed,
    }
}

fn explain(status: StatusCode, text: &str) -> String {
    if status.is_redirection() {
        return format!("the answer is {status}, to {text:?}: redirects are not followed");
    }
    if status == StatusCode::GONE {
        return format!("the answer is {status}: the webhook is paused");
    }
    if text.is_empty() { format!("the answer is {status}") } else { format!("the answer is {status}: {text}") }
}

/// Why nothing was answered, without the URL, in which there may be secrets.
fn reason(error: &reqwest::Error) -> String {
    let stage = if error.is_connect() { "nobody was reached" } else { "there was no answer" };
    let text = excerpt(&cause(error as &(dyn StdError + 'static)));
    format!("{stage}: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt("  no\u{0}t \r\n now\u{7}  "), "no t now");
        assert_eq!(excerpt(&"ä".repeat(1000)).chars().count(), MAX_EXCERPT);
        assert_eq!(explain(StatusCode::BAD_GATEWAY, ""), "the answer is 502 Bad Gateway");
        assert_eq!(explain(StatusCode::BAD_REQUEST, "no such hook"), "the answer is 400 Bad Request: no such hook");
        let redirect = explain(StatusCode::FOUND, "http://169.254.169.254/");
        assert_eq!(redirect, "the answer is 302 Found, to \"http://169.254.169.254/\": redirects are not followed");
    }
}
