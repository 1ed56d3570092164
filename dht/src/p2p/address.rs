//! Socket addresses and libp2p's multiaddresses, and which of them are worth passing on.

use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use crate::wire::ADDRESSES_MAX;

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Quic,
    Tcp,
}

pub(super) fn quic(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Udp(address.port())).with(Protocol::QuicV1)
}

pub(super) fn tcp(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

/// The socket address in a multiaddress, if it is one of those this link can use.
pub(super) fn socket(address: &Multiaddr) -> Option<(SocketAddr, Carrier)> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let (port, carrier) = match (parts.next()?, parts.next()) {
        (Protocol::Udp(port), Some(Protocol::QuicV1)) => (port, Carrier::Quic),
        (Protocol::Tcp(port), None | Some(Protocol::P2p(_))) => (port, Carrier::Tcp),
        _ => return None,
    };
    Some((SocketAddr::new(ip, port), carrier))
}

/// The addresses at which others may reach a peer: those that are proven first, then those it says
/// it listens on. Loopback ones only if it was reached over loopback.
pub(super) fn reachable(
    proven: impl IntoIterator<Item = SocketAddr>,
    said: impl IntoIterator<Item = SocketAddr>,
    over_loopback: bool,
) -> Vec<SocketAddr> {
    let mut addresses = Vec::with_capacity(ADDRESSES_MAX);
    for address in proven.into_iter().chain(said) {
        if addresses.len() == ADDRESSES_MAX {
            break;
        }
        let loopback_fits = over_loopback || !address.ip().is_loopback();
        if is_somewhere(address) && loopback_fits && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// The usable ones of what a third one says, in its order.
pub(super) fn told<'a>(addresses: impl IntoIterator<Item = &'a Multiaddr>) -> Vec<SocketAddr> {
    let addresses = addresses.into_iter().filter_map(socket).map(|(address, _)| address);
    reachable(addresses, [], true)
}

fn is_somewhere(address: SocketAddr) -> bool {
    let link_local = match address.ip() {
        IpAddr::V4(_) => false,
        // Means nothing without the interface.
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let ip = address.ip();
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_survives_being_a_multiaddress() {
        for text in ["192.0.2.1:5850", "[2001:db8::1]:5850"] {
            assert_eq!(socket(&quic(at(text))), Some((at(text), Carrier::Quic)));
            assert_eq!(socket(&tcp(at(text))), Some((at(text), Carrier::Tcp)));
        }
        let foreign: Multiaddr = "/dns4/example.org/tcp/80".parse().unwrap();
        assert_eq!(socket(&foreign), None);
        let websocket: Multiaddr = "/ip4/192.0.2.1/tcp/80/ws".parse().unwrap();
        assert_eq!(socket(&websocket), None);
    }

    #[test]
    fn only_addresses_that_can_be_dialed_are_passed_on_and_few_of_them() {
        let said =
            ["0.0.0.0:1", "127.0.0.1:2", "192.0.2.1:0", "[fe80::1]:3", "192.0.2.1:4"].map(at);
        assert_eq!(reachable([], said, false), [at("192.0.2.1:4")]);
        assert_eq!(reachable([], said, true), [at("127.0.0.1:2"), at("192.0.2.1:4")]);
        let many = (1..9).map(|port| SocketAddr::new(at("192.0.2.1:4").ip(), port));
        let kept = reachable([at("192.0.2.9:9")], many, false);
        assert_eq!(kept.len(), ADDRESSES_MAX);
        assert_eq!(kept[0], at("192.0.2.9:9"));
    }
}
