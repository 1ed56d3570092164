//! What two members have to do with each other: which ranges of places both of them keep.
//!
//! Exactly that may be tens of thousands of ranges: which of two members next to each other is the closer
//! one changes with a bit of the place behind all those the two share. So ranges are told apart only a few
//! bits deeper than where they hold no more members than keep them ([`resolution`]); whoever are alike in
//! those bits all keep such a range, one of them more than need be.

use base::Place;
use base::limits::REPLICAS;

use super::view::View;
use crate::prefix::Prefix;
use crate::store::LEAF_BITS;

/// So many bits are looked at of a place behind those of the widest range around it that holds no more
/// members than keep it.
const FINE: usize = 6;
const _: () = assert!(LEAF_BITS <= u32::BITS as usize);

/// How many first bits decide who keeps a place, if of those that share `bits` with it and with each other
/// there are no more than keep it, and of those that share fewer there are more. No more than digests of
/// ranges are kept for.
pub(super) const fn resolution(bits: usize) -> usize {
    if bits + FINE < LEAF_BITS { bits + FINE } else { LEAF_BITS }
}

/// The ranges of places to which this node and another member both are among the `count` closest, or as
/// close as these in the bits that count: what both of them keep; or, if the other is this node, what it
/// keeps. In order.
pub(crate) fn in_common(view: &View, other: &Place, count: usize) -> Vec<Prefix> {
    if *other == view.me().place {
        return view.own_ranges(count, || divided(view, other, count));
    }
    divided(view, other, count)
}

fn divided(view: &View, other: &Place, count: usize) -> Vec<Prefix> {
    let mine = view.me().place;
    let whole = view.subtree();
    let mut near: Vec<Place> =
        view.places().iter().filter(|place| whole.contains(place)).copied().collect();
    // Whoever is outside is closer to nothing inside than those inside, if these are enough.
    if near.len() <= REPLICAS {
        near = view.places().to_vec();
    }
    let mut found = Vec::new();
    if near.contains(other) {
        let near: Vec<u32> = near.iter().map(head).collect();
        let both = [head(&mine), head(other)];
        Division { near: &near, both, count, found: &mut found }.divide(whole, None);
    }
    found
}

/// Of places the first bits are looked at, as many as the deepest range has.
struct Division<'a> {
    near: &'a [u32],
    both: [u32; 2],
    count: usize,
    found: &'a mut Vec<Prefix>,
}

impl Division<'_> {
    /// Divides a range until it is known of each part whether both of two are among the closest to all of
    /// its places, or until it is as deep as need be: `deepest`, if it is known already.
    fn divide(&mut self, range: Prefix, deepest: Option<usize>) {
        let ranks = self.both.map(|place| ranks(&range, self.near, place));
        if ranks.iter().any(|(least, _)| *least >= self.count) {
            return;
        }
        let is_sparse = || inside(&range, self.near) <= self.count;
        let deepest = deepest.or_else(|| is_sparse().then(|| resolution(range.bits())));
        let is_deep = range.bits() >= deepest.unwrap_or(LEAF_BITS);
        if is_deep || ranks.iter().all(|(_, most)| *most < self.count) {
            self.found.push(range);
            return;
        }
        let (before, mut halves) = (self.found.len(), 0);
        for half in range.split(1) {
            self.divide(half, deepest);
            halves += usize::from(self.found.last() == Some(&half));
        }
        if halves == 2 {
            self.found.truncate(before);
            self.found.push(range);
        }
    }
}

/// How many are in a range.
fn inside(range: &Prefix, near: &[u32]) -> usize {
    near.iter().filter(|place| differing(**place, range) == 0).count()
}

/// A place's distance from a range, in the bits that the range's places share.
fn differing(place: u32, range: &Prefix) -> u32 {
    let bits = range.bits().min(LEAF_BITS) as u32;
    (place ^ head(range.first())).checked_shr(u32::BITS - bits).unwrap_or(0)
}

