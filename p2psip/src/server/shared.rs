//! What all shards share: what they ask, what they remember together, and the ways out.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::task::JoinSet;

use super::config::Config;
use super::gate::Gate;
use super::limits::Limiter;
use super::metrics::Metrics;
use crate::accounts::Accounts;
use crate::agent::Agent;
use crate::domain::Domain;
use crate::flow::{Flow, TokenKey};
use crate::location::{Aor, Binding, Change, LocationService};
use crate::message::{Message, Method};
use crate::proxy::{Branch, Destination};
use crate::registrar::{Gone, Owned};
use crate::transport::{Inbox, Transports};

/// People whose registrations elsewhere are watched for: of more, what was superseded ends in time.
const WATCHED_MAX: usize = 16_384;
/// When to watch again after it could not be done.
const WATCH_AGAIN: Duration = Duration::from_secs(5);
/// Super-nodes that have left and are remembered as gone: those of bindings that count still.
const GONE_MAX: usize = 4096;

/// Agents that live in this process: of a person, or of a method whoever is asked.
#[derive(Default, Clone)]
pub(super) struct Agents {
    pub(super) people: HashMap<Aor, Arc<dyn Agent>>,
    pub(super) methods: HashMap<Box<str>, Arc<dyn Agent>>,
}

pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) transports: Transports,
    pub(super) locations: Arc<dyn LocationService>,
    pub(super) accounts: Arc<dyn Accounts>,
    pub(super) agents: ArcSwap<Agents>,
    pub(super) tokens: TokenKey,
    pub(super) branches: Branch,
    pub(super) metrics: Metrics,
    pub(super) gate: Mutex<Gate>,
    pub(super) owned: Mutex<Owned>,
    pub(super) inbox: OnceLock<Weak<dyn Inbox>>,
    here: Vec<SocketAddr>,
    domain: ArcSwap<Domain>,
    gone: ArcSwap<HashSet<SocketAddr>>,
    limiter: Option<Mutex<Limiter>>,
    watched: Mutex<HashSet<Aor>>,
    errands: Mutex<JoinSet<()>>,
    hasher: RandomState,
    began: Instant,
    refusing: AtomicBool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic within is a defect of one message; the others go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn secret() -> [u8; 32] {
    // Each hasher of the standard library is seeded by the system.
    let part = |n: u64| RandomState::new().hash_one(n).to_be_bytes();
    let mut hash = blake3::Hasher::new();
    (0..8).for_each(|n| {
        hash.update(&part(n));
    });
    *hash.finalize().as_bytes()
}

impl Shared {
    pub(super) fn new(
        config: Config,
        transports: Transports,
        (locations, accounts): (Arc<dyn LocationService>, Arc<dyn Accounts>),
        here: Vec<SocketAddr>,
    ) -> Shared {
        let limiter = config.rates.map(|rates| Mutex::new(Limiter::new(rates)));
        let domain = ArcSwap::from_pointee(Domain::new(here.iter().copied()));
        Shared {
            config,
            transports,
            locations,
            accounts,
            agents: ArcSwap::default(),
            tokens: TokenKey::new(secret()),
            branches: Branch::new(secret()),
            metrics: Metrics::default(),
            gate: Mutex::new(Gate::new(secret())),
            owned: Mutex::default(),
            inbox: OnceLock::new(),
            here,
            domain,
            gone: ArcSwap::default(),
            limiter,
            watched: Mutex::default(),
            errands: Mutex::default(),
            hasher: RandomState::new(),
            began: Instant::now(),
            refusing: AtomicBool::new(false),
        }
    }

