//! [`Dht`]: the one way in.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::limits::SECRET_MAX;
use base::{
    Entry, EntryId, Key, NodeId, Place, Secret, SecretTag, Sha1Digest, Ttl, Value, ValueHash,
    Version,
};
use libp2p_identity::Keypair;

use crate::lamport::LamportClock;
use crate::page::{Page, PageRequest};
use crate::store::data_dir::DataDir;
use crate::store::{
    Applied, DiskOptions, DiskStore, IdRange, MemoryOptions, MemoryStore, Store, Totals,
};
use crate::{Clock, DhtError, OpenError, SystemClock, identity, listing};

/// Versions tried before an entry that others change all the time is given up.
const STALE_RETRIES: usize = 16;
/// Where a node keeps its entries and its key.
#[derive(Debug, Clone)]
pub enum Storage {
    /// Nowhere: both are gone when the handle is.
    Memory,
    /// In this data directory.
    Disk(PathBuf),
}

/// How a node is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it keeps what it holds.
    pub storage: Storage,
}

/// A node of the overlay. Clones are handles to the same node.
#[derive(Clone)]
pub struct Dht {
    node: Arc<Node>,
}

struct Node {
    id: NodeId,
    store: Box<dyn Store>,
    lamport: LamportClock,
    puts: AtomicU64,
    gets: AtomicU64,
    removes: AtomicU64,
}

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

/// How a node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Counts over what it holds.
    pub totals: Totals,
    /// Puts asked of this handle and its clones since the start.
    pub puts: u64,
    /// Gets, each page one.
    pub gets: u64,
    /// Removals.
    pub removes: u64,
}

impl Dht {
    /// Opens a node: reads or makes its key, opens its store.
    ///
    /// # Errors
    /// Every way its data directory can be unfit, see [`OpenError`]. The directory is then as it was.
    pub async fn open(options: Options) -> Result<Dht, OpenError> {
        Dht::open_at(options, SystemClock::new()).await
    }

    /// Opens a node that reads time from `clock`.
    ///
    /// # Errors
    /// As [`Dht::open`].
    pub async fn open_at(options: Options, clock: impl Clock) -> Result<Dht, OpenError> {
        let open = move || -> Result<(Keypair, Box<dyn Store>), OpenError> {
            match options.storage {
                Storage::Memory => {
                    let store = MemoryStore::new(MemoryOptions::default(), clock);
                    Ok((Keypair::generate_ed25519(), Box::new(store)))
                }
                Storage::Disk(dir) => {
                    let options = DiskOptions::new(dir);
                    let dir = DataDir::open(&options.dir)?;
                    let keypair = identity::load_or_create(dir.path(), dir.is_complete())?;
                    Ok((keypair, Box::new(DiskStore::open_in(dir, &options, clock)?)))
                }
            }
        };
        let opened = tokio::task::spawn_blocking(open).await;
        let (keypair, store) =
            opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let node = Node {
            id: keypair.public().to_peer_id().into(),
            store,
            lamport: LamportClock::default(),
            puts: AtomicU64::new(0),
            gets: AtomicU64::new(0),
            removes: AtomicU64::new(0),
        };
        Ok(Dht { node: Arc::new(node) })
    }

    /// The node's id.
    pub fn id(&self) -> NodeId {
        self.node.id
    }

    /// Puts a value under a key for `ttl`. Putting it again starts a new life, longer or shorter;
    /// putting it after a removal brings it back. With a tag, only who has the tag's secret can
    /// remove it; the same value under another tag is another entry.
    ///
    /// # Errors
    /// [`DhtError::OverCapacity`] when the key or the disk is full, [`DhtError::NoQuorum`] when the
    /// disk failed.
    pub async fn put(
        &self,
        key: &Key,
        value: Value,
        tag: SecretTag,
        ttl: Ttl,
    ) -> Result<Receipt, DhtError> {
        self.node.puts.fetch_add(1, Ordering::Relaxed);
        let life = ttl.into();
        let entry = |version| Entry::live(value.clone(), tag, version, life);
        self.write(key.place(), entry).await?;
        Ok(Receipt { replicas: 1 })
    }

    /// Lists the values under a key, in the order of their ids.
    ///
    /// # Errors
    /// [`DhtError::NoQuorum`] when the disk does not give them back; never an empty page instead.
    pub async fn get(&self, key: &Key, request: PageRequest) -> Result<Page, DhtError> {
        self.node.gets.fetch_add(1, Ordering::Relaxed);
        listing::page(&*self.node.store, &key.place(), request).map_err(DhtError::from)
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

    /// How the node is doing.
    pub fn status(&self) -> Status {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let node = &self.node;
        Status {
            totals: node.store.totals(),
            puts: load(&node.puts),
            gets: load(&node.gets),
            removes: load(&node.removes),
        }
    }

    /// Gives disk space back, if at least half of the file is free; puts wait meanwhile, at most
    /// 10 s. To be called once, when the node already serves.
    pub async fn tidy(&self) {
        self.node.store.tidy().await;
    }

    /// Ends what is under way and lets go of the data directory. Later operations fail.
    pub async fn close(&self) {
        self.node.store.close().await;
    }

    async fn remove_from(
        &self,
        place: Place,
        range: IdRange,
        secret: Option<Secret>,
    ) -> Result<Removal, DhtError> {
        self.node.removes.fetch_add(1, Ordering::Relaxed);
        let tag = secret.as_ref().map_or(SecretTag::NONE, Secret::tag);
        let mut outcome = Removal::NotFound;
        for id in listing::live_ids(&*self.node.store, &place, range)? {
            if id.tag != tag {
                if outcome == Removal::NotFound {
                    outcome = Removal::WrongSecret;
                }
                continue;
            }
            let removal = |version| {
                Entry::removal(id, secret.clone(), version).expect("the tag is the secret's own")
            };
            if let Applied::Stored { was_live: true } = self.write(place, removal).await? {
                outcome = Removal::Removed;
            }
        }
        Ok(outcome)
    }

    /// Writes what `entry` makes of a version, at a version that wins.
    async fn write(
        &self,
        place: Place,
        entry: impl Fn(Version) -> Entry,
    ) -> Result<Applied, DhtError> {
        let mut held = Version::ZERO;
        for _ in 0..STALE_RETRIES {
            let version = self.node.lamport.tick().max(held.next());
            match self.node.store.apply(place, entry(version)).await? {
                Applied::Stale(newer) => {
                    self.node.lamport.observe(newer);
                    held = newer;
                }
                stored @ Applied::Stored { .. } => return Ok(stored),
            }
        }
        Err(DhtError::NoQuorum(format!("others changed the entry {STALE_RETRIES} times meanwhile")))
    }
}

/// All entries of values between two hashes, whatever their tags.
fn tags_of(from: ValueHash, to: ValueHash) -> IdRange {
    let edge = |value, fill| {
        let tag = SecretTag::from_bytes([fill; SecretTag::LEN]);
        Bound::Included(EntryId { value, tag })
    };
    (edge(from, 0), edge(to, 0xff))
}

// A secret that OpenDHT's clients may send must be one a tombstone can carry.
const _: () = assert!(SECRET_MAX >= 40);
