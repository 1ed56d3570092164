//! What the swarm's task knows of a peer for as long as there is a connection to it.
//!
//! ```text
//! connected ──► small stream greeted ──► identified, or 1 s later ──► announced ──► gone
//!     │                │                                                  │
//!     └────────────────┴───────────────► ending ◄─────────────────────────┘
//! ```

use std::net::SocketAddr;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, StreamProtocol};

use super::address::{self, Carrier};
use super::behaviour::{KAD, STORE, STORE_FAMILY};
use super::greeting::Greeted;
use super::peer_link::Kind;
use super::stream::Opened;
use crate::wire::Hello;

/// Most streams of ours that a peer may have opened and not closed: one of each kind, the same again
/// after a dispute, and as many after it restarted.
const STREAMS_MAX: usize = 8;

/// A peer with at least one connection.
pub(super) struct Session {
    /// Which of the sessions with this peer it is.
    pub(super) number: u64,
    /// The oldest first.
    connections: Vec<Connection>,
    /// Where it says it listens, once it has.
    pub(super) listens: Option<Vec<SocketAddr>>,
    /// Its streams that wait for `listens`, or for the small one among them.
    pub(super) held: Vec<(Opened, Greeted)>,
    /// Which start of the peer is announced as connected.
    pub(super) announced: Option<u64>,
    /// Somebody asked for the connection and awaits the outcome.
    pub(super) wanted: bool,
    /// Why nothing more will come of it.
    pub(super) ending: Option<String>,
    /// It ends as soon as its streams have.
    pub(super) flushing: bool,
    /// This side is opening the small stream.
    pub(super) opening: bool,
    /// Streams that are greeted on or served.
    pub(super) streams: usize,
    /// Those of them that the peer opened.
    inbound: usize,
}

struct Connection {
    id: ConnectionId,
    /// Where the peer was reached, if that is where it listens.
    proven: Option<SocketAddr>,
    loopback: bool,
}

impl Session {
    pub(super) fn new(number: u64) -> Session {
        Session {
            number,
            connections: Vec::new(),
            listens: None,
            held: Vec::new(),
            announced: None,
            wanted: false,
            ending: None,
            flushing: false,
            opening: false,
            streams: 0,
            inbound: 0,
        }
    }

    pub(super) fn connected(&mut self, id: ConnectionId, endpoint: &ConnectedPoint) {
        let remote = address::socket(endpoint.get_remote_address());
        let loopback = remote.is_some_and(|(address, _)| address.ip().is_loopback());
        let proven = remote.filter(|(_, carrier)| match endpoint {
            ConnectedPoint::Dialer { .. } => true,
            // A QUIC peer dials from the socket on which it listens.
            ConnectedPoint::Listener { .. } => *carrier == Carrier::Quic,
        });
        let proven = proven.map(|(address, _)| address);
        self.connections.push(Connection { id, proven, loopback });
    }

    /// All connections but the newest: those to an earlier start of the peer.
    pub(super) fn outdated(&self) -> Vec<ConnectionId> {
        let newest = self.connections.len().saturating_sub(1);
        self.connections[..newest].iter().map(|connection| connection.id).collect()
    }

    /// True if it was the last one.
    pub(super) fn disconnected(&mut self, id: ConnectionId) -> bool {
        self.connections.retain(|connection| connection.id != id);
        self.connections.is_empty()
    }

    /// Where the peer may be reached.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let proven = self.connections.iter().filter_map(|connection| connection.proven);
        let listens = self.listens.iter().flatten().copied();
        let loopback = self.connections.iter().any(|connection| connection.loopback);
        address::reachable(proven, listens, loopback)
    }

    /// A stream begins; false if the peer has opened too many.
    pub(super) fn stream_begins(&mut self, inbound: bool) -> bool {
        self.streams += 1;
        self.inbound += usize::from(inbound);
        self.inbound <= STREAMS_MAX
    }

    /// What the newest small stream that waits began with.
    pub(super) fn greeting(&self) -> Option<Hello> {
        let small = |(opened, _): &&(Opened, Greeted)| opened.kind == Kind::Small;
        self.held.iter().rev().find(small).map(|(_, greeted)| greeted.hello)
    }

    /// Closes the streams that wait.
    pub(super) fn drop_held(&mut self) {
        for (opened, _) in std::mem::take(&mut self.held) {
            self.stream_ended(opened.inbound);
        }
    }

    pub(super) fn stream_ended(&mut self, inbound: bool) {
        self.streams = self.streams.saturating_sub(1);
        self.inbound = self.inbound.saturating_sub(usize::from(inbound));
    }
}

/// What a peer's protocols say of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tongue {
    /// It speaks as this node does; and whether others can be learned of from it.
    Ours { kad: bool },
    /// It speaks another version.
    Other(String),
    /// It is no super-node.
    None,
}

impl Tongue {
    pub(super) fn of(protocols: &[StreamProtocol]) -> Tongue {
        if protocols.contains(&STORE) {
            return Tongue::Ours { kad: protocols.contains(&KAD) };
        }
        let others = protocols.iter().map(AsRef::as_ref);
        let others = others.filter(|protocol: &&str| protocol.starts_with(STORE_FAMILY));
        // What a peer says ends up in logs and before people.
        let version = |protocol: &str| protocol[STORE_FAMILY.len()..].parse::<u32>().ok();
        match others.filter_map(version).max() {
            Some(version) => Tongue::Other(format!("{STORE_FAMILY}{version}")),
            None => Tongue::None,
        }
    }
}

/// Of two peers, the one with the smaller id opens the small stream.
pub(super) fn opens(own: &PeerId, peer: &PeerId) -> bool {
    own < peer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_known_by_its_protocols() {
        let protocols = |names: &[&'static str]| {
            names.iter().map(|name| StreamProtocol::new(name)).collect::<Vec<_>>()
        };
        let of = |names: &[&'static str]| Tongue::of(&protocols(names));
        assert_eq!(of(&["/scope/store/1", "/scope/kad/1"]), Tongue::Ours { kad: true });
        assert_eq!(of(&["/scope/store/2", "/scope/store/1"]), Tongue::Ours { kad: false });
        let newest = Tongue::Other("/scope/store/10".to_owned());
        assert_eq!(of(&["/scope/store/9", "/scope/store/10"]), newest);
        assert_eq!(of(&["/ipfs/id/1.0.0", "/scope/store/x\u{1b}"]), Tongue::None);
    }

    #[test]
    fn a_peer_may_open_a_few_streams_at_once() {
        let mut session = Session::new(0);
        assert!((0..STREAMS_MAX).all(|_| session.stream_begins(true)));
        assert!(session.stream_begins(false), "what this node opens does not count");
        session.stream_ended(true);
        assert!(session.stream_begins(true));
        assert!(!session.stream_begins(true));
    }
}
