//! How much somebody may do: so much at once, and then so much a second.

/// A bound on what somebody does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What may be done at once, after a pause long enough.
    pub burst: u64,
    /// What may be done each second from then on. At least 1.
    pub per_second: u64,
}

impl Rate {
    /// Most that can be done within so many seconds, whatever came before.
    pub const fn most_within(self, seconds: u64) -> u64 {
        self.burst.saturating_add(self.per_second.saturating_mul(seconds))
    }
}

/// What is left of a [`Rate`]. Knows no clock: the time, in milliseconds from any moment on, is an
/// argument, and one that goes back counts as standing still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBucket {
    rate: Rate,
    /// In thousandths, so that a millisecond's share of any rate is whole.
    left: u64,
    at_ms: u64,
}

/// There is not enough left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("try again in {} s", wait_ms.div_ceil(1000))]
pub struct Exhausted {
    /// In how many milliseconds there will be, if nobody takes anything until then.
    pub wait_ms: u64,
}

impl TokenBucket {
    /// A full one.
    pub const fn full(rate: Rate, now_ms: u64) -> TokenBucket {
        TokenBucket { rate, left: rate.burst.saturating_mul(1000), at_ms: now_ms }
    }

    /// Takes an amount, if it is there. More than the burst is there when the bucket is full, and is
    /// owed afterwards: so what is larger than any bucket is slow, and not impossible.
    ///
    /// # Errors
    /// [`Exhausted`], and nothing was taken.
    pub fn take(&mut self, amount: u64, now_ms: u64) -> Result<(), Exhausted> {
        self.refill(now_ms);
        let wanted = amount.saturating_mul(1000);
        let needed = wanted.min(self.rate.burst.saturating_mul(1000));
        if self.left < needed {
            let flow = (needed - self.left).div_ceil(self.rate.per_second.max(1));
            return Err(Exhausted { wait_ms: self.at_ms - now_ms.min(self.at_ms) + flow });
        }
        self.left -= needed;
        // The rest is owed: it has to flow in before anything else can.
        self.at_ms += (wanted - needed) / self.rate.per_second.max(1);
        Ok(())
    }

    /// What is left at a time, between 0 for nothing and 1,000 for a full bucket.
    pub fn level(&self, now_ms: u64) -> u64 {
        let full = self.rate.burst.saturating_mul(1000);
        let left = u128::from(self.left_at(now_ms)) * 1000;
        u64::try_from(left / u128::from(full.max(1))).unwrap_or(1000)
    }

    fn refill(&mut self, now_ms: u64) {
        self.left = self.left_at(now_ms);
        self.at_ms = self.at_ms.max(now_ms);
    }

    fn left_at(&self, now_ms: u64) -> u64 {
        let flowed = now_ms.saturating_sub(self.at_ms).saturating_mul(self.rate.per_second);
        self.left.saturating_add(flowed).min(self.rate.burst.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { burst: 100, per_second: 10 };

    #[test]
    fn a_burst_is_there_at_once_and_the_rest_comes_in_time() {
        let mut bucket = TokenBucket::full(RATE, 5000);
        assert_eq!(bucket.take(100, 5000), Ok(()));
        assert_eq!(bucket.take(1, 5000), Err(Exhausted { wait_ms: 100 }));
        assert_eq!(bucket.take(1, 5099), Err(Exhausted { wait_ms: 1 }));
        assert_eq!(bucket.take(1, 5100), Ok(()));
        assert_eq!(bucket.take(100, 15_100), Ok(()), "full again after ten seconds");
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let mut bucket = TokenBucket::full(RATE, 0);
        bucket.take(60, 0).unwrap();
        let before = bucket.clone();
        assert!(bucket.take(41, 0).is_err());
        assert_eq!(bucket, before);
        assert_eq!(bucket.take(40, 0), Ok(()));
    }

    #[test]
    fn more_than_a_bucket_holds_is_slow_and_not_impossible() {
        let mut bucket = TokenBucket::full(RATE, 0);
        assert_eq!(bucket.take(300, 0), Ok(()));
        assert!(bucket.take(1, 20_000).is_err(), "it is owed for 20 s");
        assert_eq!(bucket.take(1, 20_100), Ok(()));
    }

    #[test]
    fn a_time_that_goes_back_stands_still() {
        let mut bucket = TokenBucket::full(RATE, 10_000);
        bucket.take(100, 10_000).unwrap();
        assert_eq!(bucket.take(10, 0), Err(Exhausted { wait_ms: 11_000 }));
        assert_eq!(bucket.take(10, 11_000), Ok(()));
    }

    #[test]
    fn the_level_is_in_thousandths() {
        let mut bucket = TokenBucket::full(RATE, 0);
        assert_eq!(bucket.level(0), 1000);
        bucket.take(75, 0).unwrap();
        assert_eq!((bucket.level(0), bucket.level(2500), bucket.level(60_000)), (250, 500, 1000));
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_the_burst_and_the_flow(
            burst in 1..2000u64,
            per_second in 1..2000u64,
            takes in prop::collection::vec((0..3000u64, 0..2500u64), 1..60),
        ) {
            let rate = Rate { burst, per_second };
            let mut bucket = TokenBucket::full(rate, 0);
            let (mut now, mut taken) = (0, 0);
            for (pause, amount) in takes {
                now += pause;
                if let Err(Exhausted { wait_ms }) = bucket.take(amount, now) {
                    prop_assert!(wait_ms > 0);
                    prop_assert!(bucket.clone().take(amount, now + wait_ms).is_ok());
                    prop_assert!(bucket.clone().take(amount, now + wait_ms - 1).is_err());
                } else {
                    // What is above the burst is paid for afterwards.
                    taken += amount.min(burst);
                }
                prop_assert!(taken * 1000 <= burst * 1000 + per_second * now);
            }
        }
    }
}
