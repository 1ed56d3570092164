//! Which of somebody's addresses to dial, and in what order.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use mdns_sd::ScopedIp;

/// Most addresses of one super-node that are tried: a laptop has a few interfaces with three or
/// four addresses each, and a hostile announcement must not make us dial half the network.
pub(super) const ADDRESSES_MAX: usize = 8;

/// An address that multicast DNS gave, with the port. An IPv6 address that is link-local goes with
/// the interface it was heard on: it means nothing on another one (RFC 4007, section 6).
pub(super) fn heard(address: &ScopedIp, port: u16) -> Option<SocketAddr> {
    Some(match address {
        ScopedIp::V4(v4) => SocketAddrV4::new(*v4.addr(), port).into(),
        ScopedIp::V6(v6) => {
            let scope = if v6.addr().is_unicast_link_local() { v6.scope_id().index } else { 0 };
            SocketAddrV6::new(*v6.addr(), port, 0, scope).into()
        }
        // The library may come to know more kinds.
        _ => return None,
    })
}

/// The addresses to dial, each once, the likeliest to work first: IPv4, for it is what super-nodes
/// listen on unless told otherwise; then global IPv6; then link-local.
pub(super) fn order(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut ordered: Vec<_> = addresses.into_iter().filter(is_dialable).collect();
    ordered.sort_by_key(|address| (rank(address.ip()), *address));
    ordered.dedup();
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

/// Whether one machine can be there.
fn is_dialable(address: &SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

fn rank(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(v4) if !v4.is_link_local() => 0,
        IpAddr::V4(_) => 1,
        IpAddr::V6(v6) if !v6.is_unicast_link_local() => 2,
        IpAddr::V6(_) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(addresses: &[&str]) -> Vec<String> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        order(addresses).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ipv4_comes_before_global_ipv6_and_link_local_last() {
        assert_eq!(
            ordered(&[
                "[fe80::1%2]:5850",
                "[2001:db8::1]:5850",
                "169.254.3.4:5850",
                "192.0.2.2:5850",
                "192.0.2.1:5850",
                "192.0.2.2:5850",
            ]),
            [
                "192.0.2.1:5850",
                "192.0.2.2:5850",
                "169.254.3.4:5850",
                "[2001:db8::1]:5850",
                "[fe80::1%2]:5850",
            ]
        );
    }

    #[test]
    fn nobody_is_dialled_where_nobody_can_be() {
        let nowhere = ["0.0.0.0:1", "[::]:1", "224.0.0.251:1", "[ff02::fb]:1", "192.0.2.1:0"];
        assert_eq!(ordered(&nowhere), [""; 0]);
        assert_eq!(ordered(&["255.255.255.255:5850"]), [""; 0]);
    }

    #[test]
    fn no_more_than_so_many_are_dialled() {
        let many = (1..=99).map(|host| SocketAddr::from(([192, 0, 2, host], 5850)));
        assert_eq!(order(many).len(), ADDRESSES_MAX);
    }

    #[test]
    fn what_was_heard_keeps_its_port() {
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(heard(&ip.into(), 5850), Some("192.0.2.1:5850".parse().unwrap()));
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(heard(&ip.into(), 5850), Some("[2001:db8::1]:5850".parse().unwrap()));
    }
}
