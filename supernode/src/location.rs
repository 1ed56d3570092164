//! Where people are, over the overlay: [`p2psip`]'s location service.
//!
//! What a super-node accepts it states in an entry that it signs, under the address of record's key in
//! the key space of the service `P2PSIP`; of several statements the newest counts at every reader.
//!
//! ```text
//! p2psip ─► Locations ─┬─► statement: the bytes   state: what counts of what is found
//!                      ├─► dht: get, put_signed, watch, stamp
//!                      └─► ledger: what was accepted here
//! ```
//!
//! A refresh is one put. What it is above, and who else is there, this node knows from the last time, as long
//! as the key's stamp ([`Dht::stamp`]) says that no other has said anything since.

mod ledger;
#[cfg(test)]
mod samples;
mod state;
mod statement;

use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Key, Sequence, ServiceId, Signed, TooLarge, Ttl};
use dht::{Dht, DhtError, Found, PageRequest, Stamp};
use p2psip::location::{
    Answer, Aor, Binding, Bound, Change, Cursor, Known, LocationError, LocationService,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

pub use ledger::Registration;
use ledger::{Ledger, Stated};
use state::State;
use statement::{Part, Statement, slot_of};

/// The service whose key space bindings are in, and in whose list super-nodes with SIP are.
pub const SERVICE: &str = "P2PSIP";
/// What the keys of addresses of record begin with.
const KEY_PREFIX: &str = "location/";
/// How long it is remembered that something is over: as long as anything older may live.
const OVER: Duration = Duration::from_secs(600);
/// Sequences that are tried for one statement.
const TRIES: usize = 8;
/// Bindings that are taken back at a time when this node stops, which has little time.
const AT_ONCE_LEAVING: usize = 64;
/// Longest wait of one watch; then it looks by itself.
const WATCH: Duration = Duration::from_secs(60);

/// The location service of a node. Clones are handles to the same.
#[derive(Clone)]
pub struct Locations {
    inner: Arc<Inner>,
}

struct Inner {
    dht: Dht,
    service: ServiceId,
    ledger: Mutex<Ledger>,
    started: Instant,
}

impl Locations {
    /// One over an overlay.
    pub fn new(dht: Dht) -> Locations {
        let inner =
            Inner { dht, service: service(), ledger: Mutex::default(), started: Instant::now() };
        Locations { inner: Arc::new(inner) }
    }

    /// Takes back the bindings that end with this node, those whose flows are here; others go on
    /// without it.
    pub async fn stop(&self) {
        let inner = &self.inner;
        let bound = inner.ledger().bound_to_this_node(inner.now_ms());
        let mut under_way = JoinSet::new();
        for (aor, stated) in bound {
            if under_way.len() >= AT_ONCE_LEAVING {
                under_way.join_next().await;
            }
            let inner = Arc::clone(inner);
            under_way.spawn(async move {
                if let Err(error) = inner.take_back(&aor, &stated).await {
                    debug!(%error, "a binding was not taken back; it lapses by itself");
                }
            });
        }
        under_way.join_all().await;
    }

    /// What was accepted here and is not over, by address of record.
    pub fn registrations(&self) -> Vec<Registration> {
        self.inner.ledger().registrations(self.inner.now_ms())
    }

    /// How many bindings that is.
    pub fn count(&self) -> usize {
        self.inner.ledger().len()
    }
}

/// The service's name.
pub fn service() -> ServiceId {
    ServiceId::new(SERVICE).expect("a good name")
}

impl Inner {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn key(&self, aor: &Aor) -> Key {
        // An address of record is far shorter than a key may be.
        Key::in_service(&self.service, format!("{KEY_PREFIX}{aor}")).expect("a short key")
    }

    /// Reads what is said about an address of record.
    async fn read(&self, key: &Key) -> Result<State, LocationError> {
        // As much as a key may have: what others put there must not hide what counts.
        let page = self.dht.get(key, PageRequest::ALL).await.map_err(unavailable)?;
        Ok(self.state(key, &page.values))
    }

    /// What is known of an address of record, once it is read.
    async fn look_up(&self, aor: &Aor) -> Result<Known, LocationError> {
        let key = self.key(aor);
        let stamp = self.dht.stamp(&key);
        let known = self.read(&key).await?.known();
        Ok(Known { mark: stamp.map(Stamp::number), ..known })
    }

    /// What is known of it without reading, by who refreshes what was accepted here.
    fn remembered(&self, aor: &Aor, again: &[(Arc<Binding>, Duration)]) -> Option<Known> {
        let stamp = self.dht.stamp(&self.key(aor))?;
        self.ledger().known(aor, again, stamp.number(), self.now_ms())
    }

    fn state(&self, key: &Key, found: &[Found]) -> State {
        let place = key.place();
        State::of(found, &self.dht.author(), |signed| self.dht.verify(signed, &place))
    }

    /// Changes what is said of an address of record, from what is known of it, or else is read.
    async fn change(
        &self,
        aor: &Aor,
        change: Change,
        known: Option<Known>,
    ) -> Result<Vec<Bound>, LocationError> {
        let set = match change {
            Change::Drop(gone) => return self.drop_own(aor, &gone).await,
            Change::Clear => None,
            Change::Set(set) => Some(set),
        };
        let known = match known {
            Some(known) => known,
            None => self.look_up(aor).await?,
        };
        let is_refresh = set.as_ref().is_some_and(|set| is_refresh(set, &known));
        let (said, life) = match set.map(statement_of) {
            None => (Statement::NoneBefore, OVER),
            Some(Some(said)) => said,
            // It sets nothing.
            Some(None) => return Ok(known.bound),
        };
        self.ledger().unsettle(aor);
        // One entry, however much is set: all of it is said, or nothing (RFC 3261 §10.3, step 7).
        let sequence = state::after(known.version);
        let sequence = self.say(aor, &said, sequence, life, is_refresh).await?;
        let known = state::and(known, &said, sequence, life);
        let (mut ledger, now_ms) = (self.ledger(), self.now_ms());
        ledger.note(aor, sequence, &said, life, now_ms);
        ledger.settle(aor, &known, now_ms);
        Ok(known.bound)
    }

    /// Takes back exactly these, as far as they are this node's.
    async fn drop_own(
        &self,
        aor: &Aor,
        gone: &[Arc<Binding>],
    ) -> Result<Vec<Bound>, LocationError> {
        self.ledger().unsettle(aor);
        let state = self.read(&self.key(aor)).await?;
        for binding in gone {
            let own = || state.own().iter().filter(|own| own.binding == *binding);
            let Some(sequence) = own().map(|own| own.sequence).max() else { continue };
            let together = own().any(|own| own.together);
            let stated = Stated { binding: Arc::clone(binding), sequence, together };
            self.take_back(aor, &stated).await.map_err(unavailable)?;
            self.ledger().taken_back(aor, binding, sequence);
        }
        let mut left = state.bound();
        left.retain(|bound| !gone.contains(&bound.binding));
        Ok(left)
    }

    /// Puts a statement, with this sequence or a higher one; with which. Whoever watches here need not hear of
    /// a refresh, which changes nothing.
    async fn say(
        &self,
        aor: &Aor,
        said: &Statement,
        mut sequence: Sequence,
        life: Duration,
        is_refresh: bool,
    ) -> Result<Sequence, LocationError> {
        let key = self.key(aor);
        for _ in 0..TRIES {
            // No statement is as long as a value may be.
            let signed = self.sign(&key, said, sequence, life).map_err(|_| LocationError::Full)?;
            let put = match is_refresh {
                true => self.dht.put_signed_quietly(&key, signed).await,
                false => self.dht.put_signed(&key, signed).await,
            };
            match put {
                Ok(_) => return Ok(sequence),
                // What was taken back here is remembered, and not shown; or two were said at once.
                Err(DhtError::Superseded(by)) => sequence = Sequence::new(by).next(),
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(LocationError::Unavailable)
    }

    fn sign(
        &self,
        key: &Key,
        said: &Statement,
        sequence: Sequence,
        life: Duration,
    ) -> Result<Signed, TooLarge> {
        let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX).max(1);
        let ttl = Ttl::from_secs(seconds).unwrap_or(Ttl::MAX);
        self.dht.sign(key, said.slot(), sequence, ttl, &said.to_bytes())
    }

    /// Takes back what this node has said of a binding, up to a sequence; what anybody has said since stays.
    async fn take_back(&self, aor: &Aor, stated: &Stated) -> Result<(), DhtError> {
        let (key, sequence) = (self.key(aor), stated.sequence);
        let end = if stated.together {
            // What was said with it stays. Of one sequence the end wins, and supersedes nobody.
            let part = Part { binding: Arc::clone(&stated.binding), sooner_s: None };
            let end = self.sign(&key, &Statement::Together(vec![part]), sequence, OVER);
            end.map_err(|_| DhtError::Full("the statement is too long".into()))?
        } else {
            self.dht.sign_removal(&key, slot_of(&stated.binding), sequence)
        };
        match self.dht.put_signed(&key, end).await {
            // Somebody registered here again meanwhile.
            Err(DhtError::Superseded(_)) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether all of these count already.
fn is_refresh(set: &[(Arc<Binding>, Duration)], known: &Known) -> bool {
    set.iter().all(|(binding, life)| {
        !life.is_zero() && known.bound.iter().any(|bound| bound.binding == *binding)
    })
}

/// What a REGISTER says that sets these, and for how long that lasts; `None` if it sets nothing.
fn statement_of(mut set: Vec<(Arc<Binding>, Duration)>) -> Option<(Statement, Duration)> {
    if set.len() < 2 {
        let (binding, life) = set.pop()?;
        return Some(match life.is_zero() {
            true => (Statement::Over(binding), OVER),
            false => (Statement::At(binding), life),
        });
    }
    let longest = set.iter().map(|(_, life)| if life.is_zero() { OVER } else { *life }).max()?;
    let part = |(binding, life): (Arc<Binding>, Duration)| {
        let sooner = longest.saturating_sub(life).as_secs();
        let sooner_s = (!life.is_zero()).then(|| u32::try_from(sooner).unwrap_or(u32::MAX));
        Part { binding, sooner_s }
    };
    Some((Statement::Together(set.into_iter().map(part).collect()), longest))
}

fn unavailable(error: DhtError) -> LocationError {
    debug!(%error, "bindings could not be read or written");
    match error {
        DhtError::OverCapacity(_) => LocationError::Full,
        _ => LocationError::Unavailable,
    }
}

impl LocationService for Locations {
    fn bind(&self, aor: &Aor, change: Change) -> Answer<Vec<Bound>> {
        let (inner, aor) = (Arc::clone(&self.inner), aor.clone());
        Box::pin(async move { inner.change(&aor, change, None).await })
    }

    fn bind_after(&self, aor: &Aor, change: Change, known: Known) -> Answer<Vec<Bound>> {
        let (inner, aor) = (Arc::clone(&self.inner), aor.clone());
        Box::pin(async move { inner.change(&aor, change, Some(known)).await })
    }

    fn lookup(&self, aor: &Aor) -> Answer<Known> {
        let (inner, aor) = (Arc::clone(&self.inner), aor.clone());
        Box::pin(async move { inner.look_up(&aor).await })
    }

    fn lookup_again(&self, aor: &Aor, again: &[(Arc<Binding>, Duration)]) -> Answer<Known> {
        match self.inner.remembered(aor, again) {
            Some(known) => Box::pin(ready(Ok(known))),
            None => self.lookup(aor),
        }
    }

    fn watch(&self, aor: &Aor, seen: Option<Cursor>) -> Answer<(Vec<Bound>, Cursor)> {
        let (inner, aor) = (Arc::clone(&self.inner), aor.clone());
        Box::pin(async move {
            let key = inner.key(&aor);
            let mut since = None;
            loop {
                let watched = inner.dht.watch(&key, since, WATCH).await.map_err(unavailable)?;
                let state = inner.state(&key, &watched.values);
                let cursor = state.cursor();
                if seen != Some(cursor) {
                    return Ok((state.bound(), cursor));
                }
                since = Some(watched.cursor);
            }
        })
    }
}

#[cfg(test)]
mod tests;
