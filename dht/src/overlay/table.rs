//! Whom to know when there are more than can be known.
//!
//! Up to [`KNOWN_MAX`] members a node knows everybody, and finds the replicas of any place by itself.
//! Beyond, it is in a *crowd*: it knows the [`NEAR_MAX`] closest to itself, so that it can name the
//! replicas of any place near it; and of the others those it is connected to, who are spread over the
//! whole space, and some more who came first. Any place is near somebody it is connected to.

use super::Now;

/// Members known at most: far more than an event has.
pub(crate) const KNOWN_MAX: usize = 512;
/// The closest members, known in any case: most of what one message names.
pub(crate) const NEAR_MAX: usize = 256;

/// A member, as the choice sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Which one.
    pub(crate) at: usize,
    /// The first bits of how far it is.
    pub(crate) distance: u128,
    pub(crate) connected: bool,
    /// Since when it is known.
    pub(crate) since: Now,
}

/// Whom to forget for a newcomer, if there is one for whom: never one of the near. Of the others those go
/// first to whom there is no connection, and of these who came last: that one has been of use for the
/// shortest time. `near`: how far the near ones reach; `is_near`: whether the newcomer is one.
pub(crate) fn forgettable(
    known: impl Iterator<Item = Row>,
    near: u128,
    is_near: bool,
) -> Option<usize> {
    let far = known.filter(|row| row.distance >= near);
    // Only for one that is near a connection is given up.
    let spare = far.filter(|row| is_near || !row.connected);
    spare.max_by_key(|row| (!row.connected, row.since)).map(|row| row.at)
}

/// How many bits a place has to share with a node's for its replicas to be among those known, when the near
/// ones are so far.
pub(crate) fn known_bits(near: impl Iterator<Item = u128>) -> usize {
    near.max().map_or(0, |distance| distance.leading_zeros() as usize + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::Place;

    use super::*;
    use crate::overlay::view::tests::peer;
    use crate::prefix::{head, shared_bits};

    fn place(n: usize) -> Place {
        peer(n as u64).place
    }

    /// How the node 0 sees it.
    fn row(n: usize) -> Row {
        let distance = head(&place(n)) ^ head(&place(0));
        let since = Duration::from_secs(n as u64);
        Row { at: n, distance, connected: n.is_multiple_of(2), since }
    }

    fn near_limit(known: &[Row]) -> u128 {
        let mut distances: Vec<u128> = known.iter().map(|row| row.distance).collect();
        *distances.select_nth_unstable(NEAR_MAX).1
    }

    #[test]
    fn of_any_number_the_closest_are_known() {
        let all: Vec<Row> = (1..5000).map(row).collect();
        let mut known: Vec<Row> = Vec::new();
        for row in &all {
            if known.len() < KNOWN_MAX {
                known.push(*row);
                continue;
            }
            let near = near_limit(&known);
            if row.distance >= near {
                continue;
            }
            let gone = forgettable(known.iter().copied(), near, true).unwrap();
            known.retain(|other| other.at != gone);
            known.push(*row);
        }
        assert_eq!(known.len(), KNOWN_MAX);
        let mut closest = all.clone();
        closest.sort_by_key(|row| row.distance);
        let (near, _) = closest.split_at(NEAR_MAX);
        for row in near {
            assert!(known.iter().any(|other| other.at == row.at));
        }
        let far = known.iter().filter(|row| !near.iter().any(|near| near.at == row.at));
        // The rest were close before closer ones came.
        let first = far.clone().filter(|row| row.since <= Duration::from_secs(KNOWN_MAX as u64));
        assert!(first.count() > 200);

        let bits = known_bits(near.iter().map(|row| row.distance));
        let near = |row: &&Row| shared_bits(&place(row.at), &place(0)) >= bits;
        let (there, here) = (all.iter().filter(near).count(), known.iter().filter(near).count());
        assert_eq!(there, here, "all that share so many bits are known");
        assert!(there > 60, "{there} of 5000");
    }

    #[test]
    fn for_one_that_is_far_no_connection_is_given_up() {
        let known: Vec<Row> = (1..=KNOWN_MAX).map(row).collect();
        let near = near_limit(&known);
        let gone = row(forgettable(known.iter().copied(), near, false).unwrap());
        assert!(!gone.connected && gone.distance >= near);
        let connected = known.iter().map(|row| Row { connected: true, ..*row });
        assert_eq!(forgettable(connected.clone(), near, false), None);
        assert!(forgettable(connected, near, true).is_some());
    }
}
