//! [`Known`]: what was read last of one place that is watched here, for all who wait for it: of a change one
//! read tells them all.
//!
//! Every read is of the changes that had been told when it began, by their count. Who has seen a state that
//! this node has seen too may take what was read since then for its answer, as if it had waited here all the
//! while. Who has seen another, or none, reads anew.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::Entry;
use tokio::time::Instant;

use crate::cursor::Cursor;

/// Until a place is read again for which nothing gives reason, while all its replicas would tell of changes:
/// a message may have been lost.
pub(crate) const LOOK: Duration = Duration::from_secs(30);
/// The same while some would not.
pub(crate) const LOOK_UNLEASED: Duration = Duration::from_secs(5);
/// After an entry's end, until it is looked for whether it is gone.
const AFTER_EXPIRY: Duration = Duration::from_millis(20);
/// States of a place before the last one that are remembered: who looks away for as many changes reads itself.
const BEFORE_MAX: usize = 8;
/// Bytes of entries that are kept of one place for those who come to ask for them, and of all places.
const KEPT_OF_ONE_MAX: usize = 64 * 1024;
const KEPT_MAX: usize = 8 * 1024 * 1024;

/// What one read saw.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) cursor: Cursor,
    /// How many changes had been told when it began: what changes later may not be in it.
    pub(crate) told: u64,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// When the first of the values ends.
    ends: Option<Instant>,
    /// In the order of their ids, removals included; nothing where they were not kept.
    pub(crate) entries: Option<Arc<[Entry]>>,
}

/// What is known of a place.
#[derive(Debug, Default)]
pub(crate) struct Known {
    last: Option<Seen>,
    kept: Option<Kept>,
    /// Those before, the oldest first.
    before: VecDeque<Cursor>,
}

/// A share of what may be kept of all places.
#[derive(Debug)]
struct Kept {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Seen {
    /// What a read saw that began at that time.
    pub(crate) fn of(entries: Vec<Entry>, told: u64, began: Instant, ended: Instant) -> Seen {
        let living = entries.iter().filter(|entry| entry.is_live());
        let first = living.map(Entry::remaining).min();
        let ends = first.map(|left| ended + Duration::from(left) + AFTER_EXPIRY);
        let cursor = Cursor::of(&entries);
        Seen { cursor, told, began, ended, ends, entries: Some(entries.into()) }
    }

    /// The same, for who waits for another state.
    pub(crate) fn without_entries(&self) -> Seen {
        Seen { entries: None, ..self.clone() }
    }

    /// Until when it may be taken for what there is, if nothing is told; `leased`: if all replicas would.
    pub(crate) fn good_until(&self, leased: bool) -> Instant {
        let look = self.began + if leased { LOOK } else { LOOK_UNLEASED };
        self.ends.map_or(look, |ends| look.min(ends))
    }
}

impl Known {
    /// What was seen last, if it is what there is after so many changes, while all replicas tell of them, and
    /// comes after the state that the asker has seen.
    pub(crate) fn after(&self, since: &Cursor, changes: u64, now: Instant) -> Option<&Seen> {
        let last = self.last.as_ref()?;
        let is_new = last.told == changes && now < last.good_until(true);
        (is_new && self.has_seen(since)).then_some(last)
    }

    /// Whether this is a state that was seen here.
    pub(crate) fn has_seen(&self, cursor: &Cursor) -> bool {
        self.last.as_ref().is_some_and(|last| last.cursor == *cursor)
            || self.before.contains(cursor)
    }

    /// Takes what a read saw, and gives what was seen last: that, or what a read saw that began later. Its
    /// entries are kept for others if there are some, and there is room in `all`.
    pub(crate) fn learn(&mut self, seen: Seen, others: bool, all: &Arc<AtomicUsize>) -> Seen {
        if let Some(last) = &self.last {
            if (seen.told, seen.began) < (last.told, last.began) {
                return last.clone();
            }
            if last.cursor != seen.cursor {
                self.before.retain(|cursor| *cursor != last.cursor);
                self.before.push_back(last.cursor);
                if self.before.len() > BEFORE_MAX {
                    self.before.pop_front();
                }
            }
        }
        self.kept = None;
        let entries = seen.entries.iter().flat_map(|entries| entries.iter());
        let bytes = entries.map(|entry| entry.cost() + size_of::<Entry>()).sum();
        if others && bytes <= KEPT_OF_ONE_MAX {
            self.kept = Kept::of(bytes, all);
        }
        let entries = seen.entries.clone().filter(|_| self.kept.is_some());
        self.last = Some(Seen { entries, ..seen.clone() });
        seen
    }

    /// Something has changed: nobody will ask for these entries any more.
    pub(crate) fn let_go(&mut self) {
        self.kept = None;
        if let Some(last) = &mut self.last {
            last.entries = None;
        }
    }
}

impl Kept {
    fn of(bytes: usize, all: &Arc<AtomicUsize>) -> Option<Kept> {
        let take = |kept: usize| kept.checked_add(bytes).filter(|kept| *kept <= KEPT_MAX);
        all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Kept { bytes, all: Arc::clone(all) })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use base::{Lifetime, SecretTag, Value, Version};

