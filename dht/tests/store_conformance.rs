//! One suite that every store has to pass, run on each of them.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
mod support;

use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

use base::limits::{BYTES_PER_KEY_MAX, ENTRIES_PER_KEY_MAX, TTL_MAX_S, VALUE_MAX};
use base::{
    Entry, EntryId, Kind, Lifetime, Place, Secret, SecretTag, Sequence, Signed, SigningKey, Slot,
    State, Ttl, Value, Version,
};
use dht::ManualClock;
use dht::store::{
    ALL_IDS, Applied, Bounds, Fingerprint, LEAF_BITS, ListLimit, NOTE_LIFE_MS, NOTE_MAX, NoRoom,
    Note, OVERHEAD, Prefix, Scanned, Store, StoreError,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::{DAY, EVERYTHING, Kit, life, place, put, removal, settle, until_digest};

const NEW: Applied = Applied::Stored { was_live: false };
const OVER: Applied = Applied::Stored { was_live: true };

/// Runs each test on each store.
macro_rules! conformance {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $test() { super::$test(super::Kit::memory()).await; })*
        }
        mod disk {
            $(#[tokio::test] async fn $test() { super::$test(super::Kit::disk()).await; })*
        }
    };
}

conformance![
    what_is_put_is_listed_under_its_place_only,
    values_of_every_size_come_back,
    a_newer_put_starts_a_new_life_longer_or_shorter,
    an_older_copy_changes_nothing_and_is_told_what_to_beat,
    the_same_copy_again_keeps_the_shorter_life,
    a_removal_hides_the_value_and_a_later_put_brings_it_back,
    removal_wins_a_version_tie,
    one_value_under_two_secrets_is_two_entries,
    an_entry_is_gone_when_its_life_is_over,
    a_tombstone_outlives_any_ttl,
    a_jump_of_versions_is_refused,
    lists_are_ordered_and_obey_their_limits,
    an_empty_range_lists_nothing,
    a_key_holds_so_many_entries_and_no_more,
    a_key_holds_so_many_bytes_and_no_more,
    a_new_value_has_to_find_room_among_the_values_and_no_other_has,
    what_expired_makes_room,
    an_author_has_so_many_bytes_and_no_more,
    what_expired_of_an_author_makes_room,
    counts_keep_in_step,
    many_at_once_are_all_kept,
    any_sequence_ends_as_merging_says,
    a_scan_gives_the_entries_of_a_range_in_order_tombstones_too,
    a_scan_in_parts_gives_each_entry_once,
    a_scan_includes_both_ends_of_its_range,
    a_scan_of_an_empty_range_gives_nothing,
    a_scan_begins_after_what_need_not_be_held,
    a_scan_leaves_out_what_expired,
    digests_are_those_of_what_is_held,
    a_note_is_kept_beside_the_entries_until_it_is_outdated,
];

async fn what_is_put_is_listed_under_its_place_only(kit: Kit) {
    let entry = put("v", 1, DAY);
    assert_eq!(kit.store.apply(place("k"), entry.clone()).await, Ok(NEW));
    assert_eq!(kit.list("k"), vec![entry]);
    assert_eq!(kit.list("other"), vec![]);
}

async fn values_of_every_size_come_back(kit: Kit) {
    for size in [0, 1, 4095, 4096, VALUE_MAX] {
        let value = Value::new(vec![7; size]).unwrap();
        let entry = Entry::live(value, SecretTag::NONE, Version::new(1), life(DAY));
        kit.store.apply(place("k"), entry).await.unwrap();
    }
    let mut sizes: Vec<usize> = kit.list("k").iter().map(Entry::cost).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 1, 4095, 4096, VALUE_MAX]);
}

async fn a_newer_put_starts_a_new_life_longer_or_shorter(kit: Kit) {
    kit.store.apply(place("k"), put("v", 1, 5000)).await.unwrap();
    for (version, millis) in [(2, 9000), (3, 1000)] {
        assert_eq!(kit.store.apply(place("k"), put("v", version, millis)).await, Ok(OVER));
        assert_eq!(kit.list("k"), vec![put("v", version, millis)]);
    }
}

