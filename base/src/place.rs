//! Positions in the overlay's metric space, and the distance between them.

use std::fmt;

use sha2::{Digest, Sha256};

/// A point of the 256-bit space in which keys and super-nodes meet; the metric is XOR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place([u8; Place::LEN]);

/// How far apart two places are. Ordered: smaller is closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Distance([u8; Place::LEN]);

impl Place {
    /// Length of a place, in bytes.
    pub const LEN: usize = 32;

    /// The place of something already reduced to bytes: their SHA-256, as `libp2p-kad` has it.
    pub fn of(bytes: &[u8]) -> Place {
        Place(Sha256::digest(bytes).into())
    }

    /// A place from its own bytes, as read from a disk or a peer.
    pub const fn from_bytes(bytes: [u8; Place::LEN]) -> Place {
        Place(bytes)
    }

    /// The place's own bytes.
    pub const fn as_bytes(&self) -> &[u8; Place::LEN] {
        &self.0
    }

    /// The XOR distance, symmetric and zero only to itself.
    pub fn distance(&self, other: &Place) -> Distance {
        Distance(std::array::from_fn(|i| self.0[i] ^ other.0[i]))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_xor_symmetric_and_zero_to_itself() {
        let (a, b) = (Place::of(b"a"), Place::of(b"b"));
        assert_eq!(a.distance(&b), b.distance(&a));
        assert_eq!(a.distance(&a), Distance([0; Place::LEN]));
        assert!(a.distance(&a) < a.distance(&b));
    }
}
