//! A simulated disk: a store whose commits take time, and that outlives its node's crashes.
//!
//! Entries are kept as in memory; their lifetimes are those of a store on disk. Its timeline is tied
//! to the machine's clocks by the mark of the last commit, and goes on from there at every start.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Entry, EntryId, Place, Version};
use tokio::time::sleep;

use super::machine::Machine;
use crate::store::timeline::{Mark, Timeline};
use crate::store::writer::MARK_EVERY;
use crate::store::{
    Applied, Bounds, Digest, IdRange, ListLimit, Listed, MemoryOptions, MemoryStore, NoRoom, Note,
    Outline, Pending, Prefix, Scanned, Sketched, Store, StoreError, Totals,
};
use crate::{Clock, Reading};

/// Longest time a commit takes on a disk that is well.
const COMMIT_MAX: Duration = Duration::from_millis(20);

/// What stays when a node crashes.
pub(super) struct Disk(Arc<Inner>);

/// The disk as one start of its node has it: useless after the next crash, so that nothing of the
/// crashed node can write any more.
struct Mounted {
    inner: Arc<Inner>,
    crashes: u64,
}

struct Inner {
    store: MemoryStore,
    line: Arc<Line>,
    state: Mutex<State>,
    /// How often its machine was switched off: what was being written then is lost.
    crashes: AtomicU64,
}

struct State {
    rng: fastrand::Rng,
    commit_max: Duration,
    full: bool,
}

impl Disk {
    /// An empty disk in a machine.
    pub(super) fn new(seed: u64, machine: Arc<Machine>) -> Disk {
        let line = Arc::new(Line::new(machine));
        let store = MemoryStore::new(MemoryOptions::default(), Arc::clone(&line));
        let rng = fastrand::Rng::with_seed(seed);
        let state = Mutex::new(State { rng, commit_max: COMMIT_MAX, full: false });
        Disk(Arc::new(Inner { store, line, state, crashes: AtomicU64::new(0) }))
    }

    /// Switches its machine off.
    pub(super) fn crash(&self) {
        self.0.crashes.fetch_add(1, Ordering::Relaxed);
        self.0.line.stop();
    }

    /// Starts a node on it.
    pub(super) fn mount(&self) -> Arc<dyn Store> {
        self.0.line.go_on();
        let crashes = self.0.crashes.load(Ordering::Relaxed);
        Arc::new(Mounted { inner: Arc::clone(&self.0), crashes })
    }

    /// What it holds under a place.
    pub(super) fn holding(&self, place: &Place) -> Vec<Entry> {
        const EVERYTHING: ListLimit = ListLimit { entries: usize::MAX, bytes: usize::MAX };
        let listed = self.0.store.list(place, crate::store::ALL_IDS, EVERYTHING);
        listed.map(|listed| listed.entries).unwrap_or_default()
    }

    /// From now on a commit takes up to so long; `None`: as on a disk that is well.
    pub(super) fn slow_down(&self, commit_max: Option<Duration>) {
        self.0.state().commit_max = commit_max.unwrap_or(COMMIT_MAX);
    }