async fn an_older_copy_changes_nothing_and_is_told_what_to_beat(kit: Kit) {
    kit.store.apply(place("k"), put("v", 5, 5000)).await.unwrap();
    let stale = Ok(Applied::Stale(Version::new(5)));
    assert_eq!(kit.store.apply(place("k"), put("v", 4, 9000)).await, stale);
    assert_eq!(kit.store.apply(place("k"), removal("v", 4)).await, stale);
    assert_eq!(kit.list("k"), vec![put("v", 5, 5000)]);
}

async fn the_same_copy_again_keeps_the_shorter_life(kit: Kit) {
    for millis in [5000, 9000, 3000] {
        kit.store.apply(place("k"), put("v", 5, millis)).await.unwrap();
    }
    assert_eq!(kit.list("k"), vec![put("v", 5, 3000)]);
    kit.clock.advance_ms(3000);
    assert_eq!(kit.list("k"), vec![], "the deadline moved with it");
}

async fn a_removal_hides_the_value_and_a_later_put_brings_it_back(kit: Kit) {
    kit.store.apply(place("k"), put("v", 1, 5000)).await.unwrap();
    assert_eq!(kit.store.apply(place("k"), removal("v", 2)).await, Ok(OVER));
    assert_eq!(kit.list("k"), vec![removal("v", 2)]);
    assert_eq!(kit.store.apply(place("k"), put("v", 3, 5000)).await, Ok(NEW));
    assert_eq!(kit.list("k"), vec![put("v", 3, 5000)]);
}

async fn removal_wins_a_version_tie(kit: Kit) {
    kit.store.apply(place("k"), removal("v", 2)).await.unwrap();
    let stale = Ok(Applied::Stale(Version::new(2)));
    assert_eq!(kit.store.apply(place("k"), put("v", 2, 5000)).await, stale);
    assert_eq!(kit.list("k"), vec![removal("v", 2)]);
}

async fn one_value_under_two_secrets_is_two_entries(kit: Kit) {
    let value = || Value::new("v").unwrap();
    let secret = Secret::new("s").unwrap();
    let tagged = Entry::live(value(), secret.tag(), Version::new(1), life(DAY));
    kit.store.apply(place("k"), put("v", 1, DAY)).await.unwrap();
    kit.store.apply(place("k"), tagged.clone()).await.unwrap();
    assert_eq!(kit.list("k").len(), 2);
    let gone = Entry::removal(tagged.id(), Some(secret), Version::new(2)).unwrap();
    kit.store.apply(place("k"), gone.clone()).await.unwrap();
    assert_eq!(kit.list("k"), vec![put("v", 1, DAY), gone]);
}

async fn an_entry_is_gone_when_its_life_is_over(kit: Kit) {
    kit.store.apply(place("k"), put("v", 1, 1000)).await.unwrap();
    kit.clock.advance_ms(999);
    assert_eq!(kit.list("k"), vec![put("v", 1, 1)]);
    kit.clock.advance_ms(1);
    assert_eq!(kit.list("k"), vec![]);
    assert_eq!(kit.store.apply(place("k"), put("v", 1, 1000)).await, Ok(NEW), "as if never there");
    assert_eq!(kit.list("k"), vec![put("v", 1, 1000)]);
}

async fn a_tombstone_outlives_any_ttl(kit: Kit) {
    kit.store.apply(place("k"), put("v", 1, TTL_MAX_S * 1000)).await.unwrap();
    kit.store.apply(place("k"), removal("v", 2)).await.unwrap();
    kit.clock.advance_ms(TTL_MAX_S * 1000);
    assert_eq!(kit.list("k").len(), 1, "still remembered");
    kit.clock.advance_ms(DAY);
    assert_eq!(kit.list("k"), vec![]);
}

async fn a_jump_of_versions_is_refused(kit: Kit) {
    let refused = kit.store.apply(place("k"), put("v", (1 << 40) + 1, 1000)).await;
    assert!(matches!(refused, Err(StoreError::VersionJump { .. })), "{refused:?}");
    assert_eq!(kit.list("k"), vec![]);
}

