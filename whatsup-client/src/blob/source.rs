//! [`Source`]: what is shared, chunk by chunk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{BlobError, Shape};

/// Bytes to be shared. Cloning is cheap.
#[derive(Debug, Clone)]
pub enum Source {
    /// In memory.
    Bytes(Bytes),
    /// In a file, of this length when it was opened.
    File(Arc<File>, u64),
}

impl Source {
    /// A file's bytes.
    ///
    /// # Errors
    /// [`BlobError::Read`] when it cannot be opened, or is no file.
    pub fn open(path: &Path) -> Result<Source, BlobError> {
        let file = File::open(path).map_err(BlobError::Read)?;
        let about = file.metadata().map_err(BlobError::Read)?;
        if !about.is_file() {
            let text = "it is no file; a folder can be packed into one";
            return Err(BlobError::Read(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        Ok(Source::File(Arc::new(file), about.len()))
    }

    /// How many bytes there are.
    pub const fn len(&self) -> u64 {
        match self {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File(_, len) => *len,
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A chunk of it. Blocks on the disk.
    pub(super) fn chunk(&self, shape: &Shape, at: usize) -> Result<Bytes, BlobError> {
        let (begin, len) = (shape.begins(at), shape.len(0, at));
        match self {
            Source::Bytes(bytes) => {
                let begin = usize::try_from(begin).map_err(|_| BlobError::Changed)?;
                Ok(bytes.slice(begin..begin + len))
            }
            Source::File(file, _) => {
                let mut chunk = vec![0; len];
                match file.read_exact_at(&mut chunk, begin) {
                    Ok(()) => Ok(chunk.into()),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        Err(BlobError::Changed)
                    }
                    Err(error) => Err(BlobError::Read(error)),
                }
            }
        }
    }
}