    /// From now on there is, or is not, room for values.
    pub(super) fn fill_up(&self, full: bool) {
        self.0.state().full = full;
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Takes as long as a commit does.
    async fn commit(&self) {
        let commit = {
            let mut state = self.state();
            let micros = u64::try_from(state.commit_max.as_micros()).unwrap_or(u64::MAX);
            Duration::from_micros(state.rng.u64(0..=micros))
        };
        sleep(commit).await;
    }
}

impl Store for Mounted {
    fn apply_within(
        &self,
        place: Place,
        entry: Entry,
        bounds: Bounds,
    ) -> Pending<Result<Applied, StoreError>> {
        let (inner, crashes) = (Arc::clone(&self.inner), self.crashes);
        Box::pin(async move {
            inner.commit().await;
            if inner.crashes.load(Ordering::Relaxed) != crashes {
                return Err(StoreError::Closed);
            }
            // As on a real disk: removals still fit.
            if entry.is_live() && inner.state().full {
                return Err(StoreError::OverCapacity(NoRoom::Disk));
            }
            let applied = inner.store.apply_within(place, entry, bounds).await;
            inner.line.keep_mark();
            applied
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

    fn outline(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        entries: usize,
    ) -> Result<Outline, StoreError> {
        self.inner.store.outline(places, after, entries)
    }

    fn digest(&self, prefix: &Prefix) -> Option<Digest> {
        self.inner.store.digest(prefix)
    }

    fn keep_note(&self, place: Place, note: Vec<u8>) -> Pending<Result<(), StoreError>> {
        let (inner, crashes) = (Arc::clone(&self.inner), self.crashes);
        Box::pin(async move {
            inner.commit().await;
            if inner.crashes.load(Ordering::Relaxed) != crashes {
                return Err(StoreError::Closed);
            }
            let kept = inner.store.keep_note(place, note).await;
            inner.line.keep_mark();
            kept
        })
    }

    fn note(&self, place: &Place) -> Result<Option<Note>, StoreError> {
        self.inner.store.note(place)
    }

    fn sketch(&self, prefix: &Prefix, symbols: usize) -> Option<Sketched> {
        self.inner.store.sketch(prefix, symbols)
    }

    fn newest(&self) -> Version {
        self.inner.store.newest()
    }

    fn totals(&self) -> Totals {
        self.inner.store.totals()
    }

    fn tidy(&self) -> Pending<()> {
        self.inner.store.tidy()
    }

    fn close(&self) -> Pending<()> {
        self.inner.line.keep_mark();
        self.inner.store.close()
    }
}

/// The line a store on disk counts its lifetimes on, as the clock of the store in memory that keeps
/// the entries here: that store lives on through crashes, and sees of them only this.
struct Line {
    machine: Arc<Machine>,
    state: Mutex<LineState>,
}

#[derive(Clone, Copy)]
struct LineState {
    timeline: Timeline,
    mark: Mark,
}

impl Line {
    fn new(machine: Arc<Machine>) -> Line {
        let now = machine.read();
        let timeline = Timeline::start(None, now);
        let state = Mutex::new(LineState { timeline, mark: timeline.mark(now) });
        Line { machine, state }
    }

    fn state(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is committed, the mark with it.
    fn keep_mark(&self) {
        let mut state = self.state();
        state.mark = state.timeline.mark(self.machine.read());
    }

    /// The machine stops. While nothing was written its marks were kept now and then.
    fn stop(&self) {
        let mut state = self.state();
        let now = self.machine.read();
        let every = u64::try_from(MARK_EVERY.as_millis()).unwrap_or(u64::MAX);
        let unmarked = now.since_boot_ms.saturating_sub(state.mark.reading.since_boot_ms) % every;
        let reading = Reading {
            since_boot_ms: now.since_boot_ms - unmarked,
            wall_ms: now.wall_ms.saturating_sub(unmarked),
            ..now
        };
        state.mark = state.timeline.mark(reading);
    }

    /// The machine's node starts.
    fn go_on(&self) {
        let mut state = self.state();
        state.timeline = Timeline::start(Some(state.mark), self.machine.read());
    }
}

impl Clock for Line {
    fn read(&self) -> Reading {
        Reading { since_boot_ms: self.since_boot_ms(), ..self.machine.read() }
    }

    fn since_boot_ms(&self) -> u64 {
        self.state().timeline.at(self.machine.since_boot_ms())
    }
}

#[cfg(test)]
mod tests {
    use base::{Key, Lifetime, SecretTag, Value, Version};
    use tokio::time::{Instant, advance};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Puts a value that lives for ten hours, waits one, switches off for one more, and starts again
    /// with a wall clock off by so many hours: how long the value lives from then on, in hours.
    async fn lives_on(jump: i64, reboot: bool) -> Option<u64> {
        let machine = Arc::new(Machine::new(Instant::now()));
        let disk = Disk::new(1, Arc::clone(&machine));
        let place = Key::new("k").unwrap().place();
        let life = Lifetime::from_millis(10 * 3_600_000);
        let value = Value::new("v").unwrap();
        let entry = Entry::live(value, SecretTag::NONE, Version::new(1), life);
        disk.mount().apply(place, entry).await.unwrap();
        advance(HOUR).await;
        disk.crash();
        advance(HOUR).await;
        if reboot {
            machine.reboot(jump * 3_600_000);
        }
        disk.mount();
        let left = disk.holding(&place).first()?.remaining().as_millis();
        Some((left + 1_800_000) / 3_600_000)
    }

    #[tokio::test(start_paused = true)]
    async fn lifetimes_go_on_while_a_machine_is_off_as_its_clocks_tell() {
        assert_eq!(lives_on(0, false).await, Some(8));
        assert_eq!(lives_on(0, true).await, Some(8));
        assert_eq!(lives_on(3, true).await, Some(5), "its wall clock went ahead");
        assert_eq!(lives_on(-9000, true).await, Some(9), "its wall clock went back");
        assert_eq!(lives_on(9000, true).await, None, "by a year");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crashed_node_writes_no_more_and_a_full_disk_takes_no_values() {
        let disk = Disk::new(1, Arc::new(Machine::new(Instant::now())));
        let place = Key::new("k").unwrap().place();
        let life = Lifetime::from_millis(1000);
        let put = Entry::live(Value::new("v").unwrap(), SecretTag::NONE, Version::new(1), life);
        let removal = Entry::removal(put.id(), None, Version::new(2)).unwrap();
        let before = disk.mount();
        disk.crash();
        assert_eq!(before.apply(place, put.clone()).await, Err(StoreError::Closed));
        let after = disk.mount();
        disk.fill_up(true);
        let refused = after.apply(place, put).await;
        assert_eq!(refused, Err(StoreError::OverCapacity(NoRoom::Disk)));
        assert!(after.apply(place, removal).await.is_ok());
    }
}
