//! The registry of services: who offers what. A global list of Service-IDs under the key `service-list`, and
//! for each a list of contacts under the key of its name ([`dht::List`]); anybody's plain put there is in
//! it, too.
//!
//! ```text
//! rpc, api ─► Services ─┬─► ledger: what this node advertises, and until when
//!                       ├─► views: services there are, members of those offered here
//!                       └─► dht lists ◄── keeper: renews, watches
//! ```

mod contact;
mod error;
mod keeper;
mod ledger;
#[cfg(test)]
mod tests;
mod views;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::limits::LIST_ROOM;
use base::list::{Element, LAPSES, Placemark};
use base::{Key, Secret, ServiceId, Ttl, Value};
use dht::{Dht, List, Removal};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use contact::{Contact, NotAContact};
pub use error::ServiceError;
use ledger::{Ledger, Name};
use views::Views;

use crate::random;
use crate::source::Source;

/// The key of the list of all services.
pub const SERVICE_LIST: &str = "service-list";
/// How long an advertisement lives without its node, in seconds: a dead provider is not offered for
/// longer.
const LEASE_S: u64 = 60;
/// Bytes of the secret that guards this node's advertisements.
const SECRET_LEN: usize = 20;
/// Pages read in search of one that has a contact: what others put may be anything.
const PAGES_MAX: usize = 8;

/// The registry, as one node sees it. Clones are handles to the same.
#[derive(Clone)]
pub struct Services {
    inner: Arc<Inner>,
}

struct Inner {
    dht: Dht,
    /// From which the secrets are made that guard what this node advertises, and how many were.
    key: [u8; 32],
    secrets: AtomicU64,
    started: Instant,
    lease_s: u64,
    ledger: Mutex<Ledger>,
    views: Mutex<Views>,
    /// There may be something to renew, or to look after.
    changed: Notify,
    tasks: Mutex<JoinSet<()>>,
    renewals: AtomicU64,
    failures: AtomicU64,
}

/// Some who offer a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Providers {
    /// Where, each once.
    pub contacts: Vec<Contact>,
    /// Where to go on; `None` when that is all.
    pub next: Option<Placemark>,
}

/// What a node's registry has counted, and what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Contacts it advertises.
    pub advertised: usize,
    /// Services it knows of.
    pub services: usize,
    /// Advertisements put, the first time or again.
    pub renewals: u64,
    /// Those that failed.
    pub failures: u64,
}

impl Services {
    /// The registry over an overlay. Nothing is renewed before [`Services::start`].
    ///
    /// # Errors
    /// The system's, if it has no random numbers.
    pub fn new(dht: Dht) -> io::Result<Services> {
        Services::with_lease(dht, LEASE_S)
    }

    /// One whose advertisements live for so many seconds without it.
    fn with_lease(dht: Dht, lease_s: u64) -> io::Result<Services> {
        let inner = Inner {
            dht,
            key: random::bytes()?,
            secrets: AtomicU64::new(0),
            started: Instant::now(),
            lease_s,
            ledger: Mutex::new(Ledger::new(lease_s)),
            views: Mutex::default(),
            changed: Notify::new(),
            tasks: Mutex::default(),
            renewals: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        };
        Ok(Services { inner: Arc::new(inner) })
    }

    /// Begins to renew what is advertised, and to look after what services there are.
    pub fn start(&self) {
        keeper::start(&self.inner);
    }

    /// Offers a service at a contact for `ttl`: while this node lives, and at most a minute longer.
    ///
    /// # Errors
    /// [`ServiceError::Confusable`] when there is a service that looks the same,
    /// [`ServiceError::TooMany`] when this node or the source advertises as much as it may, and the
    /// overlay's.
    pub async fn advertise(
        &self,
        source: Source,
        service: &ServiceId,
        contact: &Contact,
        ttl: Ttl,
    ) -> Result<(), ServiceError> {
        let inner = &self.inner;
        let known = self.services().await?;
        if let Some(live) = known.iter().find(|live| service.is_confusable_with(live)) {
            return Err(ServiceError::Confusable { live: live.clone() });
        }
        let name = (service.clone(), contact.clone());
        let (secret, now_ms) = (inner.new_secret()?, inner.now_ms());
        let turn = inner.ledger().advertise(name.clone(), source, secret, ttl, now_ms)?;
        let put = {
            let _turn = turn.lock().await;
            inner.renew(&name).await
        };
        // If it failed it may be there all the same, and goes on being tried.
        inner.changed.notify_one();
        put
    }

    /// Offers a service at a contact no more; whether it was offered there.
    ///
    /// # Errors
    /// [`ServiceError::NotYours`] when another source, or node, offers it, and the overlay's: then it ends
    /// within a minute, and withdrawing it again is safe.
    pub async fn withdraw(
        &self,
        source: Source,
        service: &ServiceId,
        contact: &Contact,
    ) -> Result<bool, ServiceError> {
        let inner = &self.inner;
        let name = (service.clone(), contact.clone());
        let known = inner.ledger().withdraw(&name, source, inner.now_ms())?;
        inner.changed.notify_one();
        match known {
            Some((turn, secret)) => {
                let _turn = turn.lock().await;
                let removal = inner.remove(&name, secret).await?;
                Ok(removal == Removal::Removed)
            }
            // Not this node's. Is it another's? Its way follows from its secret, so that it is looked for
            // everywhere.
            None => {
                let found = views::read_all(&inner.list_of(service)).await?;
                match views::contacts_of(&found).contains(contact) {
                    true => Err(ServiceError::NotYours),
                    false => Ok(false),
                }
            }
        }
    }

