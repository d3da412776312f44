//! The CA of this control plane, and the names of its server.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use anyhow::Context as _;
use jiff::SignedDuration;
use utopia_certs::{Authority, secret_file};

use crate::{clock::Clock, config::Config};

/// Opens the CA that the settings name, or the one in the data directory, which is made at the first start.
pub(crate) fn open(config: &Config, clock: &Clock) -> utopia_certs::Result<Authority> {
    match (&config.ca_certificate, &config.ca_key) {
        (Some(certificate), Some(key)) => Authority::open(certificate, key),
        _ => Authority::open_or_create(&config.data_dir.join("ca"), clock.now()),
    }
}

/// The names under which the server can be dialled.
pub(crate) fn server_names(config: &Config, grpc_addr: SocketAddr, advertised: &str) -> Vec<String> {
    let advertised = advertised.rsplit_once(':').map_or(advertised, |(host, _)| host).trim_matches(['[', ']']);
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), advertised.to_owned()];
    if !grpc_addr.ip().is_unspecified() {
        names.push(grpc_addr.ip().to_string());
    }
    names.extend(config.server_names.iter().cloned());
    names.sort();
    names.dedup();
    names
}

/// An address to dial on this machine for one that is listened on.
pub(crate) fn dialable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Issues a client certificate for a gateway of its own process, and writes it with its key and the CA's certificate.
///
/// # Errors
/// When the CA cannot be opened, the name breaks its rule, or a file cannot be written.
pub fn issue_gateway_certificate(config: &Config, name: &str, out: &Path, days: u16) -> anyhow::Result<()> {
    let clock = Clock::system();
    let authority = open(config, &clock)?;
    let issued = authority.issue_gateway(name, clock.now(), SignedDuration::from_hours(24 * i64::from(days)))?;
    std::fs::create_dir_all(out).with_context(|| format!("make {}", out.display()))?;
    secret_file::write_private(&out.join(format!("{name}-key.pem")), issued.key_pem().as_bytes())?;
    secret_file::write_public(&out.join(format!("{name}.pem")), issued.chain_pem().as_bytes())?;
    secret_file::write_public(&out.join("ca.pem"), authority.certificate_pem().as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_dialled_over_loopback() {
        assert_eq!(dialable("0.0.0.0:8443".parse().unwrap()).to_string(), "127.0.0.1:8443");
        assert_eq!(dialable("[::]:8443".parse().unwrap()).to_string(), "[::1]:8443");
        assert_eq!(dialable("10.0.0.7:8443".parse().unwrap()).to_string(), "10.0.0.7:8443");
    }
}
