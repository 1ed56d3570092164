//! The folder a node keeps everything in, and who may use it.
//!
//! ```text
//! DIR/lock          locked while a node runs; holds its process id
//! DIR/identity      the node's private key
//! DIR/entries.redb  the entries
//! DIR/peers         who else was there: see `remembered.rs`
//! DIR/format        the number of this layout; written last, when the rest is complete
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::OpenError;

/// The layout this version writes, and the newest it reads. 1 had no notes, and nothing that was signed;
/// 2 did not count what authors have. Their folders are taken over as they are opened.
const FORMAT: u32 = 3;
/// The first layout that counts what authors have.
const COUNTS_AUTHORS: u32 = 3;
const FORMAT_PREFIX: &str = "supernode data format ";

/// A data directory, locked for this process as long as the value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// The format it has, once it was complete.
    format: Option<u32>,
    _lock: File,
}

impl DataDir {
    /// Makes the folder if need be, refuses it if it is newer than this version or in use, and
    /// locks it.
    pub(crate) fn open(path: &Path) -> Result<DataDir, OpenError> {
        let unusable = |error| OpenError::Unusable { path: path.to_owned(), error };
        create_private(path).map_err(unusable)?;
        // Before the lock, so that a newer version's folder is not even touched.
        let format = check_format(path)?;
        let lock = lock(path)?;
        Ok(DataDir { path: path.to_owned(), format, _lock: lock })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was in use before, so that everything has to be there.
    pub(crate) const fn is_complete(&self) -> bool {
        self.format.is_some()
    }

    /// Whether what authors have was counted by whoever used it last.
    pub(super) fn counts_authors(&self) -> bool {
        self.format.is_some_and(|format| format >= COUNTS_AUTHORS)
    }

    /// Where the entries are.
    pub(super) fn entries(&self) -> PathBuf {
        self.path.join("entries.redb")
    }

    /// Refuses a folder that was complete once and has lost its entries: starting empty in its
    /// stead would look like losing them all.
    pub(super) fn check_complete(&self) -> Result<(), OpenError> {
        let path = self.entries();
        let lost = match fs::metadata(&path) {
            Ok(meta) => (meta.len() == 0).then_some("it is empty"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some("it is missing"),
            Err(error) => return Err(OpenError::Unusable { path, error }),
        };
        match lost {
            Some(how) if self.is_complete() => Err(OpenError::Corrupt {
                path,
                detail: format!("{how}, although the data directory was in use"),
            }),
            _ => Ok(()),
        }
    }

    /// Notes that the folder is complete, and of this format: what an older one lacks is there by now, and
    /// an older program must not take it for its own any more.
    pub(super) fn mark_complete(&self) -> Result<(), OpenError> {
        if self.format == Some(FORMAT) {
            return Ok(());
        }
        let path = self.path.join("format");
        let write = || {
            let aside = path.with_extension("new");
            let mut file = File::create(&aside)?;
            writeln!(file, "{FORMAT_PREFIX}{FORMAT}")?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            sync_dir(&self.path)
        };
        write().map_err(|error| OpenError::Unusable { path: path.clone(), error })
    }
}

/// Makes a rename or a new file in `dir` survive a power loss.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn create_private(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if path.exists() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"));
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The format of a folder that is complete; an error if this version cannot read it.
fn check_format(dir: &Path) -> Result<Option<u32>, OpenError> {
    let path = dir.join("format");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(OpenError::Corrupt { path, detail: "it is not text".to_owned() });
        }
        Err(error) => return Err(OpenError::Unusable { path, error }),
    };
    let number = text.strip_prefix(FORMAT_PREFIX).and_then(|rest| rest.trim().parse().ok());
    match number {
        Some(found) if found > FORMAT => {
            Err(OpenError::TooNew { dir: dir.to_owned(), found, ours: FORMAT })
        }
        Some(found) => Ok(Some(found)),
        None => Err(OpenError::Corrupt { path, detail: "it holds no format number".to_owned() }),
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let open =
        || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open().map_err(|error| OpenError::Unusable { path: path.clone(), error })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let pid = holder.trim();
            let holder = pid.parse::<u32>().is_ok().then(|| pid.to_owned());
            return Err(OpenError::InUse { dir: dir.to_owned(), holder });
        }
        Err(fs::TryLockError::Error(error)) => return Err(OpenError::Unusable { path, error }),
    }
    // The id is a courtesy to whoever finds the folder in use; on a full disk it is left out.
    let _ = file.set_len(0).and_then(|()| file.rewind());
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(dir: &Path) {
        let data = DataDir::open(dir).unwrap();
        fs::write(data.entries(), b"entries").unwrap();
        data.mark_complete().unwrap();
    }

    #[test]
    fn a_newer_folder_is_refused_and_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("format"), "supernode data format 4\n").unwrap();
        let error = DataDir::open(dir.path()).unwrap_err();
        assert!(matches!(error, OpenError::TooNew { found: 4, ours: 3, .. }), "{error}");
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(files.len(), 1, "nothing was added");
    }

    #[test]
    fn a_folder_in_use_is_refused_naming_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let _first = DataDir::open(dir.path()).unwrap();
        let error = DataDir::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("in use by another super-node"), "{error}");
        assert!(error.contains(&std::process::id().to_string()), "{error}");
    }

    #[test]
    fn a_folder_is_free_again_when_its_node_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::open(dir.path()).unwrap());
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn lost_or_emptied_entries_are_an_error_not_an_empty_start() {
        let dir = tempfile::tempdir().unwrap();
        DataDir::open(dir.path()).unwrap().check_complete().unwrap();
        complete(dir.path());
        DataDir::open(dir.path()).unwrap().check_complete().unwrap();
        fs::write(dir.path().join("entries.redb"), b"").unwrap();
        let error = DataDir::open(dir.path()).unwrap().check_complete().unwrap_err().to_string();
        assert!(error.contains("it is empty"), "{error}");
        fs::remove_file(dir.path().join("entries.redb")).unwrap();
        let error = DataDir::open(dir.path()).unwrap().check_complete().unwrap_err().to_string();
        assert!(error.contains("it is missing"), "{error}");
    }

    #[test]
    fn a_format_that_is_no_number_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("format"), "something else").unwrap();
        let error = DataDir::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("format is damaged"), "{error}");
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = DataDir::open(&file.join("data")).unwrap_err().to_string();
        assert!(error.starts_with("cannot use"), "{error}");
    }
}
