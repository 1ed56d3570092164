//! Fetching: every chunk by its hash, from whoever has it, and nothing that does not have its hash.

use base::Signed;
use blake3::Hash;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::shape::hashes;
use super::share::blocking;
use super::{BATCH, BATCHES, BLOB_MAX, Blob, BlobError, Blobs, Gaps, Partial, Progress, Shape};
use crate::keys;
use crate::net;
use crate::overlay::{Ask, Get, Page};

/// Values under a chunk's key that are looked at before it counts as wrong: as many full ones as fit there.
const COPIES_MAX: usize = 64;

/// A chunk to be had.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    at: usize,
    pub(super) hash: Hash,
    len: usize,
}

/// What came of one.
pub(super) enum Came {
    Whole(Bytes),
    Missing,
    Wrong,
}

impl Blobs {
    /// Fetches all of it into memory.
    ///
    /// # Errors
    /// [`BlobError`]; [`BlobError::TooLarge`] when it has more than `max` bytes.
    pub async fn bytes(&self, blob: &Blob, max: u64) -> Result<Bytes, BlobError> {
        if blob.size > max {
            return Err(BlobError::TooLarge { size: blob.size, max });
        }
        let shape = Shape::of(blob.size);
        let mut hashes = self.tree(blob, shape).await?;
        hashes.truncate(shape.chunks(0).unwrap_or(0));
        let mut parts = self.level(shape, 0, &hashes).await?;
        Ok(if parts.len() == 1 { parts.remove(0) } else { parts.concat().into() })
    }

    /// Fetches several that are one chunk each, all at once: thumbnails, long texts. Nothing for one that
    /// is longer, or not to be had.
    pub async fn small(&self, blobs: &[Blob]) -> Vec<Option<Bytes>> {
        let pieces = blobs.iter().enumerate().map(|(at, blob)| {
            let shape = Shape::of(blob.size);
            (shape.top() == 0).then(|| Piece { at, hash: blob.root, len: shape.len(0, 0) })
        });
        let mut small = vec![None; blobs.len()];
        let pieces: Vec<Piece> = pieces.flatten().collect();
        for batch in pieces.chunks(BATCH * BATCHES) {
            for (piece, came) in self.pieces(batch.to_vec()).await.into_iter().flatten() {
                if let Came::Whole(bytes) = came {
                    small[piece.at] = Some(bytes);
                }
            }
        }
        small
    }

