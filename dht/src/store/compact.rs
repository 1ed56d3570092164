//! Giving disk space back.
//!
//! `redb` never shrinks its file by itself, and its own `compact` keeps everybody waiting for as
//! long as it takes. Here the rows are copied, in order, into a new file that then takes the old
//! one's place by a rename: readers go on meanwhile, a copy that takes too long is given up, and a
//! crash leaves one file or the other, both complete.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, Value,
};

use super::Totals;
use super::database::{AUTHORS, ENTRIES, EXPIRY, EntryFile, META, NOTES, create};
use super::record::{EXPIRY_KEY_LEN, ROW_KEY_LEN};

/// Longest that writers are kept waiting.
pub(super) const BUDGET: Duration = Duration::from_secs(10);
/// A smaller file is not worth it.
const WORTH_FROM: u64 = 16 * 1024 * 1024;
/// What is copied, and synced, between two looks at the clock, in bytes.
const STEP_BYTES: usize = 8 * 1024 * 1024;
/// And in rows, for tables whose rows are small.
const STEP_ROWS: usize = 20_000;
/// Memory for pages of the copy while it is made.
const COPY_CACHE: usize = 16 * 1024 * 1024;

/// What a compaction did.
pub(super) struct Compaction {
    /// Length of the file before, in bytes.
    pub(super) before: u64,
    /// And after.
    pub(super) after: u64,
    /// How long it took.
    pub(super) took: Duration,
}

/// At most how long a file with nothing free would be: pages are two thirds full at worst, and a
/// value above a page takes up to twice its length.
pub(super) fn length_at_most(totals: Totals) -> u64 {
    let row = (ROW_KEY_LEN + EXPIRY_KEY_LEN + 64) as u64;
    let rows = totals.live + totals.tombstones;
    rows.saturating_mul(row * 3 / 2).saturating_add(totals.bytes.saturating_mul(2))
}

/// Compacts the file if at least half of it is free and it can be done within [`BUDGET`]; gives it
/// up when told to.
pub(super) fn compact(
    file: &EntryFile,
    totals: Totals,
    give_up: impl Fn() -> bool,
) -> Result<Option<Compaction>, redb::Error> {
    let started = Instant::now();
    let before = std::fs::metadata(file.path())?.len();
    if before < WORTH_FROM || length_at_most(totals) > before / 2 {
        return Ok(None);
    }
    let beside = beside(file.path());
    clean_up(file.path());
    let in_time = || started.elapsed() < BUDGET && !give_up();
    let copied = file.with(|database| copy(database, &beside, in_time));
    let replaced = match copied {
        Ok(true) => file.replace_by(&beside),
        Ok(false) => Err(redb::Error::Io(std::io::Error::other("it would take too long"))),
        Err(error) => Err(error),
    };
    clean_up(file.path());
    replaced?;
    let after = std::fs::metadata(file.path())?.len();
    Ok(Some(Compaction { before, after, took: started.elapsed() }))
}

/// Removes what a crash in the middle of a compaction left.
pub(super) fn clean_up(entries: &Path) {
    let _ = std::fs::remove_file(beside(entries));
}

/// Where the copy is made.
fn beside(entries: &Path) -> PathBuf {
    entries.with_extension("compacting")
}

/// Makes the copy, complete and on disk, and closes it; `false` if there was no time.
fn copy(from: &Database, to: &Path, in_time: impl Fn() -> bool) -> Result<bool, redb::Error> {
    let snapshot = from.begin_read()?;
    let to = create(to, COPY_CACHE)?;
    Ok(copy_table(&snapshot, &to, ENTRIES, &in_time)?
        && copy_table(&snapshot, &to, EXPIRY, &in_time)?
        && copy_table(&snapshot, &to, NOTES, &in_time)?
        && copy_table(&snapshot, &to, AUTHORS, &in_time)?
        && copy_table(&snapshot, &to, META, &in_time)?)
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    snapshot: &ReadTransaction,
    to: &Database,
    definition: TableDefinition<'static, K, V>,
    in_time: &impl Fn() -> bool,
) -> Result<bool, redb::Error> {
    let source = snapshot.open_table(definition)?;
    let mut rows = source.iter()?;
    loop {
        if !in_time() {
            return Ok(false);
        }
        let mut transaction = to.begin_write()?;
        transaction.set_quick_repair(true);
        let (mut copied, mut bytes) = (0, 0);
        {
            let mut table = transaction.open_table(definition)?;
            while copied < STEP_ROWS && bytes < STEP_BYTES {
                let Some(row) = rows.next() else { break };
                let (key, value) = row?;
                bytes += V::as_bytes(&value.value()).as_ref().len();
                table.insert(key.value(), value.value())?;
                copied += 1;
            }
        }
        transaction.commit()?;
        if copied < STEP_ROWS && bytes < STEP_BYTES {
            let copy = to.begin_read()?.open_table(definition)?.len()?;
            let complete = copy == source.len()?;
            return complete
                .then_some(true)
                .ok_or_else(|| redb::Error::Corrupted("the copy has not all the rows".to_owned()));
        }
    }
}
