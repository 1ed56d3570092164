//! Whom to know when there are more than can be known.
//!
//! Up to [`KNOWN_MAX`] members a node knows everybody, and finds the replicas of any place by itself.
//! Beyond, it is in a *crowd*: it knows the [`NEAR_MAX`] closest to itself, so that it can name the
//! replicas of any place near it; and of the others those it is connected to, who are spread over the
//! whole space, and some more who came first. Any place is near somebody it is connected to.

use base::{Distance, NodeId, Place};

use super::Now;
use crate::prefix::shared_bits;

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

/// Whom to forget for a newcomer, if there is one for whom: never one of the near. Of the others those go
/// first to whom there is no connection, and of these who came last: that one has been of use for the
/// shortest time. `near`: how far the near ones reach; `is_near`: whether the newcomer is one.
pub(crate) fn forgettable(
    me: &Place,
    known: impl Iterator<Item = Row>,
    near: Option<Distance>,
    is_near: bool,
) -> Option<NodeId> {
    let near = near?;
    let far = known.filter(|row| row.place.distance(me) >= near);
    // Only for one that is near a connection is given up.
    let spare = far.filter(|row| is_near || !row.connected);
    spare.max_by_key(|row| (!row.connected, row.since)).map(|row| row.id)
}

/// How many bits a place has to share with `me` for its replicas to be among those known, when the near
/// ones are at these places.
pub(crate) fn known_bits<'a>(me: &Place, near: impl Iterator<Item = &'a Place>) -> usize {
    near.map(|place| shared_bits(me, place)).min().map_or(0, |bits| bits + 1)
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

    fn near_limit(me: &Place, known: &[Row]) -> Distance {
        let mut distances: Vec<Distance> = known.iter().map(|row| row.place.distance(me)).collect();
        *distances.select_nth_unstable(NEAR_MAX).1
    }

    #[test]
    fn of_any_number_the_closest_are_known() {
        let me = peer(0).place;
        let all: Vec<Row> = (1..5000).map(row).collect();
        let mut known: Vec<Row> = Vec::new();
        for row in &all {
            if known.len() < KNOWN_MAX {
                known.push(*row);
                continue;
            }
            let near = near_limit(&me, &known);
            if row.place.distance(&me) >= near {
                continue;
            }
            let id = forgettable(&me, known.iter().copied(), Some(near), true).unwrap();
            known.retain(|other| other.id != id);
            known.push(*row);
        }
        assert_eq!(known.len(), KNOWN_MAX);
        let mut closest = all.clone();
        closest.sort_by_key(|row| row.place.distance(&me));
        let (near, _) = closest.split_at(NEAR_MAX);
        for row in near {
            assert!(known.iter().any(|other| other.id == row.id));
        }
        let far = known.iter().filter(|row| !near.iter().any(|near| near.id == row.id));
        // The rest were close before closer ones came.
        let first = far.clone().filter(|row| row.since <= Duration::from_secs(KNOWN_MAX as u64));
        assert!(first.count() > 200);

        let bits = known_bits(&me, near.iter().map(|row| &row.place));
        let near = |row: &&Row| shared_bits(&row.place, &me) >= bits;
        let (there, here) = (all.iter().filter(near).count(), known.iter().filter(near).count());
        assert_eq!(there, here, "all that share so many bits are known");
        assert!(there > 60, "{there} of 5000");
    }

    #[test]
    fn for_one_that_is_far_no_connection_is_given_up() {
        let me = peer(0).place;
        let known: Vec<Row> = (1..=KNOWN_MAX as u64).map(row).collect();
        let near = near_limit(&me, &known);
        let of = |id| known.iter().find(|row| row.id == id).unwrap();
        let gone = forgettable(&me, known.iter().copied(), Some(near), false).unwrap();
        assert!(!of(gone).connected && of(gone).place.distance(&me) >= near);
        let connected = known.iter().map(|row| Row { connected: true, ..*row });
        assert_eq!(forgettable(&me, connected.clone(), Some(near), false), None);
        assert!(forgettable(&me, connected, Some(near), true).is_some());
        assert_eq!(forgettable(&me, known.iter().copied(), None, true), None, "all are known");
    }
}
