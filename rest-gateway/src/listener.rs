//! Listening sockets with a backlog for storms of connections.
//!
//! A backlog of 128, the default elsewhere, makes thousands of simultaneous connects wait for seconds.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

const BACKLOG: i32 = 4096;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", plain(.cause))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why not; no source of this error, because the sentence says it already.
    pub cause: io::Error,
}

/// Listens on an address; port 0 takes a free one.
///
/// # Errors
/// When the address is taken, is not of this machine, or may not be used.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    listen(address).map_err(|cause| BindError { address, cause })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn plain(error: &io::Error) -> String {
    let known = [
        (io::ErrorKind::AddrInUse, "address already in use"),
        (io::ErrorKind::AddrNotAvailable, "the address is not one of this machine"),
        (io::ErrorKind::PermissionDenied, "permission denied"),
    ];
    let plain = known.iter().find(|(kind, _)| *kind == error.kind());
    plain.map_or_else(|| error.to_string(), |(_, text)| (*text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_address_is_named_in_one_line() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {address}: address already in use"));
    }
}
