//! A SIP server: registrar, proxy and transports put together.
//!
//! ```text
//!   Transports ──► Core::on_message ──► a Shard (by Call-ID): transactions, calls ──► Transports
//!                                          │        ▲
//!                                          ▼        │ resume
//!                                     LocationService
//! ```
//!
//! A shard is locked for as long as one message takes, and by whichever task read it: a call is one
//! shard's, and several calls are several cores'. What a shard wants sent is sent after it.

mod core;
mod limits;
mod metrics;
mod shard;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Sink, Stream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

pub use base::Rate;
pub use limits::Rates;
pub use metrics::{BOUNDS_US, Histogram, Metrics};

use self::core::Core;
use crate::accounts::Accounts;
use crate::domain::Domain;
use crate::location::LocationService;
use crate::registrar::Lifetimes;
use crate::transaction::{Limits, Timers};
use crate::transport::{Inbox, Transports};

/// How often time is looked at: a tenth of T1.
const TICK: Duration = Duration::from_millis(50);

/// What a server is to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen, UDP and TCP; port 0 finds a free one.
    pub address: SocketAddr,
    /// What others call this machine, one address of each family at most; needed if `address` is every
    /// address. `[::]` takes both families.
    pub advertised: Vec<IpAddr>,
    /// How long registrations last.
    pub lifetimes: Lifetimes,
    /// Of transactions.
    pub timers: Timers,
    /// Of all transactions.
    pub limits: Limits,
    /// How many new requests others than super-nodes may send; any number without.
    pub rates: Option<Rates>,
    /// Stays on the way of every call.
    pub record_route_always: bool,
}

impl Config {
    /// The usual one, at an address.
    pub fn new(address: SocketAddr) -> Config {
        Config {
            address,
            advertised: Vec::new(),
            lifetimes: Lifetimes::default(),
            timers: Timers::default(),
            limits: Limits::default(),
            rates: Some(Rates::default()),
            record_route_always: false,
        }
    }
}

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    core: Arc<Core>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Begins to serve.
    ///
    /// # Errors
    /// If the address is in use, or is every address and none is advertised.
    pub async fn bind(
        config: Config,
        locations: Arc<dyn LocationService>,
        accounts: Arc<dyn Accounts>,
    ) -> io::Result<Server> {
        let (transports, listener) = Transports::bind(config.address).await?;
        let bound = transports.udp().address()?;
        let said = config.advertised.first().copied();
        let ip = said.or_else(|| Some(bound.ip()).filter(|ip| !ip.is_unspecified()));
        let ip = ip.ok_or_else(|| {
            let advice = "which of its addresses others are to use has to be said";
            io::Error::new(io::ErrorKind::InvalidInput, advice)
        })?;
        let here = SocketAddr::new(ip, bound.port());
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let core = Core::new(config, transports, (locations, accounts), here);
        let mut tasks = JoinSet::new();
        let inbox: Arc<dyn Inbox> = core.clone();
        for _ in 0..workers {
            tasks.spawn(core.transports().udp().clone().serve(Arc::clone(&inbox)));
        }
        tasks.spawn(Arc::clone(core.transports().connections()).serve(listener, inbox));
        let ticking = Arc::clone(&core);
        tasks.spawn(async move {
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                ticking.tick();
            }
        });
        Ok(Server { core, tasks })
    }

    /// What others dial.
    pub fn address(&self) -> SocketAddr {
        self.core.here()
    }

    /// Sets what is ours, from now on.
    pub fn set_domain(&self, domain: Domain) {
        self.core.set_domain(domain);
    }

    /// What it has done.
    pub fn metrics(&self) -> &Metrics {
        self.core.metrics()
    }

    /// Requests that have no final response yet, and those whose repetitions are waited for.
    pub fn transactions(&self) -> usize {
        self.core.transactions()
    }

    /// Serves a WebSocket that was accepted with the subprotocol `sip` (RFC 7118): until it ends.
    pub fn serve_websocket<I, O>(
        &self,
        peer: SocketAddr,
        messages: I,
        out: O,
    ) -> impl Future<Output = ()> + use<I, O>
    where
        I: Stream<Item = Bytes> + Unpin,
        O: Sink<Bytes> + Unpin,
    {
        let connections = Arc::clone(self.core.transports().connections());
        connections.serve_websocket(peer, messages, out, self.core.clone())
    }

    /// Ends: new requests are refused (503), those under way have so long to be answered.
    pub async fn stop(mut self, patience: Duration) {
        self.core.refuse_new();
        let _ = tokio::time::timeout(patience, async {
            while self.core.calls() > 0 {
                tokio::time::sleep(TICK).await;
            }
        })
        .await;
        self.tasks.shutdown().await;
    }
}
