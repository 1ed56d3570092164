//! The durable store: `redb`, written by one thread in groups, read by everybody.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use base::{Entry, EntryId, Place, PublicKey, Signed, Version};
use redb::{ReadableDatabase, ReadableTable};
use tokio::sync::{Semaphore, oneshot};

use super::compact;
use super::data_dir::DataDir;
use super::database::{AUTHORS, ENTRIES, EXPIRY, EntryFile, META, NOTES};
use super::digest::{Digest, Sketched};
use super::digest_index::fingerprint;
use super::queue::{
    ApplyOperation, NOTE_SHARE, NoteOperation, Operation, QUEUE_BYTES, Queue, share_of,
};
use super::record::{Record, RowKey, RowRange, id_of, place_of, row_range, rows_of_places};
use super::rules::author_cost;
use super::shared::{Counters, Shared};
use super::timeline::{Mark, Timeline};
use super::writer::Writer;
use super::{
    Applied, Bounds, IdRange, ListLimit, Listed, NOTE_LIFE_MS, Note, Outline, Pending, Scanned,
    Store, StoreError, Totals, is_empty,
};
use crate::prefix::Prefix;
use crate::{Clock, OpenError};

/// How a store on disk behaves.
#[derive(Debug, Clone)]
pub struct DiskOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// Most bytes of entries, 300 counted for each beside its value; three quarters of it for those that
    /// live for more than a day, seven eighths for those of more than an hour.
    pub capacity: u64,
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
}

impl DiskOptions {
    /// The usual: 8 GiB of entries, and 64 MiB of cache, which with a million entries leaves the node far
    /// below 300 MB.
    pub fn new(dir: impl Into<PathBuf>) -> DiskOptions {
        DiskOptions { dir: dir.into(), capacity: 8 << 30, cache_bytes: 64 * 1024 * 1024 }
    }
}

