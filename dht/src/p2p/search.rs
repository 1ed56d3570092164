//! Asking around for other super-nodes, by `libp2p-kad`'s FIND_NODE.
//!
//! A peer names the 20 it knows closest to a target. So the closest to this node are asked for
//! first; if there are as many as that, the space is cut into cells of about ten nodes and each is
//! asked for, and so every node of an event is learned of.

use std::collections::VecDeque;

use libp2p::PeerId;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{
    Behaviour, GetClosestPeersError, K_VALUE, KBucketKey, PeerInfo, QueryId, QueryResult,
};

/// Cells are asked for 4 at a time: few enough not to fill the air.
const AT_ONCE: usize = 4;
/// 32 cells, of up to 20 nodes each, are more nodes than the routing table wants.
const CELL_BITS_MAX: u32 = 5;

type Kad = Behaviour<MemoryStore>;

/// A search, perhaps under way.
#[derive(Default)]
pub(super) struct Search {
    around_self: Option<QueryId>,
    running: Vec<QueryId>,
    cells: VecDeque<Vec<u8>>,
    /// It was asked for again meanwhile.
    again: bool,
}

/// What came of a query.
pub(super) struct Found {
    pub(super) peers: Vec<PeerInfo>,
    /// The search is over.
    pub(super) done: bool,
}

impl Search {
    /// Begins, or begins again after what is under way. True if it begins now.
    pub(super) fn begin(&mut self, kad: &mut Kad, own: PeerId) -> bool {
        if self.is_running() {
            self.again = true;
            return false;
        }
        self.around_self = Some(kad.get_closest_peers(own));
        true
    }

    /// Gives up waiting: some do not answer.
    pub(super) fn give_up(&mut self) {
        *self = Search::default();
    }

    /// A query has ended. `None` if it is none of this search's.
    pub(super) fn ended(
        &mut self,
        kad: &mut Kad,
        own: PeerId,
        query: QueryId,
        result: QueryResult,
    ) -> Option<Found> {
        let around_self = self.around_self == Some(query);
        if around_self {
            self.around_self = None;
        } else {
            let at = self.running.iter().position(|running| *running == query)?;
            self.running.swap_remove(at);
        }
        let peers = match result {
            QueryResult::GetClosestPeers(Ok(found)) => found.peers,
            QueryResult::GetClosestPeers(Err(GetClosestPeersError::Timeout { peers, .. })) => peers,
            _ => Vec::new(),
        };
        if around_self {
            self.cells = cells(own, &peers);
        }
        while self.running.len() < AT_ONCE {
            let Some(target) = self.cells.pop_front() else { break };
            self.running.push(kad.get_closest_peers(target));
        }
        let mut done = !self.is_running();
        if done && std::mem::take(&mut self.again) {
            done = !self.begin(kad, own);
        }
        Some(Found { peers, done })
    }

    pub(super) fn is_running(&self) -> bool {
        self.around_self.is_some() || !self.running.is_empty()
    }
}

/// A target in each cell, given the peers closest to this node.
fn cells(own: PeerId, closest: &[PeerInfo]) -> VecDeque<Vec<u8>> {
    if closest.len() < K_VALUE.get() {
        // They are all there are.
        return VecDeque::new();
    }
    let own = KBucketKey::from(own);
    let distance = |peer: &PeerInfo| KBucketKey::from(peer.peer_id).distance(&own);
    let farthest = closest.iter().map(distance).max().and_then(|distance| distance.ilog2());
    // So many leading bits they share with this node, all twenty; one bit more makes cells of ten.
    let shared = 255 - farthest.unwrap_or(255);
    targets((shared + 1).min(CELL_BITS_MAX))
}

/// A random target for each combination of so many leading bits.
fn targets(bits: u32) -> VecDeque<Vec<u8>> {
    let mut targets = vec![None; 1 << bits];
    let mut missing = targets.len();
    while missing > 0 {
        let target = fastrand::u128(..).to_be_bytes().to_vec();
        let cell = KBucketKey::new(target.clone()).hashed_bytes()[0] >> (8 - bits);
        let cell = &mut targets[usize::from(cell)];
        if cell.is_none() {
            *cell = Some(target);
            missing -= 1;
        }
    }
    targets.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_is_a_target_in_every_cell() {
        for bits in 1..=CELL_BITS_MAX {
            let targets = targets(bits);
            let cell =
                |target: &Vec<u8>| KBucketKey::new(target.clone()).hashed_bytes()[0] >> (8 - bits);
            assert_eq!(targets.len(), 1 << bits);
            assert_eq!(targets.iter().map(cell).collect::<HashSet<_>>().len(), 1 << bits);
        }
    }

    #[test]
    fn few_peers_need_no_second_round() {
        let few: Vec<_> = (0..K_VALUE.get() - 1)
            .map(|_| PeerInfo { peer_id: PeerId::random(), addrs: Vec::new() })
            .collect();
        assert!(cells(PeerId::random(), &few).is_empty());
    }

    #[test]
    fn seventy_two_peers_are_asked_for_in_cells_that_twenty_fill() {
        let own = PeerId::random();
        let mut all: Vec<_> =
            (0..72).map(|_| PeerInfo { peer_id: PeerId::random(), addrs: Vec::new() }).collect();
        all.sort_by_key(|peer| KBucketKey::from(peer.peer_id).distance(&KBucketKey::from(own)));
        let cells = cells(own, &all[..K_VALUE.get()]).len();
        assert!((2..=32).contains(&cells), "{cells}");
    }
}
