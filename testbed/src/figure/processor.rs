//! How busy this machine is: a latency measured on a busy one is the machine's, not the network's.

use anyhow::{Context, Result};

/// Above this share of all cores a run is flagged.
pub(super) const BUSY_PERCENT: f64 = 70.0;

/// What all cores have done since the machine started, in ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Processor {
    idle: u64,
    all: u64,
}

impl Processor {
    /// As Linux tells it (`/proc/stat`, proc(5)).
    pub(super) fn read() -> Result<Processor> {
        let text = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        Processor::parse(&text).context("no line of all processors in /proc/stat")
    }

    fn parse(text: &str) -> Option<Processor> {
        let ticks = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
        // Guests' time is in the user's already.
        let ticks: Vec<u64> = ticks.take(8).map(|t| t.parse().ok()).collect::<Option<_>>()?;
        // Waiting for a disk is idle, too.
        Some(Processor { idle: ticks.get(3)? + ticks.get(4)?, all: ticks.iter().sum() })
    }

    /// The busy share of the time since, in percent.
    pub(super) fn percent_since(self, before: Processor) -> f64 {
        let (idle, all) = (self.idle - before.idle, self.all - before.all);
        100.0 * (1.0 - idle as f64 / all.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_idle_nor_waiting_is_busy() {
        let before = Processor::parse("cpu  10 0 10 60 20 0 0 0 5 0\ncpu0 1\n").unwrap();
        let after = Processor::parse("cpu  40 0 10 120 30 0 0 0 5 0\ncpu0 1\n").unwrap();
        assert!((after.percent_since(before) - 30.0).abs() < 1e-9);
        assert_eq!(Processor::parse("intr 1\n"), None);
    }
}
