//! Who signed, whose bucket it is, and the way on. Everything behind it may rely on both.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, Uri, header, uri::PathAndQuery};
use s3s::{
    Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto::CopySource, path::S3Path, route::S3Route, s3_error,
    service::S3Service,
};

use super::{
    PREFIX,
    external::External,
    front::{Prefix, answer},
    keys::Keys,
    meters::Tally,
    signed,
};
use crate::{clock::Clock, model::Role, store::Store};

/// Where objects are.
#[derive(Debug)]
pub(super) enum Backend {
    Embedded(S3Service),
    External(External),
}

/// Who signed a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The user's id.
    pub(super) id: i64,
    /// The user name.
    pub(super) name: Arc<str>,
    /// What they may do.
    pub(super) role: Role,
}

impl Caller {
    /// Whose buckets the person reaches: their own, or as an administrator everybody's.
    pub(super) fn scope(&self) -> Option<i64> {
        if self.role == Role::Admin { None } else { Some(self.id) }
    }
}

/// The gate.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) keys: Keys,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) region: Arc<str>,
    pub(super) backend: Arc<Backend>,
}

#[async_trait]
impl S3Route for Gate {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut http::Extensions) -> bool {
        true
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let credentials = request.credentials.as_ref();
        let key = credentials.ok_or_else(|| s3_error!(AccessDenied, "The request is not signed"))?.access_key.clone();
        signed::check(&request.headers, &request.uri, request.service.as_deref())?;
        let region = request.region.as_ref().map_or("", |region| region.as_str());
        if region != &*self.region {
            let message =
                format!("The authorization header is malformed; the region '{region}' is wrong; expecting '{}'", self.region);
            return Err(S3Error::with_message(S3ErrorCode::AuthorizationHeaderMalformed, message));
        }
        let holder = self.keys.holder(&key).await?;
        if let Some(tally) = request.extensions.get::<Arc<Tally>>() {
            tally.is_of(&holder.username);
        }
        request.extensions.insert(Caller { id: holder.user_id, name: holder.username.into(), role: holder.role });
        Ok(())
    }

    async fn call(&self, mut request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let caller = request.extensions.get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| s3_error!(AccessDenied, "The request is not signed"))?;
        let Prefix(prefix) = request.extensions.get().copied().unwrap_or(Prefix(PREFIX));
        request.uri = without_prefix(&request.uri, prefix)?;
        let path = path_of(&request.uri)?;
        self.permit(&caller, &path, &request).await?;
        plain_headers(&mut request.headers);
        match &*self.backend {
            Backend::Embedded(service) => embedded(service, request).await,
            Backend::External(external) => external.call(&self.store, &self.clock, &caller, &path, request).await,
        }
    }
}

impl Gate {
    /// Refuses what the caller may not.
    async fn permit(&self, caller: &Caller, path: &S3Path, request: &S3Request<Body>) -> S3Result<()> {
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        if !reads && caller.role < Role::User {
            return Err(s3_error!(AccessDenied, "Your role may only read"));
        }
        if let Some(source) = request.headers.get("x-amz-copy-source") {
            let source = source.to_str().ok().and_then(|source| CopySource::parse(source).ok());
            let Some(CopySource::Bucket { bucket, .. }) = source else {
                return Err(s3_error!(InvalidArgument, "x-amz-copy-source must be bucket/key"));
            };
            self.own(caller, &bucket).await?;
        }
        match path {
            S3Path::Root => Ok(()),
            S3Path::Bucket { .. } if creates_bucket(request) => Ok(()),
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => self.own(caller, bucket).await,
        }
    }

    /// Refuses buckets of others.
    async fn own(&self, caller: &Caller, bucket: &str) -> S3Result<()> {
        let found = self.store.bucket(bucket).await.map_err(answer)?;
        match (found, &*self.backend) {
            (Some(found), _) if caller.scope().is_none_or(|id| id == found.owner_id) => Ok(()),
            (Some(_), _) => Err(s3_error!(AccessDenied, "The bucket is somebody else's")),
            // What was there before this control plane is its administrators'.
            (None, Backend::External(_)) if caller.scope().is_none() => Ok(()),
            (None, _) => Err(s3_error!(NoSuchBucket, "The specified bucket does not exist")),
        }
    }
}

/// Whether this is what makes a bucket, and not what sets something about it.
pub(super) fn creates_bucket(request: &S3Request<Body>) -> bool {
    let operations = request.uri.query().into_iter().flat_map(|query| query.split('&'));
    request.method == Method::PUT && operations.into_iter().all(|pair| pair.starts_with("x-id="))
}

