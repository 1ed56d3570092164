//! The `redb` file: its tables, and opening it again after an I/O error.
//!
//! After any failed read or write `redb` refuses all further work until the file is opened anew;
//! a disk that is full for a moment would end the node. Readers share the open file under a read
//! lock; whoever opens it again, or puts a compacted copy in its place, takes the write lock and
//! so waits for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableDefinition};

use super::record::{EXPIRY_KEY_LEN, ROW_KEY_LEN};
use crate::OpenError;

/// The entries: row key to record.
pub(super) const ENTRIES: TableDefinition<&[u8; ROW_KEY_LEN], &[u8]> =
    TableDefinition::new("entries");
/// Deadlines, in order.
pub(super) const EXPIRY: TableDefinition<&[u8; EXPIRY_KEY_LEN], ()> =
    TableDefinition::new("expiry");
/// Notes about places: when it was kept, on the timeline (8 bytes, little-endian), and what.
pub(super) const NOTES: TableDefinition<&[u8; base::Place::LEN], &[u8]> =
    TableDefinition::new("notes");
/// What each author's entries take, in bytes: see [`super::Bounds::author`].
pub(super) const AUTHORS: TableDefinition<&[u8; base::PublicKey::LEN], u64> =
    TableDefinition::new("authors");
/// What is known of the whole: `mark` and `totals`.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// How long a reader waits for a failed file to be opened again.
const REOPEN_PATIENCE: Duration = Duration::from_secs(2);

/// The file with the entries, open or being opened again.
pub(super) struct EntryFile {
    path: PathBuf,
    cache_bytes: usize,
    database: RwLock<Slot>,
}

/// What a lock over the file guards.
enum Slot {
    Open(Database),
    /// Opening it failed; the writer will try again.
    Failed(String),
}

impl EntryFile {
    /// Opens the file; makes it if `new`.
    pub(super) fn open(
        path: PathBuf,
        cache_bytes: usize,
        new: bool,
    ) -> Result<EntryFile, OpenError> {
        let opened = if new { create(&path, cache_bytes) } else { open(&path, cache_bytes) };
        let database = opened.map_err(|error| match error {
            DatabaseError::Storage(StorageError::Io(error))
                if error.kind() != std::io::ErrorKind::InvalidData
                    && error.kind() != std::io::ErrorKind::UnexpectedEof =>
            {
                OpenError::Unusable { path: path.clone(), error }
            }
            DatabaseError::DatabaseAlreadyOpen => {
                OpenError::InUse { dir: path.clone(), holder: None }
            }
            error => OpenError::Corrupt { path: path.clone(), detail: error.to_string() },
        })?;
        Ok(EntryFile { path, cache_bytes, database: RwLock::new(Slot::Open(database)) })
    }

    /// The file's name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Works on the open file, which stays the same meanwhile.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        let slot = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Slot::Open(database) => unless_it_panics(|| work(database))
                .unwrap_or_else(|| Err(redb::Error::Corrupted(DAMAGED.to_owned()))),
            Slot::Failed(why) => Err(redb::Error::Io(std::io::Error::other(why.clone()))),
        }
    }

    /// Reads from a snapshot; if the file fails, waits for the writer to open it again.
    pub(super) fn read<T>(
        &self,
        read: impl Fn(&redb::ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        let deadline = Instant::now() + REOPEN_PATIENCE;
        loop {
            match self.with(|database| read(&database.begin_read()?)) {
                Err(redb::Error::PreviousIo) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                result => return result,
            }
        }
    }

    /// Opens the file again after an error, once all readers have let go of it.
    pub(super) fn reopen(&self) -> Result<(), String> {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Slot::Failed("it is being opened again".to_owned());
        match open(&self.path, self.cache_bytes) {
            Ok(database) => {
                *slot = Slot::Open(database);
                Ok(())
            }
            Err(error) => {
                *slot = Slot::Failed(error.to_string());
                Err(error.to_string())
            }
        }
    }

    /// Puts another file, closed, in this one's place, and opens that.
    pub(super) fn replace_by(&self, other: &Path) -> Result<(), redb::Error> {
        // Held from before the rename: nothing may be written to the old file once it has lost its
        // name.
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // Opened first: afterwards it would be too late to find that no file can be opened.
        let dir = std::fs::File::open(self.path.parent().unwrap_or(Path::new(".")))?;
        std::fs::rename(other, &self.path)?;
        *slot = Slot::Failed("it is being opened again".to_owned());
        *slot = match open(&self.path, self.cache_bytes) {
            Ok(database) => Slot::Open(database),
            Err(error) => Slot::Failed(error.to_string()),
        };
        if let Slot::Failed(why) = &*slot {
            return Err(redb::Error::Io(std::io::Error::other(why.clone())));
        }
        // Should this fail, a power loss may bring the old file back under the name.
        dir.sync_all()?;
        Ok(())
    }

    /// Lets go of the file.
    pub(super) fn close(&self) {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Slot::Failed("it is closed".to_owned());
    }
}

/// Makes a file, or opens an unfinished one.
pub(super) fn create(path: &Path, cache_bytes: usize) -> Result<Database, DatabaseError> {
    // Tombstones hold secrets: for its owner only, also in a folder that is open to others.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?;
    unless_it_panics(|| Builder::new().set_cache_size(cache_bytes).create(path))
        .unwrap_or_else(|| Err(StorageError::Corrupted(DAMAGED.to_owned()).into()))
}

/// Opens a file that has to be there: one that has gone must not come back empty.
fn open(path: &Path, cache_bytes: usize) -> Result<Database, DatabaseError> {
    unless_it_panics(|| Builder::new().set_cache_size(cache_bytes).open(path))
        .unwrap_or_else(|| Err(StorageError::Corrupted(DAMAGED.to_owned()).into()))
}

/// `redb` asserts what it expects of the file: a damaged one may make it panic, which here is one
/// more way to learn that it is damaged.
fn unless_it_panics<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

const DAMAGED: &str = "its structure does not hold together";
