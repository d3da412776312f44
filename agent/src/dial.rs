//! One connection to the control plane: TCP, TLS, HTTP/2.
//!
//! A channel is one connection and never reconnects by itself: whoever dialled decides what a broken connection means. An
//! address that is not `https` is refused; nothing is ever sent in the clear.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// Also the longest that a name lookup, TCP, TLS and HTTP/2 may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);
const DEFAULT_PORT: u16 = 8443;

/// The address of a control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    origin: Uri,
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// The text is no address of a control plane.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the address of a control plane; it looks like https://host:8443")]
pub struct InvalidServer(String);

/// A connection that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The server is not the one that is trusted.
    #[error("the server's certificate is not trusted: {0}")]
    Untrusted(String),
    /// It cannot be reached.
    #[error("cannot connect: {0}")]
    Unreachable(String),
}

impl FromStr for Server {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        let invalid = || InvalidServer(text.to_owned());
        let uri: Uri = text.trim().parse().map_err(|_| invalid())?;
        let plain_path = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if uri.scheme_str().is_some_and(|scheme| scheme != "https") || !plain_path {
            return Err(invalid());
        }
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(invalid)?;
        let bracketed = authority.host();
        let host = bracketed.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| invalid())?;
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() == bracketed => DEFAULT_PORT,
            None => return Err(invalid()),
        };
        let origin = format!("https://{bracketed}:{port}").parse().map_err(|_| invalid())?;
        Ok(Self { origin, host, port, name })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin.to_string().trim_end_matches('/'))
    }
}

/// Connects, and shows who we are if the settings say so.
///
/// A server that refuses our certificate says so only later: with TLS 1.3 the first call fails.
pub async fn connect(server: &Server, tls: Arc<ClientConfig>) -> Result<Channel, DialError> {
    let connect = async {
        let tcp = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let stream = TlsConnector::from(tls).connect(server.name.clone(), tcp).await.map_err(handshake_error)?;
        let mut only = Some(TokioIo::new(stream));
        let connector = tower::service_fn(move |_: Uri| {
            let stream = only.take().ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection has ended"));
            std::future::ready(stream)
        });
        // Only the origin is sent. An https address here would make tonic, where its own TLS is built in, insist on doing TLS itself.
        let endpoint = Endpoint::from_static("http://control-plane")
            .origin(server.origin.clone())
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        endpoint.connect_with_connector(connector).await.map_err(|error| DialError::Unreachable(describe(&error)))
    };
    let timed_out = || DialError::Unreachable(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()));
    tokio::time::timeout(CONNECT_TIMEOUT, connect).await.unwrap_or_else(|_| Err(timed_out()))
}

/// An error with its causes, in one line.
pub fn describe(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    for cause in causes(error).skip(1) {
        let cause = cause.to_string();
        // Wrappers often repeat what they wrap.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// What a failed call says, without the wrapping.
pub fn describe_status(status: &Status) -> String {
    match status.source() {
        Some(cause) => describe(cause),
        None => status.message().to_owned(),
    }
}

/// Whether the server ended the connection because our certificate has expired by its clock.
pub fn says_expired(error: &(dyn StdError + 'static)) -> bool {
    // HTTP/2 keeps no more than the text of what ended its connection.
    let alert = rustls::Error::AlertReceived(AlertDescription::CertificateExpired).to_string();
    causes(error).any(|cause| cause.to_string().ends_with(&alert))
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

fn unreachable(error: io::Error) -> DialError {
    DialError::Unreachable(error.to_string())
}

fn handshake_error(error: io::Error) -> DialError {
    match tls_error(&error) {
        Some(rustls::Error::InvalidCertificate(problem)) => DialError::Untrusted(problem.to_string()),
        Some(_) | None => unreachable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, origin, host, port) in [
            ("https://control.example:9443", "https://control.example:9443/", "control.example", 9443),
            ("https://control.example", "https://control.example:8443/", "control.example", 8443),
            ("https://127.0.0.1:8443/", "https://127.0.0.1:8443/", "127.0.0.1", 8443),
            ("https://[::1]:8443", "https://[::1]:8443/", "::1", 8443),
            ("control.example:8443", "https://control.example:8443/", "control.example", 8443),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!((server.origin.to_string().as_str(), server.host.as_str(), server.port), (origin, host, port), "{text}");
        }
        for text in ["", "http://control.example", "https://", "https://a/b", "https://a:99999", "https://me@a", "ftp://a", "a b"]
        {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
