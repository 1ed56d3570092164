//! [`Kills`]: one super-node after another is killed, and started again where it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::choice::Choice;
use crate::cluster::Cluster;

/// How long one is down.
const DOWN: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(50);

/// A thread that kills.
pub(super) struct Kills {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Result<(Cluster, usize)>>,
}

impl Kills {
    /// Kills one each time so much time has passed.
    pub(super) fn start(mut cluster: Cluster, mut choice: Choice, every: Duration) -> Kills {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut killed = 0;
            let nodes = cluster.running().count() as u64;
            loop {
                let next = Instant::now() + every;
                while Instant::now() < next {
                    if seen.load(Ordering::Relaxed) {
                        cluster.settle()?;
                        return Ok((cluster, killed));
                    }
                    sleep(STEP);
                }
                let number = usize::try_from(choice.below(nodes)).unwrap_or(0);
                cluster.kill9(number)?;
                killed += 1;
                sleep(DOWN);
                cluster.restart(number)?;
            }
        });
        Kills { over, thread }
    }

    /// Ends it: all super-nodes run and know each other; how many were killed.
    pub(super) fn stop(self) -> Result<(Cluster, usize)> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the thread that kills panicked"))?
    }
}
