//! What only a store on disk can do: come back, refuse what it cannot read, give space back.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/support.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::{Entry, Kind, SecretTag, Sequence, Signed, SigningKey, Slot, Ttl, Value, Version};
use dht::store::{
    ALL_IDS, Applied, Bounds, DiskOptions, DiskStore, NoRoom, OVERHEAD, Prefix, Store, StoreError,
};
use dht::{OpenError, Reading};
use support::{DAY, EVERYTHING, Kit, clock, life, open, place, put, removal, settle, until_digest};
use tempfile::TempDir;

const HOUR: u64 = 3_600_000;

fn list(store: &DiskStore, key: &str) -> Vec<Entry> {
    store.list(&place(key), ALL_IDS, EVERYTHING).unwrap().entries
}

#[tokio::test]
async fn what_was_acknowledged_comes_back_with_its_counts() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = open(&dir, &clock);
    store.apply(place("k"), put("v", 1, DAY)).await.unwrap();
    store.apply(place("k"), put("w", 1, DAY)).await.unwrap();
    store.apply(place("k"), removal("w", 2)).await.unwrap();
    let (before, totals) = (list(&store, "k"), store.totals());
    store.close().await;
    drop(store);
    let store = open(&dir, &clock);
    assert_eq!(list(&store, "k"), before);
    let again = store.totals();
    assert_eq!(
        (again.live, again.tombstones, again.bytes),
        (totals.live, totals.tombstones, totals.bytes)
    );
}

#[tokio::test]
async fn digests_are_made_anew_after_a_start_while_the_store_is_written() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let entry = |n: u32, version| (place(&n.to_string()), put("v", version, DAY));
    let store: Arc<dyn Store> = Arc::new(open(&dir, &clock));
    // More than are read at a time.
    settle(&store, (0..3000).map(|n| entry(n, 1))).await;
    store.close().await;
    drop(store);
    let store: Arc<dyn Store> = Arc::new(open(&dir, &clock));
    settle(&store, (2500..3500).map(|n| entry(n, 2))).await;
    let held = (0..3500).map(|n| entry(n, if n < 2500 { 1 } else { 2 }));
    until_digest(&*store, &Prefix::everything(), &held.collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn lifetimes_follow_the_boot_clock_within_a_boot_and_the_wall_clock_across() {
    let year = 8766 * HOUR;
    type Change = fn(&mut Reading);
    let cases: [(&str, Change, Option<u64>); 6] = [
        ("restart in the same boot", |r| r.since_boot_ms += HOUR, Some(23 * HOUR)),
        (
            "the same boot, the wall clock set a year ahead",
            |r| {
                r.since_boot_ms += HOUR;
                r.wall_ms += 8766 * HOUR;
            },
            Some(23 * HOUR),
        ),
        (
            "a reboot an hour long",
            |r| *r = Reading { boot: Some(2), since_boot_ms: 7, wall_ms: r.wall_ms + HOUR },
            Some(23 * HOUR),
        ),
        (
            "a reboot, the wall clock a year back",
            |r| *r = Reading { boot: Some(2), since_boot_ms: 7, wall_ms: r.wall_ms - 8766 * HOUR },
            Some(24 * HOUR),
        ),
        (
            "a reboot, the wall clock a year ahead",
            |r| *r = Reading { boot: Some(2), since_boot_ms: 7, wall_ms: r.wall_ms + 8766 * HOUR },
            None,
        ),
        (
            "a system that does not tell its boots",
            |r| *r = Reading { boot: None, since_boot_ms: 7, wall_ms: r.wall_ms + HOUR },
            Some(23 * HOUR),
        ),
    ];
    assert!(year > DAY);
    for (case, change, remaining) in cases {
        let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
        let store = open(&dir, &clock);
        store.apply(place("k"), put("v", 1, DAY)).await.unwrap();
        drop(store);
        clock.change(change);
        let listed = list(&open(&dir, &clock), "k");
        let expected = remaining.map(|millis| put("v", 1, millis));
        assert_eq!(listed, Vec::from_iter(expected), "{case}");
    }
}

#[tokio::test]
async fn a_store_is_free_again_when_it_is_dropped() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = open(&dir, &clock);
    let second = DiskStore::open(&DiskOptions::new(dir.path()), Arc::clone(&clock));
    assert!(matches!(second.err(), Some(OpenError::InUse { .. })));
    drop(store);
    open(&dir, &clock);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let kit = Kit::disk();
    kit.store.close().await;
    let refused = kit.store.apply(place("k"), put("v", 1, DAY)).await;
    assert_eq!(refused, Err(StoreError::Closed));
    assert!(kit.store.list(&place("k"), ALL_IDS, EVERYTHING).is_err());
}

