//! Time as the overlay needs it: how long since this machine booted, which boot that was, and
//! what the wall clock says. Everything else takes readings as arguments.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the machine's clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Which boot of the machine this is; `None` where the system does not tell.
    pub boot: Option<u128>,
    /// Milliseconds since that boot, time asleep included.
    pub since_boot_ms: u64,
    /// Milliseconds since 1970 by the wall clock. May jump either way at any time.
    pub wall_ms: u64,
}

/// Where readings come from.
pub trait Clock: Send + Sync + 'static {
    /// Reads the clocks.
    fn read(&self) -> Reading;

    /// [`Reading::since_boot_ms`] alone: what every operation asks.
    fn since_boot_ms(&self) -> u64 {
        self.read().since_boot_ms
    }
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    boot: Option<u128>,
    #[cfg(not(target_os = "linux"))]
    started: std::time::Instant,
}

impl SystemClock {
    /// Asks the system which boot this is.
    pub fn new() -> SystemClock {
        SystemClock {
            boot: boot_id(),
            #[cfg(not(target_os = "linux"))]
            started: std::time::Instant::now(),
        }
    }

    #[cfg(target_os = "linux")]
    fn boot_clock_ms(&self) -> u64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
        seconds * 1000 + millis
    }

    /// Elsewhere than on Linux every start counts as a boot, since no boot id tells otherwise.
    #[cfg(not(target_os = "linux"))]
    fn boot_clock_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Reading {
            boot: self.boot,
            since_boot_ms: self.boot_clock_ms(),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn since_boot_ms(&self) -> u64 {
        self.boot_clock_ms()
    }
}

/// How long this machine has been asleep since it booted: time that no timer of a program saw.
pub(crate) fn time_asleep() -> Duration {
    #[cfg(target_os = "linux")]
    {
        use rustix::time::{ClockId, clock_gettime};
        let read = |clock| {
            let time = clock_gettime(clock);
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
        };
        // In this order, so that a pause between the two readings is no sleep.
        let boot = read(ClockId::Boottime);
        boot.saturating_sub(read(ClockId::Monotonic))
    }
    // Elsewhere a connection that broke meanwhile tells.
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// The kernel's random id of this boot (`random(4)`).
fn boot_id() -> Option<u128> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&hex, 16).ok()
}

/// A clock that stands until it is moved: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock(Mutex<Reading>);

impl ManualClock {
    /// A clock that shows this reading.
    pub fn new(reading: Reading) -> ManualClock {
        ManualClock(Mutex::new(reading))
    }

    /// Changes what the clock shows.
    pub fn change(&self, change: impl FnOnce(&mut Reading)) {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// Lets time pass on every clock.
    pub fn advance_ms(&self, millis: u64) {
        self.change(|reading| {
            reading.since_boot_ms += millis;
            reading.wall_ms += millis;
        });
    }
}

impl Clock for ManualClock {
    fn read(&self) -> Reading {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn read(&self) -> Reading {
        (**self).read()
    }

    fn since_boot_ms(&self) -> u64 {
        (**self).since_boot_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_goes_forward_within_one_boot() {
        let clock = SystemClock::new();
        let (first, second) = (clock.read(), clock.read());
        assert_eq!(first.boot, second.boot);
        assert!(first.since_boot_ms <= second.since_boot_ms);
        assert!(first.wall_ms > 1_700_000_000_000, "the wall clock counts from 1970");
    }
}
