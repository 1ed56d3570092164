//! Which connections to keep when there are too many.

use base::{NodeId, Place};

use super::Now;
use super::detector::NEIGHBOURS;
use crate::prefix::{BITS, head};

/// Most connections of a node: each costs some 200 kB and a little traffic.
pub(crate) const CONNECTIONS_MAX: usize = 150;
/// The oldest connections kept at each distance: who stayed long stays longer, and no stranger who
/// comes in numbers can push them out.
const OLDEST_PER_DISTANCE: usize = 4;
/// Who was heard within this time may be answering a question.
const BUSY: Now = Now::from_secs(2);

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
/// others. Of the rest those of whom nothing is wanted come first, and of these whoever lies closest to
/// another: that one is a substitute for it, and what is left is spread over the whole space.
pub(crate) fn victim(me: &Place, connections: &[Candidate], now: Now) -> Option<NodeId> {
    let busy = |candidate: &Candidate| now.saturating_sub(candidate.heard) < BUSY;
    choose(me, connections, |candidate| (candidate.wanted, busy(candidate)))
}

/// Whether a newcomer would be the first to part from, were nobody busy.
pub(crate) fn is_spare(me: &Place, connections: &[Candidate], newcomer: Candidate) -> bool {
    let all: Vec<Candidate> = connections.iter().copied().chain([newcomer]).collect();
    choose(me, &all, |_| (false, false)) == Some(newcomer.id)
}

fn choose(
    me: &Place,
    connections: &[Candidate],
    is_needed: impl Fn(&Candidate) -> (bool, bool),
) -> Option<NodeId> {
    if connections.len() <= NEIGHBOURS {
        return None;
    }
    let mine = head(me);
    // What decides is in the first bits; they cost next to nothing to compare.
    let heads: Vec<u128> = connections.iter().map(|candidate| head(&candidate.place)).collect();
    let mut near: Vec<usize> = (0..connections.len()).collect();
    near.select_nth_unstable_by_key(NEIGHBOURS, |at| heads[*at] ^ mine);
    let mut by_age = near.split_off(NEIGHBOURS);
    by_age.sort_unstable_by_key(|at| (connections[*at].since, heads[*at]));
    let mut met = [0; BITS + 1];
    // Those of whose distance there are enough older ones.
    let young = by_age.iter().filter(|at| {
        let older = &mut met[(heads[**at] ^ mine).leading_zeros() as usize];
        *older += 1;
        *older > OLDEST_PER_DISTANCE
    });
    // Whoever shares most bits with a place is next to it in the order of places.
    let mut places = heads.clone();
    places.sort_unstable();
    let nearness = |place: u128| {
        let at = places.partition_point(|other| *other < place);
        let beside = [at.checked_sub(1), Some(at + 1)].into_iter().flatten();
        let beside = beside.filter_map(|at| places.get(at));
        beside.map(|other| (other ^ place).leading_zeros()).max()
    };
    let order = |at: &usize| {
        let candidate = &connections[*at];
        let (wanted, busy) = is_needed(candidate);
        (!wanted, !busy, nearness(heads[*at]), candidate.since, heads[*at])
    };
    let spare = young.max_by_key(|at| order(at)).or(by_age.last())?;
    Some(connections[*spare].id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::overlay::view::tests::peer;
    use crate::prefix::shared_bits;

    const NOW: Now = Duration::from_secs(2000);

    fn candidate(n: u64) -> Candidate {
        let peer = peer(n);
        let (since, heard) = (Duration::from_secs(n), Duration::from_secs(n * 7919 % 1009));
        Candidate { id: peer.id, place: peer.place, since, heard, wanted: n.is_multiple_of(3) }
    }

    fn connections(count: u64) -> Vec<Candidate> {
        (1..=count).map(candidate).collect()
    }

    /// What is left of so many.
    fn kept(me: &Place, count: u64) -> Vec<Candidate> {
        let mut connections = connections(count);
        while connections.len() > CONNECTIONS_MAX {
            let id = victim(me, &connections, NOW).unwrap();
            connections.retain(|candidate| candidate.id != id);
        }
        connections
    }

    #[test]
    fn the_closest_and_the_oldest_of_each_distance_stay() {
        let me = peer(0).place;
        let kept = kept(&me, 200);
        let mut closest = connections(200);
        closest.sort_by_key(|candidate| candidate.place.distance(&me));
        for neighbour in &closest[..NEIGHBOURS] {
            assert!(kept.iter().any(|candidate| candidate.id == neighbour.id));
        }
        let far = |candidate: &&Candidate| shared_bits(&candidate.place, &me) == 0;
        let oldest = closest.iter().filter(far).min_by_key(|candidate| candidate.since).unwrap();
        assert!(kept.iter().any(|candidate| candidate.id == oldest.id));
    }

    #[test]
    fn of_very_many_some_are_kept_everywhere() {
        let me = peer(0).place;
        let mut all = connections(CONNECTIONS_MAX as u64);
        for n in CONNECTIONS_MAX as u64..3000 {
            all.push(Candidate { wanted: false, ..candidate(n + 1) });
            let id = victim(&me, &all, NOW).unwrap();
            all.retain(|candidate| candidate.id != id);
        }
        let mut parts = [0; 64];
        all.iter().for_each(|it| parts[usize::from(it.place.as_bytes()[0] >> 2)] += 1);
        assert!(parts.iter().all(|count| *count > 0), "{parts:?}");
    }

    #[test]
    fn who_is_to_be_asked_something_is_parted_from_last() {
        let me = peer(0).place;
        let connections = connections(200);
        let parted = victim(&me, &connections, NOW).unwrap();
        let of = |id| connections.iter().find(|candidate| candidate.id == id).unwrap();
        assert!(!of(parted).wanted);
        let heard = of(parted).heard;
        assert_ne!(victim(&me, &connections, heard), Some(parted), "it may be answering");
    }

    #[test]
    fn a_newcomer_next_to_an_old_connection_is_spare_and_one_in_a_gap_is_not() {
        let me = peer(0).place;
        let kept = kept(&me, 3000);
        let beside = |bit: usize| {
            let mut bytes = *kept[20].place.as_bytes();
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            let since = NOW;
            Candidate { place: Place::from_bytes(bytes), since, ..candidate(4000) }
        };
        assert!(is_spare(&me, &kept, beside(200)));
        let far = Place::from_bytes(std::array::from_fn(|at| !me.as_bytes()[at]));
        let mut sparse = kept.clone();
        sparse.retain(|it| shared_bits(&it.place, &far) < 3);
        assert!(!is_spare(&me, &sparse, Candidate { place: far, since: NOW, ..candidate(4001) }));
    }

    #[test]
    fn neighbours_alone_are_never_parted_from() {
        assert_eq!(victim(&peer(0).place, &connections(8), NOW), None);
        assert!(victim(&peer(0).place, &connections(9), NOW).is_some());
    }
}