async fn lists_are_ordered_and_obey_their_limits(kit: Kit) {
    for n in 0..20 {
        kit.store.apply(place("k"), put(&format!("value {n:04}"), 1, DAY)).await.unwrap();
    }
    let all = kit.list("k");
    assert!(all.is_sorted_by_key(Entry::id));
    let list = |range, entries, bytes| {
        kit.store.list(&place("k"), range, ListLimit { entries, bytes }).unwrap()
    };
    let first = list(ALL_IDS, 7, usize::MAX);
    assert_eq!((&first.entries[..], first.more), (&all[..7], true));
    let after = (Bound::Excluded(all[6].id()), Bound::Unbounded);
    let rest = list(after, 13, usize::MAX);
    assert_eq!((&rest.entries[..], rest.more), (&all[7..], false));
    let by_bytes = list(ALL_IDS, usize::MAX, 35);
    assert_eq!((&by_bytes.entries[..], by_bytes.more), (&all[..3], true), "10 bytes each");
    let at_least_one = list(ALL_IDS, usize::MAX, 1);
    assert_eq!((&at_least_one.entries[..], at_least_one.more), (&all[..1], true));
    let between = (Bound::Included(all[4].id()), Bound::Included(all[5].id()));
    assert_eq!(list(between, usize::MAX, usize::MAX).entries, all[4..=5]);
}

async fn an_empty_range_lists_nothing(kit: Kit) {
    let entry = put("v", 1, DAY);
    kit.store.apply(place("k"), entry.clone()).await.unwrap();
    let id = entry.id();
    let backwards = (Bound::Excluded(id), Bound::Excluded(id));
    assert_eq!(kit.store.list(&place("k"), backwards, EVERYTHING).unwrap().entries, vec![]);
}

async fn a_key_holds_so_many_entries_and_no_more(kit: Kit) {
    let entries = (0..ENTRIES_PER_KEY_MAX).map(|n| (place("k"), put(&n.to_string(), 1, DAY)));
    settle(&kit.store, entries).await;
    let refused = kit.store.apply(place("k"), put("one more", 1, DAY)).await;
    assert_eq!(refused, Err(StoreError::OverCapacity(NoRoom::KeyEntries)));
    assert_eq!(kit.store.apply(place("k"), put("7", 2, DAY)).await, Ok(OVER), "a refresh");
    assert_eq!(kit.store.apply(place("k"), removal("8", 2)).await, Ok(OVER), "a removal");
    assert_eq!(kit.store.apply(place("other"), put("v", 1, DAY)).await, Ok(NEW));
}

async fn a_new_value_has_to_find_room_among_the_values_and_no_other_has(kit: Kit) {
    let within = async |entry, values| {
        let bounds = Bounds { values, ..Bounds::USUAL };
        kit.store.apply_within(place("k"), entry, bounds).await
    };
    let full = Err(StoreError::OverCapacity(NoRoom::Values(2)));
    assert_eq!(within(put("a", 1, DAY), 2).await, Ok(NEW));
    assert_eq!(within(put("b", 1, DAY), 2).await, Ok(NEW));
    assert_eq!(within(put("c", 1, DAY), 2).await, full);
    assert_eq!(kit.store.apply(place("k"), put("d", 1, DAY)).await, Ok(NEW), "who allows more");
    assert_eq!(within(put("a", 2, DAY), 2).await, Ok(OVER), "a refresh");
    assert_eq!(within(removal("d", 2), 2).await, Ok(OVER), "a removal");
    assert_eq!(within(put("c", 1, DAY), 2).await, full);
    assert_eq!(within(removal("b", 2), 2).await, Ok(OVER));
    assert_eq!(within(put("c", 1, DAY), 2).await, Ok(NEW), "removals take no room");
    assert_eq!(within(put("b", 3, DAY), 2).await, full, "what was removed is new");
}

async fn a_key_holds_so_many_bytes_and_no_more(kit: Kit) {
    let value = |n: u8| Value::new(vec![n; VALUE_MAX]).unwrap();
    let entry = |n| Entry::live(value(n), SecretTag::NONE, Version::new(1), life(DAY));
    let fit = u8::try_from(BYTES_PER_KEY_MAX / VALUE_MAX).unwrap();
    settle(&kit.store, (0..fit).map(|n| (place("k"), entry(n)))).await;
    let refused = kit.store.apply(place("k"), put("x", 1, DAY)).await;
    assert_eq!(refused, Err(StoreError::OverCapacity(NoRoom::KeyBytes)));
    let gone = Entry::removal(entry(0).id(), None, Version::new(2)).unwrap();
    assert_eq!(kit.store.apply(place("k"), gone).await, Ok(OVER));
    assert_eq!(kit.store.apply(place("k"), put("x", 1, DAY)).await, Ok(NEW));
}

