//! The node's Lamport clock: which version an operation takes.

use std::sync::atomic::{AtomicU64, Ordering};

use base::Version;

/// Hands out versions, each above all it handed out or was shown before. Starts at zero with every
/// start of the node: a replica that has seen more answers *stale*, and one retry catches up.
#[derive(Debug, Default)]
pub(crate) struct LamportClock(AtomicU64);

impl LamportClock {
    /// The version of an operation that begins now.
    pub(crate) fn tick(&self) -> Version {
        Version::new(self.0.fetch_add(1, Ordering::Relaxed)).next()
    }

    /// Takes note of a version another node has reached.
    pub(crate) fn observe(&self, seen: Version) {
        self.0.fetch_max(seen.number(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tick_is_above_all_seen_before() {
        let clock = LamportClock::default();
        let first = clock.tick();
        assert!(clock.tick() > first);
        clock.observe(Version::new(70));
        clock.observe(Version::new(7));
        assert_eq!(clock.tick(), Version::new(71));
    }
}
