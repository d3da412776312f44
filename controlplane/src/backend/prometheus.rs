//! A server of Prometheus's interface: takes samples by remote write, and answers range queries.
//!
//! It knows nothing of what is measured: names, labels and expressions are the caller's.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use prost::Message as _;
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;

use super::client::{Answer, Backend, Place, Repeat};
use crate::{
    clock::Clock,
    config::backends::Settings,
    error::{Error, Result},
};

pub mod wire;

use wire::WriteRequest;

/// The setting that names it.
pub const SETTING: &str = "UTOPIA_PROMETHEUS_URL";

const DEADLINE: Duration = Duration::from_secs(10);

/// The most of an error's own words that are passed on, in characters.
const MOST_WORDS: usize = 300;

/// A server. Clones are the same.
#[derive(Debug, Clone)]
pub struct Prometheus {
    backend: Backend,
    url: Url,
    /// Name and password, which the URL had.
    credentials: Option<(String, Option<String>)>,
}

/// Steps of a query.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// When the expression is evaluated first, in milliseconds since 1970.
    pub first_ms: i64,
    /// When it is evaluated last.
    pub last_ms: i64,
    /// The time between two evaluations.
    pub step_ms: i64,
}

#[derive(Debug, Deserialize)]
struct Reply<T> {
    status: String,
    #[serde(default = "Option::default")]
    data: Option<T>,
    #[serde(default)]
    error: String,
}

#[derive(Debug, Deserialize)]
struct Matrix {
    result: Vec<Series>,
}

#[derive(Debug, Deserialize)]
struct Series {
    /// Seconds since 1970, and the value as text.
    values: Vec<(f64, String)>,
}

#[derive(Debug, Deserialize)]
struct Build {
    version: String,
}

impl Prometheus {
    /// The server that a setting names.
    #[must_use]
    pub fn open(settings: &Settings, http: &reqwest::Client, clock: &Clock) -> Option<Self> {
        settings.prometheus_url.clone().map(|url| Self::new(url, http.clone(), clock.clone()))
    }

    /// A server that is not asked yet.
    #[must_use]
    pub fn new(mut url: Url, http: reqwest::Client, clock: Clock) -> Self {
        let name = url.username().to_owned();
        let credentials = (!name.is_empty()).then(|| (name, url.password().map(str::to_owned)));
        // Only a URL that cannot have them refuses to lose them.
        let _ = (url.set_username(""), url.set_password(None));
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let place = Place { product: "Prometheus", name: "prometheus".to_owned(), setting: SETTING, url: url.clone() };
        Self { backend: Backend::new(place, http, clock), url, credentials }
    }

