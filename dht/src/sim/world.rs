//! A simulated run: nodes that come and go, clients that use them, and what they may be told.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base::{Key, NodeId, Place, SecretTag, Ttl, Value};
use libp2p_identity::PeerId;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use super::Plan;
use super::check::{Change, Truth};
use super::disk::Disk;
use super::net::Net;
use crate::handle::{Parts, hello};
use crate::remembered::Remembered;
use crate::store::{ALL_IDS, ListLimit};
use crate::wire::Contact;
use crate::{Dht, Options, PageRequest, Phase, Removal};

/// Keys each client writes, and values under each.
const KEYS: u64 = 12;
const VALUES: u64 = 3;
/// How long all nodes may take, when nothing disturbs them, until they hold what they should: some
/// lost messages and the waits after each.
const CALM: Duration = Duration::from_secs(180);

const EVERYTHING: ListLimit = ListLimit { entries: usize::MAX, bytes: usize::MAX };

/// What a run was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Operations acknowledged.
    pub acknowledged: u64,
    /// Operations without a quorum.
    pub unacknowledged: u64,
    /// Values that a read was checked for.
    pub checked: u64,
    /// Messages delivered.
    pub messages: u64,
    /// A digest of all messages in their order: the same for the same seed and plan.
    pub trace: u64,
    /// Virtual seconds.
    pub seconds: u64,
}

/// What must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// When, since the run's start.
    pub at: Duration,
    /// What.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: after {:.3} s: {}", self.seed, self.at.as_secs_f64(), self.what)
    }
}

/// Runs a plan with a seed.
///
/// # Errors
/// [`Failure`] when a client was told what must not be.
///
/// # Panics
/// If the operating system refuses what the runtime needs.
pub fn run(seed: u64, plan: &Plan) -> Result<Outcome, Failure> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    LocalSet::new().block_on(&runtime, World::new(seed, plan).run())
}

struct SimNode {
    id: NodeId,
    disk: Disk,
    dht: Option<Dht>,
    known: Vec<Contact>,
    starts: u64,
}

struct World {
    seed: u64,
    plan: Plan,
    net: Net,
    nodes: RefCell<Vec<SimNode>>,
    truth: Truth,
    rng: RefCell<fastrand::Rng>,
    began: Instant,
    outcome: RefCell<Outcome>,
    failure: RefCell<Option<Failure>>,
}

