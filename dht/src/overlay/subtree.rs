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
    Prefix::of(&of, depth)
}
