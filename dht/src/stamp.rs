//! [`Stamp`]: whether what was read of a key may still be taken for all there is.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use base::Key;

use crate::Dht;

/// Names a time in which, as far as this super-node knows, no other one has changed anything under a key.
/// Two that are equal mean the same time; none comes twice while a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(NonZeroU64);

impl Stamp {
    /// Its number, for whoever wants to keep it in little room.
    pub const fn number(self) -> NonZeroU64 {
        self.0
    }
}

/// Makes a node's stamps.
#[derive(Debug)]
pub(crate) struct Stamps {
    last: AtomicU64,
    alone: AtomicU64,
}

impl Default for Stamps {
    fn default() -> Stamps {
        Stamps { last: AtomicU64::new(1), alone: AtomicU64::new(1) }
    }
}

impl Stamps {
    /// One that was not there before.
    pub(crate) fn next(&self) -> Stamp {
        // It begins above 0, and nobody counts so far that it wraps.
        Stamp(
            NonZeroU64::new(self.last.fetch_add(1, Ordering::Relaxed) + 1)
                .unwrap_or(NonZeroU64::MIN),
        )
    }

    /// Another super-node is there, or has written here: what holds for a node alone is over.
    pub(crate) fn in_company(&self) {
        self.alone.store(self.next().number().get(), Ordering::Release);
    }

    /// What all keys of a node have that is alone.
    pub(crate) fn alone(&self) -> Option<Stamp> {
        NonZeroU64::new(self.alone.load(Ordering::Acquire)).map(Stamp)
    }
}

impl Dht {
    /// The stamp of all keys, while this super-node is the only member and has looked around.
    pub fn alone(&self) -> Option<Stamp> {
        let node = self.node();
        // Asked for first: whoever comes between the two is seen by the one or the other.
        let stamp = node.watches.stamps.alone();
        let view = node.view.load();
        let is_alone = view.members().len() == 1 && !view.is_filling() && !node.has_slept();
        stamp.filter(|_| is_alone)
    }

    /// The stamp of a key: what was read after it was asked for counts as long as it stays the same. `None`
    /// where this node would not hear of it if others changed the key: it is neither alone, nor watches the
    /// key ([`Dht::watch`]) at all that keep it.
    ///
    /// Word of a change takes as long as a message, and longer where one is lost: as a reason to do without
    /// a read it is good for what may be some milliseconds old.
    pub fn stamp(&self, key: &Key) -> Option<Stamp> {
        self.alone().or_else(|| {
            let node = self.node();
            let view = node.view.load();
            node.watches.stamp(&key.place(), &view).filter(|_| !node.has_slept())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stamp_comes_twice_and_company_ends_being_alone() {
        let stamps = Stamps::default();
        let alone = stamps.alone();
        assert!(alone.is_some());
        assert_eq!(stamps.alone(), alone);
        let next = stamps.next();
        assert_ne!(Some(next), alone);
        stamps.in_company();
        assert_ne!(stamps.alone(), alone);
        assert_ne!(stamps.alone(), Some(next));
        assert_ne!(stamps.alone(), Some(stamps.next()));
    }
}