/// A data directory with something in it.
async fn filled() -> TempDir {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store: Arc<dyn Store> = Arc::new(open(&dir, &clock));
    let entries = (0..500).map(|n| (place(&format!("k{n}")), put(&n.to_string(), 1, DAY)));
    settle(&store, entries).await;
    dir
}

fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    // The lock only says who used the directory last.
    let files = files.filter(|path| !path.ends_with("lock"));
    let mut all: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_as_it_was() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("another kind of file", |bytes| *bytes = b"hello".repeat(5000)),
        ("cut short", |bytes| bytes.truncate(bytes.len() / 3)),
        ("cut to its first page", |bytes| bytes.truncate(4096)),
        ("its header overwritten", |bytes| bytes[..512].fill(0x55)),
        ("emptied", Vec::clear),
    ];
    for (what, damage) in damages {
        let dir = filled().await;
        let path = dir.path().join("entries.redb");
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let before = snapshot(dir.path());
        let error = match DiskStore::open(&DiskOptions::new(dir.path()), clock()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{what}: it was opened"),
        };
        assert!(error.contains("entries.redb is damaged"), "{what}: {error}");
        assert!(error.contains("move it away"), "{what}: {error}");
        assert!(snapshot(dir.path()) == before, "{what}: it was changed");
    }
}

#[tokio::test]
async fn damage_in_the_middle_never_ends_the_process() {
    let dir = filled().await;
    let path = dir.path().join("entries.redb");
    let good = fs::read(&path).unwrap();
    for page in 1..(good.len() / 4096).min(40) {
        let mut bytes = good.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        // Either it is refused, or it opens and answers each request, with an error if need be.
        let Ok(store) = DiskStore::open(&DiskOptions::new(dir.path()), clock()) else { continue };
        for n in 0..20 {
            let _ = store.list(&place(&format!("k{n}")), ALL_IDS, EVERYTHING);
            let _ = store.apply(place(&format!("k{n}")), put("new", 9, DAY)).await;
        }
    }
}

#[tokio::test]
async fn a_newer_directory_is_refused_and_left_as_it_was() {
    let dir = filled().await;
    fs::write(dir.path().join("format"), "supernode data format 9\n").unwrap();
    let before = snapshot(dir.path());
    let refused = DiskStore::open(&DiskOptions::new(dir.path()), clock());
    assert!(matches!(refused.err(), Some(OpenError::TooNew { found: 9, .. })));
    assert!(snapshot(dir.path()) == before);
}

#[tokio::test]
async fn a_directory_of_format_1_is_taken_over_and_an_older_program_refuses_it_from_then_on() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    drop(open(&dir, &clock));
    let path = dir.path().join("entries.redb");
    // As format 1 has it: without notes, and what was there.
    let database = redb::Database::open(&path).unwrap();
    let change = database.begin_write().unwrap();
    let notes = redb::TableDefinition::<&[u8; 32], &[u8]>::new("notes");
    assert!(change.delete_table(notes).unwrap());
    change.commit().unwrap();
    drop(database);
    fs::write(dir.path().join("format"), "supernode data format 1\n").unwrap();
    let store = open(&dir, &clock);
    store.apply(place("k"), put("v", 1, DAY)).await.unwrap();
    store.keep_note(place("k"), b"note".to_vec()).await.unwrap();
    drop(store);
    let format = fs::read_to_string(dir.path().join("format")).unwrap();
    assert_eq!(format, "supernode data format 3\n");
    let store = open(&dir, &clock);
    assert_eq!(list(&store, "k").len(), 1);
    assert_eq!(store.note(&place("k")).unwrap().unwrap().bytes, b"note");
}

/// What an author signs for a place.
fn signed(at: &str, sequence: u64) -> Entry {
    let author = SigningKey::from_bytes(&[1; 32]);
    let (slot, kind, sequence) = (Slot::ZERO, Kind::Plain, Sequence::new(sequence));
    let signed = Signed::sign(&author, &place(at), slot, kind, sequence, Ttl::MAX, &[7; 1000]);
    Entry::signed(signed.unwrap())
}

