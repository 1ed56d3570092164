//! The clocks of a simulated machine: which boot it is in, and what its wall clock says.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use tokio::time::Instant;

use crate::Reading;

/// What a right wall clock says when a run begins.
const WALL_AT_START_MS: i64 = 1_800_000_000_000;

/// A machine's clocks. They go on whether its node runs or not.
#[derive(Debug)]
pub(super) struct Machine {
    /// When the run began.
    began: Instant,
    clocks: Mutex<Clocks>,
    slept_ms: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Clocks {
    boot: u128,
    booted: Instant,
    /// By how much the wall clock is ahead of a right one.
    ahead_ms: i64,
}

impl Machine {
    /// A machine whose wall clock is right, in its first boot.
    pub(super) fn new(began: Instant) -> Machine {
        let clocks = Clocks { boot: 1, booted: Instant::now(), ahead_ms: 0 };
        Machine { began, clocks: Mutex::new(clocks), slept_ms: AtomicU64::new(0) }
    }

    fn clocks(&self) -> MutexGuard<'_, Clocks> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Boots it again. The wall clock comes up off by so much more than it was.
    pub(super) fn reboot(&self, jump_ms: i64) {
        let mut clocks = self.clocks();
        clocks.boot += 1;
        clocks.booted = Instant::now();
        clocks.ahead_ms = clocks.ahead_ms.saturating_add(jump_ms);
    }

    /// It has slept for so long.
    pub(super) fn has_slept(&self, lasted: Duration) {
        let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
        self.slept_ms.fetch_add(millis, Ordering::Relaxed);
    }

    /// For how long it has been asleep.
    pub(super) fn time_asleep(&self) -> Duration {
        Duration::from_millis(self.slept_ms.load(Ordering::Relaxed))
    }

    /// Reads the clocks.
    pub(super) fn read(&self) -> Reading {
        let clocks = *self.clocks();
        let right = WALL_AT_START_MS.saturating_add_unsigned(millis_since(self.began));
        let wall = right.saturating_add(clocks.ahead_ms);
        Reading {
            boot: Some(clocks.boot),
            since_boot_ms: millis_since(clocks.booted),
            wall_ms: u64::try_from(wall).unwrap_or(0),
        }
    }

    /// Milliseconds since this boot.
    pub(super) fn since_boot_ms(&self) -> u64 {
        millis_since(self.clocks().booted)
    }
}

fn millis_since(then: Instant) -> u64 {
    u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX)
}