async fn what_expired_makes_room(kit: Kit) {
    let entries = (0..ENTRIES_PER_KEY_MAX).map(|n| (place("k"), put(&n.to_string(), 1, 1000)));
    settle(&kit.store, entries).await;
    kit.clock.advance_ms(2000);
    kit.until(|totals| totals.live == 0).await;
    assert_eq!(kit.store.apply(place("k"), put("v", 1, 1000)).await, Ok(NEW));
}

/// What an author signs for a place, with a body of so many bytes.
fn signed(by: u8, at: &str, sequence: u64, body: usize, millis: u64) -> Entry {
    let author = SigningKey::from_bytes(&[by; 32]);
    let (slot, kind, sequence) = (Slot::ZERO, Kind::Plain, Sequence::new(sequence));
    let body = vec![7; body];
    let signed = Signed::sign(&author, &place(at), slot, kind, sequence, Ttl::MAX, &body).unwrap();
    Entry::from_parts(signed.id(), signed.version(), State::Signed(signed), life(millis))
}

fn unsigned(by: u8, at: &str, sequence: u64) -> Entry {
    let author = SigningKey::from_bytes(&[by; 32]);
    let sequence = Sequence::new(sequence);
    Entry::signed(Signed::removal(&author, &place(at), Slot::ZERO, Kind::Plain, sequence))
}

/// What such an entry costs its author.
fn cost(entry: &Entry) -> u64 {
    (entry.cost() + OVERHEAD) as u64
}

async fn an_author_has_so_many_bytes_and_no_more(kit: Kit) {
    let one = cost(&signed(1, "a", 1, 1000, DAY));
    let bounds = Bounds { author: 3 * one, ..Bounds::USUAL };
    let apply = async |at: &str, entry| kit.store.apply_within(place(at), entry, bounds).await;
    let full = |used| Err(StoreError::OverCapacity(NoRoom::Author(used)));
    for at in ["a", "b", "c"] {
        assert_eq!(apply(at, signed(1, at, 1, 1000, DAY)).await, Ok(NEW));
    }
    // Wherever it lies; others, and what nobody signed, have theirs.
    assert_eq!(apply("d", signed(1, "d", 1, 0, DAY)).await, full(3 * one));
    assert_eq!(apply("d", unsigned(1, "d", 1)).await, full(3 * one));
    assert_eq!(apply("d", signed(2, "d", 1, 1000, DAY)).await, Ok(NEW));
    assert_eq!(apply("d", put("plain", 1, DAY)).await, Ok(NEW));
    // What is there changes, if that makes it no more; and nothing is counted of what changes nothing.
    assert_eq!(apply("a", signed(1, "a", 2, 1001, DAY)).await, full(3 * one));
    assert_eq!(apply("a", signed(1, "a", 2, 1000, DAY)).await, Ok(OVER));
    assert_eq!(apply("a", signed(1, "a", 2, 1000, DAY / 2)).await, Ok(OVER));
    assert_eq!(apply("a", signed(1, "a", 1, 1000, DAY)).await, Ok(Applied::Stale(Version::new(2))));
    assert_eq!(apply("a", signed(1, "a", 3, 990, DAY)).await, Ok(OVER));
    assert_eq!(apply("b", signed(1, "b", 2, 1010, DAY)).await, Ok(OVER));
    assert_eq!(apply("c", signed(1, "c", 2, 1001, DAY)).await, full(3 * one));
    // A removal is let in even where it takes more than what it removes, and goes on being counted.
    let least = signed(1, "e", 1, 0, DAY);
    assert_eq!(apply("b", unsigned(1, "b", 3)).await, Ok(OVER));
    let removal = cost(&unsigned(1, "b", 3));
    let used = 2 * one - 10 + removal;
    assert_eq!(apply("e", signed(1, "e", 1, 1000, DAY)).await, full(used));
    let left = usize::try_from(3 * one - used - cost(&least)).unwrap();
    assert_eq!(apply("e", signed(1, "e", 1, left + 1, DAY)).await, full(used));
    assert_eq!(apply("e", signed(1, "e", 1, left, DAY)).await, Ok(NEW));
    assert_eq!(apply("e", unsigned(1, "e", 2)).await, Ok(OVER));
    // Copies that other replicas have taken find more room.
    let copy = signed(1, "f", 1, 1000, DAY);
    assert_eq!(kit.store.apply_within(place("f"), copy, Bounds::REPAIR).await, Ok(NEW));
}

