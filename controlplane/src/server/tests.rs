use std::{convert::Infallible, future::Ready};

use http_body_util::Empty;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt as _;
use tokio_rustls::{TlsConnector, client::TlsStream as ClientStream};
use utopia_certs::{
    Authority,
    tls::{self, ServerIdentity},
};

use super::*;

/// Answers nothing that matters; what is tested lies before any call.
#[derive(Clone)]
struct Silent;

impl Service<Request<Body>> for Silent {
    type Response = Response<Empty<bytes::Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Response::default()))
    }
}

/// A connection whose handshake is done and that the server serves: HTTP/2 servers speak first.
async fn connect(address: SocketAddr, authority: &Authority) -> io::Result<ClientStream<TcpStream>> {
    let connector = TlsConnector::from(tls::client_config(authority.certificate_der(), None).unwrap());
    let stream = TcpStream::connect(address).await?;
    let mut stream = connector.connect(ServerName::from(address.ip()), stream).await?;
    stream.read_u8().await?;
    Ok(stream)
}

#[tokio::test]
async fn connections_for_which_there_is_no_room_are_refused_and_the_others_kept() {
    let directory = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    let authority = Authority::open_or_create(directory.path(), now).unwrap();
    let issued = authority.issue_server(&["127.0.0.1".to_owned()], now, SignedDuration::from_hours(1)).unwrap();
    let identity = Arc::new(ServerIdentity::new(issued).unwrap());
    let mut registry = Registry::default();
    let stop = CancellationToken::new();
    let server = Server {
        tls: tls::server_config(identity, authority.certificate_der(), ClientAuth::Optional).unwrap(),
        peers: Peers::All,
        service: Silent,
        room: Room::with_places(1),
        metrics: Metrics::register(&mut registry),
        stop: stop.clone(),
        grace: Duration::ZERO,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = async {
        let mut kept = connect(address, &authority).await.unwrap();
        assert!(connect(address, &authority).await.is_err());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains(r#"utopia_connections_refused_total{reason="NoRoom"} 1"#), "{text}");

        // The first is still served: the server's preface goes on.
        kept.read_u8().await.unwrap();
        drop(kept);
        let mut again = loop {
            // The server sees the end of the first one a moment later.
            if let Ok(stream) = connect(address, &authority).await {
                break stream;
            }
        };

        stop.cancel();
        let mut rest = Vec::new();
        // However it is told, the connection ends with the server.
        let _ = again.read_to_end(&mut rest).await;
    };
    tokio::join!(server.run(listener), client);
}
