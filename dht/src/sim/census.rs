//! Where the nodes are that run: who ought to keep a key, and whom each ought to know.

use base::Place;

use super::nodes::SimNode;
use crate::prefix::{BITS, Prefix};

/// The nodes that run, in the order of their places, with their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Census(Vec<(Place, usize)>);

impl Census {
    /// Who runs now.
    pub(super) fn of(nodes: &[SimNode]) -> Census {
        let up = nodes.iter().filter(|node| node.dht.is_some());
        let mut all: Vec<(Place, usize)> = up.map(|node| (node.place, node.number)).collect();
        all.sort_unstable();
        Census(all)
    }

    /// The numbers of the nodes closest to a place, closest first.
    pub(super) fn closest(&self, place: &Place, count: usize) -> Vec<usize> {
        // The smallest subtree around it that has enough of them has them all.
        let (mut bits, mut near) = (BITS, &self.0[0..0]);
        while near.len() < count && near.len() < self.0.len() {
            // So deep nobody shares anything with it by chance.
            bits = if bits > 24 { 24 } else { bits - 1 };
            near = self.within(&Prefix::of(place, bits));
        }
        let mut near: Vec<_> = near.iter().map(|(at, n)| (at.distance(place), *n)).collect();
        near.sort_unstable();
        near.truncate(count);
        near.into_iter().map(|(_, number)| number).collect()
    }

    fn within(&self, prefix: &Prefix) -> &[(Place, usize)] {
        let places = prefix.places();
        let begin = self.0.partition_point(|(place, _)| place < places.start());
        let end = self.0.partition_point(|(place, _)| place <= places.end());
        &self.0[begin..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_are_those_a_full_sort_finds() {
        let place = |n: usize| Place::of(&n.to_le_bytes());
        for count in [1, 5, 300] {
            let mut all: Vec<(Place, usize)> = (0..count).map(|n| (place(n), n)).collect();
            all.sort_unstable();
            let census = Census(all);
            for key in 1000..1050 {
                let mut sorted: Vec<usize> = (0..count).collect();
                sorted.sort_by_key(|n| place(*n).distance(&place(key)));
                sorted.truncate(9);
                assert_eq!(census.closest(&place(key), 9), sorted);
            }
        }
        assert!(Census::default().closest(&place(1), 3).is_empty());
    }
}
