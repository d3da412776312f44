//! What a signature must cover beside what `s3s` verifies: the headers that make a request what it is, this service, and no longer
//! than a week.

use http::{HeaderMap, Uri, header};
use s3s::{S3ErrorCode, S3Result, s3_error};

/// The longest that a URL may hold, in seconds.
const MAX_EXPIRY_SECONDS: u32 = 7 * 24 * 60 * 60;

/// Headers of S3 that may come without being signed: one is verified by itself, the other one says nothing of what is wanted.
const UNSIGNED: [&str; 2] = ["x-amz-content-sha256", "x-amz-user-agent"];

/// Refuses a request whose signature holds but covers too little. Whoever has a URL could otherwise add headers to it, and make a
/// copy of what was to be an upload.
pub(super) fn check(headers: &HeaderMap, uri: &Uri, service: Option<&str>) -> S3Result<()> {
    if service != Some("s3") {
        return Err(s3_error!(AccessDenied, "The request is not signed for s3"));
    }
    let expiry = parameter(uri, "X-Amz-Expires").and_then(|expiry| expiry.parse::<u32>().ok());
    if expiry.is_some_and(|expiry| expiry > MAX_EXPIRY_SECONDS) {
        let code = S3ErrorCode::Custom("AuthorizationQueryParametersError".into());
        let mut error = s3s::S3Error::with_message(code, "X-Amz-Expires must be less than a week (in seconds) 604800");
        error.set_status_code(http::StatusCode::BAD_REQUEST);
        return Err(error);
    }
    let names = signed_headers(headers, uri).ok_or_else(|| s3_error!(AccessDenied, "The request does not say what is signed"))?;
    let is_signed = |name: &str| names.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
    let wanted = headers.keys().map(header::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    for name in wanted.filter(|name| !UNSIGNED.contains(name)).chain([header::HOST.as_str()]) {
        if !is_signed(name) {
            return Err(s3_error!(AccessDenied, "There were headers present in the request which were not signed: {name}"));
        }
    }
    Ok(())
}

/// The names of the headers that are signed, as the request has them.
fn signed_headers(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    if let Some(names) = parameter(uri, "X-Amz-SignedHeaders") {
        return Some(names);
    }
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let mut fields = authorization.split([',', ' ']).map(str::trim);
    fields.find_map(|field| field.strip_prefix("SignedHeaders=")).map(str::to_owned)
}

/// A parameter of the query, decoded.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    urlencoding::decode(value).ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_makes_a_request_is_signed() {
        let presigned = "/b/k?X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-amz-acl&X-Amz-Signature=s";
        let by_header = "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request,SignedHeaders=host;x-amz-date, Signature=s";
        for (uri, authorization, more, is_enough) in [
            (presigned, None, None, true),
            (presigned, None, Some("x-amz-acl"), true),
            (presigned, None, Some("content-type"), true),
            (presigned, None, Some("x-amz-content-sha256"), true),
            (presigned, None, Some("x-amz-copy-source"), false),
            ("/b/k?X-Amz-Expires=604801&X-Amz-SignedHeaders=host", None, None, false),
            ("/b/k?X-Amz-Expires=60&X-Amz-SignedHeaders=range", None, None, false),
            ("/b/k", Some(by_header), Some("x-amz-date"), true),
            ("/b/k", Some(by_header), Some("x-amz-copy-source"), false),
            ("/b/k", Some("AWS4-HMAC-SHA256 Signature=s"), None, false),
            ("/b/k", None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(authorization.map(|value| (header::AUTHORIZATION, value.parse().unwrap())));
            headers.extend(more.map(|name| (name.parse::<header::HeaderName>().unwrap(), "x".parse().unwrap())));
            let outcome = check(&headers, &uri.parse().unwrap(), Some("s3"));
            assert_eq!(outcome.is_ok(), is_enough, "{uri} {authorization:?} {more:?}: {outcome:?}");
        }
        let elsewhere = check(&HeaderMap::new(), &presigned.parse().unwrap(), Some("sts"));
        assert!(elsewhere.is_err());
    }
}
