//! Where a replica keeps its entries: one trait, on disk ([`DiskStore`]) or in memory
//! ([`MemoryStore`]), held to one suite of tests (`dht/tests/store_conformance.rs`).
//!
//! ```text
//! Dht ── Store ─┬─ MemoryStore ──┐
//!               │                ├─ rules: does the copy win, is there room?
//!               └─ DiskStore ────┘
//!                  ├─ data_dir: lock, format, files
//!                  ├─ queue ─► writer: groups of operations, one commit each
//!                  ├─ compact: a smaller copy of the file
//!                  ├─ digest_index: digests of what the file holds, made after a start
//!                  └─ timeline: lifetimes across restarts
//! ```

mod capacity;
mod change;
mod compact;
pub(crate) mod data_dir;
mod database;
mod digest;
mod digest_index;
mod disk;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod memory;
mod queue;
mod record;
mod rules;
mod shared;
mod sketches;
pub(crate) mod timeline;
pub(crate) mod writer;

use std::future::Future;
use std::ops::{Bound, RangeInclusive};
use std::pin::Pin;

use base::limits::{AUTHOR_BYTES_MAX, BYTES_PER_KEY_MAX, ENTRIES_PER_KEY_MAX};
use base::{Entry, EntryId, Place, TtlClass, Version};

pub use capacity::OVERHEAD;
#[cfg(test)]
pub(crate) use digest::Digests;
pub use digest::{Digest, Fingerprint, LEAF_BITS, SKETCH_BITS, Sketched};
pub use disk::{DiskOptions, DiskStore};
pub use memory::{MemoryOptions, MemoryStore};
pub(crate) use sketches::{READ_MAX, sketch_of};

pub use crate::prefix::Prefix;
pub use crate::sketch::{Item, SYMBOLS_MAX, Sketch};

/// What a store's slower calls return.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A replica's entries. Safe to share between threads.
pub trait Store: Send + Sync + 'static {
    /// Merges a copy of an entry into what is held under `place`. When the answer is
    /// [`Applied::Stored`] the copy is in force and, on disk, durable.
    ///
    /// Dropping the future does not undo the operation.
    fn apply(&self, place: Place, entry: Entry) -> Pending<Result<Applied, StoreError>> {
        self.apply_within(place, entry, Bounds::USUAL)
    }

    /// The same within other bounds.
    fn apply_within(
        &self,
        place: Place,
        entry: Entry,
        bounds: Bounds,
    ) -> Pending<Result<Applied, StoreError>>;

    /// Lists the entries under `place`, tombstones included, in the order of their ids.
    ///
    /// Reads in the caller's thread: at most `max_bytes` and one entry.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does not give them back.
    fn list(&self, place: &Place, range: IdRange, limit: ListLimit) -> Result<Listed, StoreError>;

    /// Lists the entries of many places, tombstones included, in the order of place and id,
    /// beginning after `after`, which need not be held. A range that ends before it starts has
    /// none.
    ///
    /// Reads in the caller's thread: at most `limit`. On disk a snapshot; in memory, what changes
    /// meanwhile may or may not be seen.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does not give them back.
    fn scan(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        limit: ListLimit,
    ) -> Result<Scanned, StoreError>;

    /// The same without the values, by which it reads much more in the same time: at most so many
    /// entries, and one in any case.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does not give them back.
    fn outline(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        entries: usize,
    ) -> Result<Outline, StoreError>;

    /// The digest of all that is held at the places of a prefix, at most [`LEAF_BITS`] deep; a deeper one
    /// has the digest of all its leaf. `None` while the digests are still being made, after a start.
    /// What has expired may be in it for some seconds.
    fn digest(&self, prefix: &Prefix) -> Option<Digest>;

    /// The same with so many symbols of its sketch, of one moment. `None` for a prefix of more than
    /// [`SKETCH_BITS`] bits, too.
    fn sketch(&self, prefix: &Prefix, symbols: usize) -> Option<Sketched>;

    /// Keeps a note about a place beside its entries, in place of the one before; when this is done it is
    /// as durable as an entry. At most [`NOTE_MAX`] bytes. It stays for [`NOTE_LIFE_MS`], whatever becomes
    /// of the entries.
    fn keep_note(&self, place: Place, note: Vec<u8>) -> Pending<Result<(), StoreError>>;

    /// The note about a place.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does not give it back.
    fn note(&self, place: &Place) -> Result<Option<Note>, StoreError>;

    /// The highest version, of entries nobody signed, of what was held at the start, as far as that was read
    /// since, and perhaps of what came later: below what a node that starts again should not begin.
    fn newest(&self) -> Version;

    /// Counts over everything held.
    fn totals(&self) -> Totals;

    /// Gives disk space back, if it is worth it and does not take long.
    fn tidy(&self) -> Pending<()>;

    /// Ends what is under way and lets go of the files. Later operations fail.
    fn close(&self) -> Pending<()>;
}

/// Longest note, in bytes: what a replica tells of a name, without a signature.
pub const NOTE_MAX: usize = base::Report::LEN_MAX;
/// How long a note is kept, in milliseconds: two days longer than any claim that was put before it, so
/// that whoever keeps it anew each day never finds it gone.
pub const NOTE_LIFE_MS: u64 = 9 * 24 * 3_600_000;

/// A note as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What was kept.
    pub bytes: Vec<u8>,
    /// How long ago, in milliseconds; as well as the machine's clocks can tell, if it was off since.
    pub ago_ms: u64,
}