impl World {
    fn new(seed: u64, plan: &Plan) -> Rc<World> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let net = Net::new(rng.u64(..), plan.weather);
        Rc::new(World {
            seed,
            plan: *plan,
            net,
            nodes: RefCell::default(),
            truth: Truth::default(),
            rng: RefCell::new(rng),
            began: Instant::now(),
            outcome: RefCell::default(),
            failure: RefCell::default(),
        })
    }

    async fn run(self: Rc<World>) -> Result<Outcome, Failure> {
        self.populate().await;
        let clients = (0..self.plan.clients).map(|n| {
            let world = Rc::clone(&self);
            tokio::task::spawn_local(async move { world.client(n).await })
        });
        let clients: Vec<_> = clients.collect();
        self.interrupt().await;
        for client in clients {
            let _ = client.await;
        }
        self.await_calm().await;
        self.check_everywhere().await;
        let (messages, trace) = self.net.trace();
        let seconds = self.began.elapsed().as_secs();
        let outcome = Outcome { messages, trace, seconds, ..*self.outcome.borrow() };
        self.failure.borrow_mut().take().map_or(Ok(outcome), Err)
    }

    fn random(&self, below: u64) -> u64 {
        self.rng.borrow_mut().u64(..below)
    }

    fn fail(&self, what: String) {
        let at = self.began.elapsed();
        self.failure.borrow_mut().get_or_insert(Failure { seed: self.seed, at, what });
    }

    fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// Starts all nodes; each joins one that is there.
    async fn populate(&self) {
        for n in 0..self.plan.nodes {
            let disk = Disk::new(self.random(u64::MAX));
            let node = SimNode {
                id: node_id(self.seed, n),
                disk,
                dht: None,
                known: Vec::new(),
                starts: 0,
            };
            self.nodes.borrow_mut().push(node);
            self.start(n);
            self.join(n).await;
        }
        self.await_calm().await;
    }

    fn start(&self, n: usize) {
        let seed = self.random(u64::MAX);
        let mut nodes = self.nodes.borrow_mut();
        let node = &mut nodes[n];
        node.starts += 1;
        let store = node.disk.mount();
        let started = Instant::now();
        let hello = hello(Arc::clone(&store), node.starts);
        let (link, link_events) = self.net.plug_in(node.id, hello, started);
        let dht = Dht::assemble(Parts {
            id: node.id,
            store,
            link,
            link_events,
            remembered: Remembered::default(),
            known: node.known.clone(),
            settle: if n == 0 && node.starts == 1 { Duration::ZERO } else { Options::SETTLE },
            started,
            seed,
        });
        self.net.serve(node.id, dht.responder());
        node.dht = Some(dht);
    }

    /// Joins through any node that is up.
    async fn join(&self, n: usize) {
        for _ in 0..20 {
            let (dht, others) = {
                let nodes = self.nodes.borrow();
                let up =
                    nodes.iter().filter(|other| other.dht.is_some() && other.id != nodes[n].id);
                (nodes[n].dht.clone(), up.map(|other| other.id).collect::<Vec<_>>())
            };
            let (Some(dht), false) = (dht, others.is_empty()) else { return };
            let other = others[self.random(others.len() as u64) as usize];
            let Some(address) = self.net.address(&other) else { return };
            if dht.join(address).await.is_ok() {
                return;
            }
        }
    }

    /// Crashes a node, or lets it leave, and brings it back after a while.
    async fn interrupt(&self) {
        let pause = self.plan.length / u32::try_from(self.plan.interruptions + 1).unwrap_or(1);
        for _ in 0..self.plan.interruptions {
            sleep(pause).await;
            // One at a time: what two copies are for.
            self.await_calm().await;
            let n = self.random(self.plan.nodes as u64) as usize;
            let polite = self.random(4) == 0;
            self.take_down(n, polite).await;
            sleep(Duration::from_millis(self.random(12_000))).await;
            self.start(n);
            if self.random(2) == 0 {
                self.join(n).await;
            }
        }
        sleep(pause).await;
    }

    async fn take_down(&self, n: usize, polite: bool) {
        let dht = self.nodes.borrow_mut()[n].dht.take();
        let Some(dht) = dht else { return };
        if polite {
            dht.leave().await;
        }
        let mut nodes = self.nodes.borrow_mut();
        let node = &mut nodes[n];
        let peers = dht.status().peers.into_iter();
        node.known = peers
            .map(|peer| Contact { id: peer.id, addresses: peer.address.into_iter().collect() })
            .collect();
        self.net.crash(node.id);
        node.disk.crash();
    }

    /// Waits until all nodes know each other and hold what they should.
    async fn await_calm(&self) {
        let deadline = Instant::now() + CALM;
        loop {
            let unfinished = {
                let nodes = self.nodes.borrow();
                let up: Vec<&Dht> = nodes.iter().filter_map(|node| node.dht.as_ref()).collect();
                let count = up.len();
                up.iter().map(|dht| dht.status()).find(|status| {
                    status.phase != Phase::Serving || status.peers.len() + 1 != count
                })
            };
            let Some(status) = unfinished else { return };
            if Instant::now() >= deadline || self.has_failed() {
                let (phase, peers) = (status.phase, status.peers.len());
                self.fail(format!("no calm: a node is {phase:?} and knows {peers} others"));
                return;
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    async fn client(&self, number: usize) {
        while self.began.elapsed() < self.plan.length && !self.has_failed() {
            let dht = self.any_node();
            let owner = self.random(self.plan.clients as u64);
            let mine = self.random(100) < 60;
            let owner = if mine { number as u64 } else { owner };
            let key = format!("{owner}/{}", self.random(KEYS));
            let value = format!("value {}", self.random(VALUES));
            match self.random(10) {
                0..=3 if mine => self.put(&dht, &key, &value).await,
                4..=5 if mine => self.remove(&dht, &key, &value).await,
                _ => self.get(&dht, &key).await,
            }
            sleep(Duration::from_millis(self.random(100))).await;
        }
    }

    fn any_node(&self) -> Dht {
        let nodes = self.nodes.borrow();
        let up: Vec<&Dht> = nodes.iter().filter_map(|node| node.dht.as_ref()).collect();
        let at = self.rng.borrow_mut().usize(..up.len());
        up[at].clone()
    }

    /// Whether a node a client asked is still the one it was: what one says after its plug was
    /// pulled, nobody hears.
    fn is_up(&self, dht: &Dht) -> bool {
        let nodes = self.nodes.borrow();
        nodes.iter().filter_map(|node| node.dht.as_ref()).any(|up| up.is_same(dht))
    }

    fn count(&self, acknowledged: bool) {
        let mut outcome = self.outcome.borrow_mut();
        *(if acknowledged { &mut outcome.acknowledged } else { &mut outcome.unacknowledged }) += 1;
    }

    async fn put(&self, dht: &Dht, key: &str, value: &str) {
        self.truth.begin(key, value);
        let put = dht.put(&as_key(key), as_value(value), SecretTag::NONE, Ttl::MAX).await;
        self.count(put.is_ok());
        match put {
            Ok(_) if self.is_up(dht) => self.truth.done(key, value, Change::Put),
            _ => self.truth.unknown(key, value, Change::Put),
        }
    }

    async fn remove(&self, dht: &Dht, key: &str, value: &str) {
        let may_be_absent = self.truth.may_be_absent(key, value);
        self.truth.begin(key, value);
        let removed = dht.remove(&as_key(key), &as_value(value), None).await;
        self.count(removed.is_ok());
        match removed.ok().filter(|_| self.is_up(dht)) {
            Some(Removal::Removed) => self.truth.done(key, value, Change::Remove),
            Some(_) if may_be_absent => self.truth.unknown(key, value, Change::Remove),
            Some(_) => self.fail(format!("{value:?} under {key:?} was not there to be removed")),
            None => self.truth.unknown(key, value, Change::Remove),
        }
    }

    async fn get(&self, dht: &Dht, key: &str) {
        let before = self.truth.before(key);
        let page = dht.get(&as_key(key), PageRequest::ALL).await;
        self.count(page.is_ok());
        let Some(page) = page.ok().filter(|_| self.is_up(dht)) else { return };
        match self.truth.check(key, &before, &texts(&page)) {
            Ok(sure) => self.outcome.borrow_mut().checked += sure,
            Err(what) => {
                self.fail(format!("{what}, read at {}\n{}", dht.id(), self.holdings(key)));
            }
        }
    }

    /// Who keeps a key, and has what: for whoever looks into a failure.
    fn holdings(&self, key: &str) -> String {
        let place = as_key(key).place();
        let nodes = self.nodes.borrow();
        let line = |node: &SimNode| {
            let state = match &node.dht {
                Some(dht) => dht.describe(&place),
                None => "down".to_owned(),
            };
            let held = node.disk.mount().list(&place, ALL_IDS, EVERYTHING);
            format!("  {} {state}: {:?}\n", node.id, held.map(|listed| listed.entries))
        };
        nodes.iter().map(line).collect()
    }

    /// After calm every node reads what was acknowledged. What was not may be at one replica only,
    /// and so be read or not.
    async fn check_everywhere(&self) {
        let nodes: Vec<Dht> =
            self.nodes.borrow().iter().filter_map(|node| node.dht.clone()).collect();
        for key in self.truth.keys() {
            let text = String::from_utf8_lossy(key.as_bytes()).into_owned();
            for dht in &nodes {
                if self.has_failed() {
                    return;
                }
                let before = self.truth.before(&text);
                let Ok(page) = dht.get(&key, PageRequest::ALL).await else {
                    self.fail(format!("{text:?} cannot be read at {} after calm", dht.id()));
                    return;
                };
                let listed = texts(&page);
                if let Err(what) = self.truth.check(&text, &before, &listed) {
                    self.fail(format!("{what}, after calm, read at {}", dht.id()));
                }
            }
        }
    }
}

fn texts(page: &crate::Page) -> Vec<String> {
    let text = |found: &crate::Found| String::from_utf8_lossy(found.value.as_bytes()).into_owned();
    page.values.iter().map(text).collect()
}

fn as_key(text: &str) -> Key {
    Key::new(text.to_owned()).expect("short")
}

fn as_value(text: &str) -> Value {
    Value::new(text.to_owned()).expect("short")
}

/// The id of a node: as good as that of any key.
fn node_id(seed: u64, n: usize) -> NodeId {
    let mut bytes = vec![0x12, 0x20];
    bytes.extend_from_slice(Place::of(format!("{seed}/{n}").as_bytes()).as_bytes());
    PeerId::from_bytes(&bytes).expect("a multihash").into()
}