async fn what_expired_of_an_author_makes_room(kit: Kit) {
    let one = cost(&signed(1, "a", 1, 1000, DAY));
    let bounds = Bounds { author: 2 * one, ..Bounds::USUAL };
    let apply = async |at: &str, entry| kit.store.apply_within(place(at), entry, bounds).await;
    assert_eq!(apply("a", signed(1, "a", 1, 1000, 5000)).await, Ok(NEW));
    assert_eq!(apply("b", signed(1, "b", 1, 1000, 9000)).await, Ok(NEW));
    let full = Err(StoreError::OverCapacity(NoRoom::Author(2 * one)));
    assert_eq!(apply("c", signed(1, "c", 1, 1000, DAY)).await, full);
    kit.clock.advance_ms(5000);
    kit.until(|totals| totals.live == 1).await;
    assert_eq!(apply("c", signed(1, "c", 1, 1000, DAY)).await, Ok(NEW));
    assert_eq!(apply("a", signed(1, "a", 1, 1000, DAY)).await, full);
    // What has expired under the very key is room at once.
    kit.clock.advance_ms(4000);
    assert_eq!(apply("b", signed(1, "b", 1, 1000, DAY)).await, Ok(NEW));
    assert_eq!(apply("d", signed(1, "d", 1, 0, DAY)).await, full);
}

async fn counts_keep_in_step(kit: Kit) {
    let counts = || {
        let totals = kit.store.totals();
        (totals.live, totals.tombstones, totals.bytes)
    };
    assert_eq!(counts(), (0, 0, 0));
    kit.store.apply(place("k"), put("four", 1, 5000)).await.unwrap();
    kit.store.apply(place("k"), put("seven..", 1, DAY)).await.unwrap();
    kit.store.apply(place("k"), put("four", 2, 1000)).await.unwrap();
    assert_eq!(counts(), (2, 0, 11));
    kit.store.apply(place("k"), removal("seven..", 2)).await.unwrap();
    assert_eq!(counts(), (1, 1, 154));
    kit.clock.advance_ms(1000);
    kit.until(|totals| totals.live == 0).await;
    assert_eq!(counts(), (0, 1, 150));
}

async fn many_at_once_are_all_kept(kit: Kit) {
    let entries = (0..2000).map(|n| (place(&format!("k{}", n % 50)), put(&n.to_string(), 1, DAY)));
    settle(&kit.store, entries).await;
    assert_eq!(kit.store.totals().live, 2000);
    for n in 0..50 {
        assert_eq!(kit.list(&format!("k{n}")).len(), 40);
    }
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Put { key: u8, value: u8, version: u64, millis: u64 },
    Remove { key: u8, value: u8, version: u64 },
    Pass { millis: u64 },
}

/// A step at one of so many keys.
fn step(keys: u8) -> impl Strategy<Value = Step> {
    let (key, value, version) = (0..keys, 0..3u8, 1..6u64);
    prop_oneof![
        4 => (key.clone(), value.clone(), version.clone(), 1..50u64)
            .prop_map(|(key, value, version, millis)| Step::Put { key, value, version, millis }),
        2 => (key, value, version)
            .prop_map(|(key, value, version)| Step::Remove { key, value, version }),
        1 => (1..20u64).prop_map(|millis| Step::Pass { millis }),
    ]
}

/// What a store has to agree with: merging, and time passing, in the plainest form.
#[derive(Default)]
struct Model {
    now: u64,
    entries: BTreeMap<(Place, EntryId), (Entry, u64)>,
}

