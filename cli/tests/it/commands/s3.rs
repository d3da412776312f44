//! Copies from and to a storage that fails now and then.

use std::fs;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::invoke::Shell;

/// How the storage fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A download breaks in its midst, once.
    Breaks,
    /// A download breaks, and the object is another one then.
    Replaced,
    /// What comes is not what the checksum is of.
    Garbled,
    /// The second part is refused for a moment, once.
    Busy,
    /// The second part is refused for good.
    Refused,
    /// The upload fails while it is completed, with a status that says otherwise.
    Unfinished,
}

struct Storage {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    _server: AbortOnDropHandle<()>,
}

impl Storage {
    async fn that(fault: Fault) -> (Self, Shell) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().fallback(answer).with_state((fault, Arc::clone(&asked)));
        let serve = async { axum::serve(listener, router).await.unwrap() };
        #[expect(clippy::disallowed_methods, reason = "the handle ends the task with the test")]
        let server = AbortOnDropHandle::new(tokio::spawn(serve));
        let mut shell = Shell::at(&url);
        shell.set("AWS_ACCESS_KEY_ID", "AK");
        shell.set("AWS_SECRET_ACCESS_KEY", "hidden");
        (Self { url, asked, _server: server }, shell)
    }

    fn asked(&self, what: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|line| line.contains(what)).count()
    }
}

const WHOLE: &str = "123456789";

/// The CRC-64/NVME of that.
const SUM: &str = "rosUhgp5mIg=";

fn refusal(status: StatusCode, code: &str) -> Response {
    (status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>")).into_response()
}

async fn answer(
    State((fault, asked)): State<(Fault, Arc<Mutex<Vec<String>>>)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
    let range = headers.get("range").map(|range| range.to_str().unwrap().to_owned()).unwrap_or_default();
    let line = format!("{method} {uri} {range}");
    let is_first = {
        let mut asked = asked.lock().unwrap();
        let part = "partNumber=2&";
        let is_first = !asked.iter().any(|line| line.contains(part)) && line.contains(part);
        asked.push(line.clone());
        is_first
    };
    let query = uri.query().unwrap_or_default();
    match method {
        Method::GET if query.contains("list-type") => {
            format!("<ListBucketResult {NAMESPACE}><IsTruncated>false</IsTruncated></ListBucketResult>").into_response()
        }
        Method::GET if !range.is_empty() => {
            assert_eq!((&*range, &headers["if-match"]), ("bytes=4-", &"\"e\"".parse::<axum::http::HeaderValue>().unwrap()));
            if fault == Fault::Replaced {
                return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
            }
            (StatusCode::PARTIAL_CONTENT, WHOLE[4..].to_owned()).into_response()
        }
        Method::GET => {
            let headers = [("etag", "\"e\""), ("content-length", "9"), ("x-amz-checksum-crc64nvme", SUM)];
            let end = stream::once(async {
                // What came before is sent while this waits.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("broken"))
            });
            let broken = stream::iter([Ok(Bytes::from_static(b"1234"))]).chain(end);
            let body = if fault == Fault::Garbled { Body::from("987654321") } else { Body::from_stream(broken) };
            (headers, body).into_response()
        }
        Method::POST if query.contains("uploads=") => {
            format!("<InitiateMultipartUploadResult {NAMESPACE}><UploadId>u</UploadId></InitiateMultipartUploadResult>")
                .into_response()
        }
        Method::PUT => {
            axum::body::to_bytes(body, usize::MAX).await.unwrap();
            if fault == Fault::Busy && is_first {
                return refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
            }
            if fault == Fault::Refused && query.contains("partNumber=2&") {
                return refusal(StatusCode::FORBIDDEN, "AccessDenied");
            }
            [("etag", "\"p\"")].into_response()
        }
        Method::POST if fault == Fault::Unfinished => refusal(StatusCode::OK, "InternalError"),
        Method::POST => {
            format!("<CompleteMultipartUploadResult {NAMESPACE}><ETag>\"e-3\"</ETag></CompleteMultipartUploadResult>")
                .into_response()
        }
        Method::DELETE => StatusCode::NO_CONTENT.into_response(),
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

#[tokio::test]
async fn a_download_that_breaks_goes_on_where_it_was() {
    let (storage, shell) = Storage::that(Fault::Breaks).await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("k");
    shell.run(&["s3", "cp", "s3://b/k", target.to_str().unwrap()]).await.ok();
    assert_eq!(fs::read_to_string(&target).unwrap(), WHOLE);
    assert_eq!(storage.asked("bytes=4-"), 1);
}

#[tokio::test]
async fn a_download_that_is_not_what_it_was_leaves_what_was_there() {
    for (fault, code, sentence) in
        [(Fault::Garbled, 1, "its checksum differs"), (Fault::Replaced, 5, "s3://b/k: no (PreconditionFailed)")]
    {
        let (_storage, shell) = Storage::that(fault).await;
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("k");
        fs::write(&target, "old").unwrap();
        let said = shell.run(&["s3", "cp", "s3://b/k", target.to_str().unwrap()]).await.failed(code);
        assert!(said.contains(sentence), "{said}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn one_part_is_sent_again_and_what_fails_for_good_is_taken_back() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(40 << 20).unwrap();
    let path = file.path().to_str().unwrap();
    for (fault, code, parts, aborted) in [(Fault::Busy, 0, 4, 0), (Fault::Refused, 3, 3, 1), (Fault::Unfinished, 1, 3, 1)] {
        let (storage, shell) = Storage::that(fault).await;
        let finished = shell.run(&["s3", "cp", path, "s3://b/k", "--verbose"]).await;
        assert_eq!(finished.code, code, "{fault:?}: {finished:?}");
        // What is called is said, but not what would let others call it.
        assert!(finished.stderr.contains("/minio/b/k") && !finished.stderr.contains("X-Amz-"), "{finished:?}");
        assert!(storage.asked("partNumber=") <= parts, "{fault:?}");
        assert_eq!(storage.asked("partNumber=2&"), if fault == Fault::Busy { 2 } else { 1 });
        assert_eq!(storage.asked("DELETE "), aborted, "{fault:?} at {}", storage.url);
    }
}

#[tokio::test]
async fn ends_that_do_not_fit_are_exit_code_2() {
    let (_storage, shell) = Storage::that(Fault::Breaks).await;
    for arguments in [
        &["s3", "cp", "s3://a/x", "s3://b/x"] as &[_],
        &["s3", "cp", "a", "b"],
        &["s3", "cp", "-", "s3://b/dir/"],
        &["s3", "cp", "-r", "s3://b/dir", "-"],
        &["s3", "cp", "s3://b", "."],
        &["s3", "cp", "s3://b/../c", "."],
        &["s3", "rm", "s3://b"],
        &["s3", "mb", "s3://b/k"],
        &["s3", "mb", "b"],
        &["s3", "presign", "s3://b"],
        &["s3", "ls", "--recursive"],
    ] {
        shell.run(arguments).await.failed(2);
    }
}
