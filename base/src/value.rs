//! What a client stores, and the hash by which it is told from other values.

use std::fmt;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::TooLarge;
use crate::limits::VALUE_MAX;

/// Any byte string of at most [`VALUE_MAX`] bytes. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(Bytes);

/// SHA-1 of a value: how OpenDHT's `rm` names the value to remove.
pub type Sha1Digest = [u8; 20];

/// A value's hash: its SHA-1, then the first 20 bytes of its BLAKE3.
///
/// The SHA-1 stands in front so that a key's entries, kept in the order of this hash, are also an
/// index for OpenDHT's `rm`, which knows only the SHA-1. Identity rests on the BLAKE3 half: its 160
/// bits hold although SHA-1 collisions can be bought (`docs/decisions/0005-entry-hash.md`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueHash([u8; ValueHash::LEN]);

impl Value {
    /// Takes the bytes as they are; the empty value is one.
    ///
    /// # Errors
    /// [`TooLarge`] above [`VALUE_MAX`] bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Value, TooLarge> {
        let bytes = bytes.into();
        TooLarge::check("value", bytes.len(), VALUE_MAX)?;
        Ok(Value(bytes))
    }

    /// Takes bytes that are known to be within the limit.
    pub(crate) fn within_limit(bytes: Bytes) -> Value {
        debug_assert!(bytes.len() <= VALUE_MAX);
        Value(bytes)
    }

    /// The value's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value's bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The value's hash.
    pub fn hash(&self) -> ValueHash {
        let mut bytes = [0; ValueHash::LEN];
        let (sha1, blake3) = bytes.split_at_mut(ValueHash::SHA1_LEN);
        sha1.copy_from_slice(&Sha1::digest(&self.0));
        blake3.copy_from_slice(&blake3::hash(&self.0).as_bytes()[..ValueHash::BLAKE3_LEN]);
        ValueHash(bytes)
    }
}

impl ValueHash {
    /// Length of the hash, in bytes.
    pub const LEN: usize = ValueHash::SHA1_LEN + ValueHash::BLAKE3_LEN;
    const SHA1_LEN: usize = 20;
    const BLAKE3_LEN: usize = 20;

    /// A hash from its own bytes, as read from a disk or a peer.
    pub const fn from_bytes(bytes: [u8; ValueHash::LEN]) -> ValueHash {
        ValueHash(bytes)
    }

    /// The hash's bytes.
    pub const fn as_bytes(&self) -> &[u8; ValueHash::LEN] {
        &self.0
    }

    /// The SHA-1 half.
    pub fn sha1(&self) -> Sha1Digest {
        std::array::from_fn(|i| self.0[i])
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.0.len())
    }
}

impl fmt::Debug for ValueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueHash(")?;
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha1_then_blake3() {
        let value = Value::new("abc").unwrap();
        let hash = value.hash();
        assert_eq!(hash.sha1()[..4], [0xa9, 0x99, 0x3e, 0x36]);
        assert_eq!(hash.as_bytes()[20..], blake3::hash(b"abc").as_bytes()[..20]);
    }

    #[test]
    fn a_value_may_be_empty_and_as_long_as_the_limit_but_no_longer() {
        assert!(Value::new("").is_ok());
        assert!(Value::new(vec![0; VALUE_MAX]).is_ok());
        assert_eq!(Value::new(vec![0; VALUE_MAX + 1]).unwrap_err().what, "value");
    }
}
