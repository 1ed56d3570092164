//! Chance that can be asked in any order: the k-th draw of a stream is a function of the seed, the
//! stream and k alone. So what befalls the k-th frame of a link does not hang on how frames of
//! other links happened to be mixed with it.

use crate::choice::Choice;

/// What a stream of draws is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Whether frames are lost between two stations.
    Link(usize, usize),
    /// How many slots a station waits.
    Backoff(usize),
    /// Where a laptop is put, and goes.
    Walk(usize),
    /// Where a group goes.
    Group(usize),
}

/// Draws of a seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The same seed has the same draws on every machine.
    pub(crate) const fn seeded(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The `k`-th draw of a stream: from 0 to below 1, each as likely as any other.
    pub(crate) fn draw(self, stream: Stream, k: u64) -> f64 {
        /// All integers below it are exact in an `f64`.
        const STEPS: u64 = 1 << 53;
        let mut choice = self.choice(stream);
        let at = choice.bits().wrapping_add(k);
        Choice::seeded(at).below(STEPS) as f64 / STEPS as f64
    }

    /// A source of choices of its own for a stream.
    pub(crate) fn choice(self, stream: Stream) -> Choice {
        let (kind, a, b) = match stream {
            Stream::Link(from, to) => (1, from, to),
            Stream::Backoff(station) => (2, station, 0),
            Stream::Walk(laptop) => (3, laptop, 0),
            Stream::Group(group) => (4, group, 0),
        };
        // Each step scatters all bits, so that neighbours share nothing.
        let mut seed = self.0;
        for word in [kind, a as u64, b as u64] {
            seed = Choice::seeded(seed ^ word).bits();
        }
        Choice::seeded(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_hangs_on_seed_stream_and_number_alone() {
        let chance = Chance::seeded(7);
        let ahead: Vec<f64> = (0..100).map(|k| chance.draw(Stream::Link(1, 2), k)).collect();
        for k in (0..100).rev() {
            let _ = chance.draw(Stream::Link(2, 1), k);
            assert_eq!(chance.draw(Stream::Link(1, 2), k), ahead[k as usize]);
        }
        let other: Vec<f64> = (0..100).map(|k| chance.draw(Stream::Link(2, 1), k)).collect();
        assert_ne!(ahead, other);
        assert_ne!(ahead[0], Chance::seeded(8).draw(Stream::Link(1, 2), 0));
    }

    #[test]
    fn draws_are_even_and_independent_of_their_neighbours() {
        let chance = Chance::seeded(1);
        let draws: Vec<f64> = (0..20_000).map(|k| chance.draw(Stream::Link(0, 1), k)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let pairs = draws.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>();
        // The variance of an even draw is 1/12; of the correlation of 20,000 pairs 0.7 %.
        let correlation = pairs / (draws.len() - 1) as f64 * 12.0;
        assert!(correlation.abs() < 0.03, "{correlation}");
    }
}
