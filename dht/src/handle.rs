//! [`Dht`]: the one way in.

mod entries;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use base::limits::REPLICAS;
use base::{Key, NodeId, SignatureCache, SigningKey};
use libp2p_identity::Keypair;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument, info};
use zeroize::Zeroizing;

use crate::claims::Claims;
use crate::hand_over::hand_over;
use crate::lamport::LamportClock;
use crate::leases::Leases;
use crate::link::{JoinError, Link, LinkEvent, Responder};
use crate::meters::Meters;
use crate::node::Node;
use crate::overlay::local_health::UNANSWERED;
use crate::overlay::membership::{Event, Membership};
use crate::overlay::view::{Member, View};
use crate::overlay::{Peer, Pulse};
use crate::p2p::{P2pConfig, P2pLink, Patience};
use crate::passphrase::AdmissionKey;
use crate::quotas::Quotas;
use crate::remembered::Remembered;
use crate::serve::{PULLS_MAX, Server};
use crate::status::{Health, PeerStatus, Phase, Status};
use crate::store::data_dir::DataDir;
use crate::store::{DiskOptions, DiskStore, MemoryOptions, MemoryStore, Store};
use crate::watches::Watches;
use crate::wire::{Bye, Contact, Hello, Notice, OLDEST_VERSION, VERSION};
use crate::{
    Clock, OpenError, Options, Storage, SystemClock, claims, clock, identity, leases, members,
    watches,
};

pub(crate) use entries::before;
pub use entries::{Receipt, Removal};

/// Events that may wait for the membership task.
const EVENTS_MAX: usize = 1024;
/// How long a new connection may take to be known to the overlay's rules, and how often to look.
const JOINED: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(2);
/// How long handing over may take when leaving.
const HAND_OVER: Duration = Duration::from_millis(2500);

/// A node of the overlay. Clones are handles to the same node; when the last one is dropped the node
/// stops as if it had been switched off.
#[derive(Clone)]
pub struct Dht {
    inner: Arc<Inner>,
}

struct Inner {
    node: Arc<Node>,
    remembered: Remembered,
    admission: Option<AdmissionKey>,
    /// What runs for the node: membership, and both sides of watches.
    tasks: Mutex<JoinSet<()>>,
}

impl Inner {
    fn stop_tasks(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop_tasks();
        let closing = self.node.link.close();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(closing);
        }
    }
}

/// What a node is made of.
pub(crate) struct Parts {
    /// Its id is this key's.
    pub(crate) key: SigningKey,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) link: Arc<dyn Link>,
    pub(crate) link_events: mpsc::Receiver<LinkEvent>,
    pub(crate) remembered: Remembered,
    /// The stretched passphrase of the overlay, if it has one.
    pub(crate) admission: Option<AdmissionKey>,
    /// Who was there the last time.
    pub(crate) known: Vec<Contact>,
    pub(crate) settle: Duration,
    pub(crate) started: Instant,
    /// How long the machine has been asleep.
    pub(crate) time_asleep: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// What chance decides follows from it.
    pub(crate) seed: u64,
}

impl Dht {
    /// Opens a node: reads or makes its key, opens its store, and listens for others.
    ///
    /// # Errors
    /// Every way its data directory or its address can be unfit, see [`OpenError`]. The directory is
    /// then as it was.
    pub async fn open(options: Options) -> Result<Dht, OpenError> {
        Dht::open_at(options, SystemClock::new()).await
    }

    /// Opens a node that reads time from `clock`.
    ///
    /// # Errors
    /// As [`Dht::open`].
    pub async fn open_at(options: Options, clock: impl Clock) -> Result<Dht, OpenError> {
        let Options { storage, listen, settle, passphrase } = options;
        let open = move || {
            let opened = open_storage(storage, clock)?;
            Ok((opened, passphrase.map(|passphrase| passphrase.stretch())))
        };
        let opened = tokio::task::spawn_blocking(open).await;
        let ((keypair, store, remembered), admission) =
            opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let (events, link_events) = mpsc::channel(EVENTS_MAX);
        let started = Instant::now();
        let key = identity::signing_key(&keypair);
        let hello = hello(Arc::clone(&store), fastrand::u64(..));
        let patience = Patience::default();
        let shared = admission.clone();
        let config = P2pConfig { keypair, listen, hello, started, admission, patience };
        let (link, driver) = P2pLink::bind(config, events)
            .await
            .map_err(|error| OpenError::CannotListen { address: listen, error })?;
        let known = remembered.load();
        let dht = Dht::assemble(Parts {
            key,
            store,
            link,
            link_events,
            remembered,
            admission: shared,
            known,
            settle,
            started,
            time_asleep: Arc::new(clock::time_asleep),
            seed: fastrand::u64(..),
        });
        driver.run(dht.responder());
        Ok(dht)
    }

