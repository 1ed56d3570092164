//! What a node counts of the overlay's work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper edges of a [`Histogram`]'s buckets: 50 µs, each twice the one before, to 1.6 s.
const BUCKETS: usize = 16;
const FIRST: Duration = Duration::from_micros(50);

/// What a node has counted since its start. All of it only ever grows.
#[derive(Debug, Default)]
pub struct Meters {
    /// Puts asked of this handle and its clones.
    pub puts: Counter,
    /// Gets, each page one.
    pub gets: Counter,
    /// Removals.
    pub removes: Counter,
    /// Operations that found no quorum.
    pub no_quorum: Counter,
    /// From asking for a put to its acknowledgement.
    pub put_time: Histogram,
    /// From asking for a page to having it.
    pub get_time: Histogram,
    /// Operations by the hops of their longest way: 0 for what was here, 1 for what was at a member
    /// this node knew, more for referrals.
    pub hops: [Counter; Meters::HOPS],
    /// Requests sent to other super-nodes.
    pub requests: Counter,
    /// Requests they sent here.
    pub served: Counter,
    /// Reads asked of one more replica because an answer was overdue.
    pub hedges: Counter,
    /// Writes tried again with a higher version because a replica held a newer one.
    pub stale_retries: Counter,
    /// Operations begun anew because too few replicas answered.
    pub retries: Counter,
    /// Copies sent to replicas that a read found to lack them.
    pub read_repairs: Counter,
    /// Ranges whose digests were compared with another replica's.
    pub ranges_compared: Counter,
    /// Symbols of sketches asked of another replica to find what differs in a range.
    pub symbols_compared: Counter,
    /// Entries copied here because this node came to keep them.
    pub entries_pulled: Counter,
    /// Entries handed over when leaving.
    pub entries_handed_over: Counter,
    /// Waits for a key to change.
    pub watches: Counter,
    /// Messages by which others were told of changes.
    pub changes_told: Counter,
    /// Entries refused because the super-node that sent them sends too much.
    pub over_quota: Counter,
    /// Members that were suspected.
    pub suspicions: Counter,
    /// Members that were held to be gone.
    pub departures: Counter,
    /// Frames and replies that made no sense.
    pub malformed: Counter,
}

impl Meters {
    /// Ways of 0 to 6 hops are told apart; longer ones count as 7.
    pub const HOPS: usize = 8;

    pub(crate) fn count_hops(&self, hops: usize) {
        self.hops[hops.min(Meters::HOPS - 1)].add(1);
    }
}

/// Counts up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long things took.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    above: AtomicU64,
    micros: AtomicU64,
}

impl Histogram {
    pub(crate) fn record(&self, took: Duration) {
        let bucket = edges().position(|edge| took <= edge);
        let count = bucket.map_or(&self.above, |at| &self.buckets[at]);
        count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The buckets: their upper edges and what is in each alone, those above all edges last, with
    /// no edge.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let below = edges().zip(&self.buckets).map(move |(edge, count)| (Some(edge), load(count)));
        below.chain(std::iter::once((None, load(&self.above))))
    }

    /// All of it together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

fn edges() -> impl Iterator<Item = Duration> {
    (0..BUCKETS as u32).map(|step| FIRST * 2u32.pow(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_bucket_below_whose_edge_it_is() {
        let histogram = Histogram::default();
        for micros in [1, 50, 51, 100, 10_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = histogram.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts[..3], [2, 2, 0]);
        assert_eq!(counts[BUCKETS], 1, "above all edges");
        assert_eq!(histogram.sum(), Duration::from_micros(10_000_202));
    }
}
