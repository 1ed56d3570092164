//! What the daemon says when it serves: the `ready` line for programs, and how to join for people.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base::NodeId;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The line printed to standard output once the daemon serves: `ready id=… http=IP:PORT sip=- p2p=-`.
/// `http` is where it listens; a wildcard is replaced by an address one can dial.
pub fn ready_line(id: &NodeId, http: SocketAddr) -> String {
    format!("ready id={id} http={} sip=- p2p=-", dialable(http, &addresses()))
}

/// The address to open in a browser, with a QR code of it for phones; `http` is where the daemon
/// listens. Meant for a terminal: it sets colours, for scanners want dark on light.
pub fn join_banner(http: SocketAddr) -> String {
    let address = dialable(http, &addresses());
    if address.ip().is_loopback() {
        return format!("Open http://{address} on this machine; others cannot reach it.");
    }
    let url = format!("http://{address}");
    format!("{}To join, open {url} or scan the code.", qr_code(&url))
}

/// An address others can dial for one that was bound. In place of a wildcard stands the first of
/// `addresses` that suits: an IPv4 address, of one's own choice or else link-local (that is what an
/// ad hoc network has), or, when all of IPv6 was bound, an IPv6 one that is not link-local (those
/// need an interface's name, which means nothing on another machine). Else loopback.
///
/// An IPv6 wildcard also serves IPv4 (RFC 3493, section 5.3), which more devices dial; an IPv4
/// wildcard serves no IPv6.
fn dialable(bound: SocketAddr, addresses: &[IpAddr]) -> SocketAddr {
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

/// The addresses of the interfaces that are up, in the system's order. None when the system does
/// not say: the daemon serves all the same.
fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().filter(|interface| interface.is_oper_up()).map(|up| up.ip()).collect()
}

/// Black on white whatever the terminal's colours. Empty for a text too long, which no address is.
fn qr_code(text: &str) -> String {
    const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
    const RESET: &str = "\x1b[0m";
    let Ok(code) = QrCode::new(text) else { return String::new() };
    let image = code.render::<Dense1x2>().build();
    image.lines().map(|line| format!("{BLACK_ON_WHITE}{line}{RESET}\n")).collect()
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

    #[test]
    fn the_ready_line_has_its_four_fields() {
        let id = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";
        for http in ["192.0.2.1:5851", "[2001:db8::7]:1"] {
            assert_eq!(
                ready_line(&id.parse().unwrap(), http.parse().unwrap()),
                format!("ready id={id} http={http} sip=- p2p=-")
            );
        }
    }

    #[test]
    fn the_banner_has_the_url_and_a_code_of_it() {
        let banner = join_banner("192.0.2.1:5851".parse().unwrap());
        assert!(banner.ends_with("To join, open http://192.0.2.1:5851 or scan the code."));
        assert!(banner.contains('\u{2580}'), "{banner}");
    }

    #[test]
    fn phones_are_not_sent_to_this_machines_loopback() {
        assert_eq!(
            join_banner("127.0.0.1:5851".parse().unwrap()),
            "Open http://127.0.0.1:5851 on this machine; others cannot reach it."
        );
    }

    #[test]
    fn the_code_is_square_with_two_modules_to_a_character() {
        let code = qr_code("http://192.0.2.1:5851");
        // Version 2 has 25 modules a side, and a quiet zone of 4 on each.
        assert_eq!(code.lines().count(), (25_usize + 8).div_ceil(2), "{code}");
        assert!(code.lines().all(|line| line.starts_with('\x1b') && line.ends_with("\x1b[0m")));
    }
}
