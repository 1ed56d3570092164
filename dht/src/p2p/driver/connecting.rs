//! Connections: asked for, made, failed, gone.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use base::NodeId;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{PeerId, TransportError, identify};
use tokio::time::Instant;

use super::{Due, Worker};
use crate::link::{JoinError, LinkEvent, Strange};
use crate::p2p::attempt::{Attempt, Joiner, Urgency};
use crate::p2p::session::{Session, Tongue};
use crate::p2p::{address, admission};

/// More addresses than a laptop has.
const LISTENS_MAX: usize = 32;

impl Worker {
    pub(super) fn dial(&mut self, peer: PeerId, addresses: &[SocketAddr], urgency: Urgency) {
        if let Some(session) = self.sessions.get_mut(&peer) {
            if session.ending.is_some() {
                self.unreachable(peer);
            } else if session.announced.is_none() {
                session.wanted = true;
            }
            return;
        }
        if self.dials.has_peer(&peer, urgency) {
            return self.start_dials();
        }
        let attempt = Attempt::to_peer(peer, addresses, urgency);
        if peer == self.own || self.dials.add(attempt).is_err() {
            self.unreachable(peer);
        }
        self.start_dials();
    }

    pub(super) fn join(&mut self, at: SocketAddr, joiner: Joiner) {
        if let Err(attempt) = self.dials.add(Attempt::to_join(at, joiner)) {
            refuse_join(*attempt, "too much to dial at once");
        }
        self.start_dials();
    }

    fn start_dials(&mut self) {
        while let Some(attempt) = self.dials.start() {
            self.stage(attempt);
        }
    }

    /// Forgets the attempts that wait and for which nobody waits any more.
    pub(super) fn give_up_dials(&mut self) {
        for attempt in self.dials.given_up(Instant::now()) {
            // Whoever wanted to join does not listen any more.
            if let Attempt { join: None, peer: Some(peer), .. } = attempt {
                self.unreachable(peer);
            }
        }
    }

    /// Dials an attempt's next addresses, if there are any.
    pub(super) fn stage(&mut self, number: u64) {
        let quic_first = self.dials.quic_first();
        loop {
            let Some(attempt) = self.dials.get(number) else { return };
            if attempt.is_connected() {
                return;
            }
            let awaited = attempt.join.as_ref().is_none_or(|(_, joiner)| !joiner.is_closed());
            let Some(addresses) = attempt.next_addresses().filter(|_| awaited) else {
                if !attempt.is_open() {
                    self.failed(number);
                }
                return;
            };
            let opts = match (attempt.peer, addresses.as_slice()) {
                (Some(peer), _) => DialOpts::peer_id(peer)
                    .condition(PeerCondition::Disconnected)
                    .addresses(addresses)
                    .extend_addresses_through_behaviour()
                    .build(),
                (None, [address, ..]) => {
                    DialOpts::unknown_peer_id().address(address.clone()).build()
                }
                (None, []) => return,
            };
            let id = opts.connection_id();
            match self.swarm.dial(opts) {
                Ok(()) => {
                    attempt.opened(id);
                    self.timers.set(Instant::now() + quic_first, Due::Stage(number));
                    return;
                }
                Err(error) => _ = attempt.failed(id, &error),
            }
        }
    }

    pub(super) fn on_dial_error(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        error: &DialError,
    ) {
        tracing::debug!(?peer, %error, "a dial failed");
        // Else it would be offered to others for a long time.
        if let Some(peer) = peer.filter(|peer| !self.sessions.contains_key(peer)) {
            self.swarm.behaviour_mut().kad.remove_peer(&peer);
        }
        if let Some(number) = self.dials.by_connection(id)
            && let Some(attempt) = self.dials.get(number)
            && attempt.failed(id, error)
        {
            self.stage(number);
        }
    }

    /// A connection that somebody else began did not prove that it has the passphrase.
    pub(super) fn on_refused(&mut self, error: &TransportError<io::Error>) {
        let Some(refused) = admission::refused(error) else { return };
        if let Some(mismatch) = refused.mismatch() {
            let strange = Strange::NotAdmitted(mismatch);
            self.outbox.push(LinkEvent::Strange(NodeId::from(refused.peer), strange));
        }
    }

