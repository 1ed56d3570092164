//! Peers that are sent away, and the end of everything.

use std::time::Duration;

use base::NodeId;
use futures::StreamExt;
use libp2p::PeerId;
use tokio::time::Instant;

use super::{Due, Worker};
use crate::link::{JoinError, LinkEvent, PassphraseMismatch, Strange};
use crate::p2p::behaviour::STORE;

/// What was sent has this long to leave.
const FLUSH_MAX: Duration = Duration::from_millis(300);
/// And closing the connections as long as this.
const CLOSE_MAX: Duration = Duration::from_millis(500);
/// A peer that is sent away for what it is hears this long from this node why: it says the same.
const GRACE: Duration = Duration::from_secs(1);
/// A peer that breaks the protocol is refused for as long, so that it does not come back at once.
const REFUSED: Duration = Duration::from_secs(10);

impl Worker {
    /// Closes the connections to a peer, after what was sent has left.
    pub(super) fn disconnect(&mut self, peer: PeerId) {
        self.dials.settle(&peer, false);
        let link = self.links.remove(&peer);
        let Some(session) = self.sessions.get_mut(&peer) else {
            if let Some(link) = link {
                link.close();
            }
            return;
        };
        if session.ending.is_none() {
            session.ending = Some("this node closed the connection".to_owned());
        }
        session.flushing = true;
        session.wanted = false;
        session.drop_held();
        let number = session.number;
        if session.streams == 0 || link.is_none() {
            self.close_now(peer);
        } else {
            self.timers.set(Instant::now() + FLUSH_MAX, Due::CloseNow(peer, number));
        }
        if let Some(link) = link {
            link.finish();
        }
    }

    /// Sends away a peer that is none of the overlay.
    pub(super) fn end(&mut self, peer: PeerId, why: &str) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        tracing::debug!(%peer, why, "a peer is sent away");
        session.ending = Some(why.to_owned());
        session.drop_held();
        let wanted = std::mem::take(&mut session.wanted);
        self.timers.set(Instant::now() + GRACE, Due::CloseNow(peer, session.number));
        if let Some(link) = self.links.remove(&peer) {
            link.close();
        }
        self.swarm.behaviour_mut().kad.remove_peer(&peer);
        if wanted {
            self.outbox.push(LinkEvent::DialFailed(NodeId::from(peer)));
        }
        self.not_joined(&peer, why);
    }

    /// Sends away a peer that speaks another version.
    pub(super) fn incompatible(&mut self, peer: PeerId, theirs: String) {
        for attempt in self.dials.settle(&peer, true) {
            if let Some((address, joiner)) = attempt.join {
                let (theirs, ours) = (theirs.clone(), STORE.to_string());
                let _ = joiner.send(Err(JoinError::Incompatible { address, theirs, ours }));
            }
        }
        let why = format!("it speaks {theirs}");
        let strange = Strange::Incompatible { theirs };
        self.outbox.push(LinkEvent::Strange(NodeId::from(peer), strange));
        self.end(peer, &why);
    }

    /// Sends away a peer that is of another overlay.
    pub(super) fn not_admitted(&mut self, peer: PeerId, mismatch: PassphraseMismatch) {
        for attempt in self.dials.settle(&peer, true) {
            if let Some((address, joiner)) = attempt.join {
                let _ = joiner.send(Err(JoinError::NotAdmitted { address, mismatch }));
            }
        }
        let strange = Strange::NotAdmitted(mismatch);
        self.outbox.push(LinkEvent::Strange(NodeId::from(peer), strange));
        self.end(peer, &format!("it {mismatch}"));
    }

    /// Sends away a peer that breaks the protocol, and refuses it for a while.
    pub(super) fn malformed(&mut self, peer: PeerId, text: &str) {
        let strange = Strange::Malformed(text.to_owned());
        self.outbox.push(LinkEvent::Strange(NodeId::from(peer), strange));
        self.end(peer, &format!("what it says makes no sense: {text}"));
        // This closes its connections.
        self.swarm.behaviour_mut().refused.block_peer(peer);
        self.timers.set(Instant::now() + REFUSED, Due::Forgive(peer));
    }

    pub(super) fn close_now(&mut self, peer: PeerId) {
        // An error means that there is no connection any more.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Ends everything.
    pub(super) async fn close(&mut self) {
        for link in self.links.close() {
            link.finish();
        }
        self.dials.clear();
        for session in self.sessions.values_mut() {
            session.drop_held();
        }
        // Each stream ends when the other side has all and closes its half too.
        let flushed = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FLUSH_MAX, flushed).await;
        self.tasks.shutdown().await;

        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            self.close_now(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(CLOSE_MAX, closed).await;
    }
}
