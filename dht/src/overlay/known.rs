//! What is known of one member.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::detector::Belief;
use super::{Now, Peer};
use crate::wire::Contact;

/// Between the first two attempts to reach a member; each pause is twice as long as the one before.
const REDIAL: Duration = Duration::from_secs(1);
/// At most: within the time a suspect has it is dialled three times.
const REDIAL_MAX: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(super) struct Known {
    pub(super) peer: Arc<Peer>,
    pub(super) addresses: Arc<[SocketAddr]>,
    /// Whether it has been connected, or was a member the last time; else somebody only says so.
    pub(super) proven: bool,
    pub(super) connected: bool,
    /// Another member that knows who is there named it.
    pub(super) told: bool,
    /// It closed the connection because it had too many.
    pub(super) parted: bool,
    pub(super) since: Now,
    pub(super) belief: Belief,
    pub(super) redial: Now,
    pub(super) redials: u32,
    /// Which start of it was met.
    pub(super) start: Option<u64>,
}

impl Known {
    /// One of whom somebody says that it is there.
    pub(super) fn told_of(contact: &Contact, now: Now) -> Known {
        let peer = Arc::new(Peer::new(contact.id, Default::default()));
        Known::new(peer, contact.addresses.as_slice().into(), now)
    }

    pub(super) fn new(peer: Arc<Peer>, addresses: Arc<[SocketAddr]>, now: Now) -> Known {
        Known {
            peer,
            addresses,
            proven: false,
            connected: false,
            told: false,
            parted: false,
            since: now,
            belief: Belief::default(),
            redial: now + REDIAL,
            redials: 0,
            start: None,
        }
    }

    pub(super) fn contact(&self) -> Contact {
        Contact { id: self.peer.id, addresses: self.addresses.to_vec() }
    }

    /// How long until it is dialled again, which is done now.
    pub(super) fn redial_pause(&mut self) -> Duration {
        let pause = REDIAL * 2u32.pow(self.redials.min(8));
        self.redials += 1;
        pause.min(REDIAL_MAX)
    }

    /// Whether a node that looks around has met it, or need not: one that is only remembered, and that
    /// nobody names who knows.
    pub(super) fn needs_no_waiting(&self) -> bool {
        let is_memory = self.proven && self.start.is_none() && !self.told;
        self.connected || self.parted || is_memory
    }

    /// Whether time decides something about it: whether it is there, or can be reached.
    pub(super) fn is_uncertain(&self) -> bool {
        let in_touch = self.connected || self.parted;
        !self.proven || !in_touch || !self.belief.is_well()
    }
}
