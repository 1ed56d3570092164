//! How many connections there may be: altogether, to one peer, from one address, and on their way.
//!
//! A stranger has as many peer ids as it likes, and few addresses. Connections from this machine
//! itself are not counted by address: whole overlays run there for tests and for play.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::address;

/// Connections altogether: the routing table asks for far fewer.
const ESTABLISHED_MAX: usize = 400;
/// To one peer: one, another of two that dialed each other, and those of its life before a restart.
const PER_PEER_MAX: usize = 8;
/// Connections that others began from one address: several super-nodes behind one that translates
/// addresses, and a quarter of all, so that no one address has all of them.
const FROM_ADDRESS_MAX: usize = 100;
/// Handshakes under way that others began: an event's worth of nodes that start together.
const PENDING_IN_MAX: usize = 128;
/// Those of them from one address: one that begins them and goes no further leaves room for others.
const PENDING_FROM_ADDRESS_MAX: usize = 16;
/// Handshakes that this node began: see [`super::dials`], which asks for half of them.
const PENDING_OUT_MAX: usize = 64;

/// Why there is one connection less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMany {
    #[error("too many connections")]
    Established,
    #[error("too many connections to this peer")]
    ToPeer,
    #[error("too many connections from this address")]
    FromAddress,
    #[error("too many handshakes")]
    Pending,
    #[error("too many handshakes from this address")]
    PendingFromAddress,
}

/// A connection, or one on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    PendingIn(Option<IpAddr>),
    PendingOut,
    Inbound(PeerId, Option<IpAddr>),
    Outbound(PeerId),
}

/// The behaviour.
#[derive(Default)]
pub(super) struct Limits {
    held: HashMap<ConnectionId, Held>,
}

impl Limits {
    /// Holds a connection, or says why not.
    fn hold(&mut self, id: ConnectionId, new: Held) -> Result<(), TooMany> {
        let before = self.held.remove(&id);
        let allowed = self.check(new);
        // One that is denied now was pending until now, and `libp2p` tells its end.
        let held = if allowed.is_ok() { Some(new) } else { before };
        if let Some(held) = held {
            self.held.insert(id, held);
        }
        allowed
    }

    fn check(&self, new: Held) -> Result<(), TooMany> {
        let count =
            |counts: &dyn Fn(&Held) -> bool| self.held.values().filter(|it| counts(it)).count();
        let below = |count: usize, max: usize, error| if count < max { Ok(()) } else { Err(error) };
        match new {
            Held::PendingIn(ip) => {
                let pending = count(&|it| matches!(it, Held::PendingIn(_)));
                below(pending, PENDING_IN_MAX, TooMany::Pending)?;
                if ip.is_some() {
                    let here = count(&|it| *it == new);
                    below(here, PENDING_FROM_ADDRESS_MAX, TooMany::PendingFromAddress)?;
                }
            }
            Held::PendingOut => {
                let pending = count(&|it| *it == Held::PendingOut);
                below(pending, PENDING_OUT_MAX, TooMany::Pending)?;
            }
            Held::Inbound(peer, ip) => {
                self.check_established(peer)?;
                if ip.is_some() {
                    let here = count(&|it| matches!(it, Held::Inbound(_, other) if *other == ip));
                    below(here, FROM_ADDRESS_MAX, TooMany::FromAddress)?;
                }
            }
            Held::Outbound(peer) => self.check_established(peer)?,
        }
        Ok(())
    }

    fn check_established(&self, peer: PeerId) -> Result<(), TooMany> {
        let (mut all, mut to_peer) = (0, 0);
        for held in self.held.values() {
            if let Held::Inbound(other, _) | Held::Outbound(other) = held {
                all += 1;
                to_peer += usize::from(*other == peer);
            }
        }
        match () {
            () if to_peer >= PER_PEER_MAX => Err(TooMany::ToPeer),
            () if all >= ESTABLISHED_MAX => Err(TooMany::Established),
            () => Ok(()),
        }
    }

    fn release(&mut self, id: ConnectionId) {
        self.held.remove(&id);
    }
}

/// The address a connection counts for, if it counts.
fn counted(local: &Multiaddr, remote: &Multiaddr) -> Option<IpAddr> {
    let ip = |address| address::socket(address).map(|(address, _)| address.ip().to_canonical());
    let remote = ip(remote)?;
    let is_here = remote.is_loopback() || ip(local) == Some(remote);
    (!is_here).then_some(remote)
}

