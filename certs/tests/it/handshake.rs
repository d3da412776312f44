//! Handshakes between both ends of the link, over an in-memory pipe.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use utopia_certs::tls::{ClientAuth, ServerIdentity, client_config, pinned_client_config, server_config};
use utopia_certs::{Error, Issued, PeerIdentity};

use crate::{DAY, House};

const NAME: &str = "control.test";

impl House {
    fn server(&self, client_auth: ClientAuth) -> Arc<ServerConfig> {
        let identity = Arc::new(ServerIdentity::new(self.server_certificate(Timestamp::now())).unwrap());
        server_config(identity, self.authority.certificate_der(), client_auth).unwrap()
    }

    fn server_certificate(&self, at: Timestamp) -> Issued {
        self.authority.issue_server(&[NAME.to_owned(), "127.0.0.1".to_owned()], at, DAY).unwrap()
    }

    fn anonymous(&self) -> Arc<ClientConfig> {
        client_config(self.authority.certificate_der(), None).unwrap()
    }

    fn client(&self, node: &crate::Node) -> Arc<ClientConfig> {
        client_config(self.authority.certificate_der(), Some(node.identity())).unwrap()
    }
}

/// What the server learns of its peer once both sides have exchanged a byte. With TLS 1.3 a client learns only then that
/// its certificate was refused.
async fn meet(server: Arc<ServerConfig>, client: Arc<ClientConfig>, name: &str) -> std::io::Result<Option<PeerIdentity>> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let accept = async {
        let mut stream = TlsAcceptor::from(server).accept(far).await?;
        stream.write_all(b"!").await?;
        stream.shutdown().await?;
        let connection = stream.get_ref().1;
        assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
        Ok(connection.peer_certificates().map(|chain| PeerIdentity::from_certificate(&chain[0]).unwrap()))
    };
    let connect = async {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = TlsConnector::from(client).connect(name, near).await?;
        stream.read_u8().await
    };
    let (accepted, connected) = tokio::join!(accept, connect);
    let peer: std::io::Result<_> = accepted;
    connected?;
    peer
}

#[tokio::test]
async fn a_node_that_enrolled_is_recognised() {
    let house = House::new();
    let node = house.node(Timestamp::now());
    for client_auth in [ClientAuth::Optional, ClientAuth::Required] {
        let peer = meet(house.server(client_auth), house.client(&node), NAME).await.unwrap();
        assert_eq!(peer, Some(PeerIdentity::Node(node.id)));
    }
    meet(house.server(ClientAuth::Optional), house.client(&node), "127.0.0.1").await.unwrap();
}

#[tokio::test]
async fn a_client_without_certificate_is_let_in_only_where_it_is_optional() {
    let house = House::new();
    assert_eq!(meet(house.server(ClientAuth::Optional), house.anonymous(), NAME).await.unwrap(), None);
    meet(house.server(ClientAuth::Required), house.anonymous(), NAME).await.unwrap_err();
}

#[tokio::test]
async fn certificates_of_another_authority_are_refused_on_both_sides() {
    let (house, foreign) = (House::new(), House::new());
    let stranger = foreign.node(Timestamp::now());
    let config = client_config(house.authority.certificate_der(), Some(stranger.identity())).unwrap();
    meet(house.server(ClientAuth::Optional), config, NAME).await.unwrap_err();
    meet(foreign.server(ClientAuth::Optional), house.anonymous(), NAME).await.unwrap_err();
}

#[tokio::test]
async fn certificates_out_of_their_time_are_refused() {
    let house = House::new();
    let now = Timestamp::now();
    for at in [now - DAY * 2, now + DAY] {
        let node = house.node(at);
        meet(house.server(ClientAuth::Optional), house.client(&node), NAME).await.unwrap_err();
    }
    let ahead = house.node(now + SignedDuration::from_mins(4));
    meet(house.server(ClientAuth::Required), house.client(&ahead), NAME).await.expect("clocks may differ a little");

    let expired = Arc::new(ServerIdentity::new(house.server_certificate(now - DAY * 2)).unwrap());
    let expired = server_config(expired, house.authority.certificate_der(), ClientAuth::Optional).unwrap();
    meet(expired, house.anonymous(), NAME).await.unwrap_err();
}

#[tokio::test]
async fn a_servers_certificate_does_not_serve_a_client() {
    let house = House::new();
    let server = house.server_certificate(Timestamp::now());
    let config = client_config(house.authority.certificate_der(), Some((server.chain, server.key))).unwrap();
    meet(house.server(ClientAuth::Optional), config, NAME).await.unwrap_err();
}

#[tokio::test]
async fn the_pin_decides_which_authority_is_trusted() {
    let (house, foreign) = (House::new(), House::new());
    let pinned = |house: &House| pinned_client_config(&house.authority.hash()).unwrap();
    assert_eq!(meet(house.server(ClientAuth::Optional), pinned(&house), NAME).await.unwrap(), None);
    meet(house.server(ClientAuth::Optional), pinned(&foreign), NAME).await.unwrap_err();
    meet(house.server(ClientAuth::Optional), pinned(&house), "elsewhere.test").await.unwrap_err();
}

#[tokio::test]
async fn sending_the_pinned_certificate_along_does_not_help_an_impostor() {
    let (house, impostor) = (House::new(), House::new());
    let mut issued = impostor.server_certificate(Timestamp::now());
    issued.chain.push(house.authority.certificate_der().clone());
    let identity = Arc::new(ServerIdentity::new(issued).unwrap());
    let server = server_config(identity, impostor.authority.certificate_der(), ClientAuth::Optional).unwrap();
    meet(server, pinned_client_config(&house.authority.hash()).unwrap(), NAME).await.unwrap_err();
}

#[tokio::test]
async fn a_replaced_certificate_serves_the_next_connection() {
    let house = House::new();
    let now = Timestamp::now();
    let identity = Arc::new(ServerIdentity::new(house.server_certificate(now - DAY * 2)).unwrap());
    let server = server_config(identity.clone(), house.authority.certificate_der(), ClientAuth::Optional).unwrap();
    meet(server.clone(), house.anonymous(), NAME).await.unwrap_err();
    identity.replace(house.server_certificate(now)).unwrap();
    meet(server, house.anonymous(), NAME).await.unwrap();
}

#[test]
fn a_pin_must_be_a_hash() {
    let hash = House::new().authority.hash();
    pinned_client_config(&hash.to_uppercase().replace("SHA256", "sha256")).unwrap();
    for text in ["", "sha256:", &hash[7..], &hash[..70], &format!("{hash}0"), &hash.replace("sha256", "sha512")] {
        assert!(matches!(pinned_client_config(text), Err(Error::HashInvalid)), "{text}");
    }
}

#[test]
fn a_certificate_needs_its_own_key() {
    let house = House::new();
    let (one, other) = (house.server_certificate(Timestamp::now()), house.server_certificate(Timestamp::now()));
    let mixed = Issued { key: other.key, ..one };
    assert!(matches!(ServerIdentity::new(mixed), Err(Error::Tls(_))));
}
