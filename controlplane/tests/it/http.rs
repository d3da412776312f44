//! A client of the JSON API: one connection per request, so that dropping an answer hangs up.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::{net::TcpStream, task::JoinSet};

use crate::wait::soon;

/// Where to ask, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    address: SocketAddr,
    token: Option<String>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// The status, and the reason of an error; empty for a success.
    pub(crate) fn outcome(&self) -> (u16, String) {
        let reason = if self.status < 400 { String::new() } else { self.json()["code"].as_str().unwrap_or_default().to_owned() };
        (self.status, reason)
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Json {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Json::Null } else { self.json() }
    }

    /// An error that must have this status and reason; answers its sentence.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, reason: &str) -> String {
        assert_eq!(self.outcome(), (status, reason.to_owned()), "{}", self.text);
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

impl Http {
    /// A client without credentials.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    /// Where it asks.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same client with a bearer token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Full::default()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).body(Full::default()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Json) -> Answer {
        self.send_json(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Json) -> Answer {
        self.send_json(Method::PUT, path, body.to_string()).await
    }

    /// A body that need not be JSON, with the content type of JSON.
    pub(crate) async fn send_json(&self, method: Method, path: &str, body: String) -> Answer {
        let request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Full::from(body)).unwrap()).await
    }

    /// A request with the client's credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let builder = Request::builder().method(method).uri(path).header(header::HOST, self.address.to_string());
        match &self.token {
            Some(token) => builder.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => builder,
        }
    }

    /// Sends a request and takes the whole answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let what = format!("{} {}", request.method(), request.uri());
        let exchange = async {
            let opened = self.open(request).await;
            let text = opened.body.collect().await.expect("the body is whole").to_bytes();
            Answer { status: opened.status, headers: opened.headers, text: String::from_utf8(text.to_vec()).unwrap() }
        };
        soon(&what, exchange).await
    }

    /// Sends a request and waits for the head of the answer only.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> Opened {
        let stream = TcpStream::connect(self.address).await.expect("the listener accepts");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Whatever ends the connection shows in the answer.
            let _ = connection.await;
        });
        let (head, body) = sender.send_request(request).await.expect("there is an answer").into_parts();
        Opened { status: head.status.as_u16(), headers: head.headers, body, buffer: String::new(), _driver: driver }
    }
}

/// An answer whose body is still coming. Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    buffer: String,
    _driver: JoinSet<()>,
}

impl Opened {
    /// The next line without its end; none when the body has ended.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.find('\n') {
                let line = self.buffer.drain(..=end).collect::<String>();
                return Some(line.trim_end_matches('\n').to_owned());
            }
            let frame = soon("a line of a stream", self.body.frame()).await?.expect("the stream is whole");
            if let Ok(data) = frame.into_data() {
                self.buffer.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
    }
}