impl NetworkBehaviour for Limits {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.hold(id, Held::PendingIn(counted(local, remote))).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let held = Held::Inbound(peer, counted(local, remote));
        self.hold(id, held).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.hold(id, Held::PendingOut).map_err(ConnectionDenied::new)?;
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.hold(id, Held::Outbound(peer)).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => self.release(closed.connection_id),
            FromSwarm::DialFailure(failure) => self.release(failure.connection_id),
            FromSwarm::ListenFailure(failure) => self.release(failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Multiaddr {
        address::tcp(text.parse().unwrap())
    }

    struct Door(Limits, usize);

    impl Door {
        fn new() -> Door {
            Door(Limits::default(), 0)
        }

        fn knock(&mut self, from: &str) -> Result<ConnectionId, TooMany> {
            self.1 += 1;
            let id = ConnectionId::new_unchecked(self.1);
            let counted = counted(&at("192.0.2.100:1"), &at(from));
            self.0.hold(id, Held::PendingIn(counted)).map(|()| id)
        }

        fn enter(&mut self, from: &str, peer: PeerId) -> Result<ConnectionId, TooMany> {
            let id = self.knock(from)?;
            let counted = counted(&at("192.0.2.100:1"), &at(from));
            let entered = self.0.hold(id, Held::Inbound(peer, counted));
            if entered.is_err() {
                self.0.release(id);
            }
            entered.map(|()| id)
        }
    }

    #[test]
    fn one_address_cannot_take_all_handshakes() {
        let mut door = Door::new();
        let taken: Vec<_> = (0..100).filter_map(|_| door.knock("192.0.2.1:1").ok()).collect();
        assert_eq!(taken.len(), PENDING_FROM_ADDRESS_MAX);
        assert_eq!(door.knock("192.0.2.1:2"), Err(TooMany::PendingFromAddress));
        assert!(door.knock("192.0.2.2:1").is_ok());
        door.0.release(taken[0]);
        assert!(door.knock("192.0.2.1:2").is_ok());
        // All together cannot take more than all.
        for host in 3..99 {
            let _ = door.knock(&format!("192.0.2.{host}:1"));
            let _ = door.knock(&format!("192.0.2.{host}:2"));
        }
        assert_eq!(door.knock("198.51.100.1:1"), Err(TooMany::Pending));
        assert_eq!(door.0.held.len(), PENDING_IN_MAX);
    }

    #[test]
    fn one_address_cannot_take_all_connections_however_many_ids_it_has() {
        let mut door = Door::new();
        let entered = (0..500).filter(|_| door.enter("192.0.2.1:1", PeerId::random()).is_ok());
        assert_eq!(entered.count(), FROM_ADDRESS_MAX);
        assert_eq!(door.enter("192.0.2.1:1", PeerId::random()), Err(TooMany::FromAddress));
        let other = door.enter("192.0.2.2:1", PeerId::random()).unwrap();
        door.0.release(other);
        let entered = (0..1000)
            .filter(|n| door.enter(&format!("198.51.100.{}:1", n % 200), PeerId::random()).is_ok());
        assert_eq!(entered.count(), ESTABLISHED_MAX - FROM_ADDRESS_MAX);
        assert_eq!(door.enter("192.0.2.3:1", PeerId::random()), Err(TooMany::Established));
    }

    #[test]
    fn one_peer_has_few_connections_whoever_began_them() {
        let mut door = Door::new();
        let peer = PeerId::random();
        for n in 0..PER_PEER_MAX / 2 {
            door.enter(&format!("192.0.2.{n}:1"), peer).unwrap();
            let id = ConnectionId::new_unchecked(1000 + n);
            door.0.hold(id, Held::PendingOut).unwrap();
            door.0.hold(id, Held::Outbound(peer)).unwrap();
        }
        assert_eq!(door.enter("192.0.2.9:1", peer), Err(TooMany::ToPeer));
        assert!(door.enter("192.0.2.9:1", PeerId::random()).is_ok());
    }

    #[test]
    fn this_machine_itself_is_not_counted_by_address() {
        let mut door = Door::new();
        for n in 0..200 {
            let from = ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "192.0.2.100:7"][n % 4];
            door.enter(from, PeerId::random()).unwrap();
        }
        let mapped = counted(&at("[::]:1"), &at("[::ffff:192.0.2.1]:1"));
        assert_eq!(mapped, counted(&at("0.0.0.0:1"), &at("192.0.2.1:1")));
        assert!(mapped.is_some());
    }

    #[test]
    fn nothing_is_left_of_what_has_ended() {
        let mut door = Door::new();
        for _ in 0..1000 {
            let id = door.enter("192.0.2.1:1", PeerId::random()).unwrap();
            door.0.release(id);
        }
        assert!(door.0.held.is_empty());
    }
}