    /// The server as such.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Asks for its version, and notes it.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn check(&self) -> Result<()> {
        let answer = self.backend.call(DEADLINE, Repeat::Allowed, |http| self.get(http, "api/v1/status/buildinfo", &[])).await?;
        let build: Build = self.data(&answer)?;
        self.backend.note_version(&build.version);
        Ok(())
    }

    /// Writes samples. To write the same again changes nothing.
    ///
    /// # Errors
    /// `Unavailable` and `DeadlineExceeded` when another try may help; anything else when it will not.
    pub async fn write(&self, request: &WriteRequest) -> Result<()> {
        const CONTEXT: &str = "write samples to Prometheus";
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
        let body = Bytes::from(body.map_err(|error| Error::internal(CONTEXT, error))?);
        let answer = self.backend.call(DEADLINE, Repeat::Allowed, |http| {
            let request = self.request(http.post(self.at("api/v1/write"))).body(body.clone());
            request
                .header(header::CONTENT_TYPE, "application/x-protobuf")
                .header(header::CONTENT_ENCODING, "snappy")
                .header("x-prometheus-remote-write-version", "0.1.0")
        });
        let answer = answer.await?;
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.backend.refused(SETTING)),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(self.backend.unintelligible(&answer, &words(&answer)))
            }
            status => Err(Error::internal(CONTEXT, format!("it answers {status}: {}", words(&answer)))),
        }
    }

    /// Evaluates an expression that gives at most one series, at each step. Steps without a value are left out.
    ///
    /// # Errors
    /// When it does not answer, or does not understand.
    pub async fn query_range(&self, expression: &str, range: Range) -> Result<Vec<(i64, f64)>> {
        let parameters = [
            ("query", expression.to_owned()),
            ("start", seconds(range.first_ms)),
            ("end", seconds(range.last_ms)),
            ("step", seconds(range.step_ms)),
        ];
        let ask = |http: &reqwest::Client| self.get(http, "api/v1/query_range", &parameters);
        let answer = self.backend.call(DEADLINE, Repeat::Allowed, ask).await?;
        let matrix: Matrix = self.data(&answer)?;
        let values = matrix.result.into_iter().flat_map(|series| series.values);
        Ok(values.filter_map(|(at, value)| Some((milliseconds(at), value.parse().ok()?))).filter(is_number).collect())
    }

    fn get(&self, http: &reqwest::Client, path: &str, parameters: &[(&str, String)]) -> RequestBuilder {
        self.request(http.get(self.at(path))).query(parameters)
    }

    fn request(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credentials {
            Some((name, password)) => request.basic_auth(name, password.as_ref()),
            None => request,
        }
    }

    /// The URL ends with a slash, and the paths are our own.
    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path()));
        url
    }

    fn data<T: for<'a> Deserialize<'a>>(&self, answer: &Answer) -> Result<T> {
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(self.backend.refused(SETTING));
        }
        let reply: Reply<T> = answer.json().map_err(|cause| self.backend.unintelligible(answer, &cause))?;
        match reply {
            Reply { status, data: Some(data), .. } if status == "success" => Ok(data),
            Reply { error, .. } => Err(self.backend.unintelligible(answer, &shorten(&error))),
        }
    }
}

fn is_number((_, value): &(i64, f64)) -> bool {
    value.is_finite()
}

/// What an error answer says.
fn words(answer: &Answer) -> String {
    shorten(String::from_utf8_lossy(&answer.body).trim())
}

fn shorten(text: &str) -> String {
    text.chars().take(MOST_WORDS).collect()
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
}

#[expect(clippy::cast_possible_truncation, reason = "a float that is too large becomes the largest time")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: StatusCode, body: &str) -> Answer {
        Answer { status, headers: http::HeaderMap::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn prometheus(url: &str) -> Prometheus {
        Prometheus::new(url.parse().unwrap(), crate::backend::client::http_client().unwrap(), Clock::system())
    }

    #[test]
    fn credentials_are_taken_out_of_the_url_and_its_path_is_kept() {
        let prometheus = prometheus("http://alice:secret@127.0.0.1:9090/metrics");
        assert_eq!(prometheus.at("api/v1/write").as_str(), "http://127.0.0.1:9090/metrics/api/v1/write");
        assert_eq!(prometheus.credentials, Some(("alice".to_owned(), Some("secret".to_owned()))));
        assert!(!format!("{}", prometheus.backend.place()).contains("secret"));
    }

    #[test]
    fn a_matrix_is_read_and_what_is_no_number_left_out() {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":
            [[1795211836.999,"12.5"],[1795211846.999,"NaN"],[1795211856.999,"3"]]}]}}"#;
        let matrix: Matrix = prometheus("http://127.0.0.1:1").data(&answer(StatusCode::OK, body)).unwrap();
        let values = &matrix.result[0].values;
        assert_eq!((milliseconds(values[0].0), &*values[1].1), (1_795_211_836_999, "NaN"));
    }

    #[test]
    fn what_cannot_be_understood_names_the_setting() {
        let prometheus = prometheus("http://127.0.0.1:1");
        for (status, body, said) in [
            (StatusCode::OK, "<html>Welcome</html>", "HTML"),
            (StatusCode::OK, "{\"status\":\"success\"}", "cannot be understood"),
            (StatusCode::BAD_REQUEST, r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#, "parse error"),
            (StatusCode::UNAUTHORIZED, "Unauthorized", "credentials"),
        ] {
            let error = prometheus.data::<Build>(&answer(status, body)).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(SETTING), "{error}");
        }
    }

    #[test]
    fn times_have_their_milliseconds() {
        assert_eq!(seconds(1_795_211_836_007), "1795211836.007");
        assert_eq!(milliseconds(1_795_211_836.007), 1_795_211_836_007);
    }
}
