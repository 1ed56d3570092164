//! How long an entry lives: asked for by a client as a [`Ttl`], passed on as a [`Lifetime`].

use std::time::Duration;

use crate::limits::{TOMBSTONE_TTL_S, TTL_MAX_S, TTL_MIN_S};

/// The time to live a client asks for, in whole seconds between [`TTL_MIN_S`] and [`TTL_MAX_S`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(u64);

/// What is left of an entry's life, in milliseconds. A duration, never a point in time: no two
/// laptops agree on the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lifetime(u64);

/// A time to live outside of what the overlay keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ttl of {given} s is out of range; it is between {TTL_MIN_S} and {TTL_MAX_S} s")]
pub struct TtlOutOfRange {
    /// What was asked for, in seconds.
    pub given: i64,
}

impl Ttl {
    /// The longest, [`TTL_MAX_S`].
    pub const MAX: Ttl = Ttl(TTL_MAX_S);

    /// A time to live in seconds.
    ///
    /// # Errors
    /// [`TtlOutOfRange`] below [`TTL_MIN_S`] or above [`TTL_MAX_S`].
    pub fn from_secs(seconds: i64) -> Result<Ttl, TtlOutOfRange> {
        match u64::try_from(seconds) {
            Ok(s @ TTL_MIN_S..=TTL_MAX_S) => Ok(Ttl(s)),
            _ => Err(TtlOutOfRange { given: seconds }),
        }
    }

    /// The time to live in seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }
}

impl Lifetime {
    /// None left.
    pub const ZERO: Lifetime = Lifetime(0);

    /// How long a tombstone is kept.
    pub const TOMBSTONE: Lifetime = Lifetime(TOMBSTONE_TTL_S * 1000);

    /// A lifetime in milliseconds.
    pub const fn from_millis(millis: u64) -> Lifetime {
        Lifetime(millis)
    }

    /// The lifetime in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The lifetime in seconds, a started one counted whole: what is alive never reads as 0 s.
    pub const fn as_secs_rounded_up(self) -> u64 {
        self.0.div_ceil(1000)
    }
}

impl From<Ttl> for Lifetime {
    fn from(ttl: Ttl) -> Lifetime {
        Lifetime(ttl.0 * 1000)
    }
}

impl From<Lifetime> for Duration {
    fn from(lifetime: Lifetime) -> Duration {
        Duration::from_millis(lifetime.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_between_a_second_and_seven_days() {
        for good in [1, 604_800] {
            assert!(Ttl::from_secs(good).is_ok());
        }
        for bad in [i64::MIN, -1, 0, 604_801, i64::MAX] {
            assert_eq!(Ttl::from_secs(bad), Err(TtlOutOfRange { given: bad }));
        }
    }

    #[test]
    fn a_started_second_counts_whole() {
        assert_eq!(Lifetime::from_millis(1).as_secs_rounded_up(), 1);
        assert_eq!(Lifetime::from_millis(2000).as_secs_rounded_up(), 2);
    }
}
