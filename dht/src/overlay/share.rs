//! What two members have to do with each other: which ranges of places both of them keep.

use base::Place;
use base::limits::REPLICAS;

use super::view::View;
use crate::prefix::Prefix;

/// Deepest ranges told apart by who keeps them: below, some of a range may be kept by others.
const DEEPEST: usize = 24;
const _: () = assert!(DEEPEST <= u32::BITS as usize);

/// The ranges of places to which this node and another member both are among the `count` closest: what
/// both of them keep; or, if the other is this node, what it keeps. In order.
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
    let mut ranges = Vec::new();
    if near.contains(other) {
        let near: Vec<u32> = near.iter().map(head).collect();
        divide(whole, &near, [head(&mine), head(other)], count, &mut ranges);
    }
    ranges
}

/// Divides a range until it is known of each part whether both of two are among the closest to all of
/// its places. Of places the first bits are looked at, as many as the deepest range has.
fn divide(range: Prefix, near: &[u32], both: [u32; 2], count: usize, found: &mut Vec<Prefix>) {
    let ranks = both.map(|place| ranks(&range, near, place));
    if ranks.iter().any(|(least, _)| *least >= count) {
        return;
    }
    if range.bits() >= DEEPEST || ranks.iter().all(|(_, most)| *most < count) {
        found.push(range);
        return;
    }
    for half in range.split(1) {
        divide(half, near, both, count, found);
    }
}

/// How many are closer than `of`, one of them: to the place of a range where there are the fewest, and
/// at most.
fn ranks(range: &Prefix, near: &[u32], of: u32) -> (usize, usize) {
    // What places of the range have in common decides; who is alike in that comes in any order.
    let (first, bits) = (head(range.first()), range.bits().min(DEEPEST) as u32);
    let distance = |place: u32| (place ^ first).checked_shr(u32::BITS - bits).unwrap_or(0);
    let limit = distance(of);
    let (mut closer, mut alike) = (0, 0);
    for place in near {
        closer += usize::from(distance(*place) < limit);
        alike += usize::from(distance(*place) == limit);
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
    use crate::overlay::subtree::around;
    use crate::overlay::view::tests::view;

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
        fn a_key_is_in_the_ranges_of_two_members_if_and_only_if_both_keep_it(count in 2..200u64, key: u64, other: prop::sample::Index) {
            let view = view(count);
            let other = Arc::clone(&view.members()[1 + other.index(view.members().len() - 1)].peer);
            let key = place(key);
            let ranges = in_common(&view, &other.place, REPLICAS);
            let keeps = |of: &Place| view.rank(&key, of) < REPLICAS;
            let both = keeps(&view.me().place) && keeps(&other.place);
            prop_assert_eq!(ranges.iter().filter(|range| range.contains(&key)).count(), usize::from(both));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].places().end() < pair[1].first()));
        }
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
