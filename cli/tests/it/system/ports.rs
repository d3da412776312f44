//! Ports for servers under test, below the range from which outgoing connections take theirs.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Given out in this process; never again.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port that nobody listens on now. Another process may still take it: whoever starts a server tries again then.
pub(crate) fn free_port() -> u16 {
    loop {
        let random = uuid::Uuid::new_v4().as_u128() % u128::from(COUNT);
        let port = FIRST + u16::try_from(random).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}
