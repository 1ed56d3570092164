//! Who has a name, through [`Dht`]: claiming one, asking who has it, and giving it back. Whatever is
//! returned was signed by who it says, for this name; who of them has the name is what the replicas say.

use std::time::Duration;

use base::{
    Claim, EntryId, Key, Name, PublicKey, Sequence, Signed, SigningKey, Slot, Standing, Ttl,
    Verified, order,
};
use tokio::time::{Instant, sleep};

use crate::handle::Receipt;
use crate::overlay::consult::{Consult, Consulted};
use crate::overlay::read::Consistency;
use crate::wire::{Get, LISTING_BYTES, LISTING_ENTRIES};
use crate::{Dht, DhtError, drive};

/// Between two looks whether a claim is confirmed.
const LOOK: Duration = Duration::from_millis(250);
/// Most claims of one name that are looked at: more than people ever mean the same.
const CLAIMANTS_MAX: usize = 256;

/// Somebody who claims a name: what its key signed, and holds still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// The claimant's key: its identity.
    pub key: PublicKey,
    /// The claim. Its name may be spelt in another way than the one that was asked for: all that look
    /// alike contest with each other.
    pub claim: Claim,
    /// The claim as it was signed: which of the claimant's it is, for how long, in its canonical bytes.
    pub signed: Verified<Signed>,
    /// For how long the name has been claimed by this key, or by those it inherited it from, as the
    /// replicas tell.
    pub held: Duration,
}

/// Who claims a name, and who of them has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameStatus {
    /// Who has the name: confirmed by enough replicas.
    pub holder: Option<Claimant>,
    /// All others that claim it, the first in order first. With a holder they are losers, to be shown by
    /// [`Claimant::tagged`]; else the first of them is about to have it.
    pub others: Vec<Claimant>,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The claimant has the name.
    Confirmed(Claimant),
    /// Not decided yet.
    Pending,
    /// This other claimant has the name, or is about to: it may be spelt in another way.
    Lost(Claimant),
}

impl Claimant {
    /// How a loser is shown: `alice~4f2a`.
    pub fn tagged(&self) -> String {
        self.claim.name.with_tag(&self.key)
    }
}

impl NameStatus {
    /// What this means to one claimant.
    pub fn of(&self, key: &PublicKey) -> Claimed {
        match &self.holder {
            Some(holder) if holder.key == *key => Claimed::Confirmed(holder.clone()),
            // The holder has passed the name on; not all replicas know yet.
            Some(holder) if self.inherits(key, &holder.key) => Claimed::Pending,
            Some(holder) => Claimed::Lost(holder.clone()),
            None => Claimed::Pending,
        }
    }

    fn inherits(&self, key: &PublicKey, from: &PublicKey) -> bool {
        self.claimant(key).is_some_and(|heir| heir.claim.heir_of().contains(from))
    }

    /// Whom one of these keys belongs to, if it claims the name.
    pub fn claimant(&self, key: &PublicKey) -> Option<&Claimant> {
        self.holder.iter().chain(&self.others).find(|claimant| claimant.key == *key)
    }
}

impl Dht {
    /// Who has a name, and who else claims it or one that looks like it.
    ///
    /// # Errors
    /// [`DhtError::NoQuorum`] when too few replicas answered in time.
    pub async fn holder(&self, name: &Name) -> Result<NameStatus, DhtError> {
        self.claims_under(name.key()).await
    }

    /// Puts a claim that somebody signed, as [`Claim::sign`] makes it, or gives a name back
    /// ([`Claim::withdraw`]). Whether the claimant has the name is decided some two seconds later:
    /// [`Dht::await_claim`].
    ///
    /// # Errors
    /// [`DhtError::Taken`] when somebody else has the name or is about to; [`DhtError::Forged`] when it
    /// is not what its author signed for this name, or no claim; else as [`Dht::put_signed`].
    pub async fn put_claim(&self, name: &Name, signed: Signed) -> Result<Receipt, DhtError> {
        let forged = |why: String| DhtError::Forged(why);
        if signed.kind() != base::Kind::Claim || signed.slot() != Slot::ZERO {
            return Err(forged(base::ClaimError::NoClaim.to_string()));
        }
        if !signed.is_removal() {
            let (place, signatures) = (name.key().place(), &self.node().signatures);
            let verified =
                signatures.verify(signed.clone(), &place).map_err(|no| forged(no.to_string()))?;
            let claim = Claim::read(&verified, &place).map_err(|no| forged(no.to_string()))?;
            if claim.name != *name {
                return Err(forged(format!("the claim is for '{}'", claim.name)));
            }
        }
        self.put_signed(name.key(), signed).await
    }

