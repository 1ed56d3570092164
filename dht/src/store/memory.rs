//! A store that forgets everything when it is dropped: for `--ephemeral` nodes and tests.

mod authors;
mod counts;
mod expiry;
mod held;

use std::collections::{BTreeMap, btree_map};
use std::future::ready;
use std::ops::{RangeBounds, RangeInclusive};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Entry, EntryId, Place, Version};

use self::authors::Authors;
use self::counts::Counts;
use self::expiry::ExpiryIndex;
use self::held::Held;
use super::capacity;
use super::digest::{Digest, Sketched};
use super::rules::{Decision, Usage, decide};
use super::timeline::Timeline;
use super::{
    Applied, Bounds, IdRange, ListLimit, Listed, NOTE_LIFE_MS, NoRoom, Note, Outline, Pending,
    Scanned, Store, StoreError, Totals,
};
use crate::Clock;
use crate::prefix::Prefix;

/// Most places looked at for expired entries by one call, so that none is held up by many
/// deadlines at once.
const SWEEP_MAX: usize = 256;

/// How often outdated notes are looked for, in milliseconds.
const NOTES_EVERY_MS: u64 = 3_600_000;

/// Parts the places are divided into.
const SHELVES: usize = 16;

/// How an in-memory store behaves.
#[derive(Debug, Clone, Copy)]
pub struct MemoryOptions {
    /// Most memory for entries, in bytes, 300 counted for each beside its value; three quarters of it for
    /// those that live for more than a day, seven eighths for those of more than an hour.
    pub capacity: usize,
}

impl Default for MemoryOptions {
    /// 640 MiB: a laptop can spare it, and it holds a million small entries of a week.
    fn default() -> MemoryOptions {
        MemoryOptions { capacity: 640 * 1024 * 1024 }
    }
}

/// Entries in memory.
pub struct MemoryStore {
    clock: Box<dyn Clock>,
    timeline: Timeline,
    options: MemoryOptions,
    /// By the first bits of the place, so that threads seldom wait for each other.
    shelves: [Mutex<Shelf>; SHELVES],
    /// Memory used by all, as the capacity counts it.
    size: AtomicUsize,
    /// See [`Store::newest`].
    newest: AtomicU64,
    notes: Mutex<Notes>,
}

/// The notes about places, and when each was kept.
#[derive(Default)]
struct Notes {
    kept: BTreeMap<Place, (u64, Vec<u8>)>,
    next_sweep: u64,
}

/// The entries of one part of the places.
#[derive(Default)]
struct Shelf {
    /// Each place's entries, in the order of their ids.
    places: BTreeMap<Place, Vec<Held>>,
    expiry: ExpiryIndex,
    counts: Counts,
    authors: Arc<Authors>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(options: MemoryOptions, clock: impl Clock) -> MemoryStore {
        let timeline = Timeline::start(None, clock.read());
        let authors = Arc::new(Authors::default());
        let shelf = |_| Mutex::new(Shelf { authors: Arc::clone(&authors), ..Shelf::default() });
        let shelves = std::array::from_fn(shelf);
        let size = AtomicUsize::new(0);
        MemoryStore {
            clock: Box::new(clock),
            timeline,
            options,
            shelves,
            size,
            newest: AtomicU64::default(),
            notes: Mutex::default(),
        }
    }

    fn now(&self) -> u64 {
        self.timeline.at(self.clock.since_boot_ms())
    }

