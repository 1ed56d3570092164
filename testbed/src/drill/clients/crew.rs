//! Clients at work at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{ScopedJoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

/// Clients of a crew that does its work as fast as it can.
pub(crate) const CREW: usize = 16;

/// Has each of so many clients do its share, told by its number, and gathers what they come to.
pub(crate) fn together<T: Send>(
    crew: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let work = &work;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..crew).map(|number| scope.spawn(move || work(number))).collect();
        let outcome = |(number, client): (usize, ScopedJoinHandle<'_, Result<T>>)| {
            let outcome = client.join().map_err(|_| anyhow!("it panicked"));
            outcome.and_then(|outcome| outcome).with_context(|| format!("client {number}"))
        };
        clients.into_iter().enumerate().map(outcome).collect()
    })
}

/// The numbers from 0 on, one at a time with `every` between them, until told to stop. Moments
/// that pass while the last one is worked on are left out, not made up for.
pub(crate) fn paced(every: Duration, stop: &AtomicBool) -> impl Iterator<Item = usize> {
    let began = Instant::now();
    let mut due = began;
    (0..).take_while(move |_| {
        sleep(due.saturating_duration_since(Instant::now()));
        let passed = began.elapsed().as_nanos() / every.as_nanos().max(1);
        due = began + every * u32::try_from(passed + 1).unwrap_or(u32::MAX);
        !stop.load(Ordering::Relaxed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_crew_ends_when_it_is_told_to() {
        let stop = AtomicBool::new(false);
        let numbers: Vec<usize> = paced(Duration::from_millis(1), &stop)
            .inspect(|number| stop.store(*number == 3, Ordering::Relaxed))
            .collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
    }
}
