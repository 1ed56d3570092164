//! Entries, through [`Dht`]: put, listed, removed.

use std::time::Duration;

use base::limits::SECRET_MAX;
use base::{
    Entry, EntryId, Key, Lifetime, Place, Secret, SecretTag, Sha1Digest, State, Ttl, Value,
    ValueHash, Version,
};
use tokio::time::{Instant, sleep};

use super::Dht;
use crate::listing::PageBuilder;
use crate::overlay::operation::RETRY;
use crate::overlay::read::{Consistency, Part, Read};
use crate::overlay::write::Write;
use crate::page::{Page, PageRequest};
use crate::wire::{Get, LISTING_BYTES, LISTING_ENTRIES};
use crate::{DhtError, drive};

/// How long all the reads of one page may take.
const PAGE_MAX: Duration = Duration::from_secs(20);
/// How often a replica is asked that says a key is full when a majority says it is not: by then it has
/// what was under way, or lacks it until the next repair.
const FULL_TRIES: usize = 4;

/// What is known when a put has been acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Super-nodes that have the entry on disk (in memory, for ephemeral ones).
    pub replicas: usize,
}

/// What became of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The value was there and is removed.
    Removed,
    /// No such value was there.
    NotFound,
    /// The value is there, but under other secrets only.
    WrongSecret,
}

impl Dht {
    /// Puts a value under a key for `ttl`. Putting it again starts a new life, longer or shorter;
    /// putting it after a removal brings it back. With a tag, only who has the tag's secret can
    /// remove it; the same value under another tag is another entry.
    ///
    /// # Errors
    /// [`DhtError::OverCapacity`] when the key, or the disks of too many replicas, are full,
    /// [`DhtError::NoQuorum`] when too few replicas took it in time.
    pub async fn put(
        &self,
        key: &Key,
        value: Value,
        tag: SecretTag,
        ttl: Ttl,
    ) -> Result<Receipt, DhtError> {
        self.put_where(key, value, tag, ttl, None).await
    }

    /// The same where the key may have at most `room` values: one above that is refused, unless it is
    /// there already. One replica decides, and nothing is left of what it refuses.
    ///
    /// # Errors
    /// [`DhtError::Full`] when there is no room under the key; else as [`Dht::put`].
    pub async fn put_within(
        &self,
        key: &Key,
        value: Value,
        tag: SecretTag,
        ttl: Ttl,
        room: usize,
    ) -> Result<Receipt, DhtError> {
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        self.put_where(key, value, tag, ttl, Some(room)).await
    }

    async fn put_where(
        &self,
        key: &Key,
        value: Value,
        tag: SecretTag,
        ttl: Ttl,
        room: Option<u32>,
    ) -> Result<Receipt, DhtError> {
        if tag.is_signed() {
            return Err(DhtError::Forged("this tag is kept for signed entries".into()));
        }
        let meters = &self.inner.node.meters;
        meters.puts.add(1);
        let asked = Instant::now();
        let id = EntryId::of(&value, tag);
        let entry = move |version| {
            // It lives from now on, however long its replicas are asked.
            let life = Duration::from(Lifetime::from(ttl)).saturating_sub(asked.elapsed());
            let life = Lifetime::from_millis(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
            Entry::from_parts(id, version, State::Live(value.clone()), life)
        };
        let place = key.place();
        let write = |room| Write::new(place, entry.clone(), room);
        let replicas = match room {
            None => self.write(write(None)).await?,
            Some(room) => self.write_within(place, id, room, write).await?,
        };
        meters.put_time.record(asked.elapsed());
        Ok(Receipt { replicas })
    }

    /// Writes where there may be room; how many have it then. The replica that decides may be the one that a
    /// removal has not reached yet, or the entry itself: its no counts once a majority says the same.
    pub(crate) async fn write_within<F: Fn(Version) -> Entry + Send + 'static>(
        &self,
        place: Place,
        id: EntryId,
        room: u32,
        write: impl Fn(Option<u32>) -> Write<F>,
    ) -> Result<usize, DhtError> {
        for _ in 1..FULL_TRIES {
            let written = self.write(write(Some(room))).await;
            let Err(DhtError::Full(_)) = written else { return written };
            let there = self.live_ids(place, EVERY_ID).await?;
            if there.contains(&id) {
                return self.write(write(None)).await;
            }
            if there.len() >= room as usize {
                return written;
            }
            sleep(RETRY).await;
        }
        self.write(write(Some(room))).await
    }

    /// Lists the values under a key, in the order of their ids.
    ///
    /// # Errors
    /// [`DhtError::NoQuorum`] when too few replicas answered in time; never an empty page instead.
    pub async fn get(&self, key: &Key, request: PageRequest) -> Result<Page, DhtError> {
        self.page(key, request, Consistency::Quorum).await
    }

    /// The same from one replica: cheaper, and may miss what was put or removed in the last moment,
    /// or while that replica was out of reach.
    ///
    /// # Errors
    /// As [`Dht::get`].
    pub async fn get_from_one(&self, key: &Key, request: PageRequest) -> Result<Page, DhtError> {
        self.page(key, request, Consistency::One).await
    }

