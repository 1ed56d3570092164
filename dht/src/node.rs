//! What the parts of a running node share: its store, its link, its view of the overlay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arc_swap::ArcSwap;
use base::{Entry, SignatureCache, SigningKey};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tracing::warn;

use crate::claims::Claims;
use crate::lamport::LamportClock;
use crate::leases::Leases;
use crate::link::{Link, ReplySlot, Response};
use crate::meters::Meters;
use crate::overlay::membership::Event;
use crate::overlay::operation::Context as Seen;
use crate::overlay::view::View;
use crate::overlay::{Now, Peer};
use crate::quotas::Quotas;
use crate::serve;
use crate::store::{Pending, Store};
use crate::watches::Watches;
use crate::wire::{Reply, Request};

/// A running node.
pub(crate) struct Node {
    pub(crate) me: Arc<Peer>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) link: Arc<dyn Link>,
    pub(crate) view: ArcSwap<View>,
    pub(crate) lamport: LamportClock,
    pub(crate) meters: Meters,
    /// Signatures that were found right.
    pub(crate) signatures: SignatureCache,
    pub(crate) started: Instant,
    /// Who is told of changes here, and what this node is told of.
    pub(crate) leases: Leases,
    /// The names that are claimed here, as a replica.
    pub(crate) claims: Claims,
    /// The key of this node's id.
    pub(crate) key: SigningKey,
    pub(crate) watches: Watches,
    /// Pulls that may be served at once.
    pub(crate) pulls: Arc<Semaphore>,
    /// What each other super-node may write here.
    pub(crate) quotas: Quotas,
    /// What operations have to tell the membership task.
    pub(crate) events: mpsc::Sender<Event>,
    /// Whether it takes no more writes, for it leaves.
    pub(crate) leaving: AtomicBool,
    /// The same, for those who wait for something else meanwhile.
    pub(crate) stopping: watch::Sender<bool>,
    /// How long the machine has been asleep, and how long it had when this node looked around last.
    pub(crate) time_asleep: Arc<dyn Fn() -> Duration + Send + Sync>,
    pub(crate) asleep_before: AtomicU64,
    /// How long whoever is asked may stay silent before it is suspect, in milliseconds.
    pub(crate) unanswered: AtomicU64,
    /// When the next complaint may be logged, in milliseconds since the start.
    pub(crate) next_complaint: AtomicU64,
}

/// What comes of a request to this node itself.
pub(crate) enum Asked {
    /// It is not for this node.
    Other(Request),
    /// It is answered.
    Now(Reply),
    /// It will be.
    Later(Pending<Reply>),
}

/// A peer that does wrong does it often; people need to read it only now and then.
const COMPLAINTS: Duration = Duration::from_secs(5);

/// Who slept for so long may have been taken for gone: others keep what it kept, and have gone on.
const NAP: Duration = Duration::from_secs(2);

impl Node {
    pub(crate) fn now(&self) -> Now {
        self.started.elapsed()
    }

    /// How long whoever is asked may stay silent before it is suspect.
    pub(crate) fn unanswered(&self) -> Duration {
        Duration::from_millis(self.unanswered.load(Ordering::Relaxed))
    }

    /// Takes no more writes from now on, and lets nobody wait.
    pub(crate) fn stop(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        self.stopping.send_replace(true);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Whether the machine slept, and this node has not seen yet what happened meanwhile.
    pub(crate) fn has_slept(&self) -> bool {
        self.new_time_asleep() >= NAP
    }

    /// The same, once; from then on it is seen to.
    pub(crate) fn wakes(&self) -> bool {
        let slept = self.new_time_asleep();
        if slept < NAP {
            return false;
        }
        let slept = u64::try_from(slept.as_millis()).unwrap_or(u64::MAX);
        self.asleep_before.fetch_add(slept, Ordering::Relaxed);
        true
    }

    fn new_time_asleep(&self) -> Duration {
        let before = Duration::from_millis(self.asleep_before.load(Ordering::Relaxed));
        (self.time_asleep)().saturating_sub(before)
    }

    /// Tells people that a peer did not do what it was asked to, or answered what cannot be.
    pub(crate) fn complain(&self, peer: &Peer, what: &str) {
        let now = u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX);
        let pause = u64::try_from(COMPLAINTS.as_millis()).unwrap_or(u64::MAX);
        let next = self.next_complaint.load(Ordering::Relaxed);
        let exchange = |next| {
            self.next_complaint.compare_exchange(
                next,
                now + pause,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
        };
        if now >= next && exchange(next).is_ok() {
            warn!(peer = %peer.id, what, "a super-node did not do what it was asked to");
        }
    }

    /// Runs `act` with what an operation sees of this node.
    pub(crate) fn with_context<T>(&self, act: impl FnOnce(&Seen<'_>) -> T) -> T {
        let view = self.view.load();
        // What was held before this start.
        self.lamport.observe(self.store.newest());
        act(&Seen {
            now: self.now(),
            view: &view,
            lamport: &self.lamport,
            meters: &self.meters,
            signatures: &self.signatures,
            unanswered: self.unanswered(),
        })
    }

    /// Sends a request to another node.
    pub(crate) fn ask_other(
        &self,
        to: &Arc<Peer>,
        addresses: &[SocketAddr],
        request: Request,
        slot: ReplySlot,
    ) {
        self.meters.requests.add(1);
        self.link.request(to, addresses, request, slot);
    }

    /// Answers a request that is for this node itself.
    pub(crate) fn ask_myself(self: &Arc<Node>, to: &Peer, request: Request) -> Asked {
        if to.id != self.me.id {
            return Asked::Other(request);
        }
        let mut later = match serve::respond(self, self.me.id, request) {
            Response::Now(reply) => return Asked::Now(reply),
            Response::Later(later) => later,
        };
        // A store in memory is done at once.
        match later.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(reply) => Asked::Now(reply),
            Poll::Pending => Asked::Later(later),
        }
    }

    /// Takes note of a version others have reached.
    pub(crate) fn observe(&self, entry: &Entry) {
        if let Some(version) = entry.lamport() {
            self.lamport.observe(version);
        }
    }
}
