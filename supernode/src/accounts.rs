//! Which names have a phone password, over the overlay: [`p2psip`]'s accounts.
//!
//! Who has a name signs a record with hashes of its phone password; super-nodes read it, and nobody else
//! can. A name whose holder has none is open.
//!
//! ```text
//! p2psip ──────────► PhoneAccounts ─┬─► remembered: what was found a moment ago; open, while nobody else is there
//! rpc (for owners) ─►               ├─► dht: signed, holder, put_signed
//!                                   └─► record: the bytes, and their seal
//! client (an owner's own command) ─► password, record
//! ```

mod open;
mod password;
mod record;
mod remembered;
#[cfg(test)]
mod vectors;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Key, Kind, MalformedSigned, Name, PublicKey, Sequence, Signed, Slot, Verified};
use bytes::Bytes;
use dht::{Claimant, Dht, DhtError, NameStatus, SignedPage, Stamp};
use p2psip::accounts::{Account, Accounts};
use p2psip::location::{Answer, Aor, LocationError};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::location;
use crate::quota::{OverQuota, Quota};
use crate::random;
use crate::source::Source;
use open::Open;
pub(crate) use password::PhonePassword;
use record::Seal;
pub(crate) use record::{Record, Salt};
use remembered::Remembered;

/// Records of a name that are looked at in one read. There is one, and some that earlier owners left; if
/// somebody puts more, each owner's is asked for by itself.
const GLANCE: usize = 16;
/// While nobody has a name, records of so many that claim it are looked at: more never contest.
const CLAIMANTS: usize = 8;

/// The accounts of an overlay. Clones are handles to the same.
#[derive(Clone)]
pub struct PhoneAccounts {
    inner: Arc<Inner>,
}

struct Inner {
    dht: Dht,
    seal: Seal,
    remembered: Mutex<Remembered<Found>>,
    open: Mutex<Open>,
    started: Instant,
}

/// What is known of a name; nothing, if what there is cannot be read.
type Found = Result<Option<Account>, LocationError>;

/// What was read of a name.
enum Read {
    /// Nobody has put a record for it.
    NoRecord,
    /// This is what the records come to, and whose they are.
    Found(Found),
}

/// How an owner's phone password stands, as the owner's program needs it to make or renew one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Which of the owner's passwords is in force, if one is.
    pub(crate) salt: Option<Salt>,
    /// The least sequence the owner's next record may have.
    pub(crate) next: Sequence,
}

/// Why nothing came of it, and what to do. Fit to be shown to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountsError {
    /// That was not signed by anybody.
    #[error("the record cannot be read: {0}")]
    Malformed(#[from] MalformedSigned),
    /// It is a signed entry, but not such a one.
    #[error("that is no record of a phone password of this name: {0}")]
    NotARecord(String),
    /// Who signed it does not have the name.
    #[error(
        "not the holder: {0}; only who has a name can protect it, some two seconds after having claimed it"
    )]
    NotTheHolder(String),
    /// The source puts too much.
    #[error("the quota of this address is used up")]
    OverQuota(OverQuota),
    /// The system has no randomness for a seal.
    #[error("this super-node has no random numbers just now; try again")]
    NoRandomness,
    /// The overlay did not do it.
    #[error(transparent)]
    Dht(#[from] DhtError),
}

impl PhoneAccounts {
    /// The accounts of an overlay.
    pub fn new(dht: Dht) -> PhoneAccounts {
        let seal = Seal::new(|context| dht.shared_key(context));
        let (remembered, open) = (Mutex::default(), Mutex::default());
        let started = Instant::now();
        PhoneAccounts { inner: Arc::new(Inner { dht, seal, remembered, open, started }) }
    }

    /// How one owner's phone password of a name stands.
    pub(crate) async fn standing(
        &self,
        name: &Name,
        owner: &PublicKey,
    ) -> Result<Standing, AccountsError> {
        let (dht, key) = (&self.inner.dht, key(name));
        let there = dht.signed_in(&key, owner, Slot::ZERO).await?;
        let salt = there.and_then(|signed| record::salt(&signed.body()?));
        let next = dht.next_sequence(&key, owner, Slot::ZERO, Sequence::ZERO).await?;
        Ok(Standing { salt, next })
    }

    /// A record's bytes for its owner to sign: sealed, if the overlay has a passphrase.
    pub(crate) fn seal(
        &self,
        name: &Name,
        owner: &PublicKey,
        record: &Record,
    ) -> Result<Vec<u8>, AccountsError> {
        let nonce = random::bytes().map_err(|_| AccountsError::NoRandomness)?;
        Ok(self.inner.seal.close(record, &key(name).place(), owner, nonce))
    }