    /// All services there are, by name; of more than 1024 some.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn services(&self) -> Result<Vec<ServiceId>, ServiceError> {
        let found = views::read_all(&self.inner.service_list()).await?;
        let mut services: Vec<ServiceId> = views::services_of(&found).map(|(id, _)| id).collect();
        services.sort_unstable();
        services.dedup();
        Ok(services)
    }

    /// Some who offer a service, at most `max`, from a placemark on; and anybody's plain puts under its
    /// key that are contacts.
    ///
    /// # Errors
    /// The overlay's.
    pub async fn lookup(
        &self,
        service: &ServiceId,
        max: usize,
        from: Option<Placemark>,
    ) -> Result<Providers, ServiceError> {
        let list = self.inner.list_of(service);
        let (mut providers, mut pages) = (Providers { contacts: Vec::new(), next: from }, 0);
        loop {
            let page = list.page(providers.next, max.clamp(1, LIST_ROOM)).await?;
            pages += 1;
            let contacts = views::contacts_of(&page.items);
            providers = Providers { contacts, next: page.next };
            let is_done = providers.next.is_none() || pages >= PAGES_MAX;
            if is_done || !providers.contacts.is_empty() {
                return Ok(providers);
            }
        }
    }

    /// Who offers a service that this node offers, as of some seconds ago; `None` for others.
    pub fn members(&self, service: &ServiceId) -> Option<Arc<[Contact]>> {
        self.inner.views().members(service)
    }

    /// The services this node offers.
    pub fn own(&self) -> Vec<ServiceId> {
        self.inner.ledger().services().into_iter().collect()
    }

    /// Whether a key is that of a service, or of the list of them: there may be so many values and no
    /// more.
    pub fn is_registry_key(&self, key: &Key) -> bool {
        let is_list = key.service().is_none() && key.as_bytes() == SERVICE_LIST.as_bytes();
        is_list || self.inner.views().has_service_of(key, self.inner.now_ms())
    }

    /// What there is to count.
    pub fn counts(&self) -> Counts {
        Counts {
            advertised: self.inner.ledger().len(),
            services: self.inner.views().count(),
            renewals: self.inner.renewals.load(Ordering::Relaxed),
            failures: self.inner.failures.load(Ordering::Relaxed),
        }
    }

    /// Withdraws all, and renews nothing any more.
    pub async fn stop(&self) {
        keeper::stop(&self.inner).await;
    }
}

impl Inner {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A secret that nobody has seen. Removing something shows its secret to all.
    fn new_secret(&self) -> Result<Secret, ServiceError> {
        let number = self.secrets.fetch_add(1, Ordering::Relaxed);
        let hash = blake3::keyed_hash(&self.key, &number.to_le_bytes());
        Ok(Secret::new(hash.as_bytes()[..SECRET_LEN].to_vec())?)
    }

    fn list_of(&self, service: &ServiceId) -> List {
        self.dht.list(Key::of_service(service))
    }

    fn service_list(&self) -> List {
        self.dht.list(Key::new(SERVICE_LIST).expect("a short key"))
    }

    /// Puts an advertisement for another lease, if it still stands. Whoever calls has its turn.
    async fn renew(&self, name: &Name) -> Result<(), ServiceError> {
        let Some(lease) = self.ledger().lease(name, self.now_ms()) else { return Ok(()) };
        let (service, contact) = name;
        let value = Value::new(contact.as_str().to_owned())?;
        let element = Element::new(value, lease.secret.tag(), lease.ttl)?;
        let put = self.list_of(service).put(&element, lease.seat).await;
        match &put {
            Ok(seat) => self.ledger().renewed(name, *seat, self.now_ms()),
            Err(_) => self.ledger().failed(name, self.now_ms()),
        }
        let counter = if put.is_ok() { &self.renewals } else { &self.failures };
        counter.fetch_add(1, Ordering::Relaxed);
        put?;
        self.list_service(service).await
    }

    /// Keeps a service in the list of all, unless somebody just has. Nobody can remove it there, for it
    /// is everybody's who offers it; it lapses when nobody does.
    async fn list_service(&self, service: &ServiceId) -> Result<(), ServiceError> {
        let (now, lease) = (self.now_ms(), self.lease_s * 1000);
        let until = self.views().listed_until(service);
        // Renewals come thrice in a lease: with half of it left there is one more before it lapses.
        if until.is_some_and(|until| until > now + lease / 2) {
            return Ok(());
        }
        let ttl = Ttl::from_secs(self.lease_s.cast_signed()).unwrap_or(Ttl::MAX);
        let value = Value::new(service.as_str().to_owned())?;
        let element = Element::new(value, LAPSES, ttl)?;
        self.service_list().put(&element, None).await?;
        self.views().listed(service, now + lease);
        Ok(())
    }

    /// Removes an advertisement from the overlay. Whoever calls has its turn, if it has one.
    async fn remove(&self, name: &Name, secret: Secret) -> Result<Removal, ServiceError> {
        let value = Value::new(name.1.as_str().to_owned())?;
        let removal = self.list_of(&name.0).remove(&value, Some(secret)).await?;
        self.ledger().forget(name);
        Ok(removal)
    }
}
