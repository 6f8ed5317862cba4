//! Ports of 127.0.0.1 for servers that a test starts.
//!
//! What this does not do: hold a port. It is free when it is given, and taken by the server a moment
//! later.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::TcpListener;
use std::ops::Range;

/// Below those that Linux gives to outgoing connections (32768 and up), of which tests beside this
/// one open many: one of theirs can be any port up there by the time a server wants it.
const PORTS: Range<u16> = 20_000..32_000;
/// More than there are servers on a machine.
const TRIES_MAX: usize = 200;

/// A free port of 127.0.0.1, another one each time.
///
/// # Errors
/// When 200 of them are taken.
pub fn free_port() -> io::Result<u16> {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(any_port)
        .take(TRIES_MAX)
        .find(free)
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "200 ports of 127.0.0.1 are taken"))
}

fn any_port() -> u16 {
    // Every state of a map's hasher is another one.
    let drawn = RandomState::new().build_hasher().finish() % u64::from(PORTS.end - PORTS.start);
    PORTS.start + u16::try_from(drawn).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_given() {
        let held: Vec<_> =
            (0..50).map(|_| TcpListener::bind(("127.0.0.1", free_port().unwrap())).unwrap()).collect();
        let ports: Vec<u16> = held.iter().map(|one| one.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| PORTS.contains(port)), "{ports:?}");
        let free = free_port().unwrap();
        assert!(!ports.contains(&free), "{free} is held");
    }
}