    use super::*;

    fn entries(text: &str, bytes: usize) -> Vec<Entry> {
        let value = Value::new([text.as_bytes(), &vec![7; bytes]].concat()).unwrap();
        let life = Lifetime::from_millis(3_600_000);
        vec![Entry::live(value, SecretTag::NONE, Version::new(1), life)]
    }

    fn seen(text: &str, told: u64, began: Instant) -> Seen {
        Seen::of(entries(text, 10), told, began, began + Duration::from_millis(1))
    }

    #[test]
    fn who_has_seen_what_was_seen_here_is_answered_until_something_is_told() {
        let (mut known, all, now) = (Known::default(), Arc::default(), Instant::now());
        let (one, two) = (seen("one", 0, now), seen("two", 1, now));
        assert!(known.after(&one.cursor, 0, now).is_none(), "nothing is known");
        known.learn(one.clone(), true, &all);
        assert_eq!(known.after(&one.cursor, 0, now).unwrap().cursor, one.cursor);
        assert!(known.after(&two.cursor, 0, now).is_none(), "that may be a later one");
        assert!(known.after(&one.cursor, 1, now).is_none(), "there is another since");
        known.learn(two.clone(), true, &all);
        for since in [&one.cursor, &two.cursor] {
            assert_eq!(known.after(since, 1, now).unwrap().cursor, two.cursor);
        }
        assert!(known.after(&two.cursor, 1, now + LOOK).is_none(), "it is old");
    }

    #[test]
    fn what_ends_is_not_known_beyond_its_end() {
        let (mut known, all, now) = (Known::default(), Arc::default(), Instant::now());
        let value = Value::new("v").unwrap();
        let life = Lifetime::from_millis(1000);
        let brief = vec![Entry::live(value, SecretTag::NONE, Version::new(1), life)];
        let brief = known.learn(Seen::of(brief, 0, now, now), true, &all);
        let at = |millis| now + Duration::from_millis(millis);
        assert!(known.after(&brief.cursor, 0, at(1000)).is_some());
        assert!(known.after(&brief.cursor, 0, at(1000) + AFTER_EXPIRY).is_none());
    }

    #[test]
    fn a_read_that_began_earlier_takes_nothing_back() {
        let (mut known, all, now) = (Known::default(), Arc::default(), Instant::now());
        let later = now + Duration::from_millis(5);
        let new = seen("new", 3, later);
        known.learn(new.clone(), true, &all);
        for old in [seen("old", 2, later + LOOK), seen("old", 3, now)] {
            assert_eq!(known.learn(old, true, &all).cursor, new.cursor);
        }
        assert_eq!(known.after(&new.cursor, 3, later).unwrap().cursor, new.cursor);
    }

    #[test]
    fn only_so_many_states_are_remembered() {
        let (mut known, all, now) = (Known::default(), Arc::default(), Instant::now());
        let states: Vec<Seen> =
            (0..20).map(|n| seen(&n.to_string(), n, now + Duration::from_millis(n))).collect();
        for state in &states {
            known.learn(state.clone(), true, &all);
        }
        let remembered = states.iter().filter(|state| known.has_seen(&state.cursor)).count();
        assert_eq!(remembered, BEFORE_MAX + 1);
        assert!(known.has_seen(&states[19].cursor));
    }

    #[test]
    fn of_all_entries_so_many_bytes_are_kept_and_those_of_whom_others_ask() {
        let (all, now) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let mut places: Vec<Known> = (0..200).map(|_| Known::default()).collect();
        let kept = |known: &Known| known.last.as_ref().unwrap().entries.is_some();
        for known in &mut places {
            let seen = Seen::of(entries("v", 60_000), 0, now, now);
            assert!(known.learn(seen, true, &all).entries.is_some(), "who read them has them");
        }
        let count = places.iter().filter(|known| kept(known)).count();
        assert!((100..200).contains(&count), "{count}");
        assert!(all.load(Ordering::Relaxed) <= KEPT_MAX);
        places.iter_mut().for_each(Known::let_go);
        assert_eq!(all.load(Ordering::Relaxed), 0);
        places[0].learn(Seen::of(entries("v", 60_000), 1, now, now), false, &all);
        assert!(!kept(&places[0]), "nobody else waits there");
        let many = [entries("v", 60_000), entries("w", 60_000)].concat();
        places[1].learn(Seen::of(many, 1, now, now), true, &all);
        assert!(!kept(&places[1]), "they are too many");
        places[2].learn(Seen::of(entries("v", 9), 1, now, now), true, &all);
        assert!(kept(&places[2]) && all.load(Ordering::Relaxed) > 0);
        drop(places);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