impl Model {
    fn merge(&mut self, place: Place, entry: Entry) {
        self.entries.retain(|_, (_, deadline)| *deadline > self.now);
        let id = entry.id();
        let merged = match self.entries.remove(&(place, id)) {
            Some((held, deadline)) => aged(&held, deadline - self.now).merge(entry),
            None => entry,
        };
        let deadline = self.now + merged.remaining().as_millis();
        self.entries.insert((place, id), (merged, deadline));
    }

    fn list(&self, at: &Place) -> Vec<Entry> {
        self.scan(&(*at..=*at)).into_iter().map(|(_, entry)| entry).collect()
    }

    fn scan(&self, places: &RangeInclusive<Place>) -> Vec<(Place, Entry)> {
        let alive = self
            .entries
            .iter()
            .filter(|((place, _), (_, deadline))| places.contains(place) && *deadline > self.now);
        let aged =
            alive.map(|((place, _), (entry, deadline))| (*place, aged(entry, deadline - self.now)));
        aged.collect()
    }
}

fn aged(entry: &Entry, millis: u64) -> Entry {
    let left = Lifetime::from_millis(millis);
    Entry::from_parts(entry.id(), entry.version(), entry.state().clone(), left)
}

async fn any_sequence_ends_as_merging_says(kit: Kit) {
    let runtime = tokio::runtime::Handle::current();
    let run = move || {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(24));
        let case = std::sync::atomic::AtomicU64::new(0);
        runner
            .run(&proptest::collection::vec(step(2), 1..40), |steps| {
                let case = case.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                runtime.block_on(follow(&kit.store, &kit.clock, case, steps))
            })
            .unwrap();
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}

/// Takes a step in a store and in its model.
async fn take(
    store: &Arc<dyn Store>,
    clock: &ManualClock,
    model: &mut Model,
    step: Step,
    place: impl Fn(u8) -> Place,
) {
    let (key, entry) = match step {
        Step::Put { key, value, version, millis } => {
            (key, put(&value.to_string(), version, millis))
        }
        Step::Remove { key, value, version } => (key, removal(&value.to_string(), version)),
        Step::Pass { millis } => {
            clock.advance_ms(millis);
            model.now += millis;
            return;
        }
    };
    store.apply(place(key), entry.clone()).await.unwrap();
    model.merge(place(key), entry);
}

async fn follow(
    store: &Arc<dyn Store>,
    clock: &ManualClock,
    case: u64,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    let place = |key: u8| place(&format!("case {case} key {key}"));
    for step in steps {
        take(store, clock, &mut model, step, place).await;
        for key in 0..2 {
            let listed = store.list(&place(key), ALL_IDS, EVERYTHING).unwrap();
            prop_assert_eq!(listed.entries, model.list(&place(key)));
        }
    }
    Ok(())
}

const FIRST: Place = Place::from_bytes([0; Place::LEN]);
const LAST: Place = Place::from_bytes([0xff; Place::LEN]);
const EVERYWHERE: RangeInclusive<Place> = FIRST..=LAST;

fn scan(kit: &Kit, places: RangeInclusive<Place>) -> Vec<(Place, Entry)> {
    let scanned = kit.store.scan(&places, None, EVERYTHING).unwrap();
    assert!(!scanned.more, "nothing limits it");
    scanned.entries
}

/// What to scan after when this was last.
fn cursor((place, entry): &(Place, Entry)) -> (Place, EntryId) {
    (*place, entry.id())
}

/// Puts an entry at each of places on both sides of where a store may divide them, and gives the
/// places in order.
async fn put_at_edges(kit: &Kit) -> Vec<Place> {
    let first_of =
        |byte: u8| Place::from_bytes(std::array::from_fn(|i| if i == 0 { byte } else { 0 }));
    let last_of =
        |byte: u8| Place::from_bytes(std::array::from_fn(|i| if i == 0 { byte } else { 0xff }));
    let places = [FIRST, last_of(0x0f), first_of(0x10), last_of(0x7f), first_of(0x80), LAST];
    settle(&kit.store, places.iter().map(|place| (*place, put("v", 1, DAY)))).await;
    places.to_vec()
}