    /// Claims a name, or claims it anew so that it does not lapse, and waits at most so long until that is
    /// decided. It lives for `ttl`; the key has the name for as long as it is claimed again before that.
    ///
    /// # Errors
    /// As [`Dht::put_claim`], but for a name that is taken: that is [`Claimed::Lost`].
    pub async fn claim(
        &self,
        key: &SigningKey,
        claim: &Claim,
        sequence: Sequence,
        ttl: Ttl,
        patience: Duration,
    ) -> Result<Claimed, DhtError> {
        let signed = claim.sign(key, sequence, ttl);
        let signed = signed.map_err(|large| DhtError::Forged(large.to_string()))?;
        match self.put_claim(&claim.name, signed).await {
            Ok(_) => self.await_claim(&claim.name, &key.public(), patience).await,
            Err(DhtError::Taken(text)) => {
                let status = self.holder(&claim.name).await?;
                let mut ahead = status.holder.into_iter().chain(status.others);
                // One that lapsed in between leaves the name to whoever claims it next.
                let ahead = ahead.find(|other| other.key != key.public());
                ahead.map(Claimed::Lost).ok_or(DhtError::Taken(text))
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until it is decided whether this key has a name, at most so long.
    ///
    /// # Errors
    /// As [`Dht::holder`].
    pub async fn await_claim(
        &self,
        name: &Name,
        key: &PublicKey,
        patience: Duration,
    ) -> Result<Claimed, DhtError> {
        let deadline = Instant::now() + patience;
        loop {
            let found = self.holder(name).await.map(|status| status.of(key));
            let is_decided = found.as_ref().is_ok_and(|claimed| *claimed != Claimed::Pending);
            if is_decided || Instant::now() + LOOK >= deadline {
                return found;
            }
            sleep(LOOK).await;
        }
    }

    /// The next sequence an author may sign with in a slot of a key: above all that the overlay
    /// remembers of it, removals included, and not below `at_least`.
    ///
    /// # Errors
    /// As [`Dht::get`].
    pub async fn next_sequence(
        &self,
        key: &Key,
        author: &PublicKey,
        slot: Slot,
        at_least: Sequence,
    ) -> Result<Sequence, DhtError> {
        let last = self.read_slot(key, author, slot).await?;
        let next = last.map_or(0, |signed| signed.sequence().number().saturating_add(1));
        Ok(Sequence::new(next.max(at_least.number())))
    }

    /// What an author has in a slot of a key, if it is there.
    ///
    /// # Errors
    /// As [`Dht::get`].
    pub async fn signed_in(
        &self,
        key: &Key,
        author: &PublicKey,
        slot: Slot,
    ) -> Result<Option<Verified<Signed>>, DhtError> {
        let signed = self.read_slot(key, author, slot).await?;
        Ok(signed.filter(|signed| !signed.is_removal()))
    }

    /// All that the holder of a name has signed under a key and not removed, at most `max`; what is below
    /// the floor of the holder's claim is not believed any more, and left out.
    ///
    /// # Errors
    /// As [`Dht::get`].
    pub async fn signed_by(
        &self,
        key: &Key,
        holder: &Claimant,
        max: usize,
    ) -> Result<Vec<Verified<Signed>>, DhtError> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.signed(key, after, LISTING_ENTRIES).await?;
            let theirs = page.entries.into_iter().filter(|signed| {
                signed.author() == holder.key && signed.sequence() >= holder.claim.floor
            });
            found.extend(theirs);
            after = page.next;
            if after.is_none() || found.len() >= max {
                found.truncate(max);
                return Ok(found);
            }
        }
    }

    async fn claims_under(&self, key: &Key) -> Result<NameStatus, DhtError> {
        let nonce = fastrand::u128(..).to_be_bytes();
        let consulting = drive::run(self.node(), Consult::new(key.place(), nonce));
        let reading = self.signed(key, None, CLAIMANTS_MAX);
        let (consulted, page) = tokio::join!(consulting, reading);
        let (consulted, mut claims) = (consulted?, read_claims(key, page?.entries));
        let Standing::Confirmed(holder) = consulted.standing() else {
            return Ok(NameStatus { holder: None, others: in_order(claims, &consulted) });
        };
        if !claims.iter().any(|claimant| claimant.key == holder) {
            // It came between the two questions, or there are more claims than are looked at.
            let its = self.signed_in(key, &holder, Slot::ZERO).await?;
            claims.extend(read_claims(key, its.into_iter().collect()));
        }
        let mut others = in_order(claims, &consulted);
        let at = others.iter().position(|claimant| claimant.key == holder);
        Ok(NameStatus { holder: at.map(|at| others.remove(at)), others })
    }

    async fn read_slot(
        &self,
        key: &Key,
        author: &PublicKey,
        slot: Slot,
    ) -> Result<Option<Verified<Signed>>, DhtError> {
        let (place, id) = (key.place(), EntryId::of_slot(author, slot));
        let (after, until) = (crate::handle::before(id), Some(id));
        let get = Get { place, after, until, entries: 1, bytes: LISTING_BYTES };
        let part = self.read(get, Consistency::Quorum).await?;
        let signed = part.entries.into_iter().find_map(|entry| entry.as_signed().cloned());
        let signatures = &self.node().signatures;
        Ok(signed.and_then(|signed| signatures.verify(signed, &place).ok()))
    }
}

fn read_claims(key: &Key, entries: Vec<Verified<Signed>>) -> Vec<Claimant> {
    let place = key.place();
    let claimant = |signed: &Verified<Signed>| {
        let claim = Claim::read(signed, &place).ok()?;
        let (key, signed) = (signed.author(), signed.clone());
        Some(Claimant { key, claim, signed, held: Duration::ZERO })
    };
    entries.iter().filter_map(claimant).collect()
}

/// The claimants as the replicas order them; those they do not name come last.
fn in_order(mut claims: Vec<Claimant>, consulted: &Consulted) -> Vec<Claimant> {
    let told: Vec<_> = consulted.told.iter().collect();
    let order = order(&told);
    let rank = |key: &PublicKey| order.iter().position(|other| other == key).unwrap_or(usize::MAX);
    for claimant in &mut claims {
        let of_it = |told: &&base::Told| {
            told.held().iter().find(|held| held.author == claimant.key).map_or(0, |h| h.held_ms)
        };
        let mut held: Vec<u64> = told.iter().map(of_it).collect();
        held.sort_unstable();
        let median = held.get(held.len().saturating_sub(1) / 2).copied().unwrap_or(0);
        claimant.held = Duration::from_millis(median);
    }
    claims.sort_by_key(|claimant| (rank(&claimant.key), claimant.key));
    claims
}
