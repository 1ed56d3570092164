//! So many at once, and after that one each so often.

use std::time::Duration;

use tokio::time::Instant;

/// A limit: how many may come at once, and how long it takes until one more may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) burst: u32,
    pub(crate) pause: Duration,
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    limit: Limit,
    /// When none of it is in use any more.
    free: Instant,
}

impl Pace {
    pub(crate) fn new(limit: Limit, now: Instant) -> Pace {
        Pace { limit, free: now }
    }

    /// Takes one; false if there is none left.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let free = self.free.max(now) + self.limit.pause;
        let taken = free <= now + self.limit.pause * self.limit.burst;
        if taken {
            self.free = free;
        }
        taken
    }

    /// Gives one back.
    pub(crate) fn give_back(&mut self) {
        if let Some(free) = self.free.checked_sub(self.limit.pause) {
            self.free = free;
        }
    }

    /// Whether it is as if nothing had ever been taken.
    pub(crate) fn is_unused(&self, now: Instant) -> bool {
        self.free <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_through_and_then_one_a_pause() {
        let limit = Limit { burst: 3, pause: Duration::from_secs(10) };
        let start = Instant::now();
        let mut pace = Pace::new(limit, start);
        assert!((0..3).all(|_| pace.take(start)));
        assert!(!pace.take(start + Duration::from_secs(9)));
        assert!(pace.take(start + Duration::from_secs(10)));
        assert!(!pace.take(start + Duration::from_secs(10)));
        // It never adds up to more than a burst.
        let later = start + Duration::from_secs(1000);
        assert!(pace.is_unused(later));
        assert_eq!((0..9).filter(|_| pace.take(later)).count(), 3);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let limit = Limit { burst: 1, pause: Duration::from_secs(10) };
        let now = Instant::now();
        let mut pace = Pace::new(limit, now);
        for _ in 0..5 {
            assert!(pace.take(now));
            pace.give_back();
        }
        assert!(pace.is_unused(now));
    }
}
