//! Where webhooks may lead: to addresses of the public Internet, and into private networks that a setting names. The resolver of
//! the HTTP client is in here, so that what was looked up is what is connected to.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// How long a name is looked up before it is taken as one that has no addresses now.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

/// The special networks of IPv4.
const REFUSED_V4: [Ipv4Net; 14] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // Multicast, reserved, broadcast.
    v4([224, 0, 0, 0], 3),
];

/// All of IPv6 that is given out for the public Internet.
const UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// Of that, what is special: protocols with Teredo, documentation.
const REFUSED_V6: [Ipv6Net; 3] = [v6([0x2001, 0, 0, 0], 23), v6([0x2001, 0xdb8, 0, 0], 32), v6([0x3fff, 0, 0, 0], 20)];

/// Addresses with one of IPv4 in their second to fifth byte pairs, or at their end.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0], 16);
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c, d]: [u16; 4], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length)
}

/// A target that leads where it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is at {address}, which is not on the public Internet; UTOPIA_WEBHOOK_ALLOW_PRIVATE names what is allowed besides"
)]
pub struct Refused {
    host: String,
    address: IpAddr,
}

/// Where webhooks may lead. Clones are the same.
#[derive(Debug, Clone)]
pub struct Allowed(Arc<[IpNet]>);

impl Allowed {
    /// The public Internet and these networks.
    #[must_use]
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// Whether a URL leads where it may. A name without addresses does: it is looked up again at every attempt.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn check(&self, url: &Url) -> Result<(), Refused> {
        self.check_literal(url)?;
        let Some(host) = url.domain() else { return Ok(()) };
        let addresses = tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, 0))).await;
        match addresses {
            Ok(Ok(addresses)) => self.admit(host, addresses.collect()).map(drop),
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    /// Whether a URL that names an address leads where it may: no resolver is asked for such.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check_literal(&self, url: &Url) -> Result<(), Refused> {
        let literal = url.host_str().unwrap_or_default().trim_matches(['[', ']']).parse();
        literal
            .map_or(Ok(()), |address| self.admit(url.host_str().unwrap_or_default(), vec![SocketAddr::new(address, 0)]).map(drop))
    }

    /// All addresses of a host, if each is allowed: one that is not is no mistake that another could make good.
    fn admit(&self, host: &str, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        match addresses.iter().find(|address| !self.admits(address.ip())) {
            Some(refused) => Err(Refused { host: host.to_owned(), address: refused.ip() }),
            None => Ok(addresses),
        }
    }

    fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

impl Resolve for Allowed {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let addresses = tokio::net::lookup_host((host, 0)).await.map_err(|error| unknown(host, &error))?.collect();
            Ok(Box::new(allowed.admit(host, addresses)?.into_iter()) as Addrs)
        })
    }
}

fn unknown(host: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{host} has no address: {error}"))
}

/// Whether an address, which is not one of IPv4 in the clothes of IPv6, is on the public Internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !REFUSED_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            let [.., a, b] = address.segments();
            let [_, c, d, ..] = address.segments();
            let embedded = |high: u16, low: u16| is_public(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into());
            if NAT64.contains(&address) {
                embedded(a, b)
            } else if SIX_TO_FOUR.contains(&address) {
                embedded(c, d)
            } else {
                UNICAST.contains(&address) && !REFUSED_V6.iter().any(|network| network.contains(&address))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allowed: &[&str], address: &str) -> bool {
        let networks: Vec<IpNet> = allowed.iter().map(|network| network.parse().unwrap()).collect();
        Allowed::new(&networks).admits(address.parse().unwrap())
    }

    #[test]
    fn the_public_internet_is_allowed() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(admits(&[], address), "{address}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "2002:a00:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!admits(&[], address), "{address}");
        }
    }

    #[test]
    fn a_setting_allows_networks_besides() {
        let allowed = &["10.1.0.0/16", "fd00:1::/32", "127.0.0.1/32"];
        for (address, expected) in [
            ("10.1.2.3", true),
            ("10.2.0.1", false),
            ("::ffff:10.1.2.3", true),
            ("fd00:1::5", true),
            ("fd00:2::5", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(admits(allowed, address), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn every_spelling_of_an_address_is_seen() {
        let allowed = Allowed::new(&[]);
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://localhost/",
            "http://LOCALHOST:8080/",
        ] {
            let refused = allowed.check(&Url::parse(url).unwrap()).await.unwrap_err().to_string();
            assert!(refused.contains("UTOPIA_WEBHOOK_ALLOW_PRIVATE"), "{url}: {refused}");
        }
        for url in ["https://1.1.1.1/", "https://[2606:4700::1111]/", "https://no-such-name.invalid/"] {
            allowed.check(&Url::parse(url).unwrap()).await.unwrap_or_else(|refused| panic!("{url}: {refused}"));
        }
    }
}
