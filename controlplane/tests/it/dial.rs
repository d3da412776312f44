//! gRPC connections to the control plane, over TLS with or without a client certificate.

use std::{io, net::SocketAddr, sync::Arc};

use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{
    Request,
    metadata::MetadataValue,
    transport::{Channel, Endpoint, Uri},
};

/// One connection, which never reconnects. A certificate that the server refuses shows here or at the first call.
pub(crate) async fn dial(address: SocketAddr, tls: Arc<ClientConfig>) -> anyhow::Result<Channel> {
    dial_with(address, tls, |endpoint| endpoint).await
}

/// The same, with settings of HTTP/2.
pub(crate) async fn dial_with(
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    settings: impl FnOnce(Endpoint) -> Endpoint,
) -> anyhow::Result<Channel> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let stream = TlsConnector::from(tls).connect(ServerName::from(address.ip()), tcp).await?;
    let mut only = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = only.take().ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection has ended"));
        std::future::ready(stream)
    });
    // The connector has done the TLS; with `https` the library would want to.
    let origin = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(settings(origin).connect_with_connector(connector).await?)
}

/// A request with a bearer token.
pub(crate) fn as_bearer<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse::<MetadataValue<_>>().unwrap());
    request
}
