//! [`Shape`]: how a blob of some size is cut.

use blake3::Hash;
use bytes::Bytes;

/// Length of a chunk, in bytes: signed it fits into a value, and 1920 hashes fill one.
pub const CHUNK: usize = 60 * 1024;

/// Length of a hash, in bytes.
const HASH: usize = blake3::OUT_LEN;

/// How a blob is cut: every chunk is full but the last of each level. Level 0 is what was shared; a chunk of any
/// level above has the hashes of those beneath it, one after the other; the topmost level is one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    size: u64,
    /// Of a chunk, in bytes.
    chunk: usize,
}

impl Shape {
    /// Of a blob of this size.
    pub const fn of(size: u64) -> Shape {
        Shape { size, chunk: CHUNK }
    }

    /// Cut into smaller chunks, so that a test sees many levels.
    #[cfg(test)]
    pub(super) const fn cut(size: u64, chunk: usize) -> Shape {
        Shape { size, chunk }
    }

    /// How many chunks there are on a level; nothing above the topmost.
    pub fn chunks(&self, level: u32) -> Option<usize> {
        let mut count = self.size.div_ceil(self.chunk as u64).max(1);
        for _ in 0..level {
            if count <= 1 {
                return None;
            }
            count = count.div_ceil(self.fan());
        }
        usize::try_from(count).ok()
    }

    /// The topmost level: 0 if one chunk is all of it.
    pub fn top(&self) -> u32 {
        (0..).find(|level| self.chunks(*level) == Some(1)).unwrap_or(0)
    }

    /// How long a chunk has to be, in bytes.
    pub fn len(&self, level: u32, at: usize) -> usize {
        let whole = match level.checked_sub(1).and_then(|below| self.chunks(below)) {
            None => self.size,
            Some(below) => (below * HASH) as u64,
        };
        let rest = whole.saturating_sub(self.begins(at)).min(self.chunk as u64);
        usize::try_from(rest).unwrap_or(self.chunk)
    }

    /// Where a chunk begins on its level, in bytes.
    pub const fn begins(&self, at: usize) -> u64 {
        at as u64 * self.chunk as u64
    }

    /// The chunks of the level above these.
    pub fn above(&self, hashes: &[Hash]) -> Vec<Bytes> {
        let chunk = |hashes: &[Hash]| {
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            Bytes::from(bytes)
        };
        hashes.chunks(self.chunk / HASH).map(chunk).collect()
    }

    fn fan(&self) -> u64 {
        (self.chunk / HASH) as u64
    }
}

/// The hashes that a chunk above level 0 holds.
pub(super) fn hashes(chunk: &[u8]) -> impl Iterator<Item = Hash> + '_ {
    chunk.chunks_exact(HASH).map(|hash| Hash::from_bytes(std::array::from_fn(|at| hash[at])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_of_the_largest_size_has_one_chunk_of_hashes() {
        let shape = Shape::of(super::super::BLOB_MAX);
        assert_eq!(
            (shape.chunks(0), shape.chunks(1), shape.chunks(2)),
            (Some(1707), Some(1), None)
        );
        assert_eq!((shape.top(), shape.len(1, 0), shape.len(0, 1706)), (1, 1707 * 32, 40_960));
        let small = Shape::of(CHUNK as u64);
        assert_eq!((small.top(), small.chunks(1), small.len(0, 0)), (0, None, CHUNK));
        assert_eq!(Shape::of(CHUNK as u64 + 1).len(0, 1), 1);
    }

    proptest! {
        #[test]
        fn lengths_add_up_and_each_level_lists_the_one_beneath(size in 1u64..5000) {
            let shape = Shape::cut(size, 96);
            let sum: usize = (0..shape.chunks(0).unwrap()).map(|at| shape.len(0, at)).sum();
            prop_assert_eq!(sum as u64, size);
            let mut below: Vec<Hash> =
                (0..shape.chunks(0).unwrap()).map(|at| blake3::hash(&at.to_le_bytes())).collect();
            for level in 1..=shape.top() {
                let above = shape.above(&below);
                prop_assert_eq!(Some(above.len()), shape.chunks(level));
                let lens: Vec<usize> = (0..above.len()).map(|at| shape.len(level, at)).collect();
                prop_assert_eq!(above.iter().map(Bytes::len).collect::<Vec<_>>(), lens);
                let listed: Vec<Hash> = above.iter().flat_map(|chunk| hashes(chunk)).collect();
                prop_assert_eq!(listed, below);
                below = above.iter().map(|chunk| blake3::hash(chunk)).collect();
            }
            prop_assert_eq!(below.len(), 1);
        }
    }
}