    /// Removes a value: the one put with the tag of this secret, or without one.
    ///
    /// # Errors
    /// As [`Dht::put`].
    pub async fn remove(
        &self,
        key: &Key,
        value: &Value,
        secret: Option<Secret>,
    ) -> Result<Removal, DhtError> {
        let hash = value.hash();
        self.remove_from(key.place(), tags_of(hash, hash), secret).await
    }

    /// Removes the value with this SHA-1 that was put with the tag of this secret: what OpenDHT's
    /// `rm` asks for.
    ///
    /// # Errors
    /// As [`Dht::put`].
    pub async fn remove_by_sha1(
        &self,
        key: &Key,
        sha1: Sha1Digest,
        secret: Secret,
    ) -> Result<Removal, DhtError> {
        let edge = |fill| {
            let mut bytes = [fill; ValueHash::LEN];
            bytes[..sha1.len()].copy_from_slice(&sha1);
            ValueHash::from_bytes(bytes)
        };
        self.remove_from(key.place(), tags_of(edge(0), edge(0xff)), Some(secret)).await
    }

    async fn page(
        &self,
        key: &Key,
        request: PageRequest,
        consistency: Consistency,
    ) -> Result<Page, DhtError> {
        let node = &self.inner.node;
        node.meters.gets.add(1);
        let asked = Instant::now();
        let place = key.place();
        let mut page = PageBuilder::new(request);
        let deadline = asked + PAGE_MAX;
        loop {
            if Instant::now() >= deadline {
                let text =
                    "the key has too much under it to be read in time; ask for smaller pages";
                return Err(DhtError::NoQuorum(text.into()));
            }
            let part = self.read(page.wanted(place), consistency).await?;
            if let Some(page) = page.add(part) {
                node.meters.get_time.record(asked.elapsed());
                return Ok(page);
            }
        }
    }

    async fn remove_from(
        &self,
        place: Place,
        range: (EntryId, EntryId),
        secret: Option<Secret>,
    ) -> Result<Removal, DhtError> {
        self.inner.node.meters.removes.add(1);
        let tag = secret.as_ref().map_or(SecretTag::NONE, Secret::tag);
        let mut outcome = Removal::NotFound;
        for id in self.live_ids(place, range).await? {
            if id.tag != tag {
                if outcome == Removal::NotFound {
                    outcome = Removal::WrongSecret;
                }
                continue;
            }
            let secret = secret.clone();
            let removal = move |version| {
                Entry::removal(id, secret.clone(), version).expect("the tag is the secret's own")
            };
            self.write(Write::new(place, removal, None)).await?;
            outcome = Removal::Removed;
        }
        Ok(outcome)
    }

    /// The ids of the live entries in a range, its ends included.
    async fn live_ids(
        &self,
        place: Place,
        (from, to): (EntryId, EntryId),
    ) -> Result<Vec<EntryId>, DhtError> {
        let mut ids = Vec::new();
        let mut after = before(from);
        loop {
            let get = Get {
                place,
                after,
                until: Some(to),
                entries: LISTING_ENTRIES,
                bytes: LISTING_BYTES,
            };
            let part = self.read(get, Consistency::Quorum).await?;
            after = part.entries.last().map(Entry::id);
            let live = part.entries.iter().filter(|entry| entry.is_live());
            ids.extend(live.map(Entry::id));
            if !part.more {
                return Ok(ids);
            }
        }
    }

    pub(crate) async fn read(&self, get: Get, consistency: Consistency) -> Result<Part, DhtError> {
        let node = &self.inner.node;
        let read = drive::run(node, Read::new(get, consistency)).await;
        // What this node writes next must win over what it has seen.
        if let Ok(part) = &read {
            part.entries.iter().for_each(|entry| node.observe(entry));
        }
        read.inspect_err(|_| node.meters.no_quorum.add(1))
    }

    /// Writes an entry; how many have it then.
    pub(crate) async fn write<F: Fn(Version) -> Entry + Send + 'static>(
        &self,
        write: Write<F>,
    ) -> Result<usize, DhtError> {
        let node = &self.inner.node;
        let written = drive::run(node, write).await;
        if let Err(DhtError::NoQuorum(_)) = written {
            node.meters.no_quorum.add(1);
        }
        written
    }
}

/// The edges of all entries.
const EVERY_ID: (EntryId, EntryId) = (
    EntryId { value: ValueHash::from_bytes([0; ValueHash::LEN]), tag: SecretTag::NONE },
    EntryId {
        value: ValueHash::from_bytes([0xff; ValueHash::LEN]),
        tag: SecretTag::from_bytes([0xff; SecretTag::LEN]),
    },
);

/// The edges of all entries of values between two hashes, whatever their tags.
fn tags_of(from: ValueHash, to: ValueHash) -> (EntryId, EntryId) {
    let edge = |value, fill| {
        let tag = SecretTag::from_bytes([fill; SecretTag::LEN]);
        EntryId { value, tag }
    };
    (edge(from, 0), edge(to, 0xff))
}

/// The id just before this one; `None` for the first of all.
pub(crate) fn before(id: EntryId) -> Option<EntryId> {
    let mut bytes = id.to_bytes();
    for byte in bytes.iter_mut().rev() {
        let (less, borrow) = byte.overflowing_sub(1);
        *byte = less;
        if !borrow {
            return Some(EntryId::from_bytes(&bytes));
        }
    }
    None
}

// A secret that OpenDHT's clients may send must be one a tombstone can carry.
const _: () = assert!(SECRET_MAX >= 40);
