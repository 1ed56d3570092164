//! What an author signed: a value of theirs under a key, or its removal.
//!
//! A replica keeps it as [`State::Signed`](crate::State::Signed) and checks it by [`Signed::check`]; a
//! reader is only ever given a [`Verified`] one. `docs/reference/signed.md` draws the bytes, which are
//! the same on a wire, on a disk, and to a program that gets the key's values.

mod layout;
mod parts;

use std::cmp::Ordering;
use std::fmt;

use bytes::Bytes;

pub use layout::MalformedSigned;
pub use parts::{Kind, Sequence};

use crate::public_key::SIGNATURE_LEN;
use crate::{
    EntryId, Lifetime, Place, PublicKey, SigningKey, Slot, TooLarge, Ttl, Value, Verified, Version,
};

/// What a signature is made over begins with this, so that it is good for nothing else.
const SIGNING_LABEL: &[u8] = b"scope signed entry 1";

/// A value its author signed for one place, or its removal: a later one with the same author and
/// slot. Cloning is cheap; its parts were read, its signature not checked.
///
/// An author has one entry in each slot of a key. The one with the highest sequence counts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Signed(Bytes);

/// A signature is not its author's, or was made for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signature is not the author's for this key; sign the entry for the key it is put under"
)]
pub struct WrongSignature;

impl Signed {
    /// What is added to the body, in bytes: all that is signed with it, and the signature.
    pub const OVERHEAD: usize = layout::OVERHEAD;

    /// Longest body, in bytes: the whole is a value like others.
    pub const BODY_MAX: usize = layout::BODY_MAX;

    /// What a removal costs a key's quota, in bytes, and the most its record may take on disk: a row's
    /// key of 92, a header of 17, and [`Signed::OVERHEAD`].
    pub const REMOVAL_COST: usize = 240;

    /// Signs a body to be put at `place`.
    ///
    /// # Errors
    /// [`TooLarge`] above [`Signed::BODY_MAX`] bytes.
    pub fn sign(
        key: &SigningKey,
        place: &Place,
        slot: Slot,
        kind: Kind,
        sequence: Sequence,
        ttl: Ttl,
        body: &[u8],
    ) -> Result<Signed, TooLarge> {
        TooLarge::check("signed body", body.len(), Signed::BODY_MAX)?;
        let unsigned = layout::write(&key.public(), slot, kind, sequence, Some((ttl, body)));
        Ok(Signed::seal(key, place, unsigned))
    }

    /// Signs the removal of what the author has in the slot at `place`. It has to have a higher
    /// sequence, or the same.
    pub fn removal(
        key: &SigningKey,
        place: &Place,
        slot: Slot,
        kind: Kind,
        sequence: Sequence,
    ) -> Signed {
        Signed::seal(key, place, layout::write(&key.public(), slot, kind, sequence, None))
    }

    fn seal(key: &SigningKey, place: &Place, mut unsigned: Vec<u8>) -> Signed {
        let signature = key.sign(&message(place, &unsigned));
        unsigned.extend_from_slice(&signature);
        Signed(unsigned.into())
    }

    /// Reads the canonical bytes. There is one encoding of each; whatever is not as
    /// [`Signed::as_bytes`] gives it is refused.
    ///
    /// # Errors
    /// [`MalformedSigned`] says what is wrong. The signature is not looked at.
    pub fn from_bytes(bytes: Bytes) -> Result<Signed, MalformedSigned> {
        layout::check(&bytes)?;
        Ok(Signed(bytes))
    }

    /// The canonical bytes, at most [`VALUE_MAX`](crate::limits::VALUE_MAX).
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The canonical bytes as a value, without a copy: what is shown to whoever asks for values.
    pub fn to_value(&self) -> Value {
        Value::within_limit(self.0.clone())
    }

    /// Which entry of its key this is: always the same for one author and slot.
    pub fn id(&self) -> EntryId {
        EntryId::of_slot(&self.author(), self.slot())
    }

    /// Who signed it.
    pub fn author(&self) -> PublicKey {
        PublicKey::from_bytes(layout::author(&self.0))
    }

    /// Which of the author's entries under its key it is.
    pub fn slot(&self) -> Slot {
        Slot::new(layout::slot(&self.0))
    }

    /// What the body is.
    pub fn kind(&self) -> Kind {
        layout::kind(&self.0)
    }

    /// Which of those the author signed for this slot it is.
    pub fn sequence(&self) -> Sequence {
        Sequence::new(layout::sequence(&self.0))
    }

    /// Its sequence, where a version is asked for.
    pub fn version(&self) -> Version {
        Version::new(self.sequence().number())
    }

    /// The body's ttl as it was signed; `None` of a removal.
    pub fn ttl(&self) -> Option<Ttl> {
        layout::ttl(&self.0)
    }

    /// The longest it may live: its ttl, and a removal as any tombstone.
    pub fn life(&self) -> Lifetime {
        self.ttl().map_or(Lifetime::TOMBSTONE, Lifetime::from)
    }

    /// Whether the author removed what was there.
    pub fn is_removal(&self) -> bool {
        layout::is_removal(&self.0)
    }

    /// The body, without a copy; `None` of a removal.
    pub fn body(&self) -> Option<Bytes> {
        let end = self.0.len() - SIGNATURE_LEN;
        (!self.is_removal()).then(|| self.0.slice(layout::HEADER_LEN..end))
    }

    /// What it costs its key's quota, in bytes.
    pub fn cost(&self) -> usize {
        if self.is_removal() { Signed::REMOVAL_COST } else { self.0.len() }
    }

    /// Checks that its author signed it, for this place.
    ///
    /// # Errors
    /// [`WrongSignature`] if not.
    pub fn check(&self, place: &Place) -> Result<(), WrongSignature> {
        let (unsigned, signature) = layout::split(&self.0);
        if self.author().verifies(&message(place, unsigned), &signature) {
            Ok(())
        } else {
            Err(WrongSignature)
        }
    }

    /// What a reader is given.
    ///
    /// # Errors
    /// As [`Signed::check`].
    pub fn verify(self, place: &Place) -> Result<Verified<Signed>, WrongSignature> {
        self.check(place)?;
        Ok(Verified::that(self))
    }

    /// Which of two an author signed with one sequence stands, alike everywhere: the higher hash.
    pub(crate) fn settle(&self, other: &Signed) -> Ordering {
        if self == other {
            return Ordering::Equal;
        }
        let hash = |signed: &Signed| *blake3::hash(&signed.0).as_bytes();
        hash(self).cmp(&hash(other))
    }
}

/// What is signed: the label, the place, and all the bytes but the signature.
fn message(place: &Place, unsigned: &[u8]) -> Vec<u8> {
    [SIGNING_LABEL, place.as_bytes(), unsigned].concat()
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_removal() { "removal" } else { "body" };
        let (kind, sequence) = (self.kind(), self.sequence().number());
        let tag = self.author().fingerprint().tag();
        write!(f, "Signed(~{tag} {kind:?} {sequence} {what}, {} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests;
