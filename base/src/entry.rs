//! One value under a key, or the memory of its removal.

use std::fmt;

use crate::limits::TOMBSTONE_MAX;
use crate::{EntryId, Lifetime, Place, Secret, SecretTag, Signed, Value, Version, WrongSignature};

/// Whether the entry is there or was removed, and by what right.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// There, with this value.
    Live(Value),
    /// Removed: a tombstone. It carries the secret, so that any replica can check, also one that
    /// never held the entry, that whoever removed it was allowed to.
    Removed(Option<Secret>),
    /// Put, or removed, by whoever signed it.
    Signed(Signed),
}

/// One value under a key, or the memory of its removal. What replicas store, exchange and merge.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    pub(crate) id: EntryId,
    pub(crate) version: Version,
    pub(crate) state: State,
    pub(crate) remaining: Lifetime,
}

/// The secret shown is not the one the entry was put with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not the one the value was put with")]
pub struct WrongSecret;

/// An entry whose parts do not belong together: nobody could have made it honestly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForgedEntry {
    /// The value does not have the hash the entry says.
    #[error("the value's hash is not the entry's")]
    Hash,
    /// The removal's secret does not have the entry's tag.
    #[error("the removal's secret is not the entry's")]
    Secret,
    /// A value or removal without a signature has the tag of signed entries.
    #[error("the tag is kept for signed entries; use another secret")]
    Tag,
    /// A signed entry is not under the id of its author and slot.
    #[error("the entry's id is not that of its author and slot")]
    Id,
    /// A signed entry's version is not the sequence its author signed.
    #[error("the entry's version is not the sequence that was signed")]
    Sequence,
    /// A signed entry is to live longer than its author said.
    #[error("the entry's life is longer than the ttl that was signed")]
    TtlRaised,
    /// The signature is not its author's, or was made for another place.
    #[error(transparent)]
    Signature(#[from] WrongSignature),
}

impl Entry {
    /// A value that is there.
    pub fn live(value: Value, tag: SecretTag, version: Version, remaining: Lifetime) -> Entry {
        Entry { id: EntryId::of(&value, tag), version, state: State::Live(value), remaining }
    }

    /// The removal of the entry `id`, to be remembered for [`Lifetime::TOMBSTONE`].
    ///
    /// # Errors
    /// [`WrongSecret`] when the secret, or its absence, is not what the entry's tag asks for.
    pub fn removal(
        id: EntryId,
        secret: Option<Secret>,
        version: Version,
    ) -> Result<Entry, WrongSecret> {
        if !id.tag.admits(secret.as_ref()) {
            return Err(WrongSecret);
        }
        let state = State::Removed(secret);
        Ok(Entry { id, version, state, remaining: Lifetime::TOMBSTONE })
    }

    /// What somebody signed, as its author puts it: with all its life before it.
    pub fn signed(signed: Signed) -> Entry {
        Entry {
            id: signed.id(),
            version: signed.version(),
            remaining: signed.life(),
            state: State::Signed(signed),
        }
    }

    /// An entry put together from parts a disk this node trusts gave back.
    pub fn from_parts(id: EntryId, version: Version, state: State, remaining: Lifetime) -> Entry {
        Entry { id, version, state, remaining }
    }

    /// Checks parts that came from somewhere else; [`Entry::from_parts`] does not. `place` is where
    /// the entry lies or is to lie: a signature holds there only.
    ///
    /// # Errors
    /// [`ForgedEntry`] when they do not belong together.
    pub fn check(&self, place: &Place) -> Result<(), ForgedEntry> {
        self.check_by(|signed| signed.check(place))
    }

    /// The same, with somebody else to look at the signature.
    pub(crate) fn check_by(
        &self,
        signature: impl FnOnce(&Signed) -> Result<(), WrongSignature>,
    ) -> Result<(), ForgedEntry> {
        match &self.state {
            State::Signed(signed) => {
                self.check_signed(signed)?;
                // Last: it costs the most.
                Ok(signature(signed)?)
            }
            _ if self.id.tag.is_signed() => Err(ForgedEntry::Tag),
            State::Live(value) if value.hash() != self.id.value => Err(ForgedEntry::Hash),
            State::Removed(secret) if !self.id.tag.admits(secret.as_ref()) => {
                Err(ForgedEntry::Secret)
            }
            _ => Ok(()),
        }
    }

