//! Which entry of its key an entry is.

use crate::{PublicKey, SecretTag, Slot, Value, ValueHash};

/// Separates the hash of an author and a slot from all other hashes.
const SLOT_CONTEXT: &str = "scope 2026-11 signed entry id";

/// Which entry of its key this is: the hash of its value and the tag of its secret; of a signed one,
/// the hash of its author and slot, and [`SecretTag::SIGNED`]. Ordered by the hash, then the tag;
/// listings go in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// The value's hash.
    pub value: ValueHash,
    /// The secret's tag.
    pub tag: SecretTag,
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

    /// The id of what this author signs for this slot, whatever it says.
    pub fn of_slot(author: &PublicKey, slot: Slot) -> EntryId {
        let mut hash = [0; ValueHash::LEN];
        blake3::Hasher::new_derive_key(SLOT_CONTEXT)
            .update(author.as_bytes())
            .update(slot.as_bytes())
            .finalize_xof()
            .fill(&mut hash);
        EntryId { value: ValueHash::from_bytes(hash), tag: SecretTag::SIGNED }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn an_id_reads_back_from_its_bytes_and_keeps_its_order() {
        let a = EntryId::of(&Value::new("a").unwrap(), SecretTag::NONE);
        let b = EntryId::of(&Value::new("a").unwrap(), Secret::new("s").unwrap().tag());
        assert_eq!(EntryId::from_bytes(&b.to_bytes()), b);
        assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
    }

    #[test]
    fn an_author_has_one_id_for_each_slot() {
        let id =
            |key, slot| EntryId::of_slot(&PublicKey::from_bytes([key; 32]), Slot::new([slot; 16]));
        assert_eq!(id(1, 1), id(1, 1));
        assert_ne!(id(1, 1).value, id(1, 2).value);
        assert_ne!(id(1, 1).value, id(2, 1).value);
        assert!(id(1, 1).tag.is_signed());
    }
}
