//! What all shards share, and the way in and out.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::Bytes;

use super::Config;
use super::limits::Limiter;
use super::metrics::Metrics;
use super::shard::{Outgoing, Resumed, Shard};
use crate::accounts::Accounts;
use crate::domain::Domain;
use crate::flow::{Flow, TokenKey};
use crate::location::{Aor, LocationService};
use crate::message::{Invalid, Message, Method, Rejection, Reply, validate};
use crate::proxy::Branch;
use crate::transaction::{Keys, Limits, TransactionId};
use crate::transport::{Inbox, Transports};

/// More than cores, so that two tasks seldom want the same.
const SHARDS: usize = 16;

pub(super) struct Core {
    pub(super) config: Config,
    pub(super) transports: Transports,
    pub(super) locations: Arc<dyn LocationService>,
    pub(super) tokens: TokenKey,
    pub(super) branches: Branch,
    pub(super) metrics: Metrics,
    here: SocketAddr,
    domain: ArcSwap<Domain>,
    shards: Vec<Mutex<Shard>>,
    limiter: Option<Mutex<Limiter>>,
    hasher: RandomState,
    began: Instant,
    refusing: AtomicBool,
    own: Weak<Core>,
}

/// A question to the location service, and what comes of it.
pub(super) type Question = Pin<Box<dyn Future<Output = Resumed> + Send>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic within is a defect of one message; the others go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn secret() -> [u8; 32] {
    // Each hasher of the standard library is seeded by the system.
    let part = |n: u64| RandomState::new().hash_one(n).to_be_bytes();
    let mut hash = blake3::Hasher::new();
    (0..8).for_each(|n| {
        hash.update(&part(n));
    });
    *hash.finalize().as_bytes()
}

impl Core {
    pub(super) fn new(
        config: Config,
        transports: Transports,
        (locations, _): (Arc<dyn LocationService>, Arc<dyn Accounts>),
        here: SocketAddr,
    ) -> Arc<Core> {
        let each = Limits {
            transactions: config.limits.transactions / SHARDS,
            bytes: config.limits.bytes / SHARDS,
        };
        let keys = Keys::new(secret());
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(keys.clone(), config.timers, each)));
        let shards = shards.collect();
        let limiter = config.rates.map(|rates| Mutex::new(Limiter::new(rates)));
        Arc::new_cyclic(|own| Core {
            config,
            transports,
            locations,
            tokens: TokenKey::new(secret()),
            branches: Branch::new(secret()),
            metrics: Metrics::default(),
            here,
            domain: ArcSwap::from_pointee(Domain::new([here])),
            shards,
            limiter,
            hasher: RandomState::new(),
            began: Instant::now(),
            refusing: AtomicBool::new(false),
            own: own.clone(),
        })
    }

    pub(super) fn transports(&self) -> &Transports {
        &self.transports
    }

    pub(super) fn here(&self) -> SocketAddr {
        self.here
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn domain(&self) -> Arc<Domain> {
        self.domain.load_full()
    }

    pub(super) fn set_domain(&self, domain: Domain) {
        self.domain.store(Arc::new(domain));
    }

    pub(super) fn refuse_new(&self) {
        self.refusing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    pub(super) fn transactions(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).transactions()).sum()
    }

    pub(super) fn calls(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).unanswered()).sum()
    }

    pub(super) fn inbox(&self) -> Option<Arc<dyn Inbox>> {
        Some(self.own.upgrade()?)
    }

    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// How long an address has to wait, if it asks for too much.
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

    /// Asks: what is known at once is there at once, and else comes to the same shard later.
    pub(super) fn ask(
        &self,
        shard: usize,
        id: TransactionId,
        mut question: Question,
    ) -> Option<Resumed> {
        Metrics::add(&self.metrics.lookups);
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(resumed) = question.as_mut().poll(&mut context) {
            return Some(resumed);
        }
        let own = self.own.clone();
        // As many as there are transactions at most.
        tokio::spawn(async move {
            let resumed = question.await;
            if let Some(core) = own.upgrade() {
                core.in_shard(shard, |shard, out, now_ms| {
                    shard.resume(&core, id, resumed, now_ms, out)
                });
            }
        });
        None
    }

    /// Time has gone by.
    pub(super) fn tick(&self) {
        for number in 0..self.shards.len() {
            self.in_shard(number, |shard, out, now_ms| shard.tick(self, now_ms, out));
        }
    }

    fn in_shard(&self, number: usize, what: impl FnOnce(&mut Shard, &mut Vec<Outgoing>, u64)) {
        let Some(shard) = self.shards.get(number) else { return };
        let (mut out, now_ms) = (Vec::new(), self.now_ms());
        what(&mut lock(shard), &mut out, now_ms);
        // What cannot be sent has consequences, which may be to send something else.
        while !out.is_empty() {
            let mut failed = Vec::new();
            for Outgoing { id, flow, bytes } in out.drain(..) {
                if self.transports.send(&flow, bytes).is_err() {
                    Metrics::add(&self.metrics.unsent);
                    failed.extend(id.map(|id| (id, flow)));
                }
            }
            if !failed.is_empty() {
                let mut shard = lock(shard);
                for (id, flow) in failed {
                    shard.on_unsent(self, id, &flow, now_ms, &mut out);
                }
            }
        }
    }

    /// What is not in form is refused without a transaction, or dropped.
    fn reject(&self, request: &Message, rejection: &Rejection, flow: &Flow) {
        let Ok(via) = request.top_via() else { return };
        let (tag, mark) = (format!("{:x}", fastrand::u64(..)), via.mark(flow.peer));
        let reply = Reply::rejecting(request, rejection).to_tag(&tag).mark_via(mark).build();
        let _ = self.transports.send(&reply_flow(request, flow), reply);
    }
}

/// Where the responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4): to where it came from, and over
/// UDP to the port its sender says, unless it asks for the one it used. No other address is believed.
pub(super) fn reply_flow(request: &Message, flow: &Flow) -> Flow {
    match request.top_via() {
        Ok(via) if !flow.carrier.is_reliable() && via.rport().is_none() => {
            Flow::udp(SocketAddr::new(flow.peer.ip(), via.port_or_default()))
        }
        _ => *flow,
    }
}

impl Inbox for Core {
    fn on_message(&self, bytes: Bytes, flow: Flow) {
        let Ok(message) = Message::parse(bytes) else {
            return Metrics::add(&self.metrics.malformed);
        };
        if let Err(invalid) = validate(&message) {
            Metrics::add(&self.metrics.malformed);
            if let Invalid::Answer(rejection) = invalid {
                self.reject(&message, &rejection, &flow);
            }
            return;
        }
        let Ok(call_id) = message.call_id() else { return };
        let number = usize::try_from(self.hash(call_id)).unwrap_or_default() % SHARDS;
        self.in_shard(number, |shard, out, now_ms| {
            if message.is_request() {
                shard.on_request(self, number, message, flow, now_ms, out);
            } else {
                shard.on_response(self, message, now_ms, out);
            }
        });
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("here", &self.here).finish_non_exhaustive()
    }
}