    /// Fetches what has not come yet of a file. What comes stays there, also when not all does.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn fetch(
        &self,
        blob: &Blob,
        into: &Partial,
        progress: Progress<'_>,
    ) -> Result<(), BlobError> {
        if blob.size > BLOB_MAX {
            return Err(BlobError::TooLarge { size: blob.size, max: BLOB_MAX });
        }
        self.fetch_cut(blob, Shape::of(blob.size), into, progress).await
    }

    pub(super) async fn fetch_cut(
        &self,
        blob: &Blob,
        shape: Shape,
        into: &Partial,
        progress: Progress<'_>,
    ) -> Result<(), BlobError> {
        let mut hashes = self.tree(blob, shape).await?;
        hashes.truncate(shape.chunks(0).unwrap_or(0));
        let (partial, all) = (into.clone(), hashes.clone());
        let missing = blocking(move || partial.missing(&shape, &all)).await?;
        let piece = |at: usize| Piece { at, hash: hashes[at], len: shape.len(0, at) };
        let missing: Vec<Piece> = missing.into_iter().map(piece).collect();
        let mut done = blob.size - missing.iter().map(|piece| piece.len as u64).sum::<u64>();
        progress(done);
        let batches = batches(&missing).into_iter().map(|batch| {
            let partial = into.clone();
            async move {
                let came = self.pieces(batch).await?;
                let write = move || {
                    for (piece, came) in &came {
                        if let Came::Whole(bytes) = came {
                            partial.write(shape.begins(piece.at), bytes)?;
                        }
                    }
                    Ok::<_, BlobError>(came)
                };
                blocking(write).await?
            }
        });
        let mut batches = stream::iter(batches).buffer_unordered(BATCHES);
        let mut gaps = Gaps { of: hashes.len(), ..Gaps::default() };
        while let Some(came) = batches.try_next().await? {
            for (piece, came) in came {
                match came {
                    Came::Whole(bytes) => done += bytes.len() as u64,
                    Came::Missing => gaps.missing.push(piece.at + 1),
                    Came::Wrong => gaps.wrong.push(piece.at + 1),
                }
            }
            progress(done);
        }
        gaps.done()
    }

    /// The hashes of all chunks of it: those of level 0, then those that list them.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn chunks(&self, blob: &Blob) -> Result<Vec<Hash>, BlobError> {
        self.tree(blob, Shape::of(blob.size)).await
    }

    /// All chunks of it, of every level.
    pub(super) async fn all_pieces(&self, blob: &Blob) -> Result<Vec<Piece>, BlobError> {
        let shape = Shape::of(blob.size);
        let mut hashes = self.chunks(blob).await?.into_iter();
        let mut pieces = Vec::new();
        for level in std::iter::once(0).chain((1..=shape.top()).rev()) {
            let count = shape.chunks(level).unwrap_or(0);
            let piece = |(at, hash)| Piece { at, hash, len: shape.len(level, at) };
            pieces.extend(hashes.by_ref().take(count).enumerate().map(piece));
        }
        Ok(pieces)
    }

    async fn tree(&self, blob: &Blob, shape: Shape) -> Result<Vec<Hash>, BlobError> {
        let (mut level, mut lists) = (vec![blob.root], Vec::new());
        for above in (1..=shape.top()).rev() {
            let parts = self.level(shape, above, &level).await?;
            lists.append(&mut level);
            level.extend(parts.iter().flat_map(|part| hashes(part)));
        }
        level.append(&mut lists);
        Ok(level)
    }

    /// All chunks of a level.
    async fn level(
        &self,
        shape: Shape,
        level: u32,
        hashes: &[Hash],
    ) -> Result<Vec<Bytes>, BlobError> {
        let piece =
            |(at, hash): (usize, &Hash)| Piece { at, hash: *hash, len: shape.len(level, at) };
        let pieces: Vec<Piece> = hashes.iter().enumerate().map(piece).collect();
        let batches = batches(&pieces).into_iter().map(|batch| self.pieces(batch));
        let mut batches = stream::iter(batches).buffered(BATCHES);
        let mut gaps = Gaps { of: pieces.len(), in_hashes: level > 0, ..Gaps::default() };
        let mut whole = Vec::with_capacity(pieces.len());
        while let Some(came) = batches.try_next().await? {
            for (piece, came) in came {
                match came {
                    Came::Whole(bytes) => whole.push(bytes),
                    Came::Missing => gaps.missing.push(piece.at + 1),
                    Came::Wrong => gaps.wrong.push(piece.at + 1),
                }
            }
        }
        gaps.done()?;
        Ok(whole)
    }

    /// What came of each of these: from one replica, and of those that did not come so, from several and
    /// behind whatever else is put under their keys.
    pub(super) async fn pieces(&self, pieces: Vec<Piece>) -> Result<Vec<(Piece, Came)>, BlobError> {
        let get = |piece: &Piece| {
            Ask::Get(Get { key: keys::blob(&piece.hash), after: None, max: 1, from_one: true })
        };
        let answers = self.net.run(pieces.iter().map(get).collect()).await;
        let sought = pieces.clone();
        // 720 KiB take a millisecond to hash.
        let found = blocking(move || {
            let whole = |(piece, answer): (&Piece, _)| find(piece, net::page(answer).ok()?);
            sought.iter().zip(answers).map(whole).collect::<Vec<_>>()
        });
        let mut came = Vec::with_capacity(pieces.len());
        for (piece, found) in pieces.into_iter().zip(found.await?) {
            let what = match found {
                Some(bytes) => Came::Whole(bytes),
                None => self.search(&piece).await?,
            };
            came.push((piece, what));
        }
        Ok(came)
    }

    /// Looks through all that is under a chunk's key.
    async fn search(&self, piece: &Piece) -> Result<Came, BlobError> {
        let (mut after, mut seen) = (None, 0);
        loop {
            let get = Get { key: keys::blob(&piece.hash), after, max: 2, from_one: false };
            let page = self.net.get(get).await?;
            seen += page.values.len();
            let next = page.next;
            if let Some(bytes) = find(piece, page) {
                return Ok(Came::Whole(bytes));
            }
            if next.is_none() || seen >= COPIES_MAX {
                return Ok(if seen == 0 { Came::Missing } else { Came::Wrong });
            }
            after = next;
        }
    }
}

impl Gaps {
    fn done(mut self) -> Result<(), BlobError> {
        if self.missing.is_empty() && self.wrong.is_empty() {
            return Ok(());
        }
        self.missing.sort_unstable();
        self.wrong.sort_unstable();
        Err(BlobError::Incomplete(self))
    }
}

/// What is asked for at once.
pub(super) fn batches(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    pieces.chunks(BATCH).map(<[Piece]>::to_vec).collect()
}

/// The chunk among what is under its key.
fn find(piece: &Piece, page: Page) -> Option<Bytes> {
    page.values.into_iter().find_map(|found| {
        let body = Signed::from_bytes(found.value.into_bytes()).ok()?.body()?;
        (body.len() == piece.len && blake3::hash(&body) == piece.hash).then_some(body)
    })
}
