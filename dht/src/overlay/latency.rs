//! How long a peer's answers take: enough of a histogram to know when an answer is overdue.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Buckets, each √2 as wide as the one before: from 16 µs to 16 µs · 2^20 ≈ 17 s.
const BUCKETS: usize = 41;
const FIRST_MICROS: f64 = 16.0;
/// Every so many answers all counts are halved, so that the last ones weigh most.
const HALF_LIFE: u32 = 512;
/// Answers between two looks for the percentile.
const REFRESH: u32 = 32;

/// A histogram that forgets. It takes no room before the first answer: of the hundreds a node knows it asks
/// few.
#[derive(Debug, Default)]
pub(crate) struct Latencies(OnceLock<Box<Histogram>>);

#[derive(Debug)]
struct Histogram {
    buckets: [AtomicU32; BUCKETS],
    count: AtomicU32,
    p99_micros: AtomicU32,
}

impl Latencies {
    /// Takes note of an answer. Threads may lose each other's: it is a statistic.
    pub(crate) fn record(&self, took: Duration) {
        let Histogram { buckets, count, p99_micros } = &**self.0.get_or_init(Box::default);
        buckets[bucket_of(took)].fetch_add(1, Ordering::Relaxed);
        let count = count.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(REFRESH) || count == 1 {
            let p99 = self.quantile(0.99).unwrap_or_default();
            let micros = u32::try_from(p99.as_micros()).unwrap_or(u32::MAX);
            p99_micros.store(micros, Ordering::Relaxed);
        }
        if count.is_multiple_of(HALF_LIFE) {
            for bucket in buckets {
                bucket.store(bucket.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
            }
        }
    }

    /// The 99th percentile; `None` before the first answer.
    pub(crate) fn p99(&self) -> Option<Duration> {
        let micros = self.0.get()?.p99_micros.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(u64::from(micros)))
    }

    /// The upper edge of the bucket in which this part of the answers lies.
    pub(crate) fn quantile(&self, part: f64) -> Option<Duration> {
        let histogram = self.0.get()?;
        let counts: [u32; BUCKETS] =
            std::array::from_fn(|at| histogram.buckets[at].load(Ordering::Relaxed));
        let all: u32 = counts.iter().sum();
        let wanted = f64::from(all) * part;
        let mut seen = 0;
        let at = counts.iter().position(|count| {
            seen += count;
            seen > 0 && f64::from(seen) >= wanted
        })?;
        Some(upper_edge(at))
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        let buckets = std::array::from_fn(|_| AtomicU32::new(0));
        Histogram { buckets, count: AtomicU32::new(0), p99_micros: AtomicU32::new(0) }
    }
}

fn bucket_of(took: Duration) -> usize {
    let micros = took.as_secs_f64() * 1e6;
    let steps = (micros / FIRST_MICROS).log2() * 2.0;
    // Saturates: below the first bucket is the first, above the last the last.
    (steps.ceil().max(0.0) as usize).min(BUCKETS - 1)
}

fn upper_edge(bucket: usize) -> Duration {
    Duration::from_secs_f64(FIRST_MICROS * 2f64.powf(bucket as f64 / 2.0) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_within_a_bucket_of_the_truth() {
        let latencies = Latencies::default();
        assert_eq!(latencies.p99(), None);
        for n in 0..1000 {
            let micros = if n % 50 == 7 { 9000 } else { 100 };
            latencies.record(Duration::from_micros(micros));
        }
        let p99 = latencies.p99().unwrap();
        assert!((9000..12_800).contains(&p99.as_micros()), "{p99:?}");
        let p50 = latencies.quantile(0.5).unwrap();
        assert!((100..142).contains(&p50.as_micros()), "{p50:?}");
    }

    #[test]
    fn what_was_slow_once_is_forgotten() {
        let latencies = Latencies::default();
        (0..100).for_each(|_| latencies.record(Duration::from_secs(1)));
        (0..10_000).for_each(|_| latencies.record(Duration::from_micros(100)));
        assert!(latencies.p99().unwrap() < Duration::from_millis(1));
    }

    #[test]
    fn extremes_are_counted_at_the_edges() {
        let latencies = Latencies::default();
        latencies.record(Duration::ZERO);
        latencies.record(Duration::from_secs(1_000_000));
        assert_eq!(latencies.quantile(0.1), Some(Duration::from_micros(16)));
        assert!(latencies.quantile(1.0).unwrap() > Duration::from_secs(16));
    }
}