/// Lets the embedded store read the operation.
async fn embedded(service: &S3Service, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
    let S3Request { input, method, uri, headers, mut extensions, trailing_headers, .. } = request;
    if let Some(trailers) = trailing_headers {
        extensions.insert(trailers);
    }
    let mut inner = http::Request::new(input);
    *inner.method_mut() = method;
    *inner.uri_mut() = uri;
    *inner.headers_mut() = headers;
    *inner.extensions_mut() = extensions;
    let answer = service.call(inner).await.map_err(|error| S3Error::with_source(S3ErrorCode::InternalError, error.into()))?;
    let (parts, body) = answer.into_parts();
    let mut response = S3Response::with_status(body, parts.status);
    response.headers = parts.headers;
    Ok(response)
}

/// The address behind the prefix, without the signature in its query.
fn without_prefix(uri: &Uri, prefix: &str) -> S3Result<Uri> {
    let path = uri.path().strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = path.ok_or(S3ErrorCode::InvalidURI)?;
    let path = if path.is_empty() { "/" } else { path };
    let is_signature = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
            "X-Amz-Security-Token",
        ]
        .iter()
        .any(|signature| name.eq_ignore_ascii_case(signature))
    };
    let query = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_signature(pair));
    let query = query.collect::<Vec<_>>().join("&");
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    Ok(Uri::from(PathAndQuery::try_from(text).map_err(|_| S3ErrorCode::InvalidURI)?))
}

fn path_of(uri: &Uri) -> S3Result<S3Path> {
    let decoded = urlencoding::decode(uri.path()).map_err(|_| S3ErrorCode::InvalidURI)?;
    let path = s3s::path::parse_path_style(&decoded).map_err(|error| match error {
        s3s::path::ParseS3PathError::InvalidPath => S3ErrorCode::InvalidURI.into(),
        s3s::path::ParseS3PathError::InvalidBucketName => s3_error!(InvalidBucketName, "The specified bucket is not valid"),
        s3s::path::ParseS3PathError::KeyTooLong => s3_error!(KeyTooLongError, "Your key is too long"),
    })?;
    match &path {
        S3Path::Object { key, .. } => sayable(key)?,
        S3Path::Root | S3Path::Bucket { .. } => {}
    }
    Ok(path)
}

/// Refuses keys that answers could not say: XML has no way to write some characters, and reads others as something else.
pub(super) fn sayable(key: &str) -> S3Result<()> {
    if key.contains(|letter| matches!(letter, '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}')) {
        return Err(s3_error!(InvalidArgument, "Keys must not have control characters"));
    }
    Ok(())
}

/// What was verified and taken apart is said plainly further on.
fn plain_headers(headers: &mut HeaderMap) {
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::EXPECT);
    let streams = |value: &HeaderValue| value.as_bytes().starts_with(b"STREAMING-");
    if headers.remove("x-amz-content-sha256").is_some_and(|value| streams(&value)) {
        if let Some(length) = headers.remove("x-amz-decoded-content-length") {
            headers.insert(header::CONTENT_LENGTH, length);
        }
        headers.remove(header::TRANSFER_ENCODING);
        let encoding = headers.remove(header::CONTENT_ENCODING);
        let rest = encoding
            .as_ref()
            .and_then(|value| value.to_str().ok())
            .map(|value| value.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect::<Vec<_>>().join(","));
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()).and_then(|rest| HeaderValue::try_from(rest).ok()) {
            headers.insert(header::CONTENT_ENCODING, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_and_the_signature_go_and_the_rest_stays() {
        for (before, after) in [
            ("/minio", "/"),
            ("/minio/", "/"),
            ("/minio/b/a%2Fb//c/../d", "/b/a%2Fb//c/../d"),
            ("/minio/b?list-type=2&prefix=a%20b", "/b?list-type=2&prefix=a%20b"),
            ("/minio/b/k?X-Amz-Signature=x&partNumber=1&x-amz-date=y", "/b/k?partNumber=1"),
        ] {
            assert_eq!(without_prefix(&before.parse().unwrap(), PREFIX).unwrap().to_string(), after);
        }
        for other in ["/minios/b", "/"] {
            assert!(without_prefix(&other.parse().unwrap(), PREFIX).is_err(), "{other}");
        }
        assert_eq!(without_prefix(&"/minio/k".parse().unwrap(), "").unwrap().to_string(), "/minio/k");
    }

    #[test]
    fn chunks_leave_no_trace_in_the_headers() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "AWS4-HMAC-SHA256 …"),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "11"),
            ("transfer-encoding", "chunked"),
            ("content-encoding", "aws-chunked, gzip"),
            ("content-type", "text/plain"),
        ] {
            headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        plain_headers(&mut headers);
        let mut left = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect::<Vec<_>>();
        left.sort();
        assert_eq!(left, ["content-encoding: gzip", "content-length: 11", "content-type: text/plain"]);
    }
}