    fn shelf(&self, place: &Place) -> MutexGuard<'_, Shelf> {
        lock(&self.shelves[shelf_of(place)])
    }

    fn check_room(&self, arriving: &Entry) -> Result<(), NoRoom> {
        let (capacity, used) = (self.options.capacity, self.size.load(Ordering::Relaxed));
        let (bytes, life) = (arriving.cost(), arriving.remaining());
        capacity::check(capacity as u64, used as u64, bytes, life, NoRoom::Memory)
    }

    /// Changes a shelf, and counts by how much it grew or shrank.
    fn change<T>(&self, shelf: &mut Shelf, change: impl FnOnce(&mut Shelf) -> T) -> T {
        let before = shelf.size();
        let result = change(shelf);
        // Wraps when it shrank, as the addition does.
        self.size.fetch_add(shelf.size().wrapping_sub(before), Ordering::Relaxed);
        result
    }

    /// The parts in which a range of places lies, in order.
    fn shelves_of(&self, places: &RangeInclusive<Place>) -> &[Mutex<Shelf>] {
        &self.shelves[shelf_of(places.start())..=shelf_of(places.end())]
    }

    /// What a limit allows of the entries of many places, each as `item` has it, and whether it left
    /// some out.
    fn read<T>(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        limit: ListLimit,
        item: impl Fn(&Place, &Held, u64) -> T,
    ) -> (Vec<T>, bool) {
        let now = self.now();
        let start = after.map_or(*places.start(), |(place, _)| place.max(*places.start()));
        let places = start..=*places.end();
        let (mut items, mut bytes) = (Vec::new(), 0);
        // Ordered maps refuse to be asked for a range that ends before it starts.
        if places.is_empty() {
            return (items, false);
        }
        // Shelves are in the order of their places. Never two locks at a time.
        for shelf in self.shelves_of(&places) {
            for (place, held) in lock(shelf).alive(places.clone(), now) {
                if after.is_some_and(|after| (*place, held.id) <= after) {
                    continue;
                }
                bytes += held.cost();
                if limit.is_reached(items.len(), bytes) {
                    return (items, true);
                }
                items.push(item(place, held, now));
            }
        }
        (items, false)
    }

    fn apply_now(
        &self,
        place: Place,
        arriving: &Entry,
        bounds: Bounds,
    ) -> Result<Applied, StoreError> {
        let now = self.now();
        let room = self.check_room(arriving).or_else(|_| {
            // What has expired elsewhere is room as well.
            self.totals();
            self.check_room(arriving)
        });
        let applied = self.change(&mut self.shelf(&place), |shelf| {
            shelf.sweep(now);
            shelf.apply(place, arriving, now, (bounds, room))
        })?;
        if let (Applied::Stored { .. }, Some(version)) = (applied, arriving.lamport()) {
            self.newest.fetch_max(version.number(), Ordering::Relaxed);
        }
        Ok(applied)
    }
}

impl Store for MemoryStore {
    fn apply_within(
        &self,
        place: Place,
        entry: Entry,
        bounds: Bounds,
    ) -> Pending<Result<Applied, StoreError>> {
        Box::pin(ready(self.apply_now(place, &entry, bounds)))
    }

    fn list(&self, place: &Place, range: IdRange, limit: ListLimit) -> Result<Listed, StoreError> {
        let now = self.now();
        let shelf = self.shelf(place);
        let held = shelf.places.get(place).map_or(&[][..], Vec::as_slice);
        let mut listed = Listed { entries: Vec::new(), more: false };
        let mut bytes = 0;
        for held in held.iter().filter(|held| held.deadline > now && range.contains(&held.id)) {
            bytes += held.cost();
            if limit.is_reached(listed.entries.len(), bytes) {
                listed.more = true;
                break;
            }
            listed.entries.push(held.to_entry(now));
        }
        Ok(listed)
    }

    fn scan(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        limit: ListLimit,
    ) -> Result<Scanned, StoreError> {
        let (entries, more) =
            self.read(places, after, limit, |place, held, now| (*place, held.to_entry(now)));
        Ok(Scanned { entries, more })
    }

    fn outline(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        entries: usize,
    ) -> Result<Outline, StoreError> {
        let limit = ListLimit { entries, bytes: usize::MAX };
        let (entries, more) = self.read(places, after, limit, |place, held, _| {
            (*place, held.id, counts::fingerprint(place, held))
        });
        Ok(Outline { entries, more })
    }

    fn digest(&self, prefix: &Prefix) -> Option<Digest> {
        let now = self.now();
        let mut all = Digest::default();
        for shelf in self.shelves_of(&prefix.places()) {
            let mut shelf = lock(shelf);
            // What has expired is no difference.
            self.change(&mut shelf, |shelf| shelf.sweep(now));
            all.add(shelf.counts.digests.of(prefix));
        }
        Some(all)
    }

    fn keep_note(&self, place: Place, note: Vec<u8>) -> Pending<Result<(), StoreError>> {
        let now = self.now();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.next_sweep <= now {
            notes.next_sweep = now + NOTES_EVERY_MS;
            notes.kept.retain(|_, (kept, _)| now.saturating_sub(*kept) < NOTE_LIFE_MS);
        }
        notes.kept.insert(place, (now, note));
        Box::pin(ready(Ok(())))
    }