/// How much there may be for a copy to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Values under its place: a new one above that is refused with [`NoRoom::Values`]; what is there may be
    /// put again.
    pub values: usize,
    /// Bytes of what its author signed, if somebody did, [`Entry::cost`] and [`OVERHEAD`] of each: above that
    /// is refused with [`NoRoom::Author`] what would make it more. What is there may be removed.
    pub author: u64,
}

impl Bounds {
    /// Those of a copy that somebody puts.
    pub const USUAL: Bounds = Bounds { values: ENTRIES_PER_KEY_MAX, author: AUTHOR_BYTES_MAX };
    /// Those of a copy that other replicas have taken. They may keep less of its author than this one, which
    /// has other places; so twice as much fits, and they do not differ for ever.
    pub const REPAIR: Bounds = Bounds { author: 2 * AUTHOR_BYTES_MAX, ..Bounds::USUAL };
}

/// Which of a key's entries to list.
pub type IdRange = (Bound<EntryId>, Bound<EntryId>);

/// All of a key's entries.
pub const ALL_IDS: IdRange = (Bound::Unbounded, Bound::Unbounded);

/// Whether no id can be in the range; ordered maps refuse to be asked for such.
fn is_empty(range: &IdRange) -> bool {
    match range {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from >= to,
    }
}

/// How much to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLimit {
    /// At most this many entries.
    pub entries: usize,
    /// Stop before their values exceed this many bytes, but always list one.
    pub bytes: usize,
}

impl ListLimit {
    /// Whether what is `listed` is all, when the next would bring the values to so many bytes.
    fn is_reached(&self, listed: usize, bytes: usize) -> bool {
        listed > 0 && (listed >= self.entries || bytes > self.bytes)
    }
}

/// Part of a key's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The entries, in the order of their ids.
    pub entries: Vec<Entry>,
    /// Whether the limit, not the range, ended the list.
    pub more: bool,
}

/// Part of the entries of many places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The entries, in the order of their places and ids. The next part begins after the last.
    pub entries: Vec<(Place, Entry)>,
    /// Whether the limit, not the range, ended the list; there is then at least one entry.
    pub more: bool,
}

/// Part of the entries of many places, without their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Where each is, which it is, and in what state. The next part begins after the last.
    pub entries: Vec<(Place, EntryId, Fingerprint)>,
    /// Whether the limit, not the range, ended the outline; there is then at least one entry.
    pub more: bool,
}

/// What became of a copy that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is in force.
    Stored {
        /// Whether a live value was in force before.
        was_live: bool,
    },
    /// What is held wins; only a version above this one would win over it.
    Stale(Version),
    /// What is held is of this very version and ends sooner: a copy of it that was under way for longer,
    /// or the same value put elsewhere at the same time. It stays as it is.
    EndsSooner(Version),
}

/// Counts over everything a store holds. What has expired is counted until it is swept: on
/// disk within seconds, in memory by the next put or count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Values that are there.
    pub live: u64,
    /// Removals that are remembered.
    pub tombstones: u64,
    /// Bytes as quotas count them: see [`Entry::cost`].
    pub bytes: u64,
    /// Commits to disk since the start; always 0 in memory.
    pub commits: u64,
    /// Operations those commits were made of.
    pub committed_operations: u64,
    /// Time spent in commits, in microseconds.
    pub commit_micros: u64,
}

/// Why a store did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room.
    #[error(transparent)]
    OverCapacity(NoRoom),
    /// The copy's version is too far above the held one to be honest.
    #[error("version {version} is too far above {held}", version = .version.number(), held = .held.number())]
    VersionJump {
        /// The copy's.
        version: Version,
        /// What is held, or zero.
        held: Version,
    },
    /// The disk failed; the operation may or may not be in force.
    #[error("the store failed: {0}")]
    Failed(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// What there is no room in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The key has all the values that the one who puts allows it.
    #[error("the key holds {0} values, and no more may be put there")]
    Values(usize),
    /// The key has all the entries it may have.
    #[error(
        "the key holds {ENTRIES_PER_KEY_MAX} entries, removals of the last week included; use another key"
    )]
    KeyEntries,
    /// The key has all the bytes it may have.
    #[error(
        "the key would hold more than {BYTES_PER_KEY_MAX} bytes, 150 for each removal of the last week included; use another key"
    )]
    KeyBytes,
    /// Its author has as much as one may.
    #[error(
        "whoever signed this has {0} bytes at this super-node, as much as one key may sign; remove some of it, or wait until some lapses"
    )]
    Author(u64),
    /// The disk is full.
    #[error("this super-node's disk is full; use another node, or make room on its disk")]
    Disk,
    /// The part of the disk set aside for entries is used up.
    #[error("this super-node keeps as much as it may; use another node")]
    Share,
    /// There is no room for entries that live so long; there is for shorter-lived ones.
    #[error(
        "this super-node keeps its last room for entries that live at most {} s; give a shorter ttl, or use another node",
        shorter(*.0)
    )]
    LongLived(TtlClass),
    /// The memory set aside is full.
    #[error("this super-node's memory store is full; use another node")]
    Memory,
}

impl NoRoom {
    /// Whether another key on the same super-node would have room.
    pub(crate) fn is_of_key(self) -> bool {
        matches!(self, NoRoom::Values(_) | NoRoom::KeyEntries | NoRoom::KeyBytes)
    }
}

/// The longest ttl, in seconds, of the next shorter class.
fn shorter(class: TtlClass) -> u64 {
    match class {
        TtlClass::Week => TtlClass::Day.longest_s(),
        TtlClass::Day | TtlClass::Hour => TtlClass::Hour.longest_s(),
    }
}
