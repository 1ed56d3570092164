use std::sync::Mutex;
use std::time::Duration;

use base::{Name, SecretTag, SigningKey, Ttl, Value};
use bytes::Bytes;

use super::*;
use crate::author::Author;
use crate::keys;
use crate::overlay::{Ask, Memory};

/// Small chunks of three hashes, so that few bytes make several levels.
const SMALL: usize = 96;

fn author(seed: u8) -> Author {
    let clock = std::sync::atomic::AtomicU64::new(1);
    let now = move || clock.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Author::with_clock(Name::new("alice").unwrap(), SigningKey::from_bytes(&[seed; 32]), now)
}

fn noise(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes.into()
}

/// An overlay, and how many values it keeps.
fn overlay() -> (Memory, Blobs) {
    let memory = Memory::new();
    (memory.clone(), Net::new(memory).blobs())
}

fn values(memory: &Memory) -> usize {
    memory.load().values().sum()
}

async fn share(blobs: &Blobs, author: &Author, bytes: &Bytes) -> Result<Blob, BlobError> {
    blobs.share(author, &Source::Bytes(bytes.clone()), &|_| ()).await
}

#[tokio::test]
async fn a_blob_of_any_size_comes_back_and_the_same_again_puts_nothing() {
    let (memory, blobs) = overlay();
    for len in [1, CHUNK - 1, CHUNK, CHUNK + 1, 40 * CHUNK + 7] {
        let bytes = noise(len as u64, len);
        let seen = Mutex::new(Vec::new());
        let progress = |done| seen.lock().unwrap().push(done);
        let source = Source::Bytes(bytes.clone());
        let blob = blobs.share(&author(1), &source, &progress).await.unwrap();
        assert_eq!(blob.size, len as u64);
        assert_eq!(seen.lock().unwrap().last(), Some(&blob.size));
        assert!(seen.lock().unwrap().is_sorted());
        let there = values(&memory);
        assert_eq!(share(&blobs, &author(1), &bytes).await.unwrap(), blob);
        assert_eq!(values(&memory), there);
        assert_eq!(blobs.bytes(&blob, u64::MAX).await.unwrap(), bytes);
        assert_eq!(blob.to_string().parse(), Ok(blob));
    }
    assert!(matches!(share(&blobs, &author(1), &Bytes::new()).await, Err(BlobError::Empty)));
}

#[tokio::test]
async fn a_file_is_fetched_on_from_what_has_come_of_it_whatever_that_is() {
    let (memory, blobs) = overlay();
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape::cut(10_000, SMALL);
    let bytes = noise(1, 10_000);
    let source = Source::Bytes(bytes.clone());
    let blob = blobs.share_cut(&author(1), &source, shape, &|_| ()).await.unwrap();
    assert_eq!(shape.top(), 5);
    let target = folder.path().join("it");
    let partial = Partial::open(&target, &blob).unwrap();
    // Chunks 0 and 50 have come; 7 has come wrong.
    partial.write(0, &bytes[..SMALL]).unwrap();
    partial.write(50 * 96, &bytes[50 * 96..51 * 96]).unwrap();
    partial.write(7 * 96, &[1; SMALL]).unwrap();
    let asked = memory.asks();
    let first = Mutex::new(None);
    let progress = |done| {
        first.lock().unwrap().get_or_insert(done);
    };
    drop(partial);
    let partial = Partial::open(&target, &blob).unwrap();
    blobs.fetch_cut(&blob, shape, &partial, &progress).await.unwrap();
    assert_eq!(*first.lock().unwrap(), Some(2 * 96));
    let lists: usize = (1..=5).map(|level| shape.chunks(level).unwrap()).sum();
    assert_eq!(memory.asks() - asked, (lists + shape.chunks(0).unwrap() - 2) as u64);
    assert_eq!(std::fs::read(partial.finish().unwrap()).unwrap(), bytes);
    let error = Partial::open(&target, &blob).unwrap_err().to_string();
    assert!(error.contains("there is something of this name"), "{error}");
}