/// How many are closer than `of`, one of them: to the place of a range where there are the fewest, and
/// at most.
fn ranks(range: &Prefix, near: &[u32], of: u32) -> (usize, usize) {
    // What places of the range have in common decides; who is alike in that comes in any order.
    let limit = differing(of, range);
    let (mut closer, mut alike) = (0, 0);
    for place in near {
        let distance = differing(*place, range);
        closer += usize::from(distance < limit);
        alike += usize::from(distance == limit);
    }
    (closer, closer + alike - 1)
}

/// The first bits of a place.
fn head(place: &Place) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|at| place.as_bytes()[at]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::overlay::Pulse;
    use crate::overlay::peer::Peer;
    use crate::overlay::subtree::around;
    use crate::overlay::view::Member;
    use crate::overlay::view::tests::{member, peer, view};

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
                let subtree = around(*keeper, members.iter());
                prop_assert!(subtree.contains(&key) && subtree.places().contains(&key));
                prop_assert!(near.iter().all(|member| subtree.contains(member)));
            }
        }

        #[test]
        fn a_key_is_in_the_ranges_of_two_members_if_and_only_if_both_copy_it(
            count in 2..200u64,
            key: u64,
            other: prop::sample::Index,
            twin in prop::option::of(0..40usize),
        ) {
            let view = beside(count, twin);
            let other = Arc::clone(&view.members()[1 + other.index(view.members().len() - 1)].peer);
            let key = place(key);
            let ranges = in_common(&view, &other.place, REPLICAS);
            let copies = |of: &Place| view.coarse_rank(&key, of, REPLICAS) < REPLICAS;
            let both = copies(&view.me().place) && copies(&other.place);
            prop_assert_eq!(ranges.iter().filter(|range| range.contains(&key)).count(), usize::from(both));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].places().end() < pair[1].first()));
            prop_assert!(ranges.iter().all(|range| range.bits() <= LEAF_BITS));
            for of in [view.me().place, other.place] {
                prop_assert!(copies(&of) || view.rank(&key, &of) >= REPLICAS);
            }
        }

        #[test]
        fn one_next_to_another_makes_no_more_ranges(count in 4..200u64, shared in 0..200usize) {
            let view = beside(count, Some(shared));
            for member in &view.members()[1..] {
                let ranges = in_common(&view, &member.peer.place, REPLICAS + 1);
                prop_assert!(ranges.len() <= 512, "{} ranges", ranges.len());
            }
        }
    }

    /// A view; in which there is one more that shares so many first bits with another.
    fn beside(count: u64, shared: Option<usize>) -> View {
        let mut others: Vec<_> = (1..count).map(member).collect();
        if let (Some(shared), Some(first)) = (shared, others.first()) {
            let mut bytes = *first.peer.place.as_bytes();
            bytes[shared / 8] ^= 0x80 >> (shared % 8);
            let unlike = Peer::new(peer(5000).id, Pulse::default());
            let peer = Arc::new(Peer { place: Place::from_bytes(bytes), ..unlike });
            others.push(Member { peer, ..member(0) });
        }
        View::new(peer(0), others, Vec::new(), true)
    }

    #[test]
    fn a_large_overlay_leaves_each_a_small_share_and_few_ranges() {
        let members: Vec<Place> = (0..1000).map(place).collect();
        let near = |of: &Place| {
            let subtree = around(*of, members.iter());
            members.iter().filter(|member| subtree.contains(member)).count()
        };
        let mean = members.iter().map(near).sum::<usize>() / members.len();
        assert!(mean < 40, "{mean} of 1000 members on average");
        let view = view(500);
        for member in &view.members()[1..] {
            let ranges = in_common(&view, &member.peer.place, REPLICAS);
            assert!(ranges.len() <= 64, "{} ranges", ranges.len());
        }
    }
}
