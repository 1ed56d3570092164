//! Which connections to keep when there are too many.

use base::{NodeId, Place};

use super::Now;
use super::detector::NEIGHBOURS;
use crate::prefix::{BITS, shared_bits};

/// Most connections of a node: each costs some 200 kB and a little traffic.
pub(crate) const CONNECTIONS_MAX: usize = 150;
/// The oldest connections kept at each distance: who stayed long stays longer, and no stranger who
/// comes in numbers can push them out.
const OLDEST_PER_DISTANCE: usize = 4;

/// A connection, as the choice sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) id: NodeId,
    pub(crate) place: Place,
    /// Since when it is connected.
    pub(crate) since: Now,
    /// When it was heard last.
    pub(crate) heard: Now,
    /// Whether there is something to be asked of it: it would be dialled again at once.
    pub(crate) wanted: bool,
}

/// Whom to part from: never the closest to `me`, nor the oldest of each distance while there are
/// others; of the rest, of whom nothing is wanted, and who was not heard for longest.
pub(crate) fn victim(me: &Place, connections: &[Candidate]) -> Option<NodeId> {
    let mut by_distance: Vec<&Candidate> = connections.iter().collect();
    if by_distance.len() <= NEIGHBOURS {
        return None;
    }
    by_distance.select_nth_unstable_by_key(NEIGHBOURS, |candidate| candidate.place.distance(me));
    let rest = &by_distance[NEIGHBOURS..];
    let mut by_age: Vec<&&Candidate> = rest.iter().collect();
    by_age.sort_unstable_by_key(|candidate| (candidate.since, candidate.id));
    let mut met = [0; BITS + 1];
    // Those of whose distance there are enough older ones.
    let young = by_age.into_iter().filter(|candidate| {
        let older = &mut met[shared_bits(&candidate.place, me)];
        *older += 1;
        *older > OLDEST_PER_DISTANCE
    });
    let order = |candidate: &Candidate| (candidate.wanted, candidate.heard, candidate.id);
    let idlest = young.min_by_key(|candidate| order(candidate));
    let youngest = || rest.iter().max_by_key(|candidate| (candidate.since, candidate.id));
    idlest.or_else(youngest).map(|candidate| candidate.id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::overlay::view::tests::peer;

    fn connections(count: u64) -> Vec<Candidate> {
        let candidate = |n: u64| {
            let peer = peer(n);
            let (since, heard) = (Duration::from_secs(n), Duration::from_secs(n * 7919 % 1009));
            Candidate { id: peer.id, place: peer.place, since, heard, wanted: n.is_multiple_of(3) }
        };
        (1..=count).map(candidate).collect()
    }

    #[test]
    fn the_closest_and_the_oldest_of_each_distance_stay() {
        let me = peer(0).place;
        let mut connections = connections(200);
        let mut closest = connections.clone();
        closest.sort_by_key(|candidate| candidate.place.distance(&me));
        while connections.len() > CONNECTIONS_MAX {
            let id = victim(&me, &connections).unwrap();
            connections.retain(|candidate| candidate.id != id);
        }
        for kept in &closest[..NEIGHBOURS] {
            assert!(connections.iter().any(|candidate| candidate.id == kept.id));
        }
        let far = |candidate: &&Candidate| shared_bits(&candidate.place, &me) == 0;
        let oldest = closest.iter().filter(far).min_by_key(|candidate| candidate.since).unwrap();
        assert!(connections.iter().any(|candidate| candidate.id == oldest.id));
    }

    #[test]
    fn who_is_to_be_asked_something_is_parted_from_last() {
        let me = peer(0).place;
        let connections = connections(200);
        let parted = victim(&me, &connections).unwrap();
        let of = |id| connections.iter().find(|candidate| candidate.id == id).unwrap();
        assert!(!of(parted).wanted);
    }

    #[test]
    fn neighbours_alone_are_never_parted_from() {
        assert_eq!(victim(&peer(0).place, &connections(8)), None);
        assert!(victim(&peer(0).place, &connections(9)).is_some());
    }
}