#[tokio::test]
async fn missing_and_wrong_chunks_are_named_and_the_rest_is_kept() {
    let (memory, blobs) = overlay();
    let folder = tempfile::tempdir().unwrap();
    let bytes = noise(2, 20 * CHUNK);
    let blob = share(&blobs, &author(1), &bytes).await.unwrap();
    let chunks = blobs.chunks(&blob).await.unwrap();
    assert_eq!(chunks.len(), 21);
    blobs.retract(&author(1), &[chunks[2], chunks[6]]).await.unwrap();
    // Somebody puts other bytes where the seventh was.
    let value = Value::new(vec![0; 100]).unwrap();
    let key = keys::blob(&chunks[6]);
    let net = Net::new(memory.clone());
    net.one(Ask::Put { key, value, tag: SecretTag::NONE, ttl: Ttl::MAX, room: None })
        .await
        .unwrap();
    let partial = Partial::open(&folder.path().join("it"), &blob).unwrap();
    let error = blobs.fetch(&blob, &partial, &|_| ()).await.unwrap_err().to_string();
    let named = "chunk 3 of 20 is not there; chunk 7 of 20 is not what was shared; ";
    assert!(error.starts_with(named), "{error}");
    // Its author shares it again, which puts only these, and the rest need not come again.
    let there = values(&memory);
    share(&blobs, &author(1), &bytes).await.unwrap();
    assert_eq!(values(&memory), there + 2);
    let asked = memory.asks();
    blobs.fetch(&blob, &partial, &|_| ()).await.unwrap();
    assert!(memory.asks() - asked <= 4, "the list, two chunks, and one behind another value");
    assert_eq!(std::fs::read(partial.finish().unwrap()).unwrap(), bytes);
    blobs.retract(&author(1), &[blob.root]).await.unwrap();
    let error = blobs.bytes(&blob, u64::MAX).await.unwrap_err().to_string();
    assert!(error.starts_with("the list of its chunks: part 1 of 1 is not there"), "{error}");
}

#[tokio::test]
async fn a_size_that_is_not_the_blobs_gives_nothing() {
    let (_, blobs) = overlay();
    let bytes = noise(3, 3 * CHUNK);
    let blob = share(&blobs, &author(1), &bytes).await.unwrap();
    for size in [1, 5, CHUNK as u64, blob.size - 1, blob.size + 1, 9 * blob.size, BLOB_MAX] {
        let other = Blob { size, ..blob };
        assert!(blobs.bytes(&other, u64::MAX).await.is_err(), "{size}");
    }
    let error = blobs.bytes(&blob, 100).await.unwrap_err().to_string();
    assert_eq!(error, "it has 184320 bytes; the limit is 100");
}

#[tokio::test(start_paused = true)]
async fn what_has_little_life_left_is_put_again_and_each_sharer_has_an_own_copy() {
    let (memory, blobs) = overlay();
    let bytes = noise(4, 2 * CHUNK);
    let blob = share(&blobs, &author(1), &bytes).await.unwrap();
    assert_eq!(share(&blobs, &author(2), &bytes).await.unwrap(), blob);
    assert_eq!(values(&memory), 6);
    tokio::time::advance(Duration::from_secs(4 * 24 * 3600)).await;
    share(&blobs, &author(2), &bytes).await.unwrap();
    tokio::time::advance(Duration::from_secs(4 * 24 * 3600)).await;
    assert_eq!(values(&memory), 3, "the first sharer's are gone");
    assert_eq!(blobs.bytes(&blob, u64::MAX).await.unwrap(), bytes);
}

#[tokio::test]
async fn small_blobs_come_at_once_and_others_not() {
    let (memory, blobs) = overlay();
    let (one, two) = (noise(5, 10), noise(6, 2 * CHUNK));
    let first = share(&blobs, &author(1), &one).await.unwrap();
    let second = share(&blobs, &author(1), &two).await.unwrap();
    let gone = Blob { root: blake3::hash(b"nobody's"), size: 3 };
    let asked = memory.asks();
    assert_eq!(blobs.small(&[first, second, gone]).await, [Some(one), None, None]);
    assert_eq!(memory.asks() - asked, 3);
}

#[tokio::test]
async fn a_file_that_repeats_itself_is_one_chunk_and_its_list() {
    let (memory, blobs) = overlay();
    let bytes = Bytes::from(vec![7; 60 * CHUNK]);
    let blob = share(&blobs, &author(1), &bytes).await.unwrap();
    assert_eq!(values(&memory), 2);
    assert_eq!(blobs.bytes(&blob, u64::MAX).await.unwrap(), bytes);
}

#[test]
fn gaps_are_named_up_to_a_few() {
    let gaps = Gaps { of: 40, missing: (1..=11).collect(), ..Gaps::default() };
    assert_eq!(gaps.to_string(), "chunks 1, 2, 3, 4, 5, 6, 7, 8 and 3 more of 40 are not there");
}

#[test]
fn folders_and_files_that_are_not_there_are_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let error = Source::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("it is no file"), "{error}");
    assert!(matches!(Source::open(&folder.path().join("x")), Err(BlobError::Read(_))));
}