    /// All but the signature.
    fn check_signed(&self, signed: &Signed) -> Result<(), ForgedEntry> {
        if signed.id() != self.id {
            return Err(ForgedEntry::Id);
        }
        if signed.version() != self.version {
            return Err(ForgedEntry::Sequence);
        }
        if self.remaining > signed.life() {
            return Err(ForgedEntry::TtlRaised);
        }
        Ok(())
    }

    /// Which entry of its key this is.
    pub const fn id(&self) -> EntryId {
        self.id
    }

    /// The version of the operation that made it so.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// There, or removed.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What is left of its life.
    pub const fn remaining(&self) -> Lifetime {
        self.remaining
    }

    /// Its value, if it is there and was put without a signature.
    pub const fn value(&self) -> Option<&Value> {
        match &self.state {
            State::Live(value) => Some(value),
            State::Removed(_) | State::Signed(_) => None,
        }
    }

    /// What was signed, if something was: also a removal.
    pub const fn as_signed(&self) -> Option<&Signed> {
        match &self.state {
            State::Signed(signed) => Some(signed),
            State::Live(_) | State::Removed(_) => None,
        }
    }

    /// Whether it is there: neither removed nor a tombstone.
    pub fn is_live(&self) -> bool {
        match &self.state {
            State::Live(_) => true,
            State::Removed(_) => false,
            State::Signed(signed) => !signed.is_removal(),
        }
    }

    /// What somebody is shown who asks for the key's values and knows nothing of signatures: the
    /// value; of what is signed, all its canonical bytes, so that any program can check them.
    pub fn shown(&self) -> Option<Value> {
        match &self.state {
            State::Live(value) => Some(value.clone()),
            State::Signed(signed) if !signed.is_removal() => Some(signed.to_value()),
            State::Removed(_) | State::Signed(_) => None,
        }
    }

    /// Its version, if that is a Lamport counter. A signed entry's is its author's own sequence: it
    /// says nothing about anybody else's operations, so no clock may follow it, and
    /// [`Version::may_follow`] does not bound it.
    pub const fn lamport(&self) -> Option<Version> {
        match &self.state {
            State::Signed(_) => None,
            State::Live(_) | State::Removed(_) => Some(self.version),
        }
    }

    /// What the entry costs its key's quota, in bytes.
    pub fn cost(&self) -> usize {
        match &self.state {
            State::Live(value) => value.as_bytes().len(),
            State::Removed(_) => TOMBSTONE_MAX,
            State::Signed(signed) => signed.cost(),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_live() { "live" } else { "removed" };
        let (id, version, left) = (self.id, self.version.number(), self.remaining.as_millis());
        write!(f, "Entry({:?} {:?} v{version} {state} {left} ms)", id.value, id.tag)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Live(value) => value.fmt(f),
            State::Removed(secret) => write!(f, "Removed({secret:?})"),
            State::Signed(signed) => signed.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &'static str) -> Secret {
        Secret::new(text).unwrap()
    }

    #[test]
    fn a_removal_needs_the_secret_of_the_entry() {
        let value = Value::new("v").unwrap();
        let id = EntryId::of(&value, secret("s").tag());
        assert!(Entry::removal(id, Some(secret("s")), Version::ZERO).is_ok());
        assert_eq!(Entry::removal(id, Some(secret("t")), Version::ZERO), Err(WrongSecret));
        assert_eq!(Entry::removal(id, None, Version::ZERO), Err(WrongSecret));
        let open = EntryId::of(&value, SecretTag::NONE);
        assert!(Entry::removal(open, None, Version::ZERO).is_ok());
        assert_eq!(Entry::removal(open, Some(secret("s")), Version::ZERO), Err(WrongSecret));
    }

    #[test]
    fn parts_that_do_not_belong_together_are_found_out() {
        let value = Value::new("v").unwrap();
        let id = EntryId::of(&value, secret("s").tag());
        let (life, place) = (Lifetime::from_millis(5), Place::of(b"here"));
        let entry = |state| Entry::from_parts(id, Version::ZERO, state, life);
        assert_eq!(entry(State::Live(value)).check(&place), Ok(()));
        assert_eq!(entry(State::Removed(Some(secret("s")))).check(&place), Ok(()));
        let other = Value::new("w").unwrap();
        assert_eq!(entry(State::Live(other)).check(&place), Err(ForgedEntry::Hash));
        assert_eq!(entry(State::Removed(None)).check(&place), Err(ForgedEntry::Secret));
        assert_eq!(
            entry(State::Removed(Some(secret("t")))).check(&place),
            Err(ForgedEntry::Secret)
        );
    }
}
