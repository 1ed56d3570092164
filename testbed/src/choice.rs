//! Random choices that a seed repeats.

use std::time::{SystemTime, UNIX_EPOCH};

/// A seeded source of choices: SplitMix64 (Steele, Lea and Flood, 2014). Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Choice(u64);

impl Choice {
    /// The same seed makes the same choices on every machine.
    pub(crate) const fn seeded(seed: u64) -> Choice {
        Choice(seed)
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product: fairer than a remainder, and bias is no matter here.
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// `count` numbers below `bound` in rising order, each in its own equal share of the range:
    /// moments spread over a run, none twice.
    pub(crate) fn moments(&mut self, count: u64, bound: u64) -> Vec<u64> {
        let share = bound / count.max(1);
        (0..count).map(|i| i * share + self.below(share)).collect()
    }
}

/// A seed for who gives none.
pub(crate) fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Short, so that a person can type it again.
    now.as_micros() as u64 % 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_choices() {
        let draw = |seed| {
            let mut choice = Choice::seeded(seed);
            (0..50).map(|_| choice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|n| *n < 1000));
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for seed 0, from the reference implementation.
        let mut choice = Choice::seeded(0);
        assert_eq!(choice.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(choice.bits(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn moments_rise_and_stay_within_the_run() {
        let moments = Choice::seeded(3).moments(20, 10_000);
        assert_eq!(moments.len(), 20);
        assert!(moments.is_sorted());
        assert!(moments.iter().all(|m| *m < 10_000));
    }
}
