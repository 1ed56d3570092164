//! What the writing thread and everybody else share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Version;

use super::Totals;
use super::database::EntryFile;
use super::digest_index::DigestIndex;
use super::queue::Queue;
use super::timeline::Timeline;
use crate::Clock;

/// What the writer and the readers share.
pub(super) struct Shared {
    pub(super) file: EntryFile,
    /// Most bytes of entries.
    pub(super) capacity: u64,
    pub(super) queue: Queue,
    pub(super) clock: Box<dyn Clock>,
    pub(super) timeline: Timeline,
    pub(super) counters: Counters,
    pub(super) digests: Mutex<DigestIndex>,
}

impl Shared {
    pub(super) fn now(&self) -> u64 {
        self.timeline.at(self.clock.since_boot_ms())
    }

    pub(super) fn digests(&self) -> MutexGuard<'_, DigestIndex> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the writer counts, for everybody to read.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) live: AtomicU64,
    pub(super) tombstones: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) committed_operations: AtomicU64,
    pub(super) commit_micros: AtomicU64,
    newest: AtomicU64,
}

impl Counters {
    /// Starts from what was kept.
    pub(super) fn new(totals: Totals) -> Counters {
        let counters = Counters::default();
        counters.set(totals);
        counters
    }

    /// The counts as they are.
    pub(super) fn totals(&self) -> Totals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            live: load(&self.live),
            tombstones: load(&self.tombstones),
            bytes: load(&self.bytes),
            commits: load(&self.commits),
            committed_operations: load(&self.committed_operations),
            commit_micros: load(&self.commit_micros),
        }
    }

    /// See [`super::Store::newest`].
    pub(super) fn newest(&self) -> Version {
        Version::new(self.newest.load(Ordering::Relaxed))
    }

    /// Publishes that.
    pub(super) fn set_newest(&self, version: Version) {
        self.newest.store(version.number(), Ordering::Relaxed);
    }

    /// Publishes the counts that outlive the process.
    pub(super) fn set(&self, totals: Totals) {
        self.live.store(totals.live, Ordering::Relaxed);
        self.tombstones.store(totals.tombstones, Ordering::Relaxed);
        self.bytes.store(totals.bytes, Ordering::Relaxed);
    }
}
