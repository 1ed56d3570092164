//! A SIP server: registrar, proxy and transports put together.
//!
//! ```text
//!   Transports ──► Core ──► a Shard (by Call-ID): transactions, calls
//!       ▲            ▲         │ Todo
//!       └── Send ────┴─────────┴── Ask ──► LocationService, Accounts ── Known ──► the same Shard
//! ```
//!
//! A shard is locked for as long as one message takes, and by whichever task read it: a call is one
//! shard's, and several calls are several cores'. What a shard wants sent is sent after it.

mod config;
mod core;
mod gate;
mod limits;
mod methods;
mod metrics;
mod shard;
mod shared;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Sink, Stream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

pub use base::Rate;
pub use config::Config;
pub use limits::Rates;
pub use metrics::{BOUNDS_US, Histogram, Metrics};

use self::core::Core;
use self::shared::Shared;
use crate::accounts::Accounts;
use crate::agent::Agent;
use crate::domain::Domain;
use crate::location::{Aor, LocationService};
use crate::message::Method;
use crate::transport::{Inbox, Transports};

/// How often time is looked at: a tenth of T1.
const TICK: Duration = Duration::from_millis(50);

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    core: Arc<Core>,
    tasks: Mutex<JoinSet<()>>,
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
        let mut said = config.advertised.clone();
        if said.is_empty() && !bound.ip().is_unspecified() {
            said.push(bound.ip());
        }
        if said.is_empty() {
            let advice = "which of its addresses others are to use has to be said";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, advice));
        }
        let here = said.iter().map(|ip| SocketAddr::new(ip.to_canonical(), bound.port())).collect();
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let core = Core::new(Shared::new(config, transports, (locations, accounts), here));
        let shared = Arc::clone(core.shared());
        let mut tasks = JoinSet::new();
        let inbox: Arc<dyn Inbox> = core.clone();
        for _ in 0..workers {
            tasks.spawn(shared.transports.udp().clone().serve(Arc::clone(&inbox)));
        }
        tasks.spawn(Arc::clone(shared.transports.connections()).serve(listener, inbox));
        let ticking = Arc::clone(&core);
        tasks.spawn(async move {
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                ticking.tick();
            }
        });
        Ok(Server { core, tasks: Mutex::new(tasks) })
    }

    /// What others dial.
    pub fn address(&self) -> SocketAddr {
        self.addresses().first().copied().unwrap_or(self.core.shared().config.address)
    }

    /// What others dial, of each family.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.core.shared().addresses()
    }

    /// Gives the requests for a person to an agent of this process, at this node: nobody can register
    /// that name here any more.
    pub fn attach(&self, person: Aor, agent: Arc<dyn Agent>) {
        self.core.shared().agents.rcu(|agents| {
            let mut agents = shared::Agents::clone(agents);
            agents.people.insert(person.clone(), Arc::clone(&agent));
            agents
        });
    }

    /// Gives the requests of a method that is else refused (SUBSCRIBE, PUBLISH) to an agent of this
    /// process, whomever they are for.
    pub fn attach_method(&self, method: Method<'_>, agent: Arc<dyn Agent>) {
        self.core.shared().agents.rcu(|agents| {
            let mut agents = shared::Agents::clone(agents);
            agents.methods.insert(method.as_str().into(), Arc::clone(&agent));
            agents
        });
    }

    /// Sets what is ours, from now on.
    pub fn set_domain(&self, domain: Domain) {
        self.core.set_domain(domain);
    }

    /// What it has done.
    pub fn metrics(&self) -> &Metrics {
        &self.core.shared().metrics
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
        let connections = Arc::clone(self.core.shared().transports.connections());
        connections.serve_websocket(peer, messages, out, self.core.clone())
    }

    /// Ends: new requests are refused (503), those under way have so long to be answered.
    pub async fn stop(&self, patience: Duration) {
        self.core.shared().refuse_new();
        let _ = tokio::time::timeout(patience, async {
            while self.core.calls() > 0 {
                tokio::time::sleep(TICK).await;
            }
        })
        .await;
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        self.core.shared().end_errands().shutdown().await;
    }
}
