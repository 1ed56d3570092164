//! Where people are, over the overlay: [`p2psip`]'s location service.
//!
//! What a super-node accepts it states in an entry that it signs, under the address of record's key in
//! the key space of the service `P2PSIP`; of several statements the newest counts at every reader.
//!
//! ```text
//! p2psip ─► Locations ─┬─► statement: the bytes   state: what counts of what is found
//!                      ├─► dht: get, put_signed, watch
//!                      └─► ledger: what was accepted here
//! ```

mod ledger;
#[cfg(test)]
mod samples;
mod state;
mod statement;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Key, Sequence, ServiceId, Ttl};
use dht::{Dht, DhtError, Found, PageRequest};
use futures::future::join_all;
use p2psip::location::{
    Answer, Aor, Binding, Bound, Change, Cursor, Known, LocationError, LocationService,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use ledger::Ledger;
pub use ledger::Registration;
use state::State;
use statement::Statement;

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
        for (aor, slot, sequence) in bound {
            if under_way.len() >= AT_ONCE_LEAVING {
                under_way.join_next().await;
            }
            let inner = Arc::clone(inner);
            under_way.spawn(async move {
                if let Err(error) = inner.take_back(&aor, slot, sequence).await {
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
    async fn read(&self, aor: &Aor) -> Result<State, LocationError> {
        let key = self.key(aor);
        // As much as a key may have: what others put there must not hide what counts.
        let page = self.dht.get(&key, PageRequest::ALL).await.map_err(unavailable)?;
        Ok(self.state(&key, &page.values))
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
        if let Change::Drop(gone) = &change {
            return self.drop_own(aor, gone).await;
        }
        let known = match known {
            Some(known) => known,
            None => self.read(aor).await?.known(),
        };
        let sequence = state::after(known.version);
        let said: Vec<(Statement, Duration)> = match change {
            Change::Drop(_) => Vec::new(),
            Change::Clear => vec![(Statement::NoneBefore, OVER)],
            Change::Set(set) => set
                .into_iter()
                .map(|(binding, lifetime)| match lifetime.is_zero() {
                    true => (Statement::Over(binding), OVER),
                    false => (Statement::At(binding), lifetime),
                })
                .collect(),
        };
        // If one fails the phone is told so, and sends all again; those that are there lapse else.
        let puts = said.iter().map(|(said, life)| self.say(aor, said, sequence, *life));
        let sequences = join_all(puts).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let said = said.into_iter().zip(sequences).map(|((said, life), at)| (said, at, life));
        let said: Vec<_> = said.collect();
        for (said, sequence, life) in &said {
            self.ledger().note(aor, *sequence, said, *life, self.now_ms());
        }
        Ok(state::and(known, said))
    }

    /// Takes back exactly these, as far as they are this node's.
    async fn drop_own(&self, aor: &Aor, gone: &[Binding]) -> Result<Vec<Bound>, LocationError> {
        let state = self.read(aor).await?;
        for own in state.own().iter().filter(|own| gone.contains(&own.binding)) {
            self.take_back(aor, own.slot, own.sequence).await.map_err(unavailable)?;
            self.ledger().taken_back(aor, own.slot, own.sequence);
        }
        let mut left = state.bound();
        left.retain(|bound| !gone.contains(&bound.binding));
        Ok(left)
    }

    /// Puts a statement, with this sequence or a higher one; with which.
    async fn say(
        &self,
        aor: &Aor,
        said: &Statement,
        mut sequence: Sequence,
        life: Duration,
    ) -> Result<Sequence, LocationError> {
        let (key, body) = (self.key(aor), said.to_bytes());
        let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX).max(1);
        let ttl = Ttl::from_secs(seconds).unwrap_or(Ttl::MAX);
        for _ in 0..TRIES {
            let signed = self.dht.sign(&key, said.slot(), sequence, ttl, &body);
            // No statement is as long as a value may be.
            let signed = signed.map_err(|_| LocationError::Full)?;
            match self.dht.put_signed(&key, signed).await {
                Ok(_) => return Ok(sequence),
                // What was taken back here is remembered, and not shown; or two were said at once.
                Err(DhtError::Superseded(by)) => sequence = Sequence::new(by).next(),
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(LocationError::Unavailable)
    }

    /// Takes back what this node has in a slot, up to a sequence.
    async fn take_back(
        &self,
        aor: &Aor,
        slot: base::Slot,
        sequence: Sequence,
    ) -> Result<(), DhtError> {
        let key = self.key(aor);
        let removal = self.dht.sign_removal(&key, slot, sequence);
        match self.dht.put_signed(&key, removal).await {
            // Somebody registered here again meanwhile.
            Err(DhtError::Superseded(_)) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
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
        Box::pin(async move { Ok(inner.read(&aor).await?.known()) })
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
