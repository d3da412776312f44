//! `/minio` of a gateway of its own process, before something that tells what it was sent.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::Request, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utopia_gateway::{listener, objects, serve};

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    fn serve(routes: Router) -> Self {
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let listener = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(serve::http(listener, routes, shutdown.clone(), Duration::from_secs(5)));
        tasks.close();
        Self { address, shutdown, tasks }
    }

    /// Sends a request with a body in several pieces; answers status, headers and body.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        pieces: Vec<Bytes>,
    ) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let pieces = stream::iter(pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Frame::data(piece))));
        let answer =
            Client::builder(TokioExecutor::new()).build_http().request(request.body(StreamBody::new(pieces)).unwrap()).await;
        let (parts, body) = answer.unwrap().into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.wait().await;
    }
}

/// Answers with the request line, the headers and the body that came.
async fn tell(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut told = format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        told += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    let body = body.collect().await.unwrap().to_bytes();
    let told = [told.as_bytes(), b"\n", &body].concat();
    http::Response::builder().status(207).header("etag", "\"a\"").header("connection", "close").body(told.into()).unwrap()
}

#[tokio::test]
async fn requests_are_passed_on_as_they_were_signed() {
    let upstream = Running::serve(Router::new().fallback(tell));
    let gateway = Running::serve(objects::router(Some(format!("http://{}", upstream.address).parse().unwrap())));
    let headers =
        [("host", "s3.example:1"), ("authorization", "AWS4-HMAC-SHA256 x"), ("connection", "x-private"), ("x-private", "1")];
    let pieces = vec![Bytes::from_static(b"half "); 100_000];
    let (status, answered, body) = gateway.send(Method::PUT, "/minio/b/a%20b//c%2F..?partNumber=1&x=%7E", &headers, pieces).await;
    assert_eq!((status.as_u16(), answered[header::ETAG].as_bytes()), (207, &b"\"a\""[..]));
    let body = String::from_utf8(body.to_vec()).unwrap();
    let (head, sent) = body.split_once("\n\n").unwrap();
    assert!(sent == "half ".repeat(100_000), "{} bytes", sent.len());
    let mut lines = head.lines();
    assert_eq!(lines.next().unwrap(), "PUT /minio/b/a%20b//c%2F..?partNumber=1&x=%7E");
    let mut lines = lines.collect::<Vec<_>>();
    lines.sort_unstable();
    assert_eq!(lines, ["authorization: AWS4-HMAC-SHA256 x", "host: s3.example:1", "transfer-encoding: chunked"]);
    for path in ["/minio", "/minio/"] {
        assert_eq!(gateway.send(Method::GET, path, &[], Vec::new()).await.0, 207, "{path}");
    }
    upstream.stop().await;
    let (status, _, body) = gateway.send(Method::GET, "/minio/b/k", &[], Vec::new()).await;
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("<Code>ServiceUnavailable</Code>") && body.contains("UTOPIA_S3_UPSTREAM"), "{body}");
    gateway.stop().await;
}

#[tokio::test]
async fn without_an_upstream_the_setting_is_named() {
    let gateway = Running::serve(objects::router(None));
    let (status, headers, body) = gateway.send(Method::GET, "/minio/b/k", &[], Vec::new()).await;
    assert_eq!((status, headers[header::CONTENT_TYPE].as_bytes()), (StatusCode::SERVICE_UNAVAILABLE, &b"application/xml"[..]));
    assert!(std::str::from_utf8(&body).unwrap().contains("set UTOPIA_S3_UPSTREAM"));
    gateway.stop().await;
}
