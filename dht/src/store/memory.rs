//! A store that forgets everything when it is dropped: for `--ephemeral` nodes and tests.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::ops::RangeBounds;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{Entry, EntryId, Lifetime, Place, Secret, State, Value, Version};
use bytes::Bytes;

use super::rules::{Decision, Usage, decide};
use super::timeline::Timeline;
use super::{Applied, IdRange, ListLimit, Listed, NoRoom, Pending, Store, StoreError, Totals};
use crate::Clock;

/// What an entry takes beside its value: rows of both maps, allocations (`testbed bench start`
/// measures it).
const OVERHEAD: usize = 300;

/// Most places looked at for expired entries by one call, so that none is held up by many
/// deadlines at once.
const SWEEP_MAX: usize = 256;

/// How an in-memory store behaves.
#[derive(Debug, Clone, Copy)]
pub struct MemoryOptions {
    /// Most memory for entries, in bytes, 300 counted for each beside its value.
    pub capacity: usize,
}

impl Default for MemoryOptions {
    /// 512 MiB: a laptop can spare it, and it holds a million small entries.
    fn default() -> MemoryOptions {
        MemoryOptions { capacity: 512 * 1024 * 1024 }
    }
}

/// Entries in memory.
pub struct MemoryStore {
    clock: Box<dyn Clock>,
    timeline: Timeline,
    options: MemoryOptions,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    /// Each place's entries, in the order of their ids.
    places: BTreeMap<Place, Vec<Held>>,
    /// Seconds on the timeline at which a place has something to expire.
    expiry: BTreeSet<(u64, Place)>,
    totals: Totals,
}

/// An entry as held here; smaller than [`Entry`].
struct Held {
    id: EntryId,
    version: Version,
    /// On the timeline, in milliseconds.
    deadline: u64,
    removed: bool,
    /// The value, or the removal's secret.
    payload: Option<Box<[u8]>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(options: MemoryOptions, clock: impl Clock) -> MemoryStore {
        let timeline = Timeline::start(None, clock.read());
        MemoryStore { clock: Box::new(clock), timeline, options, shelf: Mutex::default() }
    }

    fn now(&self) -> u64 {
        self.timeline.at(self.clock.read())
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply_now(&self, place: Place, entry: &Entry) -> Result<Applied, StoreError> {
        let now = self.now();
        let mut shelf = self.shelf();
        shelf.sweep(now);
        let (held, usage) = shelf.look(&place, entry.id(), now);
        match decide(entry, held.as_ref(), usage)? {
            Decision::Write(applied) => {
                if entry.value().is_some() && shelf.size() + entry.cost() > self.options.capacity {
                    return Err(StoreError::OverCapacity(NoRoom::Memory));
                }
                shelf.replace(place, Held::new(entry, now));
                Ok(applied)
            }
            Decision::Shorten(life, applied) => {
                shelf.shorten(place, entry.id(), now + life.as_millis());
                Ok(applied)
            }
            Decision::Leave(applied) => Ok(applied),
        }
    }
}

impl Store for MemoryStore {
    fn apply(&self, place: Place, entry: Entry) -> Pending<Result<Applied, StoreError>> {
        Box::pin(ready(self.apply_now(place, &entry)))
    }

    fn list(&self, place: &Place, range: IdRange, limit: ListLimit) -> Result<Listed, StoreError> {
        let now = self.now();
        let shelf = self.shelf();
        let held = shelf.places.get(place).map_or(&[][..], Vec::as_slice);
        let mut listed = Listed { entries: Vec::new(), more: false };
        let mut bytes = 0;
        for held in held.iter().filter(|held| held.deadline > now && range.contains(&held.id)) {
            bytes += held.cost();
            let full = listed.entries.len() >= limit.entries || bytes > limit.bytes;
            if full && !listed.entries.is_empty() {
                listed.more = true;
                break;
            }
            listed.entries.push(held.to_entry(now));
        }
        Ok(listed)
    }

    fn totals(&self) -> Totals {
        let now = self.now();
        let mut shelf = self.shelf();
        shelf.sweep(now);
        shelf.totals
    }

    fn tidy(&self) -> Pending<()> {
        Box::pin(ready(()))
    }

    fn close(&self) -> Pending<()> {
        Box::pin(ready(()))
    }
}

impl Shelf {
    /// Memory used, as the capacity counts it.
    fn size(&self) -> usize {
        let entries = usize::try_from(self.totals.live + self.totals.tombstones);
        let bytes = usize::try_from(self.totals.bytes);
        entries.unwrap_or(usize::MAX).saturating_mul(OVERHEAD) + bytes.unwrap_or(usize::MAX)
    }

