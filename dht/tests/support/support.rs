//! What the tests of the stores share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Entry, EntryId, Key, Lifetime, Place, SecretTag, Value, Version};
use dht::store::{
    ALL_IDS, Digest, DiskOptions, DiskStore, Fingerprint, ListLimit, MemoryOptions, MemoryStore,
    Prefix, SKETCH_BITS, SYMBOLS_MAX, Sketched, Store, Totals,
};
use dht::{ManualClock, Reading};
use tempfile::TempDir;

/// A day, in milliseconds.
pub const DAY: u64 = 86_400_000;

/// No limit.
pub const EVERYTHING: ListLimit = ListLimit { entries: usize::MAX, bytes: usize::MAX };

/// A store, its clock and, on disk, its directory.
pub struct Kit {
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    pub dir: Option<TempDir>,
}

impl Kit {
    pub fn memory() -> Kit {
        let clock = clock();
        let store = MemoryStore::new(MemoryOptions::default(), Arc::clone(&clock));
        Kit { store: Arc::new(store), clock, dir: None }
    }

    pub fn disk() -> Kit {
        let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
        let store = open(&dir, &clock);
        Kit { store: Arc::new(store), clock, dir: Some(dir) }
    }

    /// Everything under a key.
    pub fn list(&self, key: &str) -> Vec<Entry> {
        self.store.list(&place(key), ALL_IDS, EVERYTHING).unwrap().entries
    }

    /// Waits until the counts are as wanted: sweeping is the store's own business.
    pub async fn until(&self, wanted: impl Fn(Totals) -> bool) {
        let patience = Instant::now() + Duration::from_secs(60);
        while !wanted(self.store.totals()) {
            assert!(Instant::now() < patience, "still {:?}", self.store.totals());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Waits until the digests of a range are those of these entries, and so is the sketch: they are made
/// after a start, and follow expiry when the store gets to it.
pub async fn until_digest(store: &dyn Store, range: &Prefix, entries: &[(Place, Entry)]) {
    let marks = entries.iter().filter(|(place, _)| range.contains(place));
    let count = marks.clone().count() as u64;
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let digest = store.digest(range);
        if digest == Some(digest_of(marks.clone())) {
            assert_eq!(digest.map(|digest| digest.count), Some(count));
            for symbols in [0, 7, SYMBOLS_MAX] {
                let mut expected = Sketched::new(symbols);
                marks.clone().for_each(|(place, entry)| {
                    expected.insert(place, Fingerprint::of(place, entry));
                });
                let is_kept = range.bits() <= SKETCH_BITS;
                assert_eq!(store.sketch(range, symbols), is_kept.then_some(expected));
            }
            return;
        }
        assert!(Instant::now() < patience, "still {digest:?}, of {count} entries");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn digest_of<'a>(entries: impl Iterator<Item = &'a (Place, Entry)>) -> Digest {
    let mut digest = Digest::default();
    entries.for_each(|(place, entry)| digest.insert(Fingerprint::of(place, entry)));
    digest
}

/// A clock in some boot, at some time.
pub fn clock() -> Arc<ManualClock> {
    let reading = Reading { boot: Some(1), since_boot_ms: 50_000, wall_ms: 1_800_000_000_000 };
    Arc::new(ManualClock::new(reading))
}

/// A store on disk.
pub fn open(dir: &TempDir, clock: &Arc<ManualClock>) -> DiskStore {
    DiskStore::open(&DiskOptions::new(dir.path()), Arc::clone(clock)).unwrap()
}

pub fn place(key: &str) -> Place {
    Key::new(key.to_owned()).unwrap().place()
}

pub fn life(millis: u64) -> Lifetime {
    Lifetime::from_millis(millis)
}

/// A put without a secret.
pub fn put(text: &str, version: u64, millis: u64) -> Entry {
    let value = Value::new(text.to_owned()).unwrap();
    Entry::live(value, SecretTag::NONE, Version::new(version), life(millis))
}

/// The removal of what [`put`] put.
pub fn removal(text: &str, version: u64) -> Entry {
    let id = EntryId::of(&Value::new(text.to_owned()).unwrap(), SecretTag::NONE);
    Entry::removal(id, None, Version::new(version)).unwrap()
}

/// Applies many copies at once and waits for all.
pub async fn settle(store: &Arc<dyn Store>, entries: impl Iterator<Item = (Place, Entry)>) {
    let mut tasks = tokio::task::JoinSet::new();
    for (place, entry) in entries {
        let store = Arc::clone(store);
        tasks.spawn(async move { store.apply(place, entry).await });
    }
    while let Some(applied) = tasks.join_next().await {
        applied.unwrap().unwrap();
    }
}
