//! SIP at this node: [`p2psip`]'s server over the overlay's locations and accounts, the domain it serves, and the
//! node's place in the service list.
//!
//! ```text
//! phones ─► p2psip::Server ─► Locations, PhoneAccounts ─► dht
//!               ▲ domain          │
//!               └── Sip ──────────┴─► Services: P2PSIP, who else serves SIP
//! ```

mod domain;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Ttl;
use dht::Dht;
use p2psip::server::{Config, Rate, Rates, Server};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, debug, info};

use crate::accounts::PhoneAccounts;
use crate::addresses;
use crate::location::{self, Locations};
use crate::services::{Contact, Services};
use crate::source::Source;

/// Between two looks at this machine's addresses and at who else serves SIP.
const LOOK: Duration = Duration::from_secs(1);
/// How long requests under way may take to be answered when the node stops: those in a cluster take
/// milliseconds, and a phone that rings will ring on without us.
const DRAIN: Duration = Duration::from_millis(500);
/// The node's place in the service list is taken for a week, the longest there is, and again each day.
const ADVERTISE_AGAIN: Duration = Duration::from_secs(24 * 3600);
/// Until what failed is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// SIP at this node. Clones are handles to the same.
#[derive(Clone)]
pub struct Sip {
    inner: Arc<Inner>,
}

struct Inner {
    server: Server,
    locations: Locations,
    accounts: PhoneAccounts,
    services: Services,
    dht: Dht,
    /// Where it listens, maybe a wildcard.
    bound: SocketAddr,
    /// What people call this node.
    names: Vec<String>,
    tasks: Mutex<JoinSet<()>>,
}

impl Sip {
    /// Begins to serve SIP at an address, UDP and TCP, where others may each send so many requests a
    /// second (0 for any number). Nobody else hears of it before [`Sip::start`].
    ///
    /// # Errors
    /// The system's, such as that the port is in use.
    pub async fn bind(
        address: SocketAddr,
        rate: u32,
        dht: Dht,
        services: Services,
    ) -> io::Result<Sip> {
        let locations = Locations::new(dht.clone());
        let mut config = Config::new(address);
        config.rates = rates(rate);
        config.advertised = vec![addresses::dialable(address, &addresses::own()).ip()];
        let accounts = PhoneAccounts::new(dht.clone());
        let (people, names) = (Arc::new(locations.clone()), Arc::new(accounts.clone()));
        let server = Server::bind(config, people, names).await?;
        let bound = SocketAddr::new(address.ip(), server.address().port());
        let names = domain::own_names(rustix::system::uname().nodename().to_bytes(), &dht.id());
        let tasks = Mutex::default();
        let inner = Inner { server, locations, accounts, services, dht, bound, names, tasks };
        let sip = Sip { inner: Arc::new(inner) };
        sip.inner.server.set_domain(sip.inner.domain());
        Ok(sip)
    }

    /// Begins to look after the domain, and to be found.
    pub fn start(&self) {
        let mut tasks = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(look_around(Arc::clone(&self.inner)).in_current_span());
    }

    /// Where it listens: the address it was given, with the port that was found.
    pub fn listening_on(&self) -> SocketAddr {
        self.inner.bound
    }

    /// The address others dial.
    pub fn address(&self) -> SocketAddr {
        self.inner.server.address()
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.inner.server
    }

    /// What is known of where people are.
    pub fn locations(&self) -> &Locations {
        &self.inner.locations
    }

    /// Which names have a phone password.
    pub fn accounts(&self) -> &PhoneAccounts {
        &self.inner.accounts
    }

    /// Takes no new requests, lets those under way be answered, and takes back what ends with this
    /// node.
    pub async fn stop(&self) {
        drop(std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner)));
        let take_back = async {
            // First those that register are refused, so that nothing new is there to be taken back.
            self.inner.server.stop(DRAIN).await;
            self.inner.locations.stop().await;
        };
        take_back.await;
    }
}

/// How much is taken of others, if so many requests a second may come from one address: four times
/// that at once, as when a crowd's router starts. One port and one person have their own bounds.
fn rates(per_second: u32) -> Option<Rates> {
    let per_second = u64::from(per_second);
    let address = Rate { burst: per_second * 4, per_second };
    (per_second > 0).then(|| Rates { address, ..Rates::default() })
}

impl Inner {
    fn domain(&self) -> p2psip::domain::Domain {
        let port = self.server.address().port();
        let own: Vec<IpAddr> = match self.bound.ip() {
            ip if ip.is_unspecified() => addresses::own(),
            ip => vec![ip],
        };
        let here = own.into_iter().map(|ip| SocketAddr::new(ip, port));
        let here = here.chain([self.server.address()]);
        let members = self.services.members(&location::service());
        let trusted: Vec<IpAddr> = self
            .dht
            .status()
            .peers
            .iter()
            .filter_map(|peer| Some(peer.address?.ip().to_canonical()))
            .collect();
        domain::of(here, &self.names, members.as_deref().unwrap_or_default(), &trusted)
    }

    /// As what this node is in the service list, if others could reach it there.
    fn contact(&self) -> Option<Contact> {
        let address = self.server.address();
        // In an overlay of this machine alone a loopback address is one that the others can dial.
        let is_of_use = !address.ip().is_loopback() || self.dht.listening_on().ip().is_loopback();
        is_of_use.then(|| address.to_string().parse().ok())?
    }
}

/// Keeps the domain as it is, and this node in the service list.
async fn look_around(inner: Arc<Inner>) {
    let mut domain = inner.domain();
    let mut advertise_at = Some(Instant::now());
    loop {
        if let Some(at) = advertise_at
            && Instant::now() >= at
        {
            advertise_at = advertise(&inner).await;
        }
        sleep(LOOK).await;
        let now = inner.domain();
        if now != domain {
            debug!(?now, "what is this overlay's domain changed");
            inner.server.set_domain(now.clone());
            domain = now;
        }
    }
}

/// Offers SIP in the service list; when to do so again, if ever.
async fn advertise(inner: &Inner) -> Option<Instant> {
    let Some(contact) = inner.contact() else {
        info!(
            "other super-nodes are not told of SIP at this one: its --sip address is a loopback address"
        );
        return None;
    };
    let source = Source::of(inner.server.address().ip());
    let done = inner.services.advertise(source, &location::service(), &contact, Ttl::MAX).await;
    match done {
        Ok(()) => Some(Instant::now() + ADVERTISE_AGAIN),
        Err(error) => {
            debug!(%error, "SIP at this node could not be advertised; trying again");
            Some(Instant::now() + RETRY)
        }
    }
}