async fn a_scan_gives_the_entries_of_a_range_in_order_tombstones_too(kit: Kit) {
    let entry = |n: u32| {
        let text = n.to_string();
        let entry = if n.is_multiple_of(5) { removal(&text, 1) } else { put(&text, 1, DAY) };
        (place(&format!("k{}", n % 64)), entry)
    };
    settle(&kit.store, (0..256).map(entry)).await;
    kit.clock.advance_ms(1000);
    let older = |(place, entry): (Place, Entry)| {
        let left = entry.remaining().as_millis() - 1000;
        (place, aged(&entry, left))
    };
    let mut expected: Vec<_> = (0..256).map(entry).map(older).collect();
    expected.sort_by_key(cursor);
    assert_eq!(scan(&kit, EVERYWHERE), expected);
    let (from, to) = (expected[40].0, expected[200].0);
    expected.retain(|(place, _)| (from..=to).contains(place));
    assert_eq!(scan(&kit, from..=to), expected);
}

async fn a_scan_in_parts_gives_each_entry_once(kit: Kit) {
    let mut model = Model::default();
    let history = proptest::collection::vec(step(40), 300);
    let history = history.new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let at = |key: u8| place(&format!("key {key}"));
    for step in history {
        take(&kit.store, &kit.clock, &mut model, step, at).await;
    }
    let (a, b) = (at(0).min(at(1)), at(0).max(at(1)));
    let any = usize::MAX;
    let limits =
        [(1, any), (2, any), (7, any), (any, 0), (any, 151), (any, 1000), (3, 301), (0, 0)];
    let ranges = [EVERYWHERE, a..=b, b..=LAST];
    let cases = limits.iter().flat_map(|limit| ranges.iter().map(move |places| (*limit, places)));
    for ((entries, bytes), places) in cases {
        let expected = model.scan(places);
        assert!(expected.len() > 10, "too few to tell: {}", expected.len());
        let (mut all, mut more) = (Vec::new(), true);
        while more {
            let after = all.last().map(cursor);
            let part = kit.store.scan(places, after, ListLimit { entries, bytes }).unwrap();
            let cost: usize = part.entries.iter().map(|(_, entry)| entry.cost()).sum();
            let fits = part.entries.len() <= entries && cost <= bytes;
            assert!(fits || part.entries.len() == 1, "over the limit");
            let listed = part.entries.len();
            all.extend(part.entries);
            more = part.more;
            assert_eq!(more, all.len() < expected.len());
            if let Some((_, next)) = expected.get(all.len()) {
                assert!(listed >= entries || cost + next.cost() > bytes, "room for one more");
            }
        }
        assert_eq!(all, expected, "{entries} entries or {bytes} bytes at a time");
        let (mut outlined, mut more) = (Vec::new(), true);
        while more {
            let after = outlined.last().map(|(place, id, _)| (*place, *id));
            let part = kit.store.outline(places, after, entries).unwrap();
            assert!(part.entries.len() <= entries.max(1), "over the limit");
            outlined.extend(part.entries);
            more = part.more;
            assert_eq!(more, outlined.len() < expected.len());
        }
        let outline =
            |(place, entry): &(Place, Entry)| (*place, entry.id(), Fingerprint::of(place, entry));
        assert_eq!(outlined, all.iter().map(outline).collect::<Vec<_>>());
    }
}

async fn a_scan_includes_both_ends_of_its_range(kit: Kit) {
    let places = put_at_edges(&kit).await;
    for from in 0..places.len() {
        for to in from..places.len() {
            let found = scan(&kit, places[from]..=places[to]);
            let found: Vec<Place> = found.into_iter().map(|(place, _)| place).collect();
            assert_eq!(found, places[from..=to]);
        }
    }
}

async fn digests_are_those_of_what_is_held(kit: Kit) {
    let mut model = Model::default();
    let history = proptest::collection::vec(step(40), 300);
    let history = history.new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let at = |key: u8| place(&format!("key {key}"));
    for step in history {
        take(&kit.store, &kit.clock, &mut model, step, at).await;
    }
    for key in 0..40 {
        let entry = put(&format!("another {key}"), 1, DAY);
        kit.store.apply(at(key), entry.clone()).await.unwrap();
        model.merge(at(key), entry);
    }
    // What expires is found a second later at most.
    kit.clock.advance_ms(1000);
    model.now += 1000;
    let held = model.scan(&EVERYWHERE);
    assert!(held.len() >= 40, "too few to tell: {}", held.len());
    for bits in [0, 1, 3, 8, 11, LEAF_BITS] {
        for range in [at(0), at(1), at(2)].map(|place| Prefix::of(&place, bits)) {
            until_digest(&*kit.store, &range, &held).await;
        }
    }
}

