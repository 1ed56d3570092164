//! What the daemon says when it serves: the `ready` line for programs, and how to join for people.

use std::net::SocketAddr;

use base::NodeId;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::addresses;

/// The line printed to standard output once the daemon serves:
/// `ready id=… http=IP:PORT sip=IP:PORT p2p=IP:PORT`. `http`, `sip` and `p2p` are where it listens; a
/// wildcard is replaced by an address one can dial.
pub fn ready_line(id: &NodeId, http: SocketAddr, sip: SocketAddr, p2p: SocketAddr) -> String {
    let own = addresses::own();
    let dialable = |bound| addresses::dialable(bound, &own);
    let (http, sip, p2p) = (dialable(http), dialable(sip), dialable(p2p));
    format!("ready id={id} http={http} sip={sip} p2p={p2p}")
}

/// The address to open in a browser, with a QR code of it for phones; `http` is where the daemon
/// listens. Meant for a terminal: it sets colours, for scanners want dark on light.
pub fn join_banner(http: SocketAddr) -> String {
    let address = addresses::dialable(http, &addresses::own());
    if address.ip().is_loopback() {
        return format!("Open http://{address} on this machine; others cannot reach it.");
    }
    let url = format!("http://{address}");
    format!("{}To join, open {url} or scan the code.", qr_code(&url))
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
    fn the_ready_line_has_its_four_fields() {
        let id = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";
        for (http, sip, p2p) in [
            ("192.0.2.1:5851", "192.0.2.1:5060", "192.0.2.1:5850"),
            ("[2001:db8::7]:1", "[2001:db8::7]:3", "[2001:db8::7]:2"),
        ] {
            let [h, s, p] = [http, sip, p2p].map(|address| address.parse().unwrap());
            assert_eq!(
                ready_line(&id.parse().unwrap(), h, s, p),
                format!("ready id={id} http={http} sip={sip} p2p={p2p}")
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
