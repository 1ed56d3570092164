//! [`Stamp`]: when something was said, and in which order things are shown.

use std::cmp::Ordering;

/// How far ahead of one's own clock somebody else's may be to be followed, in milliseconds: laptops that
/// were set by hand differ by minutes, and one that is years ahead must not take all others with it.
pub const AHEAD_MAX_MS: u64 = 10 * 60 * 1000;

/// Milliseconds since 1970 by the author's clock, or later: never before what it answers. A hybrid logical
/// clock: what answers comes after what it answers, whatever the clocks say; between things that have nothing
/// to do with each other the clocks decide, and may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// A stamp from its milliseconds.
    pub const fn from_millis(ms: u64) -> Stamp {
        Stamp(ms)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The stamp of something said now, after all this was seen.
    #[must_use]
    pub fn after(now_ms: u64, seen: impl IntoIterator<Item = Stamp>) -> Stamp {
        let bound = now_ms.saturating_add(AHEAD_MAX_MS);
        let seen = seen.into_iter().map(|stamp| stamp.0).filter(|ms| *ms < bound);
        Stamp(seen.max().map_or(now_ms, |latest| now_ms.max(latest + 1)))
    }
}

/// The order in which things are shown, the newest first; who says two things with one stamp, or two who do,
/// are told apart by `id`, alike at every reader.
pub fn newest_first<I: Ord>(one: (Stamp, I), two: (Stamp, I)) -> Ordering {
    two.0.cmp(&one.0).then_with(|| one.1.cmp(&two.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_comes_after_what_it_answers_unless_that_is_years_ahead() {
        let seen = Stamp::from_millis(5_000);
        assert_eq!(Stamp::after(9_000, [seen]).millis(), 9_000);
        assert_eq!(Stamp::after(2_000, [seen]).millis(), 5_001);
        let year = Stamp::from_millis(2_000 + AHEAD_MAX_MS);
        assert_eq!(Stamp::after(2_000, [year, seen]).millis(), 5_001);
        assert_eq!(Stamp::after(u64::MAX, [seen]).millis(), u64::MAX);
    }
}
