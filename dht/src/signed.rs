//! What authors signed, through [`Dht`]: put as it is, read only once it has been verified.

use base::{
    Entry, EntryId, Key, Kind, Lifetime, Place, PublicKey, Sequence, Signed, Slot, State, TooLarge,
    Ttl, Verified, Version, WrongSignature,
};
use tokio::time::{Duration, Instant};

use crate::handle::Receipt;
use crate::overlay::read::Consistency;
use crate::overlay::write::Write;
use crate::wire::{Get, LISTING_BYTES, LISTING_ENTRIES};
use crate::{Dht, DhtError};

/// Part of what authors signed under a key.
#[derive(Debug, Clone)]
pub struct SignedPage {
    /// What is there, in the order of the entries' ids; each signed by who it says, for this key.
    pub entries: Vec<Verified<Signed>>,
    /// Where to go on, if that was not all.
    pub next: Option<EntryId>,
}

impl Dht {
    /// Signs a body as this super-node, to be put under a key: its author is the key the node's id is
    /// made of.
    ///
    /// # Errors
    /// [`TooLarge`] above [`Signed::BODY_MAX`] bytes.
    pub fn sign(
        &self,
        key: &Key,
        slot: Slot,
        sequence: Sequence,
        ttl: Ttl,
        body: &[u8],
    ) -> Result<Signed, TooLarge> {
        let (node, place) = (self.node(), key.place());
        let signed = Signed::sign(&node.key, &place, slot, Kind::Plain, sequence, ttl, body)?;
        node.signatures.made(&signed, &place);
        Ok(signed)
    }

    /// Signs the removal of what this super-node has in a slot of a key. It wins over what has this
    /// sequence, or a lower one.
    pub fn sign_removal(&self, key: &Key, slot: Slot, sequence: Sequence) -> Signed {
        let (node, place) = (self.node(), key.place());
        let removal = Signed::removal(&node.key, &place, slot, Kind::Plain, sequence);
        node.signatures.made(&removal, &place);
        removal
    }

    /// As whom this super-node signs.
    pub fn author(&self) -> PublicKey {
        self.node().key.public()
    }

    /// Verifies what an author signed for this place, or says to have. What was right is remembered, so
    /// that it costs little to ask again.
    ///
    /// # Errors
    /// [`WrongSignature`] if it was not signed for this place.
    pub fn verify(
        &self,
        signed: Signed,
        place: &Place,
    ) -> Result<Verified<Signed>, WrongSignature> {
        self.node().signatures.verify(signed, place)
    }

    /// Puts what an author signed for this key, or the removal the author signed. It lives for the ttl
    /// that was signed, and not longer by being put again.
    ///
    /// # Errors
    /// [`DhtError::Forged`] when it was not signed for this key, [`DhtError::Superseded`] when the author
    /// has signed something since, else as [`Dht::put`].
    pub async fn put_signed(&self, key: &Key, signed: Signed) -> Result<Receipt, DhtError> {
        self.put_signed_where(key, signed, None, false).await
    }

    /// The same by who need not be told of it: if this super-node watches the key ([`Dht::watch`]), it does
    /// not hear of the change, and sees it when it looks again. All others hear of it.
    ///
    /// # Errors
    /// As [`Dht::put_signed`].
    pub async fn put_signed_quietly(&self, key: &Key, signed: Signed) -> Result<Receipt, DhtError> {
        self.put_signed_where(key, signed, None, true).await
    }

    /// The same where the key may have at most `room` values, plain ones among them: one above that is
    /// refused, unless its slot has one already. What the author removes needs no room.
    ///
    /// # Errors
    /// [`DhtError::Full`] when there is no room under the key; else as [`Dht::put_signed`].
    pub async fn put_signed_within(
        &self,
        key: &Key,
        signed: Signed,
        room: usize,
    ) -> Result<Receipt, DhtError> {
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        let room = (!signed.is_removal()).then_some(room);
        self.put_signed_where(key, signed, room, false).await
    }

    async fn put_signed_where(
        &self,
        key: &Key,
        signed: Signed,
        room: Option<u32>,
        quiet: bool,
    ) -> Result<Receipt, DhtError> {
        let place = key.place();
        let node = self.node();
        let checked = node.signatures.check(&signed, &place);
        checked.map_err(|wrong| DhtError::Forged(wrong.to_string()))?;
        node.meters.puts.add(1);
        let asked = Instant::now();
        let id = signed.id();
        let entry = move |_: Version| {
            let life = Duration::from(signed.life()).saturating_sub(asked.elapsed());
            let life = Lifetime::from_millis(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
            Entry::from_parts(id, signed.version(), State::Signed(signed.clone()), life)
        };
        let write = |room| {
            let write = Write::signed(place, entry.clone(), room);
            if quiet { write.quietly() } else { write }
        };
        let written = match room {
            None => self.write(write(None)).await,
            Some(room) => self.write_within(place, id, room, write).await,
        };
        if quiet {
            // Also when too few have it: some may.
            node.watches.changed_quietly(&place);
        }
        let replicas = written?;
        node.meters.put_time.record(asked.elapsed());
        Ok(Receipt { replicas })
    }

    /// Lists what authors signed under a key and did not remove, at most `max` of them; values put
    /// without a signature are left out.
    ///
    /// # Errors
    /// As [`Dht::get`].
    pub async fn signed(
        &self,
        key: &Key,
        mut after: Option<EntryId>,
        max: usize,
    ) -> Result<SignedPage, DhtError> {
        let place = key.place();
        self.node().meters.gets.add(1);
        let signatures = &self.node().signatures;
        let mut page = SignedPage { entries: Vec::new(), next: None };
        loop {
            let (entries, bytes) = (LISTING_ENTRIES, LISTING_BYTES);
            let get = Get { place, after, until: None, entries, bytes };
            let part = self.read(get, Consistency::Quorum).await?;
            for entry in &part.entries {
                after = Some(entry.id());
                // Replicas' answers were looked at before they were merged, and are remembered; this is
                // what makes it so.
                let verified = entry
                    .as_signed()
                    .filter(|signed| !signed.is_removal())
                    .and_then(|signed| signatures.verify(signed.clone(), &place).ok());
                page.entries.extend(verified);
                if page.entries.len() >= max.max(1) {
                    page.next = after;
                    return Ok(page);
                }
            }
            if !part.more {
                return Ok(page);
            }
        }
    }
}