async fn a_scan_of_an_empty_range_gives_nothing(kit: Kit) {
    let places = put_at_edges(&kit).await;
    let id = put("v", 1, DAY).id();
    let (least, most) =
        (EntryId::from_bytes(&[0; EntryId::LEN]), EntryId::from_bytes(&[0xff; EntryId::LEN]));
    let backwards = |from: usize, to: usize| RangeInclusive::new(places[from], places[to]);
    let nothing = [
        (backwards(5, 0), None),
        (backwards(2, 1), None),
        (backwards(4, 1), Some((places[2], id))),
        (backwards(4, 1), Some((FIRST, least))),
        (backwards(4, 1), Some((LAST, most))),
        (EVERYWHERE, Some((LAST, id))),
        (EVERYWHERE, Some((LAST, most))),
        (places[1]..=places[3], Some((places[3], id))),
        (places[1]..=places[3], Some((places[3], most))),
        (places[1]..=places[3], Some((places[4], least))),
        (FIRST..=FIRST, Some((LAST, most))),
    ];
    for (range, after) in nothing {
        let scanned = kit.store.scan(&range, after, EVERYTHING);
        let expected = Scanned { entries: Vec::new(), more: false };
        assert_eq!(scanned, Ok(expected), "{range:?} after {after:?}");
    }
}

async fn a_scan_begins_after_what_need_not_be_held(kit: Kit) {
    let places = put_at_edges(&kit).await;
    let (least, most) =
        (EntryId::from_bytes(&[0; EntryId::LEN]), EntryId::from_bytes(&[0xff; EntryId::LEN]));
    let range = places[2]..=places[4];
    let all = scan(&kit, range.clone());
    for (after, skipped) in [
        ((FIRST, most), 0),
        ((places[2], least), 0),
        ((places[2], most), 1),
        ((Place::from_bytes([0x33; Place::LEN]), least), 1),
        ((places[4], least), 2),
    ] {
        let scanned = kit.store.scan(&range, Some(after), EVERYTHING).unwrap();
        assert_eq!(scanned.entries, all[skipped..], "after {after:?}");
    }
}

async fn a_scan_leaves_out_what_expired(kit: Kit) {
    for key in 0..8 {
        let place = place(&key.to_string());
        kit.store.apply(place, put("short", 1, 1000)).await.unwrap();
        kit.store.apply(place, put("long", 1, 2000)).await.unwrap();
    }
    kit.clock.advance_ms(1000);
    let left = scan(&kit, EVERYWHERE);
    assert_eq!(left.len(), 8);
    assert!(left.iter().all(|(_, entry)| *entry == put("long", 1, 1000)));
    let exactly = ListLimit { entries: 8, bytes: usize::MAX };
    let scanned = kit.store.scan(&EVERYWHERE, None, exactly).unwrap();
    assert!(!scanned.more, "what expired is not more");
    kit.clock.advance_ms(1000);
    assert_eq!(scan(&kit, EVERYWHERE), vec![]);
}

async fn a_note_is_kept_beside_the_entries_until_it_is_outdated(kit: Kit) {
    let note = |at: &str| kit.store.note(&place(at)).unwrap();
    assert_eq!(note("k"), None);
    kit.store.keep_note(place("k"), b"first".to_vec()).await.unwrap();
    kit.store.keep_note(place("k"), vec![7; NOTE_MAX]).await.unwrap();
    kit.clock.advance_ms(1000);
    assert_eq!(note("k"), Some(Note { bytes: vec![7; NOTE_MAX], ago_ms: 1000 }));
    assert_eq!((note("other"), kit.list("k")), (None, vec![]), "it is no entry");
    kit.clock.advance_ms(NOTE_LIFE_MS);
    assert_eq!(note("k"), None);
    kit.store.keep_note(place("other"), Vec::new()).await.unwrap();
    assert_eq!(note("other"), Some(Note { bytes: Vec::new(), ago_ms: 0 }));
}
