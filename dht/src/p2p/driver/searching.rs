//! Asking around for others, and passing on whom they name.

use std::time::Duration;

use base::NodeId;
use libp2p::kad::{QueryId, QueryResult};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::{Due, Worker};
use crate::link::LinkEvent;
use crate::p2p::address;
use crate::wire::Contact;

/// A search is over after this long, whoever has not answered.
const SEARCH_MAX: Duration = Duration::from_secs(6);

impl Worker {
    /// Asks around for others.
    pub(super) fn search(&mut self) {
        self.search.begin(&mut self.swarm.behaviour_mut().kad, self.own);
        self.timers.set(Instant::now() + SEARCH_MAX, Due::SearchOver);
    }

    pub(super) fn on_query_ended(&mut self, query: QueryId, result: QueryResult) {
        let Some(found) = self.search.ended(query, result) else { return };
        for peer in found {
            self.learned(peer.peer_id, peer.addrs.iter());
        }
        self.outbox.push(LinkEvent::Searched);
    }

    pub(super) fn on_search_over(&mut self) {
        if self.search.give_up() {
            self.outbox.push(LinkEvent::Searched);
        }
    }

    /// Somebody says that there is a peer.
    pub(super) fn learned<'a>(
        &mut self,
        peer: PeerId,
        addresses: impl IntoIterator<Item = &'a Multiaddr>,
    ) {
        if peer == self.own || self.sessions.contains_key(&peer) {
            return;
        }
        let addresses = address::told(addresses);
        if !addresses.is_empty() {
            let contact = Contact { id: NodeId::from(peer), addresses };
            self.outbox.push(LinkEvent::Learned(contact));
        }
    }
}