/// Entries on disk.
pub struct DiskStore {
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl DiskStore {
    /// Opens the store in a data directory, making both if need be.
    ///
    /// # Errors
    /// Every way a data directory can be unfit, see [`OpenError`]; the directory is then as it was.
    pub fn open(options: &DiskOptions, clock: impl Clock) -> Result<DiskStore, OpenError> {
        DiskStore::open_in(DataDir::open(&options.dir)?, options, clock)
    }

    /// Opens the store in a data directory this process has already.
    pub(crate) fn open_in(
        dir: DataDir,
        options: &DiskOptions,
        clock: impl Clock,
    ) -> Result<DiskStore, OpenError> {
        dir.check_complete()?;
        compact::clean_up(&dir.entries());
        let file = EntryFile::open(dir.entries(), options.cache_bytes, !dir.is_complete())?;
        let (mark, totals) = read_meta(&file, !dir.counts_authors())?;
        let timeline = Timeline::start(mark, clock.read());
        let shared = Arc::new(Shared {
            file,
            capacity: options.capacity,
            queue: Queue::default(),
            clock: Box::new(clock),
            timeline,
            counters: Counters::new(totals),
            digests: Mutex::default(),
        });
        let writer = Writer::start(Arc::clone(&shared), dir)?;
        let room = Arc::new(Semaphore::new(QUEUE_BYTES as usize));
        Ok(DiskStore { shared, room, writer: Mutex::new(Some(writer)) })
    }

    /// What a limit allows of some rows, each as `item` has it, and whether it left some out.
    fn read<T>(
        &self,
        range: &RowRange,
        limit: ListLimit,
        item: impl Fn(&RowKey, Record<'_>, u64) -> Option<T>,
    ) -> Result<(Vec<T>, bool), StoreError> {
        let now = self.shared.now();
        self.shared
            .file
            .read(|snapshot| read_rows(snapshot, range, limit, now, &item))
            .map_err(|error| StoreError::Failed(error.to_string()))
    }

    fn ask(&self, operation: impl FnOnce(oneshot::Sender<()>) -> Operation) -> Pending<()> {
        let (reply, done) = oneshot::channel();
        let queued = self.shared.queue.push(operation(reply));
        Box::pin(async move {
            if queued.is_ok() {
                // The writer is gone if the reply does not come: then it is done as well.
                let _ = done.await;
            }
        })
    }
}

impl Store for DiskStore {
    fn apply_within(
        &self,
        place: Place,
        entry: Entry,
        bounds: Bounds,
    ) -> Pending<Result<Applied, StoreError>> {
        let (shared, room) = (Arc::clone(&self.shared), Arc::clone(&self.room));
        Box::pin(async move {
            let share = room.acquire_many_owned(share_of(&entry)).await;
            let share = share.map_err(|_| StoreError::Closed)?;
            let (reply, answer) = oneshot::channel();
            let operation = ApplyOperation { place, entry, bounds, reply, _share: share };
            shared.queue.push(Operation::Apply(operation))?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn list(&self, place: &Place, range: IdRange, limit: ListLimit) -> Result<Listed, StoreError> {
        if is_empty(&range) {
            return Ok(Listed { entries: Vec::new(), more: false });
        }
        let (entries, more) = self.read(&row_range(place, range), limit, to_entry)?;
        Ok(Listed { entries, more })
    }

    fn scan(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        limit: ListLimit,
    ) -> Result<Scanned, StoreError> {
        let Some(range) = rows_of_places(places, after) else {
            return Ok(Scanned { entries: Vec::new(), more: false });
        };
        let placed = |key: &RowKey, record: Record<'_>, now| {
            to_entry(key, record, now).map(|entry| (place_of(key), entry))
        };
        let (entries, more) = self.read(&range, limit, placed)?;
        Ok(Scanned { entries, more })
    }

    fn outline(
        &self,
        places: &RangeInclusive<Place>,
        after: Option<(Place, EntryId)>,
        entries: usize,
    ) -> Result<Outline, StoreError> {
        let Some(range) = rows_of_places(places, after) else {
            return Ok(Outline { entries: Vec::new(), more: false });
        };
        let limit = ListLimit { entries, bytes: usize::MAX };
        let outlined = |key: &RowKey, record: Record<'_>, _| {
            let fingerprint = fingerprint(key, record.version, record.is_live());
            Some((place_of(key), id_of(key), fingerprint))
        };
        let (entries, more) = self.read(&range, limit, outlined)?;
        Ok(Outline { entries, more })
    }

    fn digest(&self, prefix: &Prefix) -> Option<Digest> {
        self.shared.digests().of(prefix)
    }

    fn keep_note(&self, place: Place, note: Vec<u8>) -> Pending<Result<(), StoreError>> {
        let (shared, room) = (Arc::clone(&self.shared), Arc::clone(&self.room));
        Box::pin(async move {
            let share = room.acquire_many_owned(NOTE_SHARE).await;
            let share = share.map_err(|_| StoreError::Closed)?;
            let (reply, answer) = oneshot::channel();
            let operation = NoteOperation { place, note, reply, _share: share };
            shared.queue.push(Operation::Note(operation))?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn note(&self, place: &Place) -> Result<Option<Note>, StoreError> {
        let now = self.shared.now();
        let read = |snapshot: &redb::ReadTransaction| {
            let table = snapshot.open_table(NOTES)?;
            let row = table.get(place.as_bytes())?;
            let note = row.and_then(|row| Note::from_row(row.value(), now));
            Ok(note.filter(|note| note.ago_ms < NOTE_LIFE_MS))
        };
        self.shared.file.read(read).map_err(|error| StoreError::Failed(error.to_string()))
    }

    fn sketch(&self, prefix: &Prefix, symbols: usize) -> Option<Sketched> {
        self.shared.digests().sketch(prefix, symbols)
    }

    fn newest(&self) -> Version {
        self.shared.counters.newest()
    }

    fn totals(&self) -> Totals {
        self.shared.counters.totals()
    }

    fn tidy(&self) -> Pending<()> {
        self.ask(Operation::Tidy)
    }

    fn close(&self) -> Pending<()> {
        self.ask(Operation::Close)
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        // Whoever opens the directory next must not find it still in use.
        drop(self.close());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

fn read_rows<T>(
    snapshot: &redb::ReadTransaction,
    (from, to): &RowRange,
    limit: ListLimit,
    now: u64,
    item: impl Fn(&RowKey, Record<'_>, u64) -> Option<T>,
) -> Result<(Vec<T>, bool), redb::Error> {
    let mut items = Vec::new();
    let mut bytes = 0;
    let table = snapshot.open_table(ENTRIES)?;
    for row in table.range::<&RowKey>((from.as_ref(), to.as_ref()))? {
        let (key, record) = row?;
        let Some(record) = Record::decode(record.value()) else { continue };
        if record.deadline <= now {
            continue;
        }
        bytes += record.cost();
        if limit.is_reached(items.len(), bytes) {
            return Ok((items, true));
        }
        items.extend(item(key.value(), record, now));
    }
    Ok((items, false))
}

fn to_entry(key: &RowKey, record: Record<'_>, now: u64) -> Option<Entry> {
    record.to_entry(id_of(key), now)
}

/// How many tables there are.
const TABLES: usize = 5;

/// What the last commit left: the mark of the timeline and the counts. Makes the tables of a new
/// file, so that readers find them; and counts what authors have in one that an older version left.
fn read_meta(file: &EntryFile, count_authors: bool) -> Result<(Option<Mark>, Totals), OpenError> {
    let read = |database: &redb::Database| {
        let tables = || Ok::<_, redb::Error>(database.begin_read()?.list_tables()?.count());
        // A file of format 1 has no notes yet, one of format 2 has not counted authors.
        if count_authors || tables()? < TABLES {
            let transaction = database.begin_write()?;
            transaction.open_table(ENTRIES)?;
            transaction.open_table(EXPIRY)?;
            transaction.open_table(NOTES)?;
            transaction.open_table(META)?;
            transaction.open_table(AUTHORS)?;
            if count_authors {
                count_all(&transaction)?;
            }
            transaction.commit()?;
        }
        let snapshot = database.begin_read()?;
        let meta = snapshot.open_table(META)?;
        let mark = meta.get("mark")?.and_then(|bytes| Mark::from_bytes(bytes.value()));
        let totals = meta.get("totals")?.map(|bytes| Totals::from_bytes(bytes.value()));
        Ok((mark, totals.unwrap_or_default()))
    };
    file.with(read).map_err(|error| OpenError::Corrupt {
        path: file.path().to_owned(),
        detail: error.to_string(),
    })
}

/// Counts anew what every author's entries take.
fn count_all(transaction: &redb::WriteTransaction) -> Result<(), redb::Error> {
    let mut counts: HashMap<PublicKey, u64> = HashMap::new();
    for row in transaction.open_table(ENTRIES)?.iter()? {
        let (key, record) = row?;
        let entry =
            Record::decode(record.value()).and_then(|record| to_entry(key.value(), record, 0));
        let Some(entry) = entry else { continue };
        if let Some(author) = entry.as_signed().map(Signed::author) {
            *counts.entry(author).or_default() += author_cost(&entry);
        }
    }
    let mut authors = transaction.open_table(AUTHORS)?;
    authors.retain(|_, _| false)?;
    for (author, used) in counts {
        authors.insert(author.as_bytes(), used)?;
    }
    Ok(())
}

impl Note {
    /// A row of the table of notes: when, on the timeline, and what.
    pub(super) fn to_row(note: &[u8], now: u64) -> Vec<u8> {
        [&now.to_le_bytes(), note].concat()
    }

    fn from_row(row: &[u8], now: u64) -> Option<Note> {
        let (kept, bytes) = row.split_first_chunk()?;
        let ago_ms = now.saturating_sub(u64::from_le_bytes(*kept));
        Some(Note { bytes: bytes.to_vec(), ago_ms })
    }

    /// Whether the note of a row need not be kept any more.
    pub(super) fn is_outdated(row: &[u8], now: u64) -> bool {
        Note::from_row(row, now).is_none_or(|note| note.ago_ms >= NOTE_LIFE_MS)
    }
}

impl Totals {
    /// The counts that outlive the process, as kept with every commit.
    pub(super) fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        for (at, count) in [self.live, self.tombstones, self.bytes].into_iter().enumerate() {
            bytes[at * 8..at * 8 + 8].copy_from_slice(&count.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Totals {
        let count = |at: usize| {
            let bytes = bytes.get(at * 8..at * 8 + 8).and_then(|b| b.try_into().ok());
            u64::from_le_bytes(bytes.unwrap_or_default())
        };
        Totals { live: count(0), tombstones: count(1), bytes: count(2), ..Totals::default() }
    }
}