    /// The unexpired copy of an entry, and what its key uses. Expired entries of the key go first.
    fn look(&mut self, place: &Place, id: EntryId, now: u64) -> (Option<Entry>, Usage) {
        self.expire_place(place, now);
        let held = self.places.get(place).map_or(&[][..], Vec::as_slice);
        let usage =
            Usage { entries: held.len(), bytes: held.iter().map(Held::cost).sum::<usize>() };
        let found = held.binary_search_by_key(&id, |held| held.id).ok();
        (found.map(|at| held[at].to_entry(now)), usage)
    }

    fn replace(&mut self, place: Place, new: Held) {
        self.totals.add(&new);
        let deadline = new.deadline;
        let entries = self.places.entry(place).or_default();
        let old = match entries.binary_search_by_key(&new.id, |held| held.id) {
            Ok(at) => Some(std::mem::replace(&mut entries[at], new)),
            Err(at) => {
                if entries.is_empty() {
                    // Most keys have one entry; a vector's first push makes room for four.
                    entries.reserve_exact(1);
                }
                entries.insert(at, new);
                None
            }
        };
        self.expiry.insert((second(deadline), place));
        if let Some(old) = old {
            self.totals.subtract(&old);
            self.forget_deadline(place, old.deadline);
        }
    }

    fn shorten(&mut self, place: Place, id: EntryId, deadline: u64) {
        let Some(entries) = self.places.get_mut(&place) else { return };
        let Ok(at) = entries.binary_search_by_key(&id, |held| held.id) else { return };
        let old = std::mem::replace(&mut entries[at].deadline, deadline);
        self.expiry.insert((second(deadline), place));
        self.forget_deadline(place, old);
    }

    /// Takes a deadline out of the index, unless another entry of the place shares it.
    fn forget_deadline(&mut self, place: Place, deadline: u64) {
        let shared = self.places.get(&place).is_some_and(|entries| {
            entries.iter().any(|held| second(held.deadline) == second(deadline))
        });
        if !shared {
            self.expiry.remove(&(second(deadline), place));
        }
    }

    fn sweep(&mut self, now: u64) {
        for _ in 0..SWEEP_MAX {
            match self.expiry.first() {
                Some(&(due, place)) if due * 1000 <= now => {
                    self.expiry.remove(&(due, place));
                    self.expire_place(&place, now);
                }
                _ => return,
            }
        }
    }

    fn expire_place(&mut self, place: &Place, now: u64) {
        let Some(entries) = self.places.get_mut(place) else { return };
        if entries.iter().all(|held| held.deadline > now) {
            return;
        }
        entries.retain(|held| {
            let alive = held.deadline > now;
            if !alive {
                self.totals.subtract(held);
                self.expiry.remove(&(second(held.deadline), *place));
            }
            alive
        });
        for held in entries.iter() {
            self.expiry.insert((second(held.deadline), *place));
        }
        if entries.is_empty() {
            self.places.remove(place);
        }
    }
}

/// The second of the expiry index by which a deadline has passed.
fn second(deadline_ms: u64) -> u64 {
    deadline_ms.div_ceil(1000)
}

impl Held {
    fn new(entry: &Entry, now: u64) -> Held {
        let (removed, payload) = match entry.state() {
            State::Live(value) => (false, Some(value.as_bytes().into())),
            State::Removed(secret) => (true, secret.as_ref().map(|s| s.as_bytes().into())),
        };
        let deadline = now.saturating_add(entry.remaining().as_millis());
        Held { id: entry.id(), version: entry.version(), deadline, removed, payload }
    }

    fn cost(&self) -> usize {
        if self.removed {
            base::limits::TOMBSTONE_MAX
        } else {
            self.payload.as_ref().map_or(0, |payload| payload.len())
        }
    }

    fn to_entry(&self, now: u64) -> Entry {
        let payload = self.payload.as_deref().map(Bytes::copy_from_slice);
        let state = if self.removed {
            State::Removed(payload.map(|secret| Secret::new(secret).expect("was a secret")))
        } else {
            State::Live(Value::new(payload.unwrap_or_default()).expect("was a value"))
        };
        let remaining = Lifetime::from_millis(self.deadline.saturating_sub(now));
        Entry::from_parts(self.id, self.version, state, remaining)
    }
}

impl Totals {
    fn add(&mut self, held: &Held) {
        *(if held.removed { &mut self.tombstones } else { &mut self.live }) += 1;
        self.bytes += held.cost() as u64;
    }

    fn subtract(&mut self, held: &Held) {
        *(if held.removed { &mut self.tombstones } else { &mut self.live }) -= 1;
        self.bytes -= held.cost() as u64;
    }
}