    /// Puts a node together and starts its one task.
    pub(crate) fn assemble(parts: Parts) -> Dht {
        let id = NodeId::of(&parts.key.public()).expect("a key's own public half");
        let me = Arc::new(Peer::new(id, Pulse::default()));
        let (events, waiting) = mpsc::channel(EVENTS_MAX);
        let unsettled = View::new(Arc::clone(&me), Vec::new(), Vec::new(), false);
        let node = Arc::new(Node {
            me: Arc::clone(&me),
            store: parts.store,
            link: parts.link,
            view: ArcSwap::from_pointee(unsettled),
            lamport: LamportClock::default(),
            meters: Meters::default(),
            signatures: SignatureCache::default(),
            started: parts.started,
            events,
            leases: Leases::default(),
            claims: Claims::default(),
            key: parts.key,
            watches: Watches::default(),
            quotas: Quotas::default(),
            pulls: Arc::new(Semaphore::new(PULLS_MAX)),
            leaving: false.into(),
            stopping: tokio::sync::watch::Sender::default(),
            asleep_before: u64::try_from((parts.time_asleep)().as_millis())
                .unwrap_or(u64::MAX)
                .into(),
            time_asleep: parts.time_asleep,
            unanswered: u64::try_from(UNANSWERED.as_millis()).unwrap_or(u64::MAX).into(),
            next_complaint: 0.into(),
        });
        let mut membership = Membership::new(me, &parts.known, parts.settle, parts.seed);
        node.view.store(Arc::new(membership.first_view()));
        let running = members::run(
            Arc::clone(&node),
            membership,
            waiting,
            parts.link_events,
            parts.remembered.clone(),
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(running.in_current_span());
        tasks.spawn(leases::tell(Arc::clone(&node)).in_current_span());
        tasks.spawn(watches::keep(Arc::clone(&node)).in_current_span());
        tasks.spawn(claims::decide::run(Arc::clone(&node)).in_current_span());
        Dht {
            inner: Arc::new(Inner {
                node,
                remembered: parts.remembered,
                admission: parts.admission,
                tasks: Mutex::new(tasks),
            }),
        }
    }

    /// What answers other super-nodes for this one.
    pub(crate) fn responder(&self) -> Arc<dyn Responder> {
        Arc::new(Server(Arc::clone(&self.inner.node)))
    }

    /// The node's id.
    pub fn id(&self) -> NodeId {
        self.inner.node.me.id
    }

    /// Where others can reach this node: the address it was given, with the port that was found.
    pub fn listening_on(&self) -> SocketAddr {
        self.inner.node.link.listening_on()
    }

    /// A key that all super-nodes of an overlay with a passphrase come to, and nobody else: to seal what
    /// only they are to read. None in an open overlay. The context says what for, as BLAKE3's mode of key
    /// derivation wants it: each is another key, and none says anything of the passphrase.
    pub fn shared_key(&self, context: &str) -> Option<Zeroizing<[u8; 32]>> {
        self.inner.admission.as_ref().map(|key| key.derive(context))
    }

    /// Connects to whoever is at an address, and so joins its overlay.
    ///
    /// # Errors
    /// [`JoinError`] when nobody is there, or nobody this node understands.
    pub async fn join(&self, address: SocketAddr) -> Result<NodeId, JoinError> {
        let node = &self.inner.node;
        // If so much is waiting there, it is told of others anyway.
        let _ = node.events.try_send(Event::Joining);
        let id = node.link.join(address).await?;
        // Whoever asks next must not be answered by a node that does not know yet that it joined.
        let _ = timeout(JOINED, async {
            while node.view.load().member(&id).is_none() {
                sleep(LOOK).await;
            }
        })
        .await;
        Ok(id)
    }

    /// Which super-nodes keep a key, closest first, as this one sees it: in an overlay of more than 512 members,
    /// where it knows but some of them, the closest of these.
    pub fn replicas_of(&self, key: &Key) -> Vec<NodeId> {
        let view = self.inner.node.view.load();
        view.replicas(&key.place()).iter().map(|member| member.peer.id).collect()
    }

    /// How the node is doing.
    pub fn status(&self) -> Status {
        let node = &self.inner.node;
        let view = node.view.load();
        let now = node.now();
        let peer = |member: &Member| PeerStatus {
            id: member.peer.id,
            address: member.addresses.first().copied(),
            health: if member.well { Health::Well } else { Health::Suspect },
            silent_for: now.saturating_sub(member.peer.pulse.last()),
            latency_p50: member.peer.latencies.quantile(0.5),
            latency_p99: member.peer.latencies.p99(),
        };
        let phase = match (view.is_settled(), view.is_filling()) {
            (false, _) => Phase::Looking,
            (true, true) => Phase::Filling,
            (true, false) => Phase::Serving,
        };
        Status {
            totals: node.store.totals(),
            peers: view.members().iter().skip(1).map(peer).collect(),
            replicas: view.members().len().min(REPLICAS),
            watches: node.watches.count() as u64,
            leases: node.watches.leases() as u64,
            names: node.claims.names() as u64,
            phase,
        }
    }

    /// What the node has counted.
    pub fn meters(&self) -> &Meters {
        &self.inner.node.meters
    }

    /// Gives disk space back, if at least half of the file is free; puts wait meanwhile, at most
    /// 10 s. To be called once, when the node already serves.
    pub async fn tidy(&self) {
        self.inner.node.store.tidy().await;
    }

    /// Leaves the overlay: takes no more writes, hands over what others keep from now on, for at
    /// most 2.5 s, and says goodbye. The others then do not have to find out.
    pub async fn leave(&self) {
        let node = &self.inner.node;
        node.stop();
        if timeout(HAND_OVER, hand_over(node)).await.is_err() {
            info!("not all was handed over in time; the others have copies of it");
        }
        for member in node.view.load().members().iter().skip(1) {
            let _ = node.link.notify(member.peer.id, Notice::Bye(Bye::Leaving));
        }
        self.inner.stop_tasks();
        node.link.close().await;
    }

    /// Ends what is under way, closes all connections and lets go of the data directory. Later
    /// operations fail. Without [`Dht::leave`] before it, others notice only by its silence.
    pub async fn close(&self) {
        let node = &self.inner.node;
        node.stop();
        self.inner.stop_tasks();
        node.link.close().await;
        self.inner.remembered.close().await;
        node.store.close().await;
    }

    /// Whether both are handles to the same node.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn is_same(&self, other: &Dht) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Who is there, as this node sees it: for the simulator.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn view(&self) -> Arc<View> {
        self.inner.node.view.load_full()
    }

