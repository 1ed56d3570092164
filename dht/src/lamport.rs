//! The node's Lamport clock: which version an operation takes.

use std::sync::atomic::{AtomicU64, Ordering};

use base::Version;
use base::limits::VERSION_JUMP_MAX;

/// How far others can drive this clock. A new entry's version must not be a jump above none
/// ([`VERSION_JUMP_MAX`]), whatever versions some entries have been driven to.
pub(crate) const OBSERVED_MAX: u64 = VERSION_JUMP_MAX / 2;

/// Hands out versions, each above all it handed out or was shown before. It starts at zero and is shown what
/// the node's store held before ([`crate::store::Store::newest`]): when all of an overlay starts again and
/// few have come back, an old removal that one of the others kept must not win over what these write. Else a
/// replica that has seen more answers *stale*, and one retry catches up.
#[derive(Debug, Default)]
pub(crate) struct LamportClock(AtomicU64);

impl LamportClock {
    /// The version of an operation that begins now.
    pub(crate) fn tick(&self) -> Version {
        Version::new(self.0.fetch_add(1, Ordering::Relaxed)).next()
    }

    /// Takes note of a version somebody has reached, up to [`OBSERVED_MAX`].
    pub(crate) fn observe(&self, seen: Version) {
        self.0.fetch_max(seen.number().min(OBSERVED_MAX), Ordering::Relaxed);
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

    #[test]
    fn a_version_far_ahead_leaves_new_entries_possible() {
        let clock = LamportClock::default();
        clock.observe(Version::new(u64::MAX));
        assert!(clock.tick().may_follow(Version::ZERO));
    }
}
