//! The subtree around a member that holds all it can have to do with.
//!
//! With XOR as the metric, every member of a subtree is closer to a place in it than any member
//! outside. So where the subtree next to one's own, at some depth, has three members, none of its
//! places is one's own; the smallest subtree around oneself outside of which that holds at every
//! depth contains all places one keeps, and all members one keeps them with.

use base::Place;
use base::limits::REPLICAS;

use crate::prefix::{BITS, Prefix, shared_bits};

/// The subtree that holds all places `of` keeps, and the [`REPLICAS`] and one more that are closest to
/// each of them, when these are the members. `of` may be one of them.
pub(crate) fn around<'a>(of: Place, members: impl Iterator<Item = &'a Place>) -> Prefix {
    let others = members.filter(|place| **place != of);
    around_bits(of, others.map(|place| shared_bits(place, &of)))
}

/// The same, of how many first bits each of the other members shares with `of`.
pub(crate) fn around_bits(of: Place, shared: impl Iterator<Item = usize>) -> Prefix {
    // Those that share exactly so many are the sibling subtree.
    let mut siblings = [0usize; BITS + 1];
    shared.for_each(|bits| siblings[bits.min(BITS)] += 1);
    let dense = |count: &usize| *count > REPLICAS;
    let mut depth = siblings.iter().position(|count| !dense(count)).unwrap_or(BITS);
    // Within the subtree there must be enough of them, too.
    let mut inside: usize = siblings[depth..].iter().sum();
    while inside <= REPLICAS && depth > 0 {
        depth -= 1;
        inside += siblings[depth];
    }
    Prefix::of(&of, depth)
}
