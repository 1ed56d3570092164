//! The last so many of something.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// A set that forgets what was added first when it is full.
pub(super) struct Recent<T> {
    all: HashSet<T>,
    /// The same, the oldest first.
    order: VecDeque<T>,
    limit: usize,
}

impl<T: Copy + Eq + Hash> Recent<T> {
    pub(super) fn new(limit: usize) -> Recent<T> {
        Recent { all: HashSet::new(), order: VecDeque::new(), limit }
    }

    pub(super) fn contains(&self, what: &T) -> bool {
        self.all.contains(what)
    }

    pub(super) fn insert(&mut self, what: T) {
        if !self.all.insert(what) {
            return;
        }
        self.order.push_back(what);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }

    pub(super) fn remove(&mut self, what: &T) {
        if self.all.remove(what) {
            self.order.retain(|other| other != what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_for_the_newest() {
        let mut recent = Recent::new(3);
        for what in [1, 2, 3, 3, 1, 4] {
            recent.insert(what);
        }
        let left: Vec<_> = (1..=4).filter(|what| recent.contains(what)).collect();
        assert_eq!(left, [2, 3, 4]);
        recent.remove(&3);
        recent.insert(5);
        let left: Vec<_> = (1..=5).filter(|what| recent.contains(what)).collect();
        assert_eq!(left, [2, 4, 5]);
        assert_eq!((recent.all.len(), recent.order.len()), (3, 3));
    }
}
