//! This machine's own addresses, and which of them others can dial.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses of the interfaces that are up, in the system's order. None when the system does
/// not say: the daemon serves all the same.
pub fn own() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().filter(|interface| interface.is_oper_up()).map(|up| up.ip()).collect()
}

/// An address others can dial for one that was bound. In place of a wildcard stands the first of
/// `addresses` that suits: an IPv4 address, of one's own choice or else link-local (that is what an
/// ad hoc network has), or, when all of IPv6 was bound, an IPv6 one that is not link-local (those
/// need an interface's name, which means nothing on another machine). Else loopback.
///
/// An IPv6 wildcard also serves IPv4 (RFC 3493, section 5.3), which more devices dial; an IPv4
/// wildcard serves no IPv6.
pub fn dialable(bound: SocketAddr, addresses: &[IpAddr]) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    let usable = || addresses.iter().filter(|address| !address.is_loopback());
    let v4 = |link_local: bool| {
        usable().find(
            move |address| matches!(address, IpAddr::V4(v4) if v4.is_link_local() == link_local),
        )
    };
    let v6 = || {
        usable().find(|address| {
            matches!(address, IpAddr::V6(v6) if bound.is_ipv6() && !v6.is_unicast_link_local())
        })
    };
    let loopback = match bound {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let address = v4(false).or_else(|| v4(true)).or_else(v6).copied().unwrap_or(loopback);
    SocketAddr::new(address, bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_becomes_an_address_others_can_dial() {
        let all = ["127.0.0.1", "::1", "fe80::1", "169.254.3.4", "2001:db8::7", "192.0.2.9"];
        for (bound, addresses, expected) in [
            ("192.0.2.1:80", &all[..], "192.0.2.1:80"),
            ("127.0.0.1:80", &all, "127.0.0.1:80"),
            ("[::1]:80", &all, "[::1]:80"),
            ("0.0.0.0:80", &all, "192.0.2.9:80"),
            ("[::]:80", &all, "192.0.2.9:80"),
            ("0.0.0.0:80", &["10.0.0.1", "192.0.2.9"], "10.0.0.1:80"),
            ("0.0.0.0:80", &all[..4], "169.254.3.4:80"),
            ("[::]:80", &["::1", "fe80::1", "2001:db8::7"], "[2001:db8::7]:80"),
            ("0.0.0.0:80", &["2001:db8::7"], "127.0.0.1:80"),
            ("[::]:80", &["::1", "fe80::1"], "[::1]:80"),
            ("0.0.0.0:80", &[], "127.0.0.1:80"),
        ] {
            let addresses: Vec<IpAddr> =
                addresses.iter().map(|address| address.parse().unwrap()).collect();
            let dialable = dialable(bound.parse().unwrap(), &addresses);
            assert_eq!(dialable.to_string(), expected, "{bound} with {addresses:?}");
        }
    }
}
