//! Sharing: every chunk is put under its hash, signed by who shares it; those that are there already are not.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use base::{Kind, Lifetime, Sequence, Signed, Slot, Ttl};
use blake3::Hash;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::fetch::{Came, batches};
use super::{BATCH, BATCHES, BLOB_MAX, Blob, BlobError, Blobs, Progress, Shape, Source, own};
use crate::author::Author;
use crate::keys;
use crate::net::{self, Net};
use crate::overlay::{Ask, Found, Get, OverlayError};

/// What is left of a chunk's life that spares it from being put again: half of the longest.
const ENOUGH: Lifetime = Lifetime::from_millis(Ttl::MAX.as_secs() * 1000 / 2);
/// How often a chunk is signed anew above what another device of the author signed meanwhile.
const SEQUENCE_TRIES: usize = 4;

impl Blobs {
    /// Shares it, for as long as the overlay keeps anything. What the author has shared and has half of its
    /// life before it is not put again; so the same again goes on where it was broken off, and costs nothing
    /// if it was not.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn share(
        &self,
        author: &Author,
        source: &Source,
        progress: Progress<'_>,
    ) -> Result<Blob, BlobError> {
        let size = source.len();
        if size > BLOB_MAX {
            return Err(BlobError::TooLarge { size, max: BLOB_MAX });
        }
        self.share_cut(author, source, Shape::of(size), progress).await
    }

    pub(super) async fn share_cut(
        &self,
        author: &Author,
        source: &Source,
        shape: Shape,
        progress: Progress<'_>,
    ) -> Result<Blob, BlobError> {
        let size = source.len();
        if size == 0 {
            return Err(BlobError::Empty);
        }
        let work = Work::new(&self.net, author);
        let count = shape.chunks(0).unwrap_or(0);
        let mut done = 0;
        let batches = (0..count).step_by(BATCH).map(|first| {
            let (source, work) = (source.clone(), &work);
            async move {
                let last = (first + BATCH).min(count);
                let read = move || {
                    let chunk = |at| {
                        let bytes = source.chunk(&shape, at)?;
                        Ok((blake3::hash(&bytes), bytes))
                    };
                    (first..last).map(chunk).collect::<Result<Vec<_>, BlobError>>()
                };
                work.put(blocking(read).await??).await
            }
        });
        let mut batches = stream::iter(batches).buffered(BATCHES);
        let mut hashes = Vec::with_capacity(count);
        while let Some(batch) = batches.try_next().await? {
            for hash in batch {
                done += shape.len(0, hashes.len()) as u64;
                hashes.push(hash);
            }
            progress(done);
        }
        // From the bottom up: a list of hashes is there only when all that it lists is.
        for _ in 0..shape.top() {
            let chunks =
                shape.above(&hashes).into_iter().map(|bytes| (blake3::hash(&bytes), bytes));
            let mut above = Vec::new();
            for batch in chunks.collect::<Vec<_>>().chunks(BATCH) {
                above.extend(work.put(batch.to_vec()).await?);
            }
            hashes = above;
        }
        let root = *hashes.first().ok_or(BlobError::Changed)?;
        Ok(Blob { root, size })
    }

    /// Puts again what has less of its life left than this of the author's copies, and those that are gone
    /// while somebody else has the chunk.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn renew(
        &self,
        author: &Author,
        blob: &Blob,
        enough: Lifetime,
    ) -> Result<(), BlobError> {
        // The root was put last: no other has more life left.
        let root = Get::one(keys::blob(&blob.root), own(&author.public()));
        let page = self.net.get(root).await?;
        let is_own = |value: &Found| value.id == own(&author.public());
        if page.values.iter().any(|value| is_own(value) && value.remaining >= enough) {
            return Ok(());
        }
        let work = &Work { enough, ..Work::new(&self.net, author) };
        let pieces = self.all_pieces(blob).await?;
        let batches = batches(&pieces).into_iter().map(|batch| async move {
            let came = self.pieces(batch).await?.into_iter();
            let there = came.filter_map(|(piece, came)| match came {
                Came::Whole(bytes) => Some((piece.hash, bytes)),
                Came::Missing | Came::Wrong => None,
            });
            work.put(there.collect()).await
        });
        let mut renewed = stream::iter(batches).buffer_unordered(BATCHES);
        while renewed.try_next().await?.is_some() {}
        Ok(())
    }

    /// Takes back the author's copies of these chunks; others' copies are theirs.
    ///
    /// # Errors
    /// The overlay's. The same again is safe.
    pub async fn retract(&self, author: &Author, chunks: &[Hash]) -> Result<(), OverlayError> {
        let mut asks = Vec::new();
        for hash in chunks {
            let key = keys::blob(hash);
            let sequence = author.sequence(Sequence::ZERO);
            let removal =
                Signed::removal(author.key(), &key.place(), Slot::ZERO, Kind::Plain, sequence);
            asks.push((key.clone(), Ask::PutSigned { key, signed: removal, room: None }));
        }
        let (keys, asks): (Vec<_>, Vec<_>) = asks.into_iter().unzip();
        for (key, answer) in keys.into_iter().zip(self.net.run(asks).await) {
            match answer {
                Ok(_) => {}
                // Another device's clock is ahead: once more, above what it signed.
                Err(OverlayError::Superseded(_)) => {
                    self.net.retract(author, &key, Slot::ZERO).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// One sharing.
struct Work {
    net: Net,
    author: Author,
    /// A copy that has so much of its life left is not put again.
    enough: Lifetime,
    /// What was looked after already: files repeat themselves.
    put: Mutex<HashSet<Hash>>,
}

impl Work {
    fn new(net: &Net, author: &Author) -> Work {
        let (net, author) = (net.clone(), author.clone());
        Work { net, author, enough: ENOUGH, put: Mutex::default() }
    }

    /// Puts those that the author has not put already; all their hashes.
    async fn put(&self, chunks: Vec<(Hash, Bytes)>) -> Result<Vec<Hash>, BlobError> {
        let hashes: Vec<Hash> = chunks.iter().map(|(hash, _)| *hash).collect();
        let mut fresh: Vec<(Hash, Bytes)> = {
            let mut put = self.put.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.into_iter().filter(|(hash, _)| put.insert(*hash)).collect()
        };
        let author = self.author.public();
        let gets = fresh.iter().map(|(hash, _)| {
            Ask::Get(Get { from_one: true, ..Get::one(keys::blob(hash), own(&author)) })
        });
        let found = self.net.run(gets.collect()).await;
        let mut found = found.into_iter();
        fresh.retain(|(_, bytes)| {
            let Some(Ok(page)) = found.next().map(net::page) else { return true };
            !page.values.into_iter().any(|value| {
                let enough = value.id == own(&author) && value.remaining >= self.enough;
                // The same bytes, if nobody lies; they are compared where they lie already.
                let signed = || Signed::from_bytes(value.value.into_bytes()).ok()?.body();
                enough && signed().is_some_and(|body| body == *bytes)
            })
        });
        let mut least = vec![Sequence::ZERO; fresh.len()];
        for _ in 0..SEQUENCE_TRIES {
            if fresh.is_empty() {
                return Ok(hashes);
            }
            let (author, chunks, floors) = (self.author.clone(), fresh.clone(), least.clone());
            let asks = blocking(move || {
                let sign = |((hash, bytes), least): (&(Hash, Bytes), &Sequence)| {
                    let (key, sequence) = (keys::blob(hash), author.sequence(*least));
                    let (place, slot) = (key.place(), Slot::ZERO);
                    Signed::sign(author.key(), &place, slot, Kind::Plain, sequence, Ttl::MAX, bytes)
                        .map(|signed| Ask::PutSigned { key, signed, room: None })
                        .map_err(|error| OverlayError::Refused(error.to_string()))
                };
                chunks.iter().zip(&floors).map(sign).collect::<Result<Vec<_>, OverlayError>>()
            });
            let answers = self.net.run(asks.await??).await;
            let (mut again, mut floors) = (Vec::new(), Vec::new());
            for (chunk, answer) in fresh.into_iter().zip(answers) {
                match answer {
                    Ok(_) => {}
                    Err(OverlayError::Superseded(other)) => {
                        again.push(chunk);
                        floors.push(Sequence::new(other));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            (fresh, least) = (again, floors);
        }
        match least.first() {
            Some(least) => Err(OverlayError::Superseded(least.number()).into()),
            None => Ok(hashes),
        }
    }
}

/// Runs what takes the disk or the processor for long where it keeps nobody waiting.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlobError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| BlobError::Read(std::io::Error::other(error)))
}
