//! How much each of many may do, and how much they may put by how long it is to live: what takes room
//! for a week must not come as fast as what is gone in an hour. Bamboo, the table under OpenDHT, had a
//! virtual disk for each of three classes of ttl; here each putter has a [`TokenBucket`] of bytes for
//! each [`TtlClass`].

use std::collections::HashMap;
use std::hash::Hash;

use crate::limits::TTL_MAX_S;
use crate::{Exhausted, Lifetime, Rate, TokenBucket};

/// How long something is to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TtlClass {
    /// At most an hour.
    Hour,
    /// At most a day.
    Day,
    /// At most seven days, and tombstones.
    Week,
}

impl TtlClass {
    /// All of them, the shortest first.
    pub const ALL: [TtlClass; 3] = [TtlClass::Hour, TtlClass::Day, TtlClass::Week];

    /// The class of what lives so long.
    pub const fn of(lifetime: Lifetime) -> TtlClass {
        match lifetime.as_millis().div_ceil(1000) {
            0..=3600 => TtlClass::Hour,
            3601..=86_400 => TtlClass::Day,
            _ => TtlClass::Week,
        }
    }

    /// The longest ttl of the class, in seconds.
    pub const fn longest_s(self) -> u64 {
        match self {
            TtlClass::Hour => 3600,
            TtlClass::Day => 86_400,
            TtlClass::Week => TTL_MAX_S,
        }
    }

    /// Its name, for people and for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            TtlClass::Hour => "hour",
            TtlClass::Day => "day",
            TtlClass::Week => "week",
        }
    }
}

/// What is left to each of many, who have `N` buckets each. As large as its bound and no larger: when
/// it is full, who has most left is forgotten, and so has all again.
#[derive(Debug, Clone)]
pub struct Allowances<K, const N: usize> {
    rates: [Rate; N],
    known_max: usize,
    known: HashMap<K, [TokenBucket; N]>,
}

impl<K: Eq + Hash + Copy, const N: usize> Allowances<K, N> {
    /// Everybody has buckets of these rates. `known_max`, at least 1, is how many are remembered.
    pub fn new(rates: [Rate; N], known_max: usize) -> Allowances<K, N> {
        Allowances { rates, known_max: known_max.max(1), known: HashMap::new() }
    }

    /// Takes an amount from somebody's bucket of this index, below `N`.
    ///
    /// # Errors
    /// [`Exhausted`], and nothing was taken.
    pub fn take(
        &mut self,
        who: K,
        bucket: usize,
        amount: u64,
        now_ms: u64,
    ) -> Result<(), Exhausted> {
        if !self.known.contains_key(&who) && self.known.len() >= self.known_max {
            self.forget(now_ms);
        }
        let full = || self.rates.map(|rate| TokenBucket::full(rate, now_ms));
        self.known.entry(who).or_insert_with(full)[bucket].take(amount, now_ms)
    }

    /// What [`Allowances::take`] would say, taking nothing.
    ///
    /// # Errors
    /// [`Exhausted`].
    pub fn check(&self, who: &K, bucket: usize, amount: u64, now_ms: u64) -> Result<(), Exhausted> {
        self.known.get(who).map_or(Ok(()), |known| known[bucket].clone().take(amount, now_ms))
    }

    /// How many are remembered.
    pub fn known(&self) -> usize {
        self.known.len()
    }

    /// Forgets those who have all left, for that changes nothing; if there are none, the one who
    /// comes closest to it.
    fn forget(&mut self, now_ms: u64) {
        let left = |buckets: &[TokenBucket; N]| {
            buckets.iter().map(|bucket| bucket.level(now_ms)).min().unwrap_or(0)
        };
        let before = self.known.len();
        self.known.retain(|_, buckets| left(buckets) < 1000);
        if self.known.len() == before
            && let Some(fullest) =
                self.known.iter().max_by_key(|(_, buckets)| left(buckets)).map(|(who, _)| *who)
        {
            self.known.remove(&fullest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 100, per_second: 10 };

    const HOUR: usize = TtlClass::Hour as usize;
    const DAY: usize = TtlClass::Day as usize;
    const WEEK: usize = TtlClass::Week as usize;

    fn allowances(known_max: usize) -> Allowances<u32, 3> {
        Allowances::new([RATE; 3], known_max)
    }

    #[test]
    fn each_ttl_is_of_the_class_that_is_just_long_enough() {
        let class = |seconds: u64| TtlClass::of(Lifetime::from_millis(seconds * 1000));
        assert_eq!((class(1), class(3600)), (TtlClass::Hour, TtlClass::Hour));
        assert_eq!((class(3601), class(86_400)), (TtlClass::Day, TtlClass::Day));
        assert_eq!((class(86_401), class(TTL_MAX_S)), (TtlClass::Week, TtlClass::Week));
        assert_eq!(TtlClass::of(Lifetime::TOMBSTONE), TtlClass::Week);
        for class in TtlClass::ALL {
            let longest = Lifetime::from_millis(class.longest_s() * 1000);
            assert_eq!(TtlClass::of(longest), class);
            assert_eq!(TtlClass::ALL[class as usize], class);
        }
    }

    #[test]
    fn one_putter_and_one_class_take_nothing_from_the_others() {
        let mut allowances = allowances(10);
        allowances.take(1, WEEK, 100, 0).unwrap();
        assert_eq!(allowances.take(1, WEEK, 1, 0), Err(Exhausted { wait_ms: 100 }));
        assert_eq!(allowances.take(1, HOUR, 100, 0), Ok(()));
        assert_eq!(allowances.take(2, WEEK, 100, 0), Ok(()));
        assert_eq!(allowances.take(1, WEEK, 1, 100), Ok(()));
    }

    #[test]
    fn who_is_forgotten_first_has_most_left() {
        let mut allowances = allowances(3);
        allowances.take(1, WEEK, 100, 0).unwrap();
        allowances.take(2, DAY, 20, 0).unwrap();
        allowances.take(3, HOUR, 90, 0).unwrap();
        allowances.take(4, HOUR, 1, 0).unwrap();
        assert_eq!(allowances.known(), 3);
        assert!(allowances.take(1, WEEK, 1, 0).is_err(), "the flooder is remembered");
        assert!(allowances.check(&3, HOUR, 11, 0).is_err());
        assert!(allowances.check(&3, HOUR, 10, 0).is_ok());
        assert!(allowances.check(&99, HOUR, 100, 0).is_ok(), "who is not known has all");
    }

    #[test]
    fn the_table_never_grows_above_its_bound() {
        let mut allowances = allowances(16);
        for putter in 0..1000 {
            let _ = allowances.take(putter, DAY, 50, u64::from(putter));
            assert!(allowances.known() <= 16);
        }
        // Later all have all left, and one newcomer clears them away.
        allowances.take(5000, DAY, 1, 1_000_000).unwrap();
        assert_eq!(allowances.known(), 1);
    }
}
