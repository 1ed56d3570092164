//! What is ours: which URIs name somebody of the overlay, which name this very node, and which a stranger.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use crate::message::{Host, Transport, Uri};

/// The overlay's domain, and the name phones that know only `.local` names use for it.
const NAMES: [&str; 2] = ["scope", "scope.local"];

/// The addresses and names of this node and of the other super-nodes. Made anew when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    here: HashSet<SocketAddr>,
    nodes: HashSet<SocketAddr>,
    names: HashSet<String>,
    own_names: HashSet<String>,
}

impl Domain {
    /// One of this node alone, at its SIP addresses: UDP, TCP and WebSocket.
    pub fn new(here: impl IntoIterator<Item = SocketAddr>) -> Domain {
        let here: HashSet<_> = here.into_iter().map(canonical).collect();
        let names = NAMES.map(str::to_owned).into();
        Domain { nodes: here.clone(), here, names, own_names: HashSet::new() }
    }

    /// Adds another super-node's SIP address.
    pub fn with_node(mut self, node: SocketAddr) -> Domain {
        self.nodes.insert(canonical(node));
        self
    }

    /// Adds a name of another super-node.
    pub fn with_name(mut self, name: &str) -> Domain {
        self.names.insert(name.to_ascii_lowercase());
        self
    }

    /// Adds a name of this node.
    pub fn with_own_name(mut self, name: &str) -> Domain {
        self.own_names.insert(name.to_ascii_lowercase());
        self.with_name(name)
    }

    /// Whether a URI's users are people of the overlay. A node's address counts with its port or none;
    /// with another port it is somebody else's, such as a phone on the same machine.
    pub fn is_ours(&self, uri: &Uri<'_>) -> bool {
        match uri.host() {
            Some(Host::Name(name)) => self.names.contains(&name.to_ascii_lowercase()),
            Some(Host::V4(ip)) => self.has_node(ip.into(), uri.port()),
            Some(Host::V6(ip)) => self.has_node(ip.into(), uri.port()),
            None => false,
        }
    }

    fn has_node(&self, ip: IpAddr, port: Option<u16>) -> bool {
        let ip = ip.to_canonical();
        match port {
            Some(port) => self.nodes.contains(&SocketAddr::new(ip, port)),
            None => self.nodes.iter().any(|node| node.ip() == ip),
        }
    }

    /// Whether a Route's URI is this node: by address, port and transport.
    pub fn is_me(&self, uri: &Uri<'_>) -> bool {
        let served = matches!(
            uri.transport_or_default(),
            Transport::Udp | Transport::Tcp | Transport::Ws | Transport::Wss
        );
        served
            && match uri.host() {
                Some(Host::Name(name)) => {
                    let port = uri.port_or_default();
                    self.own_names.contains(&name.to_ascii_lowercase())
                        && self.here.iter().any(|here| here.port() == port)
                }
                Some(host) => host.ip().is_some_and(|ip| self.is_here(ip, uri.port_or_default())),
                None => false,
            }
    }

    /// Whether an address is this node's.
    pub fn is_here(&self, ip: IpAddr, port: u16) -> bool {
        self.here.contains(&SocketAddr::new(ip.to_canonical(), port))
    }

    /// Whether there are super-nodes other than this.
    pub fn has_other_nodes(&self) -> bool {
        self.nodes.iter().any(|node| !self.here.contains(node))
    }

    /// Whether an address is a super-node's.
    pub fn is_node(&self, address: SocketAddr) -> bool {
        self.nodes.contains(&canonical(address))
    }

    /// The super-nodes there were before and are no more.
    pub fn gone_since(&self, before: &Domain) -> impl Iterator<Item = SocketAddr> {
        before.nodes.iter().copied().filter(|node| !self.nodes.contains(node))
    }

    /// Whether an address is a super-node's other than this.
    pub fn is_other_node(&self, address: SocketAddr) -> bool {
        let address = canonical(address);
        self.nodes.contains(&address) && !self.here.contains(&address)
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Domain {
        Domain::new(["192.0.2.1:5060".parse().unwrap()])
            .with_node("192.0.2.2:5080".parse().unwrap())
            .with_own_name("Laptop.local")
            .with_name("other.local")
    }

    #[test]
    fn people_are_ours_at_any_node_by_any_name() {
        for (uri, ours) in [
            ("sip:a@scope", true),
            ("sip:a@SCOPE.local:5999", true),
            ("sip:a@laptop.local", true),
            ("sip:a@other.local", true),
            ("sip:a@192.0.2.1", true),
            ("sip:a@192.0.2.2", true),
            ("sip:a@192.0.2.2:5080;transport=tcp", true),
            ("sip:a@[::ffff:192.0.2.1]:5060", true),
            ("sip:a@192.0.2.1:5062", false),
            ("sip:a@192.0.2.3", false),
            ("sip:a@scope.example", false),
            ("tel:+1", false),
        ] {
            assert_eq!(domain().is_ours(&Uri::parse(uri).unwrap()), ours, "{uri}");
        }
    }

    #[test]
    fn a_route_is_mine_by_address_port_and_transport() {
        for (uri, mine) in [
            ("sip:192.0.2.1;lr", true),
            ("sip:token@192.0.2.1:5060;transport=tcp;lr", true),
            ("sip:laptop.local;lr", true),
            ("sip:192.0.2.1;transport=ws;lr", false),
            ("sip:192.0.2.1:5060;transport=ws;lr", true),
            ("sip:192.0.2.1:5061;lr", false),
            ("sip:192.0.2.1:5060;transport=sctp;lr", false),
            ("sips:192.0.2.1:5060;lr", false),
            ("sip:192.0.2.2:5080;lr", false),
            ("sip:scope;lr", false),
            ("sip:laptop.local:5062;lr", false),
        ] {
            assert_eq!(domain().is_me(&Uri::parse(uri).unwrap()), mine, "{uri}");
        }
    }

    #[test]
    fn other_nodes_are_told_from_this_one() {
        assert!(domain().is_other_node("192.0.2.2:5080".parse().unwrap()));
        assert!(!domain().is_other_node("192.0.2.1:5060".parse().unwrap()));
        assert!(!domain().is_other_node("192.0.2.2:5060".parse().unwrap()));
        let alone = Domain::new(["192.0.2.1:5060".parse().unwrap()]);
        assert!(domain().has_other_nodes() && !alone.has_other_nodes());
        let gone: Vec<_> = alone.gone_since(&domain()).collect();
        assert_eq!(gone, ["192.0.2.2:5080".parse().unwrap()]);
        assert!(domain().is_node(gone[0]) && !alone.is_node(gone[0]));
    }
}
