//! Where a request comes from, also behind proxies.
//!
//! `X-Forwarded-For` is what anybody may write. It is believed only as far as it was written by proxies that the
//! administrator named.

use std::{net::IpAddr, str::FromStr, sync::Arc};

use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderName, request::Parts};
use ipnet::IpNet;

pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: an extension of the requests that the gateway makes. It is absent when the address is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The networks of proxies whose `X-Forwarded-For` is believed.
///
/// As text they stand separated by commas: `10.0.0.0/8,::1`. An empty text is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// The address of the client of a request.
    pub(crate) fn client(&self, parts: &Parts) -> Option<ClientAddress> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<std::net::SocketAddr>>()?;
        Some(ClientAddress(self.origin(peer.ip().to_canonical(), &parts.headers)))
    }

    /// The right-most address that is no trusted proxy, the connection's own being the last.
    fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut origin = peer;
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut entries = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        while self.is_trusted(origin) {
            // What a trusted proxy wrote and cannot be read leaves the proxy itself.
            let Some(address) = entries.next().and_then(address) else { break };
            origin = address;
        }
        origin
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address with or without a port.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let address = bare.or_else(|_| entry.parse::<std::net::SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// A text that is no list of networks.
#[derive(Debug, thiserror::Error)]
#[error("{0} is neither an IP address nor a network such as 10.0.0.0/8")]
pub struct NetworkError(String);

impl FromStr for TrustedProxies {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = |entry: &str| {
            let network = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| NetworkError(entry.to_owned()))
        };
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(network).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_proxies() {
        let cases = [
            ("", "192.0.2.1", vec!["6.6.6.6"], "192.0.2.1"),
            ("10.0.0.0/8", "192.0.2.1", vec!["6.6.6.6"], "192.0.2.1"),
            ("10.0.0.0/8", "10.0.0.1", vec!["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.0/8,::1", "::1", vec!["6.6.6.6, 192.0.2.7", "10.0.0.2"], "192.0.2.7"),
            ("10.0.0.0/8", "10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.0/8", "10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.1", vec!["6.6.6.6, unknown"], "10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.1", vec!["192.0.2.7:4711"], "192.0.2.7"),
            ("10.0.0.0/8", "10.0.0.1", vec!["[2001:db8::1]:80"], "2001:db8::1"),
            ("10.0.0.0/8", "10.0.0.1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.0/8", "10.0.0.1", vec!["::ffff:192.0.2.7"], "192.0.2.7"),
        ];
        for (trusted, peer, forwarded, expected) in cases {
            let headers = forwarded.iter().map(|value| (FORWARDED_FOR, value.parse().unwrap())).collect::<HeaderMap>();
            let proxies = trusted.parse::<TrustedProxies>().unwrap();
            let expected = expected.parse::<IpAddr>().unwrap();
            assert_eq!(proxies.origin(peer.parse().unwrap(), &headers), expected, "{trusted} {peer} {forwarded:?}");
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        let error = "10.0.0.0/8, proxy".parse::<TrustedProxies>().unwrap_err();
        assert_eq!(error.to_string(), "proxy is neither an IP address nor a network such as 10.0.0.0/8");
    }
}
