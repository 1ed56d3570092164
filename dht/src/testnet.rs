//! [`Testnet`]: an overlay of nodes in one process, over real connections on loopback. For tests,
//! benchmarks and whoever wants to play:
//!
//! ```
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use base::{Key, SecretTag, Ttl, Value};
//! # use dht::{PageRequest, testnet::Testnet};
//! let testnet = Testnet::start(3).await?;
//! let (key, value) = (Key::new("greeting")?, Value::new("hello")?);
//! testnet.node(0).put(&key, value, SecretTag::NONE, Ttl::MAX).await?;
//! assert_eq!(testnet.node(2).get(&key, PageRequest::ALL).await?.values.len(), 1);
//! # testnet.close().await; Ok(()) }
//! ```

use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::{Dht, JoinError, OpenError, Options, Phase, Storage};

/// How long all nodes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks whether they have.
const LOOK: Duration = Duration::from_millis(20);
/// A node's thread does little at once.
const STACK: usize = 512 * 1024;

/// An overlay in this process.
pub struct Testnet {
    nodes: Vec<Dht>,
    threads: Vec<NodeThread>,
}

/// Why there is no overlay.
#[derive(Debug, thiserror::Error)]
pub enum TestnetError {
    /// A node could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A node could not join the first.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The nodes did not all find each other in time.
    #[error("after {PATIENCE:?} node {node} knows {peers} others and is {phase:?}")]
    Apart {
        /// Which one.
        node: usize,
        /// How many it knows.
        peers: usize,
        /// What it does.
        phase: Phase,
    },
    /// The system gives no more threads.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// How a [`Testnet`] is made.
pub struct Builder {
    count: usize,
    thread_per_node: bool,
    storage: Box<dyn Fn(usize) -> Storage>,
}

/// A thread with a runtime for one node's tasks.
struct NodeThread {
    stop: Option<oneshot::Sender<()>>,
    handle: Option<JoinHandle<()>>,
}

impl Testnet {
    /// So many nodes, all in this runtime, that keep their entries in memory.
    ///
    /// # Errors
    /// [`TestnetError`] when they do not come together.
    pub async fn start(count: usize) -> Result<Testnet, TestnetError> {
        Testnet::builder(count).start().await
    }

    /// So many nodes, to be made in another way.
    pub fn builder(count: usize) -> Builder {
        Builder { count, thread_per_node: false, storage: Box::new(|_| Storage::Memory) }
    }

    /// One of the nodes, from 0.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn node(&self, number: usize) -> &Dht {
        &self.nodes[number]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Dht] {
        &self.nodes
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Waits until all nodes know each other and hold what they should.
    ///
    /// # Errors
    /// [`TestnetError::Apart`] when that takes too long.
    pub async fn settle(&self) -> Result<(), TestnetError> {
        let deadline = Instant::now() + PATIENCE;
        for (node, dht) in self.nodes.iter().enumerate() {
            loop {
                let status = dht.status();
                let (peers, phase) = (status.peers.len(), status.phase);
                if peers + 1 == self.nodes.len() && phase == Phase::Serving {
                    break;
                }
                if Instant::now() >= deadline {
                    return Err(TestnetError::Apart { node, peers, phase });
                }
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Ends all nodes.
    pub async fn close(self) {
        let closing: JoinSet<()> =
            self.nodes.into_iter().map(|node| async move { node.close().await }).collect();
        closing.join_all().await;
        // Their threads end when they are dropped.
        let _ = tokio::task::spawn_blocking(move || drop(self.threads)).await;
    }
}

impl Builder {
    /// Gives each node a thread and a runtime of its own, as separate machines would.
    #[must_use]
    pub fn thread_per_node(mut self, yes: bool) -> Builder {
        self.thread_per_node = yes;
        self
    }

    /// Where each node keeps its entries.
    #[must_use]
    pub fn storage(mut self, storage: impl Fn(usize) -> Storage + 'static) -> Builder {
        self.storage = Box::new(storage);
        self
    }

    /// Starts the nodes and waits until they know each other.
    ///
    /// # Errors
    /// [`TestnetError`] when they do not come together.
    pub async fn start(self) -> Result<Testnet, TestnetError> {
        let mut testnet = Testnet { nodes: Vec::new(), threads: Vec::new() };
        for number in 0..self.count {
            let options = Options::local((self.storage)(number));
            let node = if self.thread_per_node {
                let (thread, opened) = NodeThread::start(options)?;
                testnet.threads.push(thread);
                opened.await.map_err(|_| std::io::Error::other("a node's thread ended"))??
            } else {
                Dht::open(options).await?
            };
            if let Some(first) = testnet.nodes.first() {
                node.join(first.listening_on()).await?;
            }
            testnet.nodes.push(node);
        }
        testnet.settle().await?;
        Ok(testnet)
    }
}

type Opened = oneshot::Receiver<Result<Dht, OpenError>>;

impl NodeThread {
    fn start(options: Options) -> std::io::Result<(NodeThread, Opened)> {
        let (opened, receiver) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            runtime.block_on(async {
                // Nobody waits for it any more if this fails.
                let _ = opened.send(Dht::open(options).await);
                let _ = stopped.await;
            });
        };
        let handle = thread::Builder::new().name("node".into()).stack_size(STACK).spawn(run)?;
        Ok((NodeThread { stop: Some(stop), handle: Some(handle) }, receiver))
    }
}

impl Drop for NodeThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}
