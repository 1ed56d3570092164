//! Announcements, as anybody on the network may make them.

use std::net::{Ipv4Addr, SocketAddr};

use mdns_sd::ServiceInfo;

use super::announcement::{Announcement, Face, SERVICE};

/// Where a super-node says it is that announces this id, port and, with commas between them,
/// addresses.
pub(crate) fn addresses_announced(id: &str, port: u16, addresses: &str) -> Vec<SocketAddr> {
    let txt = [("id", id)];
    ServiceInfo::new(SERVICE, "box", "box.local.", addresses, port, &txt[..])
        .ok()
        .and_then(|service| listener().read(&service.as_resolved_service()))
        .map(|instance| instance.addresses)
        .unwrap_or_default()
}

/// A node of an open overlay that listens.
fn listener() -> Announcement {
    let id = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";
    let id = id.parse().expect("an id");
    let face = Face::Open { name: "listener".to_owned(), id };
    Announcement {
        face,
        p2p: (Ipv4Addr::LOCALHOST, 5850).into(),
        sip: (Ipv4Addr::LOCALHOST, 5060).into(),
    }
}
