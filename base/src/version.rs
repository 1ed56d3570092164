//! Which of two copies of an entry is newer, without a common clock.

use crate::limits::VERSION_JUMP_MAX;

/// A Lamport counter (Lamport 1978): laptops at an event have no common clock, so an operation
/// counts as later than every operation its author could have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Version(u64);

impl Version {
    /// Before every operation.
    pub const ZERO: Version = Version(0);

    /// A version from its number, as read from a disk or a peer.
    pub const fn new(number: u64) -> Version {
        Version(number)
    }

    /// The version's number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The version of an operation whose author has seen this one.
    ///
    /// Saturates: reaching the end takes 2^24 refusable jumps, see [`VERSION_JUMP_MAX`].
    pub const fn next(self) -> Version {
        Version(self.0.saturating_add(1))
    }

    /// Whether a copy of this version may replace one of `held` ([`Version::ZERO`] for none).
    /// Keeps one wrong or hostile counter from using up everybody's.
    pub const fn may_follow(self, held: Version) -> bool {
        self.0.saturating_sub(held.0) <= VERSION_JUMP_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_above_two_to_the_forty_are_refused() {
        let held = Version::new(5);
        assert!(Version::new(5 + (1 << 40)).may_follow(held));
        assert!(!Version::new(6 + (1 << 40)).may_follow(held));
        assert!(Version::new(1).may_follow(held), "an older one is not a jump");
    }

    #[test]
    fn the_next_version_is_later() {
        assert!(Version::ZERO.next() > Version::ZERO);
        assert_eq!(Version::new(u64::MAX).next(), Version::new(u64::MAX));
    }
}