    /// This node's addresses, the one other super-nodes are told first.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.here
    }

    /// What a peer is to call this node: an address of its family, if there is one.
    pub(super) fn here(&self, peer: SocketAddr) -> SocketAddr {
        let of_family = self.here.iter().find(|here| here.is_ipv4() == peer.is_ipv4());
        of_family.or(self.here.first()).copied().unwrap_or(self.config.address)
    }

    pub(super) fn domain(&self) -> Arc<Domain> {
        self.domain.load_full()
    }

    /// Sets what is ours. Super-nodes that were there before and are no more are gone: which these are.
    pub(super) fn set_domain(&self, domain: Domain) -> Arc<HashSet<SocketAddr>> {
        let mut gone: HashSet<_> = domain.gone_since(&self.domain.load()).collect();
        let before = self.gone.load();
        let remembered = before.iter().filter(|node| !domain.is_node(**node));
        gone.extend(remembered.take(GONE_MAX));
        let gone = Arc::new(gone);
        self.gone.store(Arc::clone(&gone));
        self.domain.store(Arc::new(domain));
        gone
    }

    /// Whether a super-node is known to be no more.
    pub(super) fn is_gone(&self, node: SocketAddr) -> bool {
        self.gone.load().contains(&node)
    }

    pub(super) fn refuse_new(&self) {
        self.refusing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// Whether anybody is limited at all.
    pub(super) fn limits(&self) -> bool {
        self.limiter.is_some()
    }

    /// How many seconds a peer has to wait, if it asks for too much.
    pub(super) fn limited(&self, request: &Message, flow: &Flow, now_ms: u64) -> Option<u64> {
        let limiter = self.limiter.as_ref()?;
        if self.domain.load().is_other_node(flow.peer) {
            return None;
        }
        let taken = lock(limiter).take(flow.peer, self.person(request), now_ms);
        taken.err().map(|exhausted| exhausted.wait_ms.div_ceil(1000).max(1))
    }

    /// Whom a REGISTER registers, or an INVITE that begins a call is for.
    fn person(&self, request: &Message) -> Option<u64> {
        let aor = match request.method()? {
            Method::Register => Aor::of(&request.to().ok()?.uri()),
            Method::Invite if request.to().ok()?.tag().is_none() => {
                Aor::of(&request.request_uri().ok()?)
            }
            _ => return None,
        };
        Some(self.hash(aor.ok()?.as_str()))
    }

    /// A flow that leads to a destination.
    pub(super) fn flow_of(&self, destination: Destination) -> Option<Flow> {
        match destination {
            Destination::Flow(flow) => Some(flow),
            Destination::Hop(carrier, peer) => {
                let inbox = self.inbox.get()?.upgrade()?;
                self.transports.flow_to(carrier, peer, &inbox).ok()
            }
        }
    }

    /// Does something that takes time, until the server stops. As many as there are transactions and
    /// people watched, at most.
    pub(super) fn spawn(&self, errand: impl Future<Output = ()> + Send + 'static) {
        let mut errands = lock(&self.errands);
        while errands.try_join_next().is_some() {}
        errands.spawn(errand);
    }

    /// Ends all that takes time.
    pub(super) fn end_errands(&self) -> JoinSet<()> {
        std::mem::take(&mut *lock(&self.errands))
    }

    /// Nothing goes by a flow any more.
    pub(super) fn on_flow_gone(&self, flow: &Flow) {
        let gone = lock(&self.owned).on_gone(flow);
        gone.into_iter().for_each(|gone| self.take_back(gone));
    }

    /// Takes bindings of this node back. If that fails they end in time.
    pub(super) fn take_back(&self, (aor, gone): Gone) {
        if !gone.is_empty() {
            self.spawn(take_back(Arc::clone(&self.locations), aor, gone));
        }
    }
}

async fn take_back(locations: Arc<dyn LocationService>, aor: Aor, gone: Vec<Arc<Binding>>) {
    let _ = locations.bind(&aor, Change::Drop(gone)).await;
}

/// Watches where somebody registers that has registered here, to take back what is superseded elsewhere.
/// A node that is alone need not.
pub(super) fn watch(shared: &Arc<Shared>, aor: &Aor) {
    if !shared.domain.load().has_other_nodes() {
        return;
    }
    let mut watched = lock(&shared.watched);
    if watched.len() >= WATCHED_MAX || !watched.insert(aor.clone()) {
        return;
    }
    drop(watched);
    let (weak, locations) = (Arc::downgrade(shared), Arc::clone(&shared.locations));
    let aor = aor.clone();
    let longest = shared.config.lifetimes.longest();
    shared.spawn(async move {
        let mut seen = None;
        loop {
            let changed = tokio::time::timeout(longest, locations.watch(&aor, seen)).await;
            let Some(shared) = weak.upgrade() else { return };
            match changed {
                Ok(Ok((current, cursor))) => {
                    seen = Some(cursor);
                    let gone = lock(&shared.owned).on_current(&aor, &current);
                    if !gone.is_empty() {
                        take_back(Arc::clone(&locations), aor.clone(), gone).await;
                    }
                }
                Ok(Err(_)) => tokio::time::sleep(WATCH_AGAIN).await,
                Err(_) => {}
            }
            if !lock(&shared.owned).has(&aor, shared.now_ms()) {
                lock(&shared.watched).remove(&aor);
                return;
            }
        }
    });
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("here", &self.here).finish_non_exhaustive()
    }
}
