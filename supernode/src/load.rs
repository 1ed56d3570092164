//! How busy the node is: requests in work, and requests per second over the last minute.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Seconds over which the rate is taken.
const WINDOW_S: u64 = 60;
/// One slot a second, and some so that a slot being reused is never one being read.
const SLOTS: usize = 64;

/// Counts requests.
#[derive(Debug)]
pub struct Load {
    started: Instant,
    in_flight: AtomicUsize,
    /// In each slot the second it counts, in the upper half, and the requests in it.
    seconds: [AtomicU64; SLOTS],
}

/// A request in work; it ends when this is dropped.
#[derive(Debug)]
pub struct InFlight<'a>(&'a Load);

impl Load {
    /// Starts counting.
    pub fn new() -> Load {
        let seconds = std::array::from_fn(|_| AtomicU64::new(0));
        Load { started: Instant::now(), in_flight: AtomicUsize::new(0), seconds }
    }

    /// A request begins.
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.count(self.uptime_s());
        InFlight(self)
    }

    /// Requests in work.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Requests per second over the last minute, or since the start if that is less.
    pub fn requests_per_second(&self) -> f64 {
        self.rate(self.uptime_s())
    }

    /// Whole seconds since the start.
    pub fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    fn count(&self, second: u64) {
        let slot = &self.seconds[usize::try_from(second).unwrap_or(0) % SLOTS];
        let stamp = second << 32;
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            Some(if held >> 32 == second { held + 1 } else { stamp + 1 })
        });
    }

    /// The rate over the whole seconds before this one.
    fn rate(&self, second: u64) -> f64 {
        let from = second.saturating_sub(WINDOW_S);
        let counted = self.seconds.iter().map(|slot| slot.load(Ordering::Relaxed));
        let counted = counted.filter(|held| (from..second).contains(&(held >> 32)));
        let requests: u64 = counted.map(|held| held & 0xffff_ffff).sum();
        match second - from {
            0 => 0.0,
            seconds => requests as f64 / seconds as f64,
        }
    }
}

impl Default for Load {
    fn default() -> Load {
        Load::new()
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_over_the_last_minute_or_since_the_start() {
        let load = Load::new();
        assert_eq!(load.rate(0), 0.0, "no whole second yet");
        for second in 0..10 {
            (0..30).for_each(|_| load.count(second));
        }
        assert_eq!(load.rate(10), 30.0);
        assert_eq!(load.rate(60), 5.0);
        assert_eq!(load.rate(65), 2.5);
        assert_eq!(load.rate(200), 0.0);
        load.count(64);
        assert_eq!(load.rate(200), 0.0, "an old slot does not count for a new second");
    }

    #[test]
    fn a_request_is_in_flight_until_it_is_dropped() {
        let load = Load::new();
        let first = load.begin();
        let second = load.begin();
        assert_eq!(load.in_flight(), 2);
        drop((first, second));
        assert_eq!(load.in_flight(), 0);
    }
}
