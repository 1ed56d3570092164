//! Many seeds at a time, told in their order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;

use anyhow::Result;

/// How many seeds at a time: as many as there are cores for 0.
pub(super) fn jobs(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        jobs => jobs,
    }
}

/// Runs each seed in a thread of its own, `jobs` at a time, and tells what became of them in their
/// order. Begins no more once `tell` has failed.
pub(super) fn run_all<Ran: Send>(
    seeds: Range<u64>,
    jobs: usize,
    run: impl Fn(u64) -> Ran + Sync,
    mut tell: impl FnMut(u64, Ran) -> Result<()>,
) -> Result<()> {
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Nobody waits long: what is told out of order is kept below.
        let (to, done) = sync_channel::<(u64, Ran)>(jobs);
        for _ in 0..jobs {
            let (to, next, stop, end, run) = (to.clone(), &next, &stop, seeds.end, &run);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if to.send((seed, run(seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(to);
        let (mut waiting, mut expected) = (BTreeMap::new(), seeds.start);
        for (seed, ran) in done {
            waiting.insert(seed, ran);
            while let Some(ran) = waiting.remove(&expected) {
                let told = tell(expected, ran);
                if told.is_err() {
                    stop.store(true, Ordering::Relaxed);
                    return told;
                }
                expected += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dht::sim::Plan;

    use super::*;

    #[test]
    fn seeds_are_told_in_their_order_and_none_after_one_that_failed() {
        let plan = Plan {
            nodes: 3,
            clients: 1,
            interruptions: 0,
            length: Duration::from_secs(1),
            ..Plan::default()
        };
        let mut told = Vec::new();
        let stopped = run_all(
            10..20,
            3,
            |seed| dht::sim::run(seed, &plan),
            |seed, ran| {
                assert!(ran.is_ok());
                told.push(seed);
                if seed == 16 { anyhow::bail!("enough") } else { Ok(()) }
            },
        );
        assert!(stopped.is_err());
        assert_eq!(told, (10..=16).collect::<Vec<_>>());
    }
}
