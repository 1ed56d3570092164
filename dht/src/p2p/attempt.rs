//! One attempt to connect: QUIC before TCP, and what the transports said.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use base::NodeId;
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId, TransportError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::address::{self, Carrier};
use super::admission::{self, Refused};
use super::causes::causes;
use crate::link::{JoinError, PassphraseMismatch};

/// Longest text of what one transport said.
const SAID_MAX: usize = 120;

/// How soon an attempt's turn comes: the first kinds first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Somebody waits for it, to join or for a reply.
    Awaited,
    /// To a peer that has been connected before.
    Proven,
    /// To a peer of which others say that there is one. Anybody can say so of thousands.
    Hearsay,
    /// The same of one with a lower id, who dials this node if it has heard of it: two connections cost twice.
    Mutual,
}

impl Urgency {
    pub(super) const ALL: [Urgency; 4] =
        [Urgency::Awaited, Urgency::Proven, Urgency::Hearsay, Urgency::Mutual];

    /// How long an attempt may wait for its turn. Whoever awaits a reply does so for 7 s at most; the
    /// others are asked for again.
    fn patience(self) -> Duration {
        match self {
            Urgency::Awaited => Duration::from_secs(7),
            Urgency::Proven | Urgency::Hearsay | Urgency::Mutual => Duration::from_secs(30),
        }
    }
}

/// Somebody who waits to join.
pub(super) type Joiner = oneshot::Sender<Result<NodeId, JoinError>>;

/// An attempt to connect.
#[derive(Debug)]
pub(super) struct Attempt {
    /// To whom; of a join it is known when the connection is made.
    pub(super) peer: Option<PeerId>,
    /// Who waits to join, and where.
    pub(super) join: Option<(SocketAddr, Joiner)>,
    /// What is dialed first, then second; each only once.
    quic: Vec<Multiaddr>,
    tcp: Vec<Multiaddr>,
    open: Vec<ConnectionId>,
    is_connected: bool,
    /// What the transports said.
    said: Vec<String>,
    /// Another peer was there.
    pub(super) wrong_id: bool,
    /// This node was there.
    pub(super) myself: bool,
    /// Whoever is there is of another overlay.
    pub(super) mismatch: Option<PassphraseMismatch>,
    pub(super) urgency: Urgency,
    pub(super) asked: Instant,
    /// When its turn came.
    began: Option<Instant>,
}

impl Attempt {
    pub(super) fn to_peer(peer: PeerId, addresses: &[SocketAddr], urgency: Urgency) -> Attempt {
        Attempt { peer: Some(peer), urgency, ..Attempt::new(addresses, None) }
    }

    pub(super) fn to_join(address: SocketAddr, joiner: Joiner) -> Attempt {
        Attempt::new(&[address], Some((address, joiner)))
    }

    /// Whether nobody waits to join any more, or it has waited for its turn too long.
    pub(super) fn is_given_up(&self, now: Instant) -> bool {
        match &self.join {
            Some((_, joiner)) => joiner.is_closed(),
            None => now >= self.asked + self.urgency.patience(),
        }
    }

    fn new(addresses: &[SocketAddr], join: Option<(SocketAddr, Joiner)>) -> Attempt {
        Attempt {
            peer: None,
            join,
            quic: addresses.iter().copied().map(address::quic).collect(),
            tcp: addresses.iter().copied().map(address::tcp).collect(),
            open: Vec::new(),
            is_connected: false,
            said: Vec::new(),
            wrong_id: false,
            myself: false,
            mismatch: None,
            urgency: Urgency::Awaited,
            asked: Instant::now(),
            began: None,
        }
    }

    /// Its turn has come.
    pub(super) fn begins(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// When its turn came.
    pub(super) fn began(&self) -> Option<Instant> {
        self.began
    }

    /// What to dial next.
    pub(super) fn next_addresses(&mut self) -> Option<Vec<Multiaddr>> {
        let next = if self.quic.is_empty() { &mut self.tcp } else { &mut self.quic };
        (!next.is_empty()).then(|| std::mem::take(next))
    }

    /// Somebody is there; nothing more is dialed.
    pub(super) fn connected(&mut self, peer: PeerId) {
        self.peer = Some(peer);
        self.is_connected = true;
    }

    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether this is one of its dials.
    pub(super) fn dials(&self, id: ConnectionId) -> bool {
        self.open.contains(&id)
    }

    pub(super) fn opened(&mut self, id: ConnectionId) {
        self.open.push(id);
    }

    /// A dial ended in an error. True if none is under way now.
    pub(super) fn failed(&mut self, id: ConnectionId, error: &DialError) -> bool {
        self.open.retain(|open| *open != id);
        match error {
            DialError::WrongPeerId { .. } => self.wrong_id = true,
            // `libp2p` leaves out the addresses at which this node listens.
            DialError::LocalPeerId { .. } => self.myself = true,
            DialError::NoAddresses if self.join.is_some() => self.myself = true,
            _ => {}
        }
        if let DialError::Transport(errors) = error {
            let refused = errors.iter().find_map(|(_, error)| admission::refused(error));
            if let Some(mismatch) = refused.and_then(Refused::mismatch) {
                self.mismatch = Some(mismatch);
                // By another way it is the same node.
                self.quic.clear();
                self.tcp.clear();
            }
        }
        self.said.extend(said(error));
        self.open.is_empty()
    }

    /// What the transports said, for people.
    pub(super) fn detail(&self) -> String {
        let mut said = self.said.clone();
        said.dedup();
        if said.is_empty() { "no answer in time".to_owned() } else { said.join("; ") }
    }
}

/// What each transport said, in a few words.
fn said(error: &DialError) -> Vec<String> {
    match error {
        DialError::Transport(errors) => errors
            .iter()
            .map(|(address, error)| {
                let carrier = match address::socket(address) {
                    Some((_, Carrier::Tcp)) => "TCP",
                    _ => "QUIC",
                };
                let innermost = match error {
                    TransportError::Other(error) => innermost(error),
                    error @ TransportError::MultiaddrNotSupported(_) => error.to_string(),
                };
                format!("{carrier}: {innermost}")
            })
            .collect(),
        DialError::Denied { cause } => vec![innermost(cause)],
        DialError::WrongPeerId { .. } => vec!["another node is there".to_owned()],
        // These say nothing of the other side.
        DialError::LocalPeerId { .. }
        | DialError::NoAddresses
        | DialError::DialPeerConditionFalse(_)
        | DialError::Aborted => Vec::new(),
    }
}

/// The last of the errors that caused each other: the others only say that something failed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let Some(cause) = causes(error).last() else { return String::new() };
    let text = cause.to_string();
    text.chars().filter(|c| !c.is_control()).take(SAID_MAX).collect()
}
