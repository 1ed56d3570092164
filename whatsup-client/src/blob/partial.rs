//! [`Partial`]: a file that is being fetched. What has come of it is found again by hashing what is there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blake3::Hash;

use super::{Blob, BlobError, Shape};

/// A file on its way, beside where it is to be. It stays when fetching is broken off, and is taken up again.
#[derive(Debug, Clone)]
pub struct Partial {
    file: Arc<File>,
    path: PathBuf,
    target: PathBuf,
}

impl Partial {
    /// Opens what has come of this blob, or begins it, beside where it is to be. Blocks on the disk.
    ///
    /// # Errors
    /// [`BlobError::Write`]; also when there is something at `target` already.
    pub fn open(target: &Path, blob: &Blob) -> Result<Partial, BlobError> {
        refuse_other(target)?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        // Another file of that name does not go on in this one.
        name.push(format!(".{}.part", &blob.root.to_hex()[..8]));
        let path = target.with_file_name(name);
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.and_then(|file| file.set_len(blob.size).map(|()| file));
        let file = Arc::new(file.map_err(|error| failed(&path, error))?);
        Ok(Partial { file, path, target: target.to_owned() })
    }

    /// Which chunks have not come yet, given all their hashes. Blocks on the disk, and hashes all of it.
    pub(super) fn missing(&self, shape: &Shape, hashes: &[Hash]) -> Vec<usize> {
        let mut buffer = vec![0; shape.len(0, 0)];
        let has = |at: usize, hash: &Hash| {
            let chunk = buffer.get_mut(..shape.len(0, at)).unwrap_or_default();
            self.file.read_exact_at(chunk, shape.begins(at)).is_ok() && blake3::hash(chunk) == *hash
        };
        let mut has = has;
        let chunks = hashes.iter().enumerate();
        chunks.filter_map(|(at, hash)| (!has(at, hash)).then_some(at)).collect()
    }

    /// Writes where it belongs. Blocks on the disk.
    pub(super) fn write(&self, begins: u64, bytes: &[u8]) -> Result<(), BlobError> {
        self.file.write_all_at(bytes, begins).map_err(|error| failed(&self.path, error))
    }

    /// All has come: it is safe on the disk, and where it is to be. Blocks on the disk.
    ///
    /// # Errors
    /// [`BlobError::Write`].
    pub fn finish(self) -> Result<PathBuf, BlobError> {
        self.file.sync_all().map_err(|error| failed(&self.path, error))?;
        refuse_other(&self.target)?;
        std::fs::rename(&self.path, &self.target).map_err(|error| failed(&self.target, error))?;
        Ok(self.target)
    }
}

fn refuse_other(target: &Path) -> Result<(), BlobError> {
    if target.symlink_metadata().is_ok() {
        let text = "there is something of this name; choose another with --to";
        return Err(failed(target, io::Error::new(io::ErrorKind::AlreadyExists, text)));
    }
    Ok(())
}

fn failed(path: &Path, error: io::Error) -> BlobError {
    BlobError::Write { path: path.display().to_string(), error }
}
