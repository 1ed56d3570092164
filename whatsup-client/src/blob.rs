//! Blobs: bytes of any length, cut into chunks that are each put under their own BLAKE3. What a chunk is can be
//! checked by its hash, so it is read from one replica, whoever put it.
//!
//! ```text
//! root ─► hashes ─► chunk 0      a blob of one chunk is that chunk: its root is the chunk's hash
//!            ├────► chunk 1
//!            └────► chunk 2      one of more has a chunk of hashes above them, as often as it takes
//! ```
//!
//! Who shares puts the hashes last: a root that is there has all beneath it. Both ways go on where they were
//! broken off. [`Shape`] says how many chunks there are and how long each is, from the blob's size alone.

mod fetch;
mod partial;
mod shape;
mod share;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::str::FromStr;

use base::{EntryId, PublicKey, Slot};
use blake3::Hash;

pub use partial::Partial;
pub use shape::{CHUNK, Shape};
pub use source::Source;

use crate::net::Net;
use crate::overlay::OverlayError;

/// Largest blob, in bytes: with its copies it takes 300 MiB of some laptops' disks for a week.
pub const BLOB_MAX: u64 = 100 * 1024 * 1024;
/// Chunks that are asked for or put at once in one batch: 720 KiB.
const BATCH: usize = 12;
/// Batches under way at once: enough that the disk, the network and the hashing all have something to do, and
/// with all copies 12 MiB of memory.
const BATCHES: usize = 4;
/// Chunks that an error names; it says how many more there are.
const NAMED_MAX: usize = 8;

/// A blob: the hash of its topmost chunk, and its size, which says what that chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Blob {
    /// BLAKE3 of the topmost chunk.
    pub root: Hash,
    /// Its size in bytes.
    pub size: u64,
}

/// Shares, fetches and takes back blobs.
#[derive(Clone)]
pub struct Blobs {
    net: Net,
}

/// Told now and then how many bytes are done.
pub type Progress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// Why a blob was not shared or fetched. What was done is kept: the same again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is nothing to share.
    #[error("it is empty; there is nothing to share")]
    Empty,
    /// It is larger than [`BLOB_MAX`], or than the reader wants.
    #[error("it has {size} bytes; the limit is {max}")]
    TooLarge {
        /// Its size, in bytes.
        size: u64,
        /// The largest, in bytes.
        max: u64,
    },
    /// It could not be read.
    #[error("reading: {0}")]
    Read(#[source] io::Error),
    /// It became shorter or longer while it was shared.
    #[error("it changed while it was read; share it again when nothing writes to it")]
    Changed,
    /// It could not be written.
    #[error("writing {path}: {error}")]
    Write {
        /// Where to.
        path: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// Some of it is not in the overlay.
    #[error("{0}; whoever shared it can share it again, and what has come is kept")]
    Incomplete(Gaps),
    /// The overlay's.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
}

/// Which chunks of a blob are not to be had, counted from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many there are in all.
    pub of: usize,
    /// What nobody has.
    pub missing: Vec<usize>,
    /// Where there is something, which is not what was shared.
    pub wrong: Vec<usize>,
    /// Whether it is not the file's own chunks but those that list them.
    pub in_hashes: bool,
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.in_hashes { "the list of its chunks: part" } else { "chunk" };
        let mut between = "";
        for (chunks, how) in [(&self.missing, "not there"), (&self.wrong, "not what was shared")] {
            let (Some(first), rest) = (chunks.first(), chunks.len().saturating_sub(1)) else {
                continue;
            };
            let (plural, are) = if rest > 0 { ("s", "are") } else { ("", "is") };
            write!(f, "{between}{what}{plural} {first}")?;
            chunks.iter().take(NAMED_MAX).skip(1).try_for_each(|at| write!(f, ", {at}"))?;
            match chunks.len().saturating_sub(NAMED_MAX) {
                0 => {}
                more => write!(f, " and {more} more")?,
            }
            write!(f, " of {} {are} {how}", self.of)?;
            between = "; ";
        }
        Ok(())
    }
}

/// Where an author's own copy of a chunk stands under its key.
fn own(author: &PublicKey) -> EntryId {
    EntryId::of_slot(author, Slot::ZERO)
}

impl Net {
    /// Blobs in this overlay.
    pub fn blobs(&self) -> Blobs {
        Blobs { net: self.clone() }
    }
}

/// A text that names no blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no file's id: it has 64 hexadecimal digits, ':' and the size in bytes")]
pub struct NotABlob;

impl fmt::Display for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.root, self.size)
    }
}

impl FromStr for Blob {
    type Err = NotABlob;

    fn from_str(text: &str) -> Result<Blob, NotABlob> {
        let (root, size) = text.split_once(':').ok_or(NotABlob)?;
        let root = Hash::from_hex(root).map_err(|_| NotABlob)?;
        let size = size.parse().map_err(|_| NotABlob)?;
        Ok(Blob { root, size })
    }
}
