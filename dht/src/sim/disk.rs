//! A simulated disk: a store whose commits take time, and that outlives its node's crashes.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Entry, EntryId, Place};
use tokio::time::{Instant, sleep};

use crate::store::{
    Applied, Digest, IdRange, ListLimit, Listed, MemoryOptions, MemoryStore, Pending, Prefix,
    Scanned, Store, StoreError, Totals,
};
use crate::{Clock, Reading};

/// Longest time a commit takes.
const COMMIT_MAX: Duration = Duration::from_millis(20);

/// What stays when a node crashes.
pub(super) struct Disk(Arc<Inner>);

/// The disk as one start of its node has it: useless after the next crash, so that nothing of the
/// crashed node can write any more.
pub(super) struct Mounted {
    inner: Arc<Inner>,
    crashes: u64,
}

struct Inner {
    store: MemoryStore,
    rng: Mutex<fastrand::Rng>,
    /// How often its machine was switched off: what was being written then is lost.
    crashes: AtomicU64,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Disk {
        let store = MemoryStore::new(MemoryOptions::default(), VirtualClock(Instant::now()));
        let rng = Mutex::new(fastrand::Rng::with_seed(seed));
        Disk(Arc::new(Inner { store, rng, crashes: AtomicU64::new(0) }))
    }

    pub(super) fn crash(&self) {
        self.0.crashes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn mount(&self) -> Arc<dyn Store> {
        let crashes = self.0.crashes.load(Ordering::Relaxed);
        Arc::new(Mounted { inner: Arc::clone(&self.0), crashes })
    }
}

impl Store for Mounted {
    fn apply(&self, place: Place, entry: Entry) -> Pending<Result<Applied, StoreError>> {
        let (inner, crashes) = (Arc::clone(&self.inner), self.crashes);
        Box::pin(async move {
            let micros = u64::try_from(COMMIT_MAX.as_micros()).unwrap_or(u64::MAX);
            let commit = {
                let mut rng = inner.rng.lock().unwrap_or_else(PoisonError::into_inner);
                Duration::from_micros(rng.u64(0..=micros))
            };
            sleep(commit).await;
            if inner.crashes.load(Ordering::Relaxed) != crashes {
                return Err(StoreError::Closed);
            }
            inner.store.apply(place, entry).await
        })
    }

    fn list(&self, place: &Place, range: IdRange, limit: ListLimit) -> Result<Listed, StoreError> {
        self.inner.store.list(place, range, limit)
    }

    fn scan(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        limit: ListLimit,
    ) -> Result<Scanned, StoreError> {
        self.inner.store.scan(places, after, limit)
    }

    fn digest(&self, prefix: &Prefix) -> Option<Digest> {
        self.inner.store.digest(prefix)
    }

    fn totals(&self) -> Totals {
        self.inner.store.totals()
    }

    fn tidy(&self) -> Pending<()> {
        self.inner.store.tidy()
    }

    fn close(&self) -> Pending<()> {
        self.inner.store.close()
    }
}

/// The virtual time, as a clock of a machine that never sleeps.
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn read(&self) -> Reading {
        let millis = u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        Reading { boot: Some(1), since_boot_ms: millis, wall_ms: 1_800_000_000_000 + millis }
    }
}