/// That the author has two of these and may not have three; nor any more of one.
async fn has_two(store: &DiskStore) {
    let one = (signed("a", 1).cost() + OVERHEAD) as u64;
    let within = |author| Bounds { author, ..Bounds::USUAL };
    let full = Err(StoreError::OverCapacity(NoRoom::Author(2 * one)));
    assert_eq!(store.apply_within(place("c"), signed("c", 1), within(3 * one - 1)).await, full);
}

#[tokio::test]
async fn what_an_author_has_is_known_after_a_restart_and_after_an_older_version() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = open(&dir, &clock);
    for (at, sequence) in [("a", 1), ("b", 1), ("a", 2)] {
        store.apply(place(at), signed(at, sequence)).await.unwrap();
    }
    has_two(&store).await;
    drop(store);
    has_two(&open(&dir, &clock)).await;
    // As format 2 has it: without counts; and as it would be with counts that an older program ignored.
    for left in [None, Some(7)] {
        let database = redb::Database::open(dir.path().join("entries.redb")).unwrap();
        let change = database.begin_write().unwrap();
        let authors = redb::TableDefinition::<&[u8; 32], u64>::new("authors");
        assert!(change.delete_table(authors).unwrap());
        if let Some(used) = left {
            change.open_table(authors).unwrap().insert(&[9; 32], used).unwrap();
        }
        change.commit().unwrap();
        drop(database);
        fs::write(dir.path().join("format"), "supernode data format 2\n").unwrap();
        has_two(&open(&dir, &clock)).await;
    }
}

#[tokio::test]
async fn the_newest_version_is_known_after_a_restart() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = open(&dir, &clock);
    let put = |version| {
        let value = Value::new("v").unwrap();
        Entry::live(value, SecretTag::NONE, Version::new(version), life(DAY))
    };
    store.apply(place("a"), put(700)).await.unwrap();
    let removal = Entry::removal(put(1).id(), None, Version::new(900)).unwrap();
    store.apply(place("b"), removal).await.unwrap();
    store.apply(place("c"), put(800)).await.unwrap();
    // Those count for their author alone.
    store.apply(place("d"), signed("d", 5000)).await.unwrap();
    drop(store);
    let store = open(&dir, &clock);
    while store.digest(&Prefix::everything()).is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(store.newest(), Version::new(900));
}

#[tokio::test]
async fn tidying_gives_half_free_space_back_and_keeps_every_entry() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let disk = Arc::new(open(&dir, &clock));
    let store: Arc<dyn Store> = Arc::clone(&disk) as Arc<dyn Store>;
    let large = |n: u32, millis| {
        let value = Value::new([n.to_le_bytes().as_slice(), &[0; 30_000]].concat()).unwrap();
        Entry::live(value, SecretTag::NONE, Version::new(1), life(millis))
    };
    let entries = (0..1000).map(|n| {
        let millis = if n % 10 == 0 { DAY } else { 1000 };
        (place(&format!("k{n}")), large(n, millis))
    });
    settle(&store, entries).await;
    for at in ["a", "b"] {
        store.apply(place(at), signed(at, 1)).await.unwrap();
    }
    clock.advance_ms(2000);
    let kit = Kit { store, clock: Arc::clone(&clock), dir: None };
    kit.until(|totals| totals.live == 102).await;
    let length = || fs::metadata(dir.path().join("entries.redb")).unwrap().len();
    let before = length();
    disk.tidy().await;
    assert!(length() < before / 2, "{before} bytes before, {} after", length());
    let kept = |store: &DiskStore| {
        (0..1000).step_by(10).filter(|n| list(store, &format!("k{n}")).len() == 1).count()
    };
    assert_eq!(kept(&disk), 100);
    let again = disk.apply(place("k"), put("after", 1, DAY)).await;
    assert_eq!(again, Ok(Applied::Stored { was_live: false }));
    drop(kit);
    drop(disk);
    let disk = open(&dir, &clock);
    assert_eq!(kept(&disk), 100, "after a restart");
    has_two(&disk).await;
    assert_eq!(list(&disk, "k").len(), 1);
}

#[tokio::test]
async fn what_a_crash_left_of_a_compaction_is_cleaned_up() {
    let dir = filled().await;
    let left = dir.path().join("entries.compacting");
    fs::write(&left, b"half a copy").unwrap();
    let store = open(&dir, &clock());
    assert!(!left.exists());
    assert_eq!(list(&store, "k7").len(), 1);
}
