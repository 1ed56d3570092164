//! An overlay in this process: nodes with a thread each, and one more in the bench's own runtime,
//! as a daemon has its own; that one is asked. All traffic is real, over loopback.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base::{Key, SecretTag, Ttl, Value};
use dht::testnet::Testnet;
use dht::{Dht, DhtError, Options, PageRequest, Phase, Storage};
use tokio::time::{sleep, timeout};

use crate::bench::load::{VALUE_SIZE, key as key_of};

/// Until a node is in the overlay with all others.
const JOIN_LIMIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A few tries for a put that finds no quorum, as a client would.
const TRIES: usize = 5;

/// Nodes that know each other.
pub(super) struct Net {
    others: Testnet,
    own: Dht,
}

/// Where the nodes keep what they hold.
#[derive(Debug, Clone)]
pub(super) enum Keeping {
    InMemory,
    /// Each in a directory in this one.
    OnDisk(PathBuf),
}

impl Keeping {
    fn of(&self, node: usize) -> Storage {
        match self {
            Keeping::InMemory => Storage::Memory,
            Keeping::OnDisk(dir) => Storage::Disk(dir.join(node.to_string())),
        }
    }
}

/// Nodes with a thread each, all of which know each other.
pub(super) async fn threads(nodes: usize, keeping: Keeping) -> Result<Testnet> {
    let storage = move |node| keeping.of(node);
    Ok(Testnet::builder(nodes).thread_per_node(true).storage(storage).start().await?)
}

impl Net {
    /// Starts so many nodes, the own one included.
    pub(super) async fn start(nodes: usize, keeping: Keeping) -> Result<Net> {
        let own = keeping.of(nodes - 1);
        let others = threads(nodes - 1, keeping).await?;
        let own = Dht::open(Options::local(own)).await?;
        let net = Net { others, own };
        net.own.join(net.entrance()).await?;
        net.settle().await.with_context(|| format!("{nodes} nodes"))?;
        Ok(net)
    }

    /// Waits until every node knows all others and holds what it should.
    pub(super) async fn settle(&self) -> Result<()> {
        let mut nodes: Vec<&Dht> = (0..self.others.len()).map(|i| self.others.node(i)).collect();
        nodes.push(&self.own);
        let wanted = nodes.len() - 1;
        let all = async {
            for node in nodes {
                while !serves(node, wanted) {
                    sleep(LOOK_AGAIN).await;
                }
            }
        };
        timeout(JOIN_LIMIT, all).await.with_context(|| format!("no overlay after {JOIN_LIMIT:?}"))
    }

    /// The node that is asked.
    pub(super) fn own(&self) -> &Dht {
        &self.own
    }

    /// Where a newcomer may join.
    pub(super) fn entrance(&self) -> std::net::SocketAddr {
        self.others.node(0).listening_on()
    }

    /// Puts one value under each of so many keys, numbered from `first` on; those that the own
    /// node keeps are passed over, for it would not have to ask anybody.
    pub(super) async fn fill(&self, first: u64, count: usize, size: usize) -> Result<Vec<Key>> {
        // Half of all keys at least are elsewhere as soon as there are more than twice as many
        // nodes as replicas; of fewer nodes it takes longer to find some.
        let candidates = (first..).take(count * 100);
        let writer = self.others.node(self.others.len() - 1);
        let mut keys = Vec::new();
        for number in candidates {
            if keys.len() == count {
                break;
            }
            let key = Key::new(key_of(number))?;
            if self.own.replicas_of(&key).contains(&self.own.id()) {
                continue;
            }
            put(writer, &key, size).await?;
            keys.push(key);
        }
        ensure!(keys.len() == count, "only {} keys are not the reader's own", keys.len());
        Ok(keys)
    }

    /// Ends all nodes.
    pub(super) async fn close(self) {
        self.own.close().await;
        self.others.close().await;
    }
}

/// Whether a node knows so many others and holds what it should.
pub(super) fn serves(node: &Dht, peers: usize) -> bool {
    let status = node.status();
    status.peers.len() == peers && status.phase == Phase::Serving
}

/// Which replicas a read asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read {
    /// One.
    One,
    /// As many as make a quorum.
    Quorum,
}

impl Read {
    /// Whether the answer is right, if there is one.
    pub(super) async fn ask(self, node: &Dht, key: &Key, size: usize) -> Result<bool, DhtError> {
        let page = match self {
            Read::One => node.get_from_one(key, PageRequest::ALL).await,
            Read::Quorum => node.get(key, PageRequest::ALL).await,
        }?;
        Ok(matches!(page.values.as_slice(), [found] if found.value.as_bytes().len() == size))
    }

    /// Whether there is an answer and it is right.
    pub(super) async fn is_right(self, node: &Dht, key: &Key, size: usize) -> bool {
        self.ask(node, key, size).await.is_ok_and(|right| right)
    }
}

/// The bytes of a small value.
pub(super) const SMALL: usize = VALUE_SIZE;

async fn put(node: &Dht, key: &Key, size: usize) -> Result<()> {
    let value = Value::new(vec![b'v'; size])?;
    let mut last = None;
    for _ in 0..TRIES {
        match node.put(key, value.clone(), SecretTag::NONE, Ttl::MAX).await {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    bail!("cannot put: {last:?}")
}
