//! Whether one source has the node to itself. As long as it has, nobody needs to take turns, and its
//! requests pass without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::source::Source;

/// For how many requests after another's a source has company: a second or more of the worst flood,
/// which is paced then.
const COMPANY: u32 = 10_000;
/// Most requests in work that passed so: as many as one source may hold in the lines.
const ALONE_MAX: usize = 224;
/// Nobody was here yet. No source's number: it would be an address that IPv6 does not give out.
const NOBODY: u64 = u64::MAX;

/// Who came last, and how long ago another did. What threads see of each other's changes may be a
/// little old, and then one request more or less takes its turn.
#[derive(Debug)]
pub(super) struct Solitude {
    latest: AtomicU64,
    company: AtomicU32,
    inside: AtomicUsize,
}

/// A request that passed because its source is alone, until this is dropped.
#[derive(Debug)]
pub(super) struct Passing<'a>(&'a Solitude);

impl Solitude {
    pub(super) fn new() -> Solitude {
        Solitude {
            latest: AtomicU64::new(NOBODY),
            company: AtomicU32::new(0),
            inside: AtomicUsize::new(0),
        }
    }

    /// A request comes from a source; whether it may pass, being alone.
    pub(super) fn pass(&self, source: Source) -> Option<Passing<'_>> {
        if !self.is_alone(number(source)) {
            return None;
        }
        let passing = Passing(self);
        let inside = self.inside.fetch_add(1, Ordering::Relaxed);
        (inside < ALONE_MAX).then_some(passing)
    }

    fn is_alone(&self, source: u64) -> bool {
        if self.latest.load(Ordering::Relaxed) == source {
            let left = self.company.load(Ordering::Relaxed);
            if left > 0 {
                self.company.store(left - 1, Ordering::Relaxed);
            }
            return left == 0;
        }
        let first = self.latest.swap(source, Ordering::Relaxed) == NOBODY;
        if !first {
            self.company.store(COMPANY, Ordering::Relaxed);
        }
        first
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A number of its own for each source: no IPv6 address in use begins as those for IPv4 do.
fn number(source: Source) -> u64 {
    match source {
        Source::V4(v4) => 1 << 63 | u64::from(v4.to_bits()),
        Source::V6(half) => half,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(host: u8) -> Source {
        Source::of([192, 0, 2, host].into())
    }

    #[test]
    fn alone_one_passes_until_another_comes_and_again_when_that_is_long_ago() {
        let solitude = Solitude::new();
        assert!(solitude.pass(source(1)).is_some());
        assert!(solitude.pass(source(1)).is_some());
        assert!(solitude.pass(source(2)).is_none());
        assert!(solitude.pass(source(1)).is_none());
        for _ in 0..COMPANY {
            assert!(solitude.pass(source(1)).is_none());
        }
        assert!(solitude.pass(source(1)).is_some());
    }

    #[test]
    fn so_many_pass_at_a_time_and_more_when_some_have_gone() {
        let solitude = Solitude::new();
        let mut inside: Vec<_> = (0..ALONE_MAX).map(|_| solitude.pass(source(1))).collect();
        assert!(inside.iter().all(Option::is_some));
        assert!(solitude.pass(source(1)).is_none());
        inside.pop();
        assert!(solitude.pass(source(1)).is_some());
    }
}