    /// Puts what the holder of a name signed: a record, or its removal. It counts at this node at once, at
    /// others some seconds later. How many copies are on disk.
    pub(crate) async fn put(
        &self,
        (quota, source): (&Quota, Source),
        name: &Name,
        signed: Bytes,
    ) -> Result<usize, AccountsError> {
        let (inner, key) = (&self.inner, key(name));
        let signed = Signed::from_bytes(signed)?;
        if signed.kind() != Kind::Plain || signed.slot() != Slot::ZERO {
            return Err(AccountsError::NotARecord("its kind or slot is another".to_owned()));
        }
        if let Some(body) = signed.body() {
            let read = inner.seal.open(&body, &key.place(), &signed.author());
            read.map_err(|why| AccountsError::NotARecord(why.to_string()))?;
        }
        let holder = inner.dht.holder(name).await?.holder;
        let holder =
            holder.ok_or_else(|| AccountsError::NotTheHolder("nobody has that name".to_owned()))?;
        if holder.key != signed.author() {
            let whose = holder.key.fingerprint();
            return Err(AccountsError::NotTheHolder(format!("the key {whose} has the name")));
        }
        if holder.claim.name != *name {
            let spelt = &holder.claim.name;
            return Err(AccountsError::NotTheHolder(format!("the name is spelt '{spelt}'")));
        }
        let allowed = quota.put(source, &key, &signed.to_value(), signed.life());
        allowed.map_err(AccountsError::OverQuota)?;
        // Who looks meanwhile may miss it, and whatever becomes of it, it may be in force.
        inner.open().changed();
        let put = inner.dht.put_signed(&key, signed).await;
        inner.open().changed();
        inner.remembered().clear();
        Ok(put?.replicas)
    }
}

/// Where the records of a name are.
pub(crate) fn key(name: &Name) -> Key {
    record::key(&location::service(), name)
}

impl Inner {
    fn remembered(&self) -> MutexGuard<'_, Remembered<Found>> {
        // What it guards is whole between any two statements.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Finds the account of a name, and remembers it.
    async fn find(&self, aor: Aor) -> Found {
        let alone = self.dht.alone().map(Stamp::number);
        if alone.is_some_and(|stamp| self.open().has(&aor, stamp)) {
            return Ok(None);
        }
        let known = self.remembered().get(&aor, self.now_ms());
        if let Some(known) = known {
            return known;
        }
        let changes = self.open().changes();
        // What nobody can claim nobody can protect.
        let found = match Name::new(aor.as_str()) {
            Ok(name) => self.read(&name).await,
            Err(_) => Ok(Read::NoRecord),
        };
        let found = found.map_err(|error| {
            debug!(%aor, %error, "it is not known whether a name has a phone password");
            LocationError::Unavailable
        })?;
        let found = match (found, alone) {
            (Read::NoRecord, Some(stamp)) => {
                self.open().note(&aor, stamp, changes);
                return Ok(None);
            }
            (Read::NoRecord, None) => Ok(None),
            (Read::Found(found), _) => found,
        };
        self.remembered().note(aor, found.clone(), self.now_ms());
        found
    }

    async fn read(&self, name: &Name) -> Result<Read, DhtError> {
        let key = key(name);
        let glance = self.dht.signed(&key, None, GLANCE).await?;
        if glance.entries.is_empty() && glance.next.is_none() {
            return Ok(Read::NoRecord);
        }
        let status = self.dht.holder(name).await?;
        for claimant in who_counts(&status) {
            if let Some(signed) = self.record_of(&key, &glance, claimant).await? {
                return Ok(Read::Found(self.account(&key, claimant, &signed)));
            }
        }
        debug!(%name, "there are records of phone passwords, but none of who has the name");
        Ok(Read::Found(Ok(None)))
    }

    /// The record that a claimant has signed, if it has.
    async fn record_of(
        &self,
        key: &Key,
        glance: &SignedPage,
        claimant: &Claimant,
    ) -> Result<Option<Verified<Signed>>, DhtError> {
        let is_its = |signed: &&Verified<Signed>| {
            signed.author() == claimant.key && signed.slot() == Slot::ZERO
        };
        let seen = glance.entries.iter().find(is_its).cloned();
        let signed = match seen {
            None if glance.next.is_some() => {
                self.dht.signed_in(key, &claimant.key, Slot::ZERO).await?
            }
            seen => seen,
        };
        Ok(signed.filter(|signed| signed.sequence() >= claimant.claim.floor))
    }

    /// What a claimant's record says. If it cannot be read the name is nobody's to use: whoever signed it
    /// wanted it protected.
    fn account(&self, key: &Key, claimant: &Claimant, signed: &Signed) -> Found {
        let name = &claimant.claim.name;
        let body = signed.body().unwrap_or_default();
        match self.seal.open(&body, &key.place(), &claimant.key) {
            Ok(record) => Ok(Some(record.account(name))),
            Err(why) => {
                warn!(
                    %name, %why,
                    "a name's phone password cannot be read: nobody can use the name until its owner \
                     runs supernode phone-password again"
                );
                Err(LocationError::Unavailable)
            }
        }
    }
}

/// Whose records count, the first first: the holder's. While it is not decided who has the name, as for a
/// moment when its replicas change, whoever claims it in order: the name is not open meanwhile.
fn who_counts(status: &NameStatus) -> impl Iterator<Item = &Claimant> {
    let undecided = status.holder.is_none().then_some(&status.others);
    status.holder.iter().chain(undecided.into_iter().flatten().take(CLAIMANTS))
}

impl Accounts for PhoneAccounts {
    fn account(&self, aor: &Aor) -> Answer<Option<Account>> {
        let (inner, aor) = (Arc::clone(&self.inner), aor.clone());
        Box::pin(async move { inner.find(aor).await })
    }
}

#[cfg(test)]
mod tests;
