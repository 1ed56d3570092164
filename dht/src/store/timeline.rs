//! Lifetimes across restarts (design, "The overlay" §9).
//!
//! A store counts milliseconds on a line of its own, which starts at zero with the store and only
//! goes forward; every entry has a deadline on it. While the machine is up, the line follows the
//! time since boot, so that setting the wall clock changes nothing. After a reboot it goes on by
//! what the wall clock says has passed since the last [`Mark`], and not at all if that is negative.

use crate::Reading;

/// A point that ties the line to the machine's clocks; kept on disk with every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Where on the line, in milliseconds.
    pub(crate) at: u64,
    /// What the clocks said then.
    pub(crate) reading: Reading,
}

/// The line, running.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline {
    anchor: Mark,
}

impl Timeline {
    /// Starts the line of a new store, or goes on with that of an old one.
    pub(crate) fn start(last: Option<Mark>, now: Reading) -> Timeline {
        let at = last.map_or(0, |mark| mark.at + elapsed(mark.reading, now));
        Timeline { anchor: Mark { at, reading: now } }
    }

    /// Where on the line a moment is, given the time since boot.
    pub(crate) fn at(&self, since_boot_ms: u64) -> u64 {
        self.anchor.at + since_boot_ms.saturating_sub(self.anchor.reading.since_boot_ms)
    }

    /// The mark to keep at that moment.
    pub(crate) fn mark(&self, now: Reading) -> Mark {
        Mark { at: self.at(now.since_boot_ms), reading: now }
    }
}

/// How long between two readings, as well as the clocks can tell.
fn elapsed(then: Reading, now: Reading) -> u64 {
    if then.boot.is_some() && then.boot == now.boot {
        now.since_boot_ms.saturating_sub(then.since_boot_ms)
    } else {
        now.wall_ms.saturating_sub(then.wall_ms)
    }
}

impl Mark {
    const LEN: usize = 8 + 16 + 8 + 8;

    /// The mark as kept on disk: where, boot id (0 for unknown), time since boot, wall time.
    pub(super) fn to_bytes(self) -> [u8; Mark::LEN] {
        let mut bytes = [0; Mark::LEN];
        bytes[..8].copy_from_slice(&self.at.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.reading.boot.unwrap_or(0).to_le_bytes());
        bytes[24..32].copy_from_slice(&self.reading.since_boot_ms.to_le_bytes());
        bytes[32..].copy_from_slice(&self.reading.wall_ms.to_le_bytes());
        bytes
    }

    /// Reads a mark back; `None` if it is not one.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Mark> {
        let bytes: &[u8; Mark::LEN] = bytes.try_into().ok()?;
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let boot = u128::from_le_bytes(std::array::from_fn(|i| bytes[8 + i]));
        let reading = Reading {
            boot: (boot != 0).then_some(boot),
            since_boot_ms: number(24),
            wall_ms: number(32),
        };
        Some(Mark { at: number(0), reading })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const YEAR: u64 = 8766 * HOUR;

    fn reading(boot: u128, since_boot_ms: u64, wall_ms: u64) -> Reading {
        Reading { boot: (boot != 0).then_some(boot), since_boot_ms, wall_ms }
    }

    #[test]
    fn elapsed_time_follows_the_boot_clock_within_a_boot_and_the_wall_clock_across() {
        let then = reading(1, 10 * HOUR, YEAR);
        let cases = [
            ("same boot", reading(1, 11 * HOUR, YEAR + HOUR), HOUR),
            ("same boot, wall set a year ahead", reading(1, 11 * HOUR, 2 * YEAR), HOUR),
            ("same boot, wall set a year back", reading(1, 11 * HOUR, 0), HOUR),
            ("other boot", reading(2, 5, YEAR + HOUR), HOUR),
            ("other boot, wall went back", reading(2, 5, YEAR - HOUR), 0),
            ("boot not told", reading(0, 5, YEAR + HOUR), HOUR),
        ];
        for (case, now, expected) in cases {
            let mark = Mark { at: 7, reading: then };
            assert_eq!(
                Timeline::start(Some(mark), now).at(now.since_boot_ms),
                7 + expected,
                "{case}"
            );
        }
        let untold = Mark { at: 7, reading: reading(0, 10 * HOUR, YEAR) };
        let now = reading(0, 5, YEAR + HOUR);
        assert_eq!(
            Timeline::start(Some(untold), now).at(now.since_boot_ms),
            7 + HOUR,
            "never told"
        );
    }

    #[test]
    fn a_running_line_ignores_the_wall_clock() {
        let line = Timeline::start(None, reading(1, 100, YEAR));
        assert_eq!(line.mark(reading(1, 150, 0)).at, 50);
        assert_eq!(line.mark(reading(1, 160, 9 * YEAR)).at, 60);
    }

    #[test]
    fn a_mark_reads_back_from_its_bytes() {
        for boot in [0, u128::MAX] {
            let mark = Mark { at: 1, reading: reading(boot, 2, 3) };
            assert_eq!(Mark::from_bytes(&mark.to_bytes()), Some(mark));
        }
        assert_eq!(Mark::from_bytes(b"short"), None);
    }
}
