//! Another S3 server behind this one. It knows the control plane only: requests are signed anew, as the gate let them through, and
//! streamed both ways.
//!
//! Who owns a bucket is known here, not there. The last piece of an upload is held back until what came is verified, so that the
//! server never completes what was not signed so.

use std::time::SystemTime;

use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use http_body_util::StreamBody;
use reqwest::Url;
use s3s::{
    Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, StdError, dto, path::S3Path, s3_error, xml::Serialize as _,
};
use utopia_certs::secret_file;

use super::{
    frames::FrameTooLarge,
    front::{answer, source_failed},
    gate::{Caller, creates_bucket},
    sums::{Fields, Promise},
};
use crate::{backend::client, clock::Clock, config::s3::Settings, error::Error, store::Store};

/// Headers that hold between two neighbours only, or that are made anew.
const LOCAL_HEADERS: [HeaderName; 11] = [
    header::HOST,
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::DATE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The most buckets of one answer.
const MAX_BUCKETS: i64 = 10_000;

/// The other server.
#[derive(Debug)]
pub(super) struct External {
    url: Url,
    http: reqwest::Client,
    credentials: Credentials,
    region: String,
}

impl External {
    /// The server that the settings name, if they name one.
    pub(super) fn open(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(url) = settings.s3_url.clone() else { return Ok(None) };
        let id = settings.s3_access_key.clone().context("UTOPIA_S3_URL needs UTOPIA_S3_ACCESS_KEY")?;
        let file = settings.s3_secret_key_file.as_deref().context("UTOPIA_S3_ACCESS_KEY needs UTOPIA_S3_SECRET_KEY_FILE")?;
        let secret = String::from_utf8(secret_file::read(file)?).context("UTOPIA_S3_SECRET_KEY_FILE is no text")?;
        let is_origin = matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
        anyhow::ensure!(is_origin, "UTOPIA_S3_URL must be http://HOST:PORT or https://HOST:PORT, without a path");
        let credentials = Credentials::new(id, secret.trim(), None, None, "settings");
        Ok(Some(Self { url, http: client::http_client()?, credentials, region: settings.s3_region.clone() }))
    }

    /// Has the server do what the caller asked for.
    pub(super) async fn call(
        &self,
        store: &Store,
        clock: &Clock,
        caller: &Caller,
        path: &S3Path,
        request: S3Request<Body>,
    ) -> S3Result<S3Response<Body>> {
        let now = clock.now();
        match path {
            S3Path::Root if caller.scope().is_some() => list_buckets(store, caller).await,
            S3Path::Bucket { bucket } if creates_bucket(&request) => {
                if !store.create_bucket(bucket, caller.id, now).await.map_err(answer)? {
                    let there = store.bucket(bucket).await.map_err(answer)?;
                    return Err(if there.is_some_and(|there| there.owner_id == caller.id) {
                        s3_error!(BucketAlreadyOwnedByYou, "You have a bucket of this name already")
                    } else {
                        s3_error!(BucketAlreadyExists, "Somebody has a bucket of this name")
                    });
                }
                let made = self.forward(request, now.into()).await;
                if !made.as_ref().is_ok_and(is_success) {
                    // What is there already was not theirs before.
                    store.delete_bucket(bucket, now).await.map_err(answer)?;
                }
                made
            }
            S3Path::Bucket { bucket } if request.method == Method::DELETE && request.uri.query().is_none() => {
                let gone = self.forward(request, now.into()).await?;
                if is_success(&gone) || gone.status == Some(StatusCode::NOT_FOUND) {
                    store.delete_bucket(bucket, now).await.map_err(answer)?;
                }
                Ok(gone)
            }
            S3Path::Root | S3Path::Bucket { .. } | S3Path::Object { .. } => self.forward(request, now.into()).await,
        }
    }

    async fn forward(&self, request: S3Request<Body>, now: SystemTime) -> S3Result<S3Response<Body>> {
        let url = self.address(request.uri.path(), request.uri.query())?;
        let length = request.headers.get(header::CONTENT_LENGTH).cloned();
        let (promise, headers) = outgoing(&request)?;
        let mut outgoing = http::Request::new(());
        *outgoing.method_mut() = request.method.clone();
        *outgoing.headers_mut() = headers;
        self.sign(&mut outgoing, &url, now)?;
        let mut headers = outgoing.headers().clone();
        let promised_length = length.as_ref().and_then(|length| length.to_str().ok()?.parse().ok());
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length);
        }
        let has_body = !matches!(request.method, Method::GET | Method::HEAD | Method::DELETE);
        let mut sending = self.http.request(request.method, url).headers(headers);
        if has_body {
            let body = verified(request.input, promise, promised_length);
            sending = sending.body(reqwest::Body::wrap_stream(body));
        }
        let response = sending.send().await.map_err(unreachable)?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        for name in LOCAL_HEADERS {
            if name != header::CONTENT_LENGTH && name != header::DATE {
                headers.remove(name);
            }
        }
        let body = response.bytes_stream().map_ok(http_body::Frame::data).map_err(StdError::from);
        let mut answer = S3Response::with_status(Body::http_body_unsync(StreamBody::new(body)), status);
        answer.headers = headers;
        Ok(answer)
    }

    /// The address of a path on the server. URLs cannot say steps upwards, which keys may have.
    fn address(&self, path: &str, query: Option<&str>) -> S3Result<Url> {
        let decoded = urlencoding::decode(path).map_err(|_| S3ErrorCode::InvalidURI)?;
        if decoded.split('/').any(|step| matches!(step, "." | "..")) {
            return Err(s3_error!(
                InvalidURI,
                "Keys with . or .. between slashes cannot be kept on the S3 server behind this one"
            ));
        }
        let encoded = decoded.split('/').map(urlencoding::encode).collect::<Vec<_>>().join("/");
        let mut url = self.url.clone();
        url.set_path(&encoded);
        url.set_query(query);
        if url.path() != encoded {
            return Err(S3ErrorCode::InvalidURI.into());
        }
        Ok(url)
    }

    fn sign(&self, request: &mut http::Request<()>, url: &Url, now: SystemTime) -> S3Result<()> {
        let failed = |error: StdError| answer(Error::internal("sign a request to the S3 server", error));
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let identity = self.credentials.clone().into();
        let params =
            v4::SigningParams::builder().identity(&identity).region(&self.region).name("s3").time(now).settings(settings);
        let params = params.build().map_err(|error| failed(error.into()))?.into();
        let signed = request
            .headers()
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-amz-") || *name == header::CONTENT_TYPE || *name == "content-md5");
        let signed = signed.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(request.method().as_str(), url.as_str(), signed, SignableBody::UnsignedPayload);
        let signable = signable.map_err(|error| failed(error.into()))?;
        let (instructions, _) = sign(signable, &params).map_err(|error| failed(error.into()))?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

/// The headers for the server, and what the client says of its content.
fn outgoing(request: &S3Request<Body>) -> S3Result<(Promise, HeaderMap)> {
    let mut headers = request.headers.clone();
    for name in LOCAL_HEADERS {
        headers.remove(name);
    }
    for name in ["x-amz-date", "x-amz-security-token", "x-forwarded-for", "amz-sdk-invocation-id", "amz-sdk-request"] {
        headers.remove(name);
    }
    let mut extensions = http::Extensions::new();
    if let Some(trailers) = &request.trailing_headers {
        extensions.insert(trailers.clone());
        // It is verified here, and there is nothing after the content further on.
        headers.remove("x-amz-sdk-checksum-algorithm");
    }
    let promise = Promise::read(Fields::default(), None, None, &request.headers, &extensions)?;
    headers.remove("x-amz-trailer");
    Ok((promise, headers))
}

/// The same content, its last piece held back until all of it is found to be what was promised.
fn verified(
    content: Body,
    promise: Promise,
    length: Option<u64>,
) -> impl Stream<Item = Result<Bytes, StdError>> + Send + 'static {
    let summing = promise.summing();
    stream::try_unfold(
        (content, Some((promise, summing)), None::<Bytes>),
        move |(mut content, mut checks, mut held)| async move {
            loop {
                match content.next().await {
                    Some(piece) => {
                        let piece = piece?;
                        if let Some((_, summing)) = &mut checks {
                            summing.update(&piece);
                        }
                        if let Some(ready) = held.replace(piece) {
                            return Ok(Some((ready, (content, checks, held))));
                        }
                    }
                    None => {
                        if let Some((promise, summing)) = checks.take() {
                            let sums = summing.finish();
                            if length.is_some_and(|length| length != sums.size) {
                                return Err(s3_error!(IncompleteBody, "The request body is not as long as was said").into());
                            }
                            promise.verify(&sums)?;
                        }
                        return Ok(held.take().map(|last| (last, (content, None, None))));
                    }
                }
            }
        },
    )
}

