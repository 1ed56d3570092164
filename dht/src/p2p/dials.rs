//! Attempts to connect: at most so many at once, QUIC before TCP, and what the transports said.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::net::SocketAddr;

use base::NodeId;
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId, TransportError};
use tokio::sync::oneshot;

use super::address::{self, Carrier};
use crate::link::JoinError;

/// Attempts under way at once: each dials at most twice, and `libp2p` allows 64 dials.
const ACTIVE_MAX: usize = 32;
/// Attempts that wait for those: every peer of a large event.
const QUEUED_MAX: usize = 1024;
/// Longest text of what one transport said.
const SAID_MAX: usize = 120;

/// Somebody who waits to join.
pub(super) type Joiner = oneshot::Sender<Result<NodeId, JoinError>>;

/// An attempt to connect.
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
}

impl Attempt {
    pub(super) fn to_peer(peer: PeerId, addresses: &[SocketAddr]) -> Attempt {
        Attempt { peer: Some(peer), ..Attempt::new(addresses, None) }
    }

    pub(super) fn to_join(address: SocketAddr, joiner: Joiner) -> Attempt {
        Attempt::new(&[address], Some((address, joiner)))
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
        }
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

/// All attempts, by number.
#[derive(Default)]
pub(super) struct Dials {
    active: HashMap<u64, Attempt>,
    queued: VecDeque<Attempt>,
    next: u64,
}

impl Dials {
    /// Adds an attempt; one that exceeds the limit comes back.
    pub(super) fn add(&mut self, attempt: Attempt) -> Result<(), Box<Attempt>> {
        if self.queued.len() >= QUEUED_MAX {
            return Err(Box::new(attempt));
        }
        self.queued.push_back(attempt);
        Ok(())
    }

    /// The number of an attempt that may start now.
    pub(super) fn start(&mut self) -> Option<u64> {
        if self.active.len() >= ACTIVE_MAX {
            return None;
        }
        let attempt = self.queued.pop_front()?;
        self.next += 1;
        self.active.insert(self.next, attempt);
        Some(self.next)
    }

    pub(super) fn get(&mut self, number: u64) -> Option<&mut Attempt> {
        self.active.get_mut(&number)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Attempt> {
        self.active.remove(&number)
    }

    /// Whose dial this is.
    pub(super) fn by_connection(&self, id: ConnectionId) -> Option<u64> {
        self.find(|attempt| attempt.open.contains(&id))
    }

    /// The attempt to reach a peer, waiting ones included.
    pub(super) fn has_peer(&self, peer: &PeerId) -> bool {
        let to_peer = |attempt: &Attempt| attempt.peer == Some(*peer) && attempt.join.is_none();
        self.find(to_peer).is_some() || self.queued.iter().any(to_peer)
    }

    /// Takes out all attempts that this peer's connection, or its end, settles.
    pub(super) fn settle(&mut self, peer: &PeerId, joins: bool) -> Vec<Attempt> {
        let settled =
            |attempt: &Attempt| attempt.peer == Some(*peer) && attempt.join.is_some() == joins;
        let mut taken: Vec<_> =
            self.active.extract_if(|_, attempt| settled(attempt)).map(|(_, it)| it).collect();
        for at in (0..self.queued.len()).rev() {
            if settled(&self.queued[at]) {
                taken.extend(self.queued.remove(at));
            }
        }
        taken
    }

    /// Takes out all.
    pub(super) fn clear(&mut self) {
        self.active.clear();
        self.queued.clear();
    }

    fn find(&self, matches: impl Fn(&Attempt) -> bool) -> Option<u64> {
        self.active.iter().find(|(_, attempt)| matches(attempt)).map(|(number, _)| *number)
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
    let mut cause = error;
    loop {
        // An `io::Error` made of another error hides it from `source`.
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.map(|inner| inner as &(dyn Error + 'static));
        match inner.or_else(|| cause.source()) {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    let text = cause.to_string();
    text.chars().filter(|c| !c.is_control()).take(SAID_MAX).collect()
}