    /// What it would tell of who has a name: for the simulator.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn tells(&self, place: &base::Place) -> String {
        format!("{:?}", claims::told(&self.inner.node, place))
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.inner.node
    }
}

type Opened = (Keypair, Arc<dyn Store>, Remembered);

fn open_storage(storage: Storage, clock: impl Clock) -> Result<Opened, OpenError> {
    match storage {
        Storage::Memory => {
            let store = MemoryStore::new(MemoryOptions::default(), clock);
            Ok((Keypair::generate_ed25519(), Arc::new(store), Remembered::default()))
        }
        Storage::Disk(dir) => {
            let options = DiskOptions::new(dir);
            let dir = DataDir::open(&options.dir)?;
            let keypair = identity::load_or_create(dir.path(), dir.is_complete())?;
            let remembered = Remembered::in_dir(dir.path());
            let store = DiskStore::open_in(dir, &options, clock)?;
            Ok((keypair, Arc::new(store), remembered))
        }
    }
}

/// What a node with this store says first to others.
pub(crate) fn hello(store: Arc<dyn Store>, start: u64) -> Arc<dyn Fn() -> Hello + Send + Sync> {
    Arc::new(move || {
        let totals = store.totals();
        let holds = totals.live + totals.tombstones > 0;
        Hello { version: VERSION, oldest: OLDEST_VERSION, holds, start }
    })
}
