//! Asking around for other super-nodes, by `libp2p-kad`'s FIND_NODE.
//!
//! A node that meets its first other looks for itself, and so learns of the 20 closest to it, those it
//! shares its keys with. Of all the others it learns by the overlay's own exchange of members
//! ([`crate::overlay`]), which takes one message instead of hundreds.

use libp2p::PeerId;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{Behaviour, GetClosestPeersError, PeerInfo, QueryId, QueryResult};

/// A search, perhaps under way.
#[derive(Default)]
pub(super) struct Search {
    running: Option<QueryId>,
}

impl Search {
    /// Begins, unless it is under way.
    pub(super) fn begin(&mut self, kad: &mut Behaviour<MemoryStore>, own: PeerId) {
        self.running.get_or_insert_with(|| kad.get_closest_peers(own));
    }

    /// Gives up waiting: some do not answer. Whether there was anything to wait for.
    pub(super) fn give_up(&mut self) -> bool {
        self.running.take().is_some()
    }

    /// A query has ended: whom it found. `None` if it is none of this search's.
    pub(super) fn ended(&mut self, query: QueryId, result: QueryResult) -> Option<Vec<PeerInfo>> {
        if self.running != Some(query) {
            return None;
        }
        self.running = None;
        Some(match result {
            QueryResult::GetClosestPeers(Ok(found)) => found.peers,
            QueryResult::GetClosestPeers(Err(GetClosestPeersError::Timeout { peers, .. })) => peers,
            _ => Vec::new(),
        })
    }
}