    fn note(&self, place: &Place) -> Result<Option<Note>, StoreError> {
        let now = self.now();
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let note = notes.kept.get(place);
        let note = note.map(|(kept, bytes)| Note { bytes: bytes.clone(), ago_ms: now - kept });
        Ok(note.filter(|note| note.ago_ms < NOTE_LIFE_MS))
    }

    fn sketch(&self, prefix: &Prefix, symbols: usize) -> Option<Sketched> {
        let now = self.now();
        let mut all = Sketched::new(symbols);
        for shelf in self.shelves_of(&prefix.places()) {
            let mut shelf = lock(shelf);
            self.change(&mut shelf, |shelf| shelf.sweep(now));
            all.add(&shelf.counts.digests.sketch(prefix, symbols)?);
        }
        Some(all)
    }

    fn newest(&self) -> Version {
        Version::new(self.newest.load(Ordering::Relaxed))
    }

    fn totals(&self) -> Totals {
        let now = self.now();
        let mut all = Totals::default();
        for shelf in &self.shelves {
            let mut shelf = lock(shelf);
            self.change(&mut shelf, |shelf| shelf.sweep(now));
            all.live += shelf.counts.totals.live;
            all.tombstones += shelf.counts.totals.tombstones;
            all.bytes += shelf.counts.totals.bytes;
        }
        all
    }

    fn tidy(&self) -> Pending<()> {
        Box::pin(ready(()))
    }

    fn close(&self) -> Pending<()> {
        Box::pin(ready(()))
    }
}

/// Which part a place is in.
fn shelf_of(place: &Place) -> usize {
    usize::from(place.as_bytes()[0]) * SHELVES / 256
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    /// What has not expired at a range of places, in order.
    fn alive(
        &self,
        places: RangeInclusive<Place>,
        now: u64,
    ) -> impl Iterator<Item = (&Place, &Held)> {
        let all = self.places.range(places);
        let all = all.flat_map(|(place, entries)| entries.iter().map(move |held| (place, held)));
        all.filter(move |(_, held)| held.deadline > now)
    }

    /// Memory used, as the capacity counts it.
    fn size(&self) -> usize {
        usize::try_from(self.counts.totals.used()).unwrap_or(usize::MAX)
    }

    fn apply(
        &mut self,
        place: Place,
        arriving: &Entry,
        now: u64,
        (bounds, room): (Bounds, Result<(), NoRoom>),
    ) -> Result<Applied, StoreError> {
        let Shelf { places, expiry, counts, authors } = self;
        let mut slot = places.entry(place);
        let (mut held, mut usage) = (None, Usage::default());
        if let btree_map::Entry::Occupied(entries) = &mut slot {
            let entries = entries.get_mut();
            expire(&place, entries, (counts, authors), now);
            entries
                .iter()
                .for_each(|held| usage.replace(None, Some((held.cost(), held.is_live()))));
            held = find(entries, arriving.id()).ok().map(|at| entries[at].to_entry(now));
        }
        let (new, applied) = match decide(arriving, held.as_ref(), usage, bounds.values)? {
            Decision::Write(applied) => {
                if arriving.is_live() {
                    room.map_err(StoreError::OverCapacity)?;
                }
                authors
                    .replace(arriving, held.as_ref(), bounds.author)
                    .map_err(StoreError::OverCapacity)?;
                (Held::new(arriving, now), applied)
            }
            Decision::Shorten(life, applied) => {
                let deadline = now + life.as_millis();
                let held = held.as_ref().map(|held| Held::new(held, now));
                let Some(held) = held else { return Ok(applied) };
                (Held { deadline, ..held }, applied)
            }
            Decision::Leave(applied) => return Ok(applied),
        };
        expiry.add(new.deadline, place);
        counts.add(&place, &new);
        // Most keys have one entry; a vector's first push makes room for four.
        let entries = slot.or_insert_with(|| Vec::with_capacity(1));
        match find(entries, new.id) {
            Ok(at) => counts.subtract(&place, &std::mem::replace(&mut entries[at], new)),
            Err(at) => entries.insert(at, new),
        }
        self.bound_index();
        Ok(applied)
    }

    /// Removes what has expired, at a bounded number of places.
    fn sweep(&mut self, now: u64) {
        for _ in 0..SWEEP_MAX {
            let Some(place) = self.expiry.pop_due(now) else { return };
            if let btree_map::Entry::Occupied(mut entries) = self.places.entry(place) {
                expire(&place, entries.get_mut(), (&mut self.counts, &self.authors), now);
                if entries.get().is_empty() {
                    entries.remove();
                }
            }
        }
    }

    /// Makes the index anew when most of its rows are left behind by deadlines put off.
    fn bound_index(&mut self) {
        if !self.expiry.is_too_long(self.counts.entries()) {
            return;
        }
        self.expiry = ExpiryIndex::default();
        for (place, entries) in &self.places {
            for held in entries {
                self.expiry.add(held.deadline, *place);
            }
        }
    }
}

