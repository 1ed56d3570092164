//! Which part of the space of places a member can have to do with: a subtree around its own place.
//!
//! With XOR as the metric, every member of a subtree is closer to a place in it than any member
//! outside. So where the subtree next to one's own, at some depth, has three members, none of its
//! places is one's own; the smallest subtree around oneself outside of which that holds at every
//! depth contains all places one keeps, and all members one keeps them with.

use std::ops::RangeInclusive;

use base::Place;
use base::limits::REPLICAS;

/// Bits of a place.
const BITS: usize = Place::LEN * 8;

/// All places that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subtree {
    root: Place,
    depth: usize,
}

impl Subtree {
    /// The subtree that holds all places `of` keeps, and the [`REPLICAS`] and one more that are
    /// closest to each of them, when these are the members. `of` may be one of them.
    pub(crate) fn around<'a>(of: Place, members: impl Iterator<Item = &'a Place>) -> Subtree {
        // How many members share exactly so many first bits with `of`: those of the sibling subtree.
        let mut siblings = [0usize; BITS + 1];
        for place in members.filter(|place| **place != of) {
            siblings[shared_bits(place, &of)] += 1;
        }
        let dense = |count: &usize| *count > REPLICAS;
        let mut depth = siblings.iter().position(|count| !dense(count)).unwrap_or(BITS);
        // Within the subtree there must be enough of them, too.
        let mut inside: usize = siblings[depth..].iter().sum();
        while inside <= REPLICAS && depth > 0 {
            depth -= 1;
            inside += siblings[depth];
        }
        Subtree { root: of, depth }
    }

    /// Whether a place lies in it.
    pub(crate) fn contains(&self, place: &Place) -> bool {
        shared_bits(&self.root, place) >= self.depth
    }

    /// Its places, from the first to the last.
    pub(crate) fn places(&self) -> RangeInclusive<Place> {
        let edge = |fill: u8| {
            let bytes = std::array::from_fn(|at| {
                let kept = self.depth.saturating_sub(at * 8).min(8);
                let mask = !(0xffu16 >> kept) as u8;
                (self.root.as_bytes()[at] & mask) | (fill & !mask)
            });
            Place::from_bytes(bytes)
        };
        edge(0)..=edge(0xff)
    }
}

/// How many first bits two places share.
pub(crate) fn shared_bits(a: &Place, b: &Place) -> usize {
    let mut bits = 0;
    for (a, b) in a.as_bytes().iter().zip(b.as_bytes()) {
        let differing = (a ^ b).leading_zeros() as usize;
        bits += differing;
        if differing < 8 {
            break;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(n: u64) -> Place {
        Place::of(&n.to_le_bytes())
    }

    proptest! {
        #[test]
        fn what_a_member_keeps_and_with_whom_is_in_its_subtree(count in 1..200u64, key: u64, crowd in 0..8u8) {
            // Some overlays are crowded into one corner of the space.
            let squeeze = |p: Place| {
                let mut bytes = *p.as_bytes();
                bytes[0] >>= crowd;
                Place::from_bytes(bytes)
            };
            let members: Vec<Place> = (0..count).map(|n| squeeze(place(n))).collect();
            let key = squeeze(place(key));
            let mut near = members.clone();
            near.sort_by_key(|member| member.distance(&key));
            near.truncate(REPLICAS + 1);
            for keeper in near.iter().take(REPLICAS) {
                let subtree = Subtree::around(*keeper, members.iter());
                prop_assert!(subtree.contains(&key) && subtree.places().contains(&key));
                prop_assert!(near.iter().all(|member| subtree.contains(member)));
            }
        }

        #[test]
        fn the_range_is_what_the_subtree_contains(root: u64, other: u64, depth in 0..40usize) {
            let subtree = Subtree { root: place(root), depth };
            prop_assert_eq!(subtree.places().contains(&place(other)), subtree.contains(&place(other)));
            prop_assert!(subtree.contains(subtree.places().start()));
            prop_assert!(subtree.contains(subtree.places().end()));
        }
    }

    #[test]
    fn a_large_overlay_leaves_each_a_small_share() {
        let members: Vec<Place> = (0..1000).map(place).collect();
        let near = |of: &Place| {
            let subtree = Subtree::around(*of, members.iter());
            members.iter().filter(|member| subtree.contains(member)).count()
        };
        let mean = members.iter().map(near).sum::<usize>() / members.len();
        assert!(mean < 40, "{mean} of 1000 members on average");
    }
}
