//! One value under a key, or the memory of its removal.

use std::fmt;

use crate::limits::TOMBSTONE_MAX;
use crate::{Lifetime, Secret, SecretTag, Value, ValueHash, Version};

/// Which entry of its key this is: the hash of its value and the tag of its secret. Ordered by
/// the hash, then the tag; listings go in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// The value's hash.
    pub value: ValueHash,
    /// The secret's tag.
    pub tag: SecretTag,
}

/// Whether the entry is there or was removed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// There, with this value.
    Live(Value),
    /// Removed: a tombstone. It carries the secret, so that any replica can check, also one that
    /// never held the entry, that whoever removed it was allowed to.
    Removed(Option<Secret>),
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
}

impl EntryId {
    /// Length of an id's bytes.
    pub const LEN: usize = ValueHash::LEN + SecretTag::LEN;

    /// The id of `value` when it is put with this tag.
    pub fn of(value: &Value, tag: SecretTag) -> EntryId {
        EntryId { value: value.hash(), tag }
    }

    /// The id's bytes: the hash, then the tag. Their order is the ids' order.
    pub fn to_bytes(self) -> [u8; EntryId::LEN] {
        let mut bytes = [0; EntryId::LEN];
        let (hash, tag) = bytes.split_at_mut(ValueHash::LEN);
        hash.copy_from_slice(self.value.as_bytes());
        tag.copy_from_slice(self.tag.as_bytes());
        bytes
    }

    /// An id from its bytes.
    pub fn from_bytes(bytes: &[u8; EntryId::LEN]) -> EntryId {
        EntryId {
            value: ValueHash::from_bytes(std::array::from_fn(|i| bytes[i])),
            tag: SecretTag::from_bytes(std::array::from_fn(|i| bytes[ValueHash::LEN + i])),
        }
    }
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

    /// An entry put together from parts a disk this node trusts gave back.
    pub fn from_parts(id: EntryId, version: Version, state: State, remaining: Lifetime) -> Entry {
        Entry { id, version, state, remaining }
    }

    /// Checks parts that came from somewhere else; [`Entry::from_parts`] does not.
    ///
    /// # Errors
    /// [`ForgedEntry`] when they do not belong together.
    pub fn check(&self) -> Result<(), ForgedEntry> {
        match &self.state {
            State::Live(value) if value.hash() != self.id.value => Err(ForgedEntry::Hash),
            State::Removed(secret) if !self.id.tag.admits(secret.as_ref()) => {
                Err(ForgedEntry::Secret)
            }
            _ => Ok(()),
        }
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

    /// Its value, if it is there.
    pub const fn value(&self) -> Option<&Value> {
        match &self.state {
            State::Live(value) => Some(value),
            State::Removed(_) => None,
        }
    }

    /// What it costs its key's quota, in bytes.
    pub fn cost(&self) -> usize {
        self.value().map_or(TOMBSTONE_MAX, |value| value.as_bytes().len())
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.value().is_some() { "live" } else { "removed" };
        let (id, version, left) = (self.id, self.version.number(), self.remaining.as_millis());
        write!(f, "Entry({:?} {:?} v{version} {state} {left} ms)", id.value, id.tag)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Live(value) => value.fmt(f),
            State::Removed(secret) => write!(f, "Removed({secret:?})"),
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
        let life = Lifetime::from_millis(5);
        let entry = |state| Entry::from_parts(id, Version::ZERO, state, life);
        assert_eq!(entry(State::Live(value)).check(), Ok(()));
        assert_eq!(entry(State::Removed(Some(secret("s")))).check(), Ok(()));
        let other = Value::new("w").unwrap();
        assert_eq!(entry(State::Live(other)).check(), Err(ForgedEntry::Hash));
        assert_eq!(entry(State::Removed(None)).check(), Err(ForgedEntry::Secret));
        assert_eq!(entry(State::Removed(Some(secret("t")))).check(), Err(ForgedEntry::Secret));
    }

    #[test]
    fn an_id_reads_back_from_its_bytes_and_keeps_its_order() {
        let a = EntryId::of(&Value::new("a").unwrap(), SecretTag::NONE);
        let b = EntryId::of(&Value::new("a").unwrap(), secret("s").tag());
        assert_eq!(EntryId::from_bytes(&b.to_bytes()), b);
        assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
    }
}
