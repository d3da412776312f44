//! Objects under `/minio` of a server. Knows S3 and files, but neither the command line nor how results are shown.
//!
//! Requests are signed in their query by `rusty-s3`, each try anew, and such a URL is never said. Bodies are streams, or parts of a
//! fixed size where they cannot be read twice: memory does not grow with what is copied. What fails for a moment is tried again, one
//! part at a time; an upload that does not come to its end is taken back.

mod download;
mod listing;
mod place;
mod sums;
mod temporary;
mod upload;

use std::path::Path;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use instant_xml::FromXml;
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle};
use tokio::sync::{Semaphore, SemaphorePermit};

pub(crate) use self::download::Target;
pub(crate) use self::listing::{Depth, Listing};
pub(crate) use self::place::{BucketPlace, End, ObjectPlace, Place};
pub(crate) use self::upload::Input;
use crate::client::{self, Error, Manner};
use crate::config::KeyPair;
use crate::failure::Failure;
use crate::output::say;

/// Where the server has its S3 interface.
const PREFIX: &str = "minio";

/// How long a signature holds, but for those that are given away.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

/// How long an answer may take, beside the time for what is sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent slower than this does not come at all.
const LEAST_BYTES_PER_SECOND: u64 = 32 << 10;

/// Bodies that are on their way at once, of one file or of many.
pub(crate) const AT_ONCE: usize = 4;

/// The largest answer that is no object.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// The object storage of a server, as the owner of a key.
#[derive(Debug)]
pub(crate) struct Store {
    http: reqwest::Client,
    /// The server, as errors name it.
    server: Url,
    endpoint: Url,
    region: String,
    credentials: Credentials,
    manner: Manner,
    slots: Semaphore,
}

/// Headers that a request has beside those of HTTP.
type Headers<'a> = &'a [(&'static str, String)];

impl Store {
    pub(crate) fn new(
        server: Url,
        server_ca: Option<&Path>,
        key: KeyPair,
        region: String,
        manner: Manner,
    ) -> Result<Self, Error> {
        let mut endpoint = server.clone();
        endpoint.set_path(&format!("{}/{PREFIX}/", server.path().trim_end_matches('/')));
        let credentials = Credentials::new(key.id, key.secret);
        let http = client::http_client(server_ca)?;
        Ok(Self { http, server, endpoint, region, credentials, manner, slots: Semaphore::new(AT_ONCE) })
    }

    pub(crate) async fn make_bucket(&self, place: &Place) -> Result<(), Error> {
        let bucket = self.bucket(place)?;
        let action = bucket.create_bucket(&self.credentials);
        let body = action.body();
        self.execute(self.signed(action, &[]).body(body), PATIENCE).await.map(drop)
    }

    pub(crate) async fn remove_bucket(&self, place: &Place) -> Result<(), Error> {
        let bucket = self.bucket(place)?;
        self.execute(self.signed(bucket.delete_bucket(&self.credentials), &[]), PATIENCE).await.map(drop)
    }

    /// Removes an object, which must be there: S3 itself does not say when it is not.
    pub(crate) async fn remove(&self, place: &Place) -> anyhow::Result<()> {
        let bucket = self.bucket(place)?;
        let look = bucket.head_object(Some(&self.credentials), &place.key);
        match self.execute(self.signed(look, &[]), PATIENCE).await {
            Ok(_) => {}
            // Such an answer has no text.
            Err(error) if error.is_not_found() => {
                // A bucket that is not there, or is somebody else's, is worth its own sentence.
                self.check(place).await?;
                return Err(Failure::NotFound(format!("there is no {place}")).into());
            }
            Err(error) => return Err(error.into()),
        }
        let removal = bucket.delete_object(Some(&self.credentials), &place.key);
        self.execute(self.signed(removal, &[]), PATIENCE).await?;
        Ok(())
    }

    /// A URL with which anybody can read an object for a time.
    pub(crate) fn presigned(&self, place: &Place, lifetime: Duration) -> Result<Url, Error> {
        Ok(self.bucket(place)?.get_object(Some(&self.credentials), &place.key).sign(lifetime))
    }

    /// The bucket of a place that a URL can name.
    fn bucket(&self, place: &Place) -> Result<Bucket, Error> {
        let wrong = |cause: String| Error::Settings(format!("{place}: {cause}"));
        place::check_steps(&place.key).map_err(wrong)?;
        let (endpoint, region) = (self.endpoint.clone(), self.region.clone());
        Bucket::new(endpoint, UrlStyle::Path, place.bucket.clone(), region).map_err(|error| wrong(error.to_string()))
    }

    /// A request with its signature, which covers the headers of S3.
    fn signed<'a, A: S3Action<'a>>(&self, mut action: A, headers: Headers<'_>) -> RequestBuilder {
        for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-amz-") || *name == "content-md5") {
            action.headers_mut().insert(*name, value.clone());
        }
        let request = self.request(A::METHOD, action.sign(SIGNED_FOR));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    /// A request for which the library has no action: one to the server and not to a bucket.
    fn signed_for_server(&self, query: &[(&str, &str)]) -> RequestBuilder {
        let url = rusty_s3::signing::sign(
            &Timestamp::now(),
            Method::Get,
            self.endpoint.clone(),
            self.credentials.key(),
            self.credentials.secret(),
            self.credentials.token(),
            &self.region,
            SIGNED_FOR.as_secs(),
            query.iter().copied(),
            std::iter::empty(),
        );
        self.request(Method::Get, url)
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let method = match method {
            Method::Head => reqwest::Method::HEAD,
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        self.http.request(method, url)
    }

    /// Sends a request, and has its answer once its head is there.
    async fn execute(&self, request: RequestBuilder, patience: Duration) -> Result<Response, Error> {
        let request = request.build().map_err(|error| Error::Settings(format!("cannot call that: {}", error.without_url())))?;
        // The query has the signature.
        let (called, began) = (format!("{} {}", request.method(), request.url().path()), Instant::now());
        let patience = self.manner.timeout.unwrap_or(patience);
        let answered = tokio::time::timeout(patience, self.http.execute(request)).await;
        let response = match answered {
            Ok(answered) => answered.map_err(|error| client::unreachable(&self.server, &error.without_url()))?,
            Err(_) => return Err(self.silent()),
        };
        if self.manner.verbose {
            say(&format!("{} {called} in {} ms", response.status().as_u16(), began.elapsed().as_millis()));
        }
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// The text of an answer.
    async fn text(&self, mut response: Response) -> Result<String, Error> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece(&mut response).await? {
            body.extend_from_slice(&piece);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(self.unintelligible("its answer is too long"));
            }
        }
        String::from_utf8(body).map_err(|error| self.unintelligible(error))
    }

    /// The next piece of an answer's body; none at its end.
    async fn piece(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, Error> {
        match tokio::time::timeout(PATIENCE, response.chunk()).await {
            Ok(piece) => piece.map_err(|error| client::unreachable(&self.server, &error.without_url())),
            Err(_) => Err(self.silent()),
        }
    }

    /// Why the server refused.
    async fn refusal(&self, response: Response) -> Error {
        let status = response.status();
        let text = self.text(response).await.unwrap_or_default();
        refused(status, &text).unwrap_or_else(|| Error::Refused {
            status,
            code: status.as_u16().to_string(),
            message: format!("the server answered {}", status.canonical_reason().unwrap_or("with an error")),
            retry_after: None,
        })
    }

    fn silent(&self) -> Error {
        Error::Unreachable { url: self.server.clone(), cause: "it did not answer in time".to_owned() }
    }

    fn unintelligible(&self, cause: impl ToString) -> Error {
        Error::Unintelligible { url: self.endpoint.clone(), cause: cause.to_string() }
    }

    /// Waits until there is room for one more body.
    async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.slots.acquire().await.ok()
    }
}

/// Does again what failed for a moment, a few times.
async fn patiently<T, F>(attempt: impl FnMut() -> F, is_worth_it: impl Fn(&Error) -> bool) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(5).with_jitter();
    attempt.retry(pauses).when(is_worth_it).await
}

/// Whether what was sent may come through at another try.
fn may_come_through(error: &Error) -> bool {
    let broke_off = |code: &str| matches!(code, "BadDigest" | "IncompleteBody" | "RequestTimeout" | "SlowDown");
    error.is_transient() || matches!(error, Error::Refused { code, .. } if broke_off(code))
}

/// How long a body of this size may take.
fn patience(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / LEAST_BYTES_PER_SECOND)
}

