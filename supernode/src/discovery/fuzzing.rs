//! Announcements, as anybody on the network may make them.

use std::net::SocketAddr;

use mdns_sd::ServiceInfo;

use super::announcement::{Instance, SERVICE};

/// Where a super-node says it is that announces this id, port and, with commas between them,
/// addresses.
pub(crate) fn addresses_announced(id: &str, port: u16, addresses: &str) -> Vec<SocketAddr> {
    let txt = [("id", id)];
    ServiceInfo::new(SERVICE, "box", "box.local.", addresses, port, &txt[..])
        .ok()
        .and_then(|service| Instance::read(&service.as_resolved_service()))
        .map(|instance| instance.addresses)
        .unwrap_or_default()
}
