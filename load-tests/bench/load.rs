//! A closed loop of equal requests: some connections with some requests in flight on each, and the next request when an answer has
//! come and was found to be good. How many are in flight is fixed, so that batches are alike for all servers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::future::try_join_all;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, TE};
use http::{HeaderName, Method, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use utopia_certs::tls::pinned_client_config;

use crate::answer::Answer;

/// How many ask at the same time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    /// Connections.
    pub(crate) connections: u32,
    /// Requests in flight on each connection, over HTTP/2.
    pub(crate) in_flight: u32,
}

/// Where a server is, and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// HTTP/2 over TLS, with the hash of the server's authority.
    Secured(SocketAddr, String),
    /// HTTP/2 in clear text.
    Cleartext(SocketAddr),
    /// HTTP/1.1 with connections that stay.
    Http1(SocketAddr),
}

/// What is asked again and again.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    answer: Answer,
}

impl Question {
    /// A gRPC method with a message, for an answer of so many.
    pub(crate) fn grpc(method: &str, message: &impl Message, messages: u64) -> Self {
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX));
        body.put_slice(&message.encode_to_vec());
        let question = Self::new(Method::POST, method, body.freeze(), Answer::Grpc { messages });
        question.header(CONTENT_TYPE, "application/grpc").header(TE, "trailers")
    }

    /// A GET for some JSON.
    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path, Bytes::new(), Answer::Json)
    }

    /// A POST of some JSON for some JSON.
    pub(crate) fn post(path: &str, json: &serde_json::Value) -> Self {
        let question = Self::new(Method::POST, path, Bytes::from(json.to_string()), Answer::Json);
        question.header(CONTENT_TYPE, "application/json")
    }

    /// A GET for so many messages as lines.
    pub(crate) fn lines(path: &str, messages: u64) -> Self {
        let question = Self::new(Method::GET, path, Bytes::new(), Answer::Lines { messages });
        question.header(header::ACCEPT, "application/x-ndjson")
    }

    /// A GET for so many messages as server-sent events.
    pub(crate) fn events(path: &str, messages: u64) -> Self {
        let question = Self::new(Method::GET, path, Bytes::new(), Answer::Events { messages });
        question.header(header::ACCEPT, "text/event-stream")
    }

    /// With a bearer token.
    pub(crate) fn token(mut self, token: &str) -> anyhow::Result<Self> {
        self.headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().context("the token is no header")?);
        Ok(self)
    }

    fn new(method: Method, path: &str, body: Bytes, answer: Answer) -> Self {
        Self { method, path: path.to_owned(), headers: HeaderMap::new(), body, answer }
    }

    fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    fn request(&self, target: &Target) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        let uri = match target {
            Target::Secured(address, _) => format!("https://{address}{}", self.path),
            Target::Cleartext(address) => format!("http://{address}{}", self.path),
            Target::Http1(address) => {
                request.headers_mut().insert(HOST, address.to_string().parse()?);
                self.path.clone()
            }
        };
        *request.uri_mut() = uri.parse::<Uri>()?;
        Ok(request)
    }
}

/// Connections that are open, and what is asked on them. Servers may close them when nothing is asked for a while.
#[derive(Debug)]
pub(crate) struct Load {
    callers: Vec<Caller>,
    /// What reads and writes them; it ends with this.
    _connections: JoinSet<()>,
}

impl Load {
    /// Connects. Over HTTP/1.1 there are as many connections as would otherwise be requests in flight.
    pub(crate) async fn open(target: &Target, question: &Question, crowd: Crowd) -> anyhow::Result<Self> {
        let request = question.request(target)?;
        let mut connections = JoinSet::new();
        let mut callers = Vec::new();
        let mut add = |sender| callers.push(Caller { sender, request: request.clone(), answer: question.answer });
        match target {
            Target::Http1(address) => {
                for _ in 0..crowd.connections * crowd.in_flight {
                    add(Sender::Http1(http1_connection(*address, &mut connections).await?));
                }
            }
            Target::Secured(..) | Target::Cleartext(_) => {
                for _ in 0..crowd.connections {
                    let sender = http2_connection(target, &mut connections).await?;
                    (0..crowd.in_flight).for_each(|_| add(Sender::Http2(sender.clone())));
                }
            }
        }
        Ok(Self { callers, _connections: connections })
    }

    /// Asks for so long; answers how many messages came. Nothing is in flight any more when it returns.
    pub(crate) async fn run(&mut self, time: Duration) -> anyhow::Result<u64> {
        let end = Instant::now() + time;
        let counts = try_join_all(self.callers.iter_mut().map(|caller| caller.run_until(end))).await?;
        Ok(counts.iter().sum())
    }
}

#[derive(Debug)]
struct Caller {
    sender: Sender,
    request: Request<Full<Bytes>>,
    answer: Answer,
}

impl Caller {
    async fn run_until(&mut self, end: Instant) -> anyhow::Result<u64> {
        let mut messages = 0;
        while Instant::now() < end {
            let request = self.request.clone();
            let response = self.sender.send(request).await.with_context(|| format!("{} was not answered", self.request.uri()))?;
            let checked = self.answer.check(response).await;
            messages += checked.with_context(|| format!("{} was answered wrongly", self.request.uri()))?;
        }
        Ok(messages)
    }
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

async fn http1_connection(address: SocketAddr, connections: &mut JoinSet<()>) -> anyhow::Result<http1::SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(connect(address).await?)).await?;
    // Whoever sends hears why it ended.
    connections.spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn http2_connection(target: &Target, connections: &mut JoinSet<()>) -> anyhow::Result<http2::SendRequest<Full<Bytes>>> {
    let stream: Box<dyn Stream> = match target {
        Target::Secured(address, ca_hash) => {
            let tls = TlsConnector::from(pinned_client_config(ca_hash)?);
            let stream = tls.connect(address.ip().into(), connect(*address).await?).await;
            Box::new(stream.with_context(|| format!("no TLS with {address}"))?)
        }
        Target::Cleartext(address) => Box::new(connect(*address).await?),
        Target::Http1(_) => bail!("HTTP/1.1 has no streams"),
    };
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    connections.spawn(async move { drop(connection.await) });
    Ok(sender)
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    ensure!(address.ip().is_loopback(), "{address} is not of this machine");
    let stream = TcpStream::connect(address).await.with_context(|| format!("nobody listens on {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
