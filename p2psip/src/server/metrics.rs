//! What a server counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of a histogram's buckets, in microseconds: the last has none.
pub const BOUNDS_US: [u64; 11] =
    [100, 250, 500, 1000, 2500, 5000, 10_000, 50_000, 250_000, 1_000_000, 5_000_000];

/// How long something took, each time.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    pub(super) fn note(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// How many there were of each bucket.
    pub fn buckets(&self) -> [u64; BOUNDS_US.len() + 1] {
        std::array::from_fn(|n| self.buckets[n].load(Ordering::Relaxed))
    }

    /// All of it, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $counter:ident,)*) => {
        /// Counters since the start, and how long things took.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[$doc])* pub(super) $counter: AtomicU64,)*
            pub(super) registration_delay: Histogram,
            pub(super) registration_location: Histogram,
            pub(super) setup_delay: Histogram,
            pub(super) setup_location: Histogram,
        }

        impl Metrics {
            $($(#[$doc])* pub fn $counter(&self) -> u64 { self.$counter.load(Ordering::Relaxed) })*
        }
    };
}

metrics! {
    /// Requests that came, without repetitions.
    requests,
    /// Responses that came.
    responses,
    /// What came and was no message, or not in form.
    malformed,
    /// REGISTERs that were granted.
    registrations,
    /// Questions to the location service.
    lookups,
    /// Requests refused since there were too many.
    refused,
    /// Branches begun.
    forwarded,
    /// Messages that could not be sent.
    unsent,
}

impl Metrics {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// From a REGISTER to its 200.
    pub fn registration_delay(&self) -> &Histogram {
        &self.registration_delay
    }

    /// The location service's part of it.
    pub fn registration_location(&self) -> &Histogram {
        &self.registration_location
    }

    /// From an INVITE to the first sign of the callee (RFC 6076 §4.3).
    pub fn setup_delay(&self) -> &Histogram {
        &self.setup_delay
    }

    /// The location service's part of it.
    pub fn setup_location(&self) -> &Histogram {
        &self.setup_location
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for us in [100, 101, 6_000_000] {
            histogram.note(Duration::from_micros(us));
        }
        let buckets = histogram.buckets();
        assert_eq!((buckets[0], buckets[1], buckets[BOUNDS_US.len()]), (1, 1, 1));
        assert_eq!(histogram.sum_us(), 6_000_201);
    }
}