fn is_success(response: &S3Response<Body>) -> bool {
    response.status.is_some_and(|status| status.is_success())
}

/// What a client is told when the server is away, or what the client sent is not what it signed.
fn unreachable(error: reqwest::Error) -> S3Error {
    let sources = std::iter::successors(std::error::Error::source(&error), |error| error.source());
    for source in sources {
        if let Some(refused) = source.downcast_ref::<S3Error>() {
            return S3Error::with_message(refused.code().clone(), refused.message().unwrap_or_default().to_owned());
        }
        let text = source.to_string();
        let is_theirs = ["AwsChunkedStreamError", "Sha256Mismatch", "Incomplete", FrameTooLarge::MESSAGE];
        if is_theirs.iter().any(|word| text.contains(word)) {
            return source_failed(&text);
        }
    }
    tracing::warn!(error = %error.without_url(), "the S3 server does not answer: see UTOPIA_S3_URL");
    s3_error!(ServiceUnavailable, "The S3 server behind this one does not answer: see UTOPIA_S3_URL")
}

/// The buckets of one person, who must not see those of others.
async fn list_buckets(store: &Store, caller: &Caller) -> S3Result<S3Response<Body>> {
    let found = store.buckets_after(caller.scope(), "", "", MAX_BUCKETS).await.map_err(answer)?;
    let buckets = found.into_iter().map(|bucket| dto::Bucket {
        name: Some(bucket.name),
        creation_date: Some(SystemTime::from(bucket.created_at).into()),
        bucket_region: None,
    });
    let owner = dto::Owner { id: Some(caller.id.to_string()), display_name: Some(caller.name.to_string()) };
    let output = dto::ListBucketsOutput { buckets: Some(buckets.collect()), owner: Some(owner), ..Default::default() };
    let mut text = Vec::new();
    let mut serializer = s3s::xml::Serializer::new(&mut text);
    let written = serializer.decl().and_then(|()| output.serialize(&mut serializer));
    written.map_err(|error| answer(Error::internal("list buckets", error)))?;
    let mut response = S3Response::new(Body::from(text));
    response.headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
    Ok(response)
}
