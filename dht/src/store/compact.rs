//! Giving disk space back.
//!
//! `redb` never shrinks its file by itself, and its own `compact` keeps everybody waiting for as
//! long as it takes. Here the rows are copied, in order, into a new file that then takes the old
//! one's place by a rename: readers go on meanwhile, a copy that takes too long is given up, and a
//! crash leaves one file or the other, both complete.

use std::path::Path;
use std::time::{Duration, Instant};

use redb::{
    Database, Durability, Key, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableDefinition, Value,
};

use super::database::{ENTRIES, EXPIRY, EntryFile, META};

/// Longest that writers are kept waiting.
const BUDGET: Duration = Duration::from_secs(10);
/// A smaller file is not worth it.
const WORTH_FROM: u64 = 16 * 1024 * 1024;
/// Rows copied between two looks at the clock.
const STEP: usize = 20_000;

/// What a compaction did.
pub(super) struct Compaction {
    /// Length of the file before, in bytes.
    pub(super) before: u64,
    /// And after.
    pub(super) after: u64,
    /// How long it took.
    pub(super) took: Duration,
}

/// Compacts the file if at least half of it is free and it can be done within [`BUDGET`].
pub(super) fn compact(file: &EntryFile) -> Result<Option<Compaction>, redb::Error> {
    let started = Instant::now();
    let before = std::fs::metadata(file.path())?.len();
    if before < WORTH_FROM || !file.with(|database| half_is_free(database, before))? {
        return Ok(None);
    }
    let beside = file.path().with_extension("compacting");
    let copied = file.with(|database| copy(file, database, &beside, started));
    let copied = match copied {
        Ok(Some(database)) => file.replace(database, &beside).map_err(redb::Error::from),
        Ok(None) => Err(redb::Error::Io(std::io::Error::other("it would take too long"))),
        Err(error) => Err(error),
    };
    if copied.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    copied?;
    let after = std::fs::metadata(file.path())?.len();
    Ok(Some(Compaction { before, after, took: started.elapsed() }))
}

/// Removes what a crash in the middle of a compaction left.
pub(super) fn clean_up(entries: &Path) {
    let _ = std::fs::remove_file(entries.with_extension("compacting"));
}

fn half_is_free(database: &Database, length: u64) -> Result<bool, redb::Error> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    let used = stats.allocated_pages().saturating_mul(stats.page_size() as u64);
    Ok(used <= length / 2)
}

/// The copy, open and on disk; `None` if it took too long.
fn copy(
    file: &EntryFile,
    from: &Database,
    beside: &Path,
    started: Instant,
) -> Result<Option<Database>, redb::Error> {
    clean_up(file.path());
    let snapshot = from.begin_read()?;
    let to = file.create_beside(beside)?;
    let done = copy_table(&snapshot, &to, ENTRIES, started)?
        && copy_table(&snapshot, &to, EXPIRY, started)?
        && copy_table(&snapshot, &to, META, started)?;
    // One durable commit at the end makes all that went before durable too.
    let mut transaction = to.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.commit()?;
    Ok(done.then_some(to))
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    snapshot: &ReadTransaction,
    to: &Database,
    definition: TableDefinition<'static, K, V>,
    started: Instant,
) -> Result<bool, redb::Error> {
    let source = snapshot.open_table(definition)?;
    let mut rows = source.iter()?;
    loop {
        let mut transaction = to.begin_write()?;
        transaction.set_durability(Durability::None)?;
        let mut copied = 0;
        {
            let mut table = transaction.open_table(definition)?;
            for row in rows.by_ref().take(STEP) {
                let (key, value) = row?;
                table.insert(key.value(), value.value())?;
                copied += 1;
            }
        }
        transaction.commit()?;
        if started.elapsed() > BUDGET {
            return Ok(false);
        }
        if copied < STEP {
            let copy = to.begin_read()?.open_table(definition)?.len()?;
            let complete = copy == source.len()?;
            return complete
                .then_some(true)
                .ok_or_else(|| redb::Error::Corrupted("the copy has not all the rows".to_owned()));
        }
    }
}
