//! Asking around for others, and passing on whom they name.

use std::time::Duration;

use base::NodeId;
use libp2p::kad::{QueryId, QueryResult};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::{Due, Worker};
use crate::link::LinkEvent;
use crate::p2p::address;
use crate::p2p::search::Search;
use crate::wire::Contact;

/// A search is over after this long, whoever has not answered.
const SEARCH_MAX: Duration = Duration::from_secs(6);
/// Nodes that start together do not know of each other yet when they first ask; so they ask again.
const AGAIN: Duration = Duration::from_secs(3);

/// Searches, and who awaits their end.
#[derive(Default)]
pub(super) struct Asked {
    search: Search,
    number: u64,
    /// Somebody awaits [`LinkEvent::Searched`].
    awaited: bool,
    /// The next search is the second one, for those who started together.
    again: bool,
}

impl Worker {
    /// Asks around for others.
    pub(super) fn search(&mut self) {
        self.asked.awaited = true;
        self.asked.again = true;
        self.begin_search();
    }

    pub(super) fn search_again(&mut self) {
        self.begin_search();
    }

    fn begin_search(&mut self) {
        let kad = &mut self.swarm.behaviour_mut().kad;
        if self.asked.search.begin(kad, self.own) {
            self.asked.number += 1;
            let over = Due::SearchOver(self.asked.number);
            self.timers.set(Instant::now() + SEARCH_MAX, over);
        }
    }

    pub(super) fn on_query_ended(&mut self, query: QueryId, result: QueryResult) {
        let kad = &mut self.swarm.behaviour_mut().kad;
        let Some(found) = self.asked.search.ended(kad, self.own, query, result) else { return };
        for peer in found.peers {
            self.learned(peer.peer_id, peer.addrs.iter());
        }
        if found.done {
            self.search_is_over();
        }
    }

    pub(super) fn on_search_over(&mut self, number: u64) {
        if number == self.asked.number && self.asked.search.is_running() {
            self.asked.search.give_up();
            self.search_is_over();
        }
    }

    fn search_is_over(&mut self) {
        if std::mem::take(&mut self.asked.awaited) {
            self.outbox.push(LinkEvent::Searched);
        }
        if std::mem::take(&mut self.asked.again) {
            self.timers.set(Instant::now() + AGAIN, Due::SearchAgain);
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