/// That somebody wants it to end.
pub(crate) fn interrupted() -> anyhow::Error {
    Failure::Interrupted("interrupted; what was under way is taken back".to_owned()).into()
}

#[derive(Debug, FromXml)]
#[xml(rename = "Error")]
struct ErrorBody {
    #[xml(rename = "Code")]
    code: String,
    #[xml(rename = "Message")]
    message: Option<String>,
}

/// The refusal that a text is, if it is one.
fn refused(status: StatusCode, text: &str) -> Option<Error> {
    let ErrorBody { code, message } = instant_xml::from_str(text).ok()?;
    let message = message.unwrap_or_else(|| "the server refused".to_owned());
    Some(Error::Refused { status, code, message, retry_after: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_the_servers_sentence_with_its_code() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>NoSuchKey</Code><Message>The specified key does not \
                    exist</Message><RequestId>1</RequestId></Error>";
        let error = refused(StatusCode::NOT_FOUND, text).unwrap();
        assert_eq!(error.to_string(), "The specified key does not exist (NoSuchKey)");
        assert!(error.is_not_found() && !may_come_through(&error));
        assert!(refused(StatusCode::BAD_GATEWAY, "<html>Bad Gateway</html>").is_none());
        let broken = "<Error><Code>IncompleteBody</Code></Error>";
        assert!(may_come_through(&refused(StatusCode::BAD_REQUEST, broken).unwrap()));
    }

    #[test]
    fn a_presigned_url_names_the_object_and_not_the_secret() {
        let key = KeyPair { id: "AK".to_owned(), secret: "hidden".to_owned() };
        let server = Url::parse("http://127.0.0.1:8080/base").unwrap();
        let store = Store::new(server, None, key, "us-east-1".to_owned(), Manner::default()).unwrap();
        let place: Place = "s3://b/a b/c".parse().unwrap();
        let url = store.presigned(&place, Duration::from_secs(60)).unwrap();
        assert_eq!(url.path(), "/base/minio/b/a%20b/c");
        let query = url.query().unwrap();
        assert!(query.contains("X-Amz-Expires=60") && query.contains("AK") && !query.contains("hidden"), "{query}");
        let beside = Place { bucket: "b".to_owned(), key: "../c/k".to_owned() };
        assert!(store.presigned(&beside, Duration::from_secs(60)).is_err());
    }
}