    /// All of an attempt's dials failed.
    fn failed(&mut self, number: u64) {
        let Some(attempt) = self.dials.remove(number) else { return };
        match attempt {
            Attempt { join: Some((address, joiner)), myself: true, .. } => {
                let _ = joiner.send(Err(JoinError::Myself { address }));
            }
            Attempt { join: Some((address, joiner)), mismatch: Some(mismatch), .. } => {
                let _ = joiner.send(Err(JoinError::NotAdmitted { address, mismatch }));
            }
            Attempt { join: Some(_), .. } => {
                let detail = attempt.detail();
                refuse_join(attempt, &detail);
            }
            Attempt { peer: Some(peer), wrong_id, mismatch, .. } => {
                let strange = mismatch.map(Strange::NotAdmitted);
                if let Some(strange) = strange.or(wrong_id.then_some(Strange::WrongId)) {
                    self.outbox.push(LinkEvent::Strange(NodeId::from(peer), strange));
                }
                match self.sessions.get_mut(&peer) {
                    // It has connected to this node meanwhile.
                    Some(session) => session.wanted |= session.announced.is_none(),
                    None => self.unreachable(peer),
                }
            }
            Attempt { .. } => {}
        }
        self.start_dials();
    }

    /// There is no connection to a peer, and will be none for now.
    pub(super) fn unreachable(&mut self, peer: PeerId) {
        if let Some(link) = self.links.remove(&peer) {
            link.close();
        }
        self.outbox.push(LinkEvent::DialFailed(NodeId::from(peer)));
    }

    pub(super) fn on_connected(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        if let Some(number) = self.dials.by_connection(id) {
            self.dials.made(number, Instant::now());
            if let Some(attempt) = self.dials.get(number) {
                attempt.connected(peer);
            }
        }
        let first = !self.sessions.contains_key(&peer);
        self.session_count += u64::from(first);
        let number = self.session_count;
        let session = self.sessions.entry(peer).or_insert_with(|| Session::new(number));
        session.connected(id, endpoint);
        if session.announced.is_none() {
            session.wanted |= !self.dials.settle(&peer, false).is_empty();
        } else {
            self.dials.settle(&peer, false);
            self.joined(peer);
        }
        if let Some(why) = self.sessions.get(&peer).and_then(|session| session.ending.clone()) {
            self.not_joined(&peer, &why);
        }
        if first {
            let until = Instant::now() + self.service.patience.greeting;
            self.timers.set(until, Due::Stranger(peer, number));
            self.plan_small(peer, Duration::ZERO);
        }
        self.start_dials();
    }

    pub(super) fn on_disconnected(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        if !session.disconnected(id) {
            return;
        }
        let Some(session) = self.sessions.remove(&peer) else { return };
        // Others are only told of peers to which there is a connection.
        self.swarm.behaviour_mut().kad.remove_peer(&peer);
        if let Some(link) = self.links.remove(&peer) {
            link.close();
        }
        if session.announced.is_some() {
            self.outbox.push(LinkEvent::Disconnected(NodeId::from(peer)));
        }
        if session.wanted {
            self.outbox.push(LinkEvent::DialFailed(NodeId::from(peer)));
        }
        let why = session.ending.unwrap_or_else(|| "it closed the connection".to_owned());
        self.not_joined(&peer, &why);
    }

    pub(super) fn on_identified(&mut self, peer: PeerId, info: &identify::Info) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        if session.ending.is_some() {
            return;
        }
        match Tongue::of(&info.protocols) {
            Tongue::Ours { kad } => {
                let listens = info.listen_addrs.iter().take(LISTENS_MAX);
                let listens = listens.filter_map(address::socket).map(|(address, _)| address);
                session.listens = Some(listens.collect());
                if kad {
                    let kad = &mut self.swarm.behaviour_mut().kad;
                    for address in session.addresses() {
                        kad.add_address(&peer, address::quic(address));
                    }
                }
                self.admit(peer);
            }
            Tongue::Other(theirs) => self.incompatible(peer, theirs),
            Tongue::None => self.end(peer, "whoever is there is no super-node"),
        }
    }

    /// Answers those who joined a peer.
    pub(super) fn joined(&mut self, peer: PeerId) {
        let joins = self.dials.settle(&peer, true);
        if joins.is_empty() {
            return;
        }
        for (_, joiner) in joins.into_iter().filter_map(|attempt| attempt.join) {
            let _ = joiner.send(Ok(NodeId::from(peer)));
        }
        self.start_dials();
    }

    /// Tells those who wanted to join a peer that they cannot.
    pub(super) fn not_joined(&mut self, peer: &PeerId, why: &str) {
        for attempt in self.dials.settle(peer, true) {
            refuse_join(attempt, why);
        }
        self.start_dials();
    }
}

fn refuse_join(attempt: Attempt, why: &str) {
    if let Some((address, joiner)) = attempt.join {
        let _ = joiner.send(Err(JoinError::Nobody { address, detail: why.to_owned() }));
    }
}
