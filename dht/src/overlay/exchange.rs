//! When to ask a member whom it knows.

use std::time::Duration;

use super::Now;

/// After each exchange that changed nothing twice as long as before, from this.
const FIRST: Duration = Duration::from_millis(500);
/// At most: in an overlay too large for everybody to know everybody there are always differences.
const LONGEST: Duration = Duration::from_secs(120);

/// Members compare digests of whom they know with every probe. If they differ, one asks the other, less
/// and less often while that brings nothing new.
#[derive(Debug)]
pub(crate) struct Exchanges {
    pause: Duration,
    not_before: Now,
}

impl Default for Exchanges {
    fn default() -> Exchanges {
        Exchanges { pause: FIRST, not_before: Now::ZERO }
    }
}

impl Exchanges {
    /// Another member told what it knows: the same as this node, or not. Whether to ask it.
    /// Not again within `least`.
    pub(crate) fn compare(&mut self, same: bool, least: Duration, now: Now) -> bool {
        if same || now < self.not_before {
            return false;
        }
        self.pause = (self.pause * 2).min(LONGEST);
        self.not_before = now + self.pause.max(least);
        true
    }

    /// The members have changed: asking may bring something again.
    pub(crate) fn news(&mut self, now: Now) {
        self.pause = FIRST;
        self.not_before = self.not_before.min(now + FIRST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_that_bring_nothing_become_rare() {
        let (mut exchanges, mut count) = (Exchanges::default(), 0);
        for second in 0..3600 {
            count += u32::from(exchanges.compare(false, FIRST, Duration::from_secs(second)));
        }
        assert!((20..50).contains(&count), "{count} in an hour");
        exchanges.news(Duration::from_secs(3600));
        assert!(exchanges.compare(false, FIRST, Duration::from_secs(3601)));
    }

    #[test]
    fn who_knows_the_same_is_not_asked() {
        let mut exchanges = Exchanges::default();
        assert!(!exchanges.compare(true, FIRST, Duration::from_secs(10)));
    }
}
