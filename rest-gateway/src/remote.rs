//! The control plane as a remote upstream: several HTTP/2 connections, over TLS or in clear text.
//!
//! One HTTP/2 connection has one lock, so calls take turns among several. Connections are made when they are first needed
//! and again after they break. The client's address travels as `x-forwarded-for`, which the far side believes only from
//! a caller it knows.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{io::AsyncRead, io::AsyncWrite, net::TcpStream};
use tokio_rustls::TlsConnector;
use tonic::{
    Code,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::Service;

use crate::{ClientAddress, client::FORWARDED_FOR, upstream};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
/// How long a health check may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the upstream is, and how it and we show who we are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://` or `http://`, with host and port.
    pub upstream: Uri,
    /// How many connections; at least one.
    pub connections: usize,
    /// The authority, in PEM, that signed the upstream's certificate. Required with `https`.
    pub ca_certificate: Option<PathBuf>,
    /// Our certificate chain, in PEM.
    pub client_certificate: Option<PathBuf>,
    /// Our key, in PEM.
    pub client_key: Option<PathBuf>,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address of the upstream is no address.
    #[error("the upstream {0} is not of the form https://host:port")]
    Upstream(Uri),
    /// A certificate or key is missing.
    #[error("{0}")]
    Missing(&'static str),
    /// A file cannot be read, or holds something else.
    #[error("cannot read {what} from {}: {reason}", path.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Certificate and key do not fit, or are not usable.
    #[error("the client certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// A gRPC service at the far end of several connections.
#[derive(Debug, Clone)]
pub struct Remote {
    channels: Arc<[Channel]>,
    next: Arc<AtomicUsize>,
}

impl Remote {
    /// Prepares the connections; none is made yet.
    ///
    /// # Errors
    /// When the address is no address, or a certificate or key cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let invalid = || SettingsError::Upstream(settings.upstream.clone());
        let host = settings.upstream.host().ok_or_else(invalid)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, default_port) = match settings.upstream.scheme_str() {
            Some("https") => (Some(TlsConnector::from(Arc::new(client_config(settings)?))), 443),
            Some("http") => (None, 80),
            _ => return Err(invalid()),
        };
        let port = settings.upstream.port_u16().unwrap_or(default_port);
        let name = ServerName::try_from(host.clone()).map_err(|_| invalid())?;
        let dial = Dial { host: host.into(), port, tls, name };
        let channel = || {
            let endpoint = Endpoint::from(settings.upstream.clone())
                .connect_timeout(CONNECT_TIMEOUT)
                .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
                .keep_alive_while_idle(true);
            let dial = dial.clone();
            endpoint.connect_with_connector_lazy(tower::service_fn(move |_| dial.clone().connect()))
        };
        let channels = (0..settings.connections.max(1)).map(|_| channel()).collect();
        Ok(Self { channels, next: Arc::default() })
    }

    /// Whether the upstream answers and does not call itself unhealthy.
    pub async fn is_ready(&self) -> bool {
        let path = http::uri::PathAndQuery::from_static(HEALTH_CHECK);
        let frame = upstream::close_frame(upstream::open_frame());
        let request = upstream::request(&path, &http::HeaderMap::new(), Some(HEALTH_TIMEOUT), frame);
        let check = async {
            let answer = upstream::Upstream::call(self, request).await.map_err(upstream::transport_status)?;
            upstream::check_head(&answer)?;
            upstream::single_message(answer.into_body(), 64).await
        };
        match tokio::time::timeout(HEALTH_TIMEOUT, check).await {
            // Field 1 is the state, and 1 is `SERVING`.
            Ok(Ok(message)) => *message == [8, 1],
            // It answers, though it has no health service.
            Ok(Err(status)) => status.code() == Code::Unimplemented,
            Err(_) => false,
        }
    }
}

impl Service<Request<Body>> for Remote {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Whichever channel has the next turn is waited for in the call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let address = request.extensions().get::<ClientAddress>();
        if let Some(address) = address.and_then(|address| HeaderValue::try_from(address.0.to_string()).ok()) {
            request.headers_mut().insert(FORWARDED_FOR, address);
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.channels.len();
        let channel = self.channels[turn].clone();
        Box::pin(tower::ServiceExt::oneshot(channel, request))
    }
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// How a connection is made.
#[derive(Clone)]
struct Dial {
    host: Arc<str>,
    port: u16,
    tls: Option<TlsConnector>,
    name: ServerName<'static>,
}

impl Dial {
    async fn connect(self) -> io::Result<TokioIo<Box<dyn Connection>>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        let connection: Box<dyn Connection> = match self.tls {
            Some(tls) => Box::new(tls.connect(self.name, stream).await?),
            None => Box::new(stream),
        };
        Ok(TokioIo::new(connection))
    }
}

fn client_config(settings: &Settings) -> Result<ClientConfig, SettingsError> {
    let ca = settings.ca_certificate.as_deref();
    let ca = ca.ok_or(SettingsError::Missing("an https upstream needs a CA certificate (--ca-certificate)"))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca, "CA certificates")? {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?.with_root_certificates(roots);
    let mut config = match (&settings.client_certificate, &settings.client_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            builder.with_client_auth_cert(certificates(certificate, "certificates")?, private_key(key)?)?
        }
        _ => return Err(SettingsError::Missing("a client certificate and its key go together")),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let fail = |reason: String| SettingsError::File { what, path: path.to_owned(), reason };
    let pem = fs::read(path).map_err(|error| fail(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| fail(error.to_string()))?;
    if certificates.is_empty() { Err(fail("there is none in this file".to_owned())) } else { Ok(certificates) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SettingsError> {
    let fail = |reason: String| SettingsError::File { what: "the client key", path: path.to_owned(), reason };
    let pem = fs::read(path).map_err(|error| fail(error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| fail(error.to_string()))
}
