//! Whom to know when there are more than can be known.
//!
//! Up to [`KNOWN_MAX`] members a node knows everybody, and finds the replicas of any place by itself.
//! Beyond, it knows the [`NEAR_MAX`] closest to itself, so that it can name the replicas of any place
//! near it; and of the others those who came first, so that strangers who come in numbers push nobody
//! out. Any place is near somebody it knows.

use base::{NodeId, Place};

use super::Now;

/// Members known at most: far more than an event has.
pub(crate) const KNOWN_MAX: usize = 512;
/// The closest members, known in any case: most of what one message names.
pub(crate) const NEAR_MAX: usize = 256;

/// A member, as the choice sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) id: NodeId,
    pub(crate) place: Place,
    pub(crate) connected: bool,
    /// Since when it is known.
    pub(crate) since: Now,
}

/// Whether there is room for a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is.
    Free,
    /// When this one is forgotten.
    Instead(NodeId),
    /// It is known to others.
    Full,
}

/// Whether a newcomer at `place` can be known, too.
pub(crate) fn room_for(me: &Place, known: &[Row], place: &Place) -> Room {
    if known.len() < KNOWN_MAX {
        return Room::Free;
    }
    let limit = near_limit(me, known);
    if place.distance(me) >= limit {
        return Room::Full;
    }
    // Whoever came last has been of use for the shortest time.
    let far = known.iter().filter(|row| row.place.distance(me) >= limit);
    let victim = far.max_by_key(|row| (!row.connected, row.since));
    victim.map_or(Room::Full, |row| Room::Instead(row.id))
}

/// The distance within which all members are known, when these are.
fn near_limit(me: &Place, known: &[Row]) -> base::Distance {
    let mut distances: Vec<_> = known.iter().map(|row| row.place.distance(me)).collect();
    *distances.select_nth_unstable(NEAR_MAX).1
}

/// How many bits a place has to share with `me` for its replicas to be among those known.
pub(crate) fn known_bits(me: &Place, known: &[Row]) -> usize {
    let mut near: Vec<Place> = known.iter().map(|row| row.place).collect();
    if near.len() <= NEAR_MAX {
        return 0;
    }
    near.select_nth_unstable_by_key(NEAR_MAX - 1, |place| place.distance(me));
    crate::prefix::shared_bits(me, &near[NEAR_MAX - 1]) + 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::overlay::view::tests::peer;

    fn row(n: u64) -> Row {
        let peer = peer(n);
        let since = Duration::from_secs(n);
        Row { id: peer.id, place: peer.place, connected: n.is_multiple_of(2), since }
    }

    #[test]
    fn of_any_number_the_closest_are_known_and_of_the_others_the_first() {
        let me = peer(0).place;
        let all: Vec<Row> = (1..5000).map(row).collect();
        let mut known: Vec<Row> = Vec::new();
        for row in &all {
            match room_for(&me, &known, &row.place) {
                Room::Free => known.push(*row),
                Room::Instead(id) => {
                    known.retain(|other| other.id != id);
                    known.push(*row);
                }
                Room::Full => {}
            }
        }
        assert_eq!(known.len(), KNOWN_MAX);
        let mut closest = all.clone();
        closest.sort_by_key(|row| row.place.distance(&me));
        for row in &closest[..NEAR_MAX] {
            assert!(known.iter().any(|other| other.id == row.id));
        }
        let far =
            known.iter().filter(|row| !closest[..NEAR_MAX].iter().any(|near| near.id == row.id));
        // The rest were close before closer ones came.
        let first = far.clone().filter(|row| row.since <= Duration::from_secs(KNOWN_MAX as u64));
        assert!(first.count() > 200);

        let bits = known_bits(&me, &known);
        let near = |row: &&Row| crate::prefix::shared_bits(&row.place, &me) >= bits;
        let (there, here) = (all.iter().filter(near).count(), known.iter().filter(near).count());
        assert_eq!(there, here, "all that share so many bits are known");
        assert!(there > 60, "{there} of 5000");
    }

    #[test]
    fn who_knows_few_knows_all() {
        let known: Vec<Row> = (1..=NEAR_MAX as u64).map(row).collect();
        assert_eq!(known_bits(&peer(0).place, &known), 0);
        assert_eq!(room_for(&peer(0).place, &known, &peer(9999).place), Room::Free);
    }
}