/// Removes what has expired from a place's entries.
fn expire(
    place: &Place,
    entries: &mut Vec<Held>,
    (counts, authors): (&mut Counts, &Authors),
    now: u64,
) {
    entries.retain(|held| {
        let alive = held.deadline > now;
        if !alive {
            counts.subtract(place, held);
            authors.expired(held, now);
        }
        alive
    });
}

fn find(entries: &[Held], id: EntryId) -> Result<usize, usize> {
    entries.binary_search_by_key(&id, |held| held.id)
}

#[cfg(test)]
mod tests {
    use base::{Key, Lifetime, SecretTag, Value, Version};

    use super::*;
    use crate::store::OVERHEAD;
    use crate::{ManualClock, Reading};

    fn clock() -> ManualClock {
        ManualClock::new(Reading { boot: None, since_boot_ms: 0, wall_ms: 0 })
    }

    #[test]
    fn refreshing_does_not_grow_the_index_without_bound() {
        let store = MemoryStore::new(MemoryOptions::default(), clock());
        let place = Key::new("k").unwrap().place();
        for version in 1..10_000 {
            let value = Value::new("v").unwrap();
            let life = Lifetime::from_millis(86_400_000 + version);
            let put = Entry::live(value, SecretTag::NONE, Version::new(version), life);
            store.apply_now(place, &put, Bounds::USUAL).unwrap();
        }
        assert!(!store.shelf(&place).expiry.is_too_long(1));
        assert_eq!(store.totals().live, 1);
    }

    #[test]
    fn what_expired_under_other_keys_is_room() {
        let options = MemoryOptions { capacity: 100 * OVERHEAD };
        let clock = std::sync::Arc::new(clock());
        let store = MemoryStore::new(options, std::sync::Arc::clone(&clock));
        let put = |n: u32| {
            let place = Key::new(n.to_string()).unwrap().place();
            let life = Lifetime::from_millis(1000);
            let value = Value::new("v").unwrap();
            let entry = Entry::live(value, SecretTag::NONE, Version::new(1), life);
            store.apply_now(place, &entry, Bounds::USUAL)
        };
        let stored = (0..).position(|n| put(n).is_err()).unwrap();
        assert!((90..100).contains(&stored));
        clock.advance_ms(2000);
        assert_eq!(put(1_000_000), Ok(Applied::Stored { was_live: false }));
    }

    #[test]
    fn a_full_memory_refuses_values_and_lets_removals_through() {
        let options = MemoryOptions { capacity: 2 * OVERHEAD + 10 };
        let store = MemoryStore::new(options, clock());
        let place = Key::new("k").unwrap().place();
        let life = Lifetime::from_millis(1000);
        let put = |text: &'static str, version| {
            let value = Value::new(text).unwrap();
            Entry::live(value, SecretTag::NONE, Version::new(version), life)
        };
        for text in ["a", "b"] {
            store.apply_now(place, &put(text, 1), Bounds::USUAL).unwrap();
        }
        let refused = store.apply_now(place, &put("a longer one", 1), Bounds::USUAL);
        assert_eq!(refused, Err(StoreError::OverCapacity(NoRoom::Memory)));
        let removal = Entry::removal(put("a", 1).id(), None, Version::new(2)).unwrap();
        let removed = store.apply_now(place, &removal, Bounds::USUAL);
        assert_eq!(removed, Ok(Applied::Stored { was_live: true }));
    }
}
