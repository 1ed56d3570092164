//! Ranges of places: all that begin with the same bits. With XOR as the metric they are subtrees: each
//! place in one is closer to the others in it than any place outside.

use std::ops::RangeInclusive;

use base::Place;

/// Bits of a place.
pub(crate) const BITS: usize = Place::LEN * 8;

/// All places that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The first of them: the bits, and then zeros.
    first: Place,
    bits: usize,
}

impl Prefix {
    /// All places that share their first `bits` bits with this one; more than there are count as all.
    pub fn of(place: &Place, bits: usize) -> Prefix {
        let bits = bits.min(BITS);
        Prefix { first: filled(place, bits, 0), bits }
    }

    /// Every place.
    pub const fn everything() -> Prefix {
        Prefix { first: Place::from_bytes([0; Place::LEN]), bits: 0 }
    }

    /// How many bits its places share.
    pub const fn bits(&self) -> usize {
        self.bits
    }

    /// The first of its places.
    pub const fn first(&self) -> &Place {
        &self.first
    }

    /// Its places, from the first to the last.
    pub fn places(&self) -> RangeInclusive<Place> {
        self.first..=filled(&self.first, self.bits, 0xff)
    }

    /// Whether a place lies in it.
    pub fn contains(&self, place: &Place) -> bool {
        shared_bits(&self.first, place) >= self.bits
    }

    /// The prefixes, in order, it falls into with so many bits more, at most 8.
    pub fn split(&self, more: usize) -> impl Iterator<Item = Prefix> + use<> {
        let (whole, bits) = (*self, (self.bits + more.min(8)).min(BITS));
        let count = 1u16 << (bits - whole.bits);
        (0..count).map(move |number| {
            let mut bytes = *whole.first.as_bytes();
            for bit in whole.bits..bits {
                let is_set = number >> (bits - 1 - bit) & 1;
                bytes[bit / 8] |= (is_set as u8) << (7 - bit % 8);
            }
            Prefix { first: Place::from_bytes(bytes), bits }
        })
    }
}

/// The place with all but its first bits replaced.
fn filled(place: &Place, bits: usize, fill: u8) -> Place {
    let bytes = std::array::from_fn(|at| {
        let kept = bits.saturating_sub(at * 8).min(8);
        let mask = !(0xffu16 >> kept) as u8;
        (place.as_bytes()[at] & mask) | (fill & !mask)
    });
    Place::from_bytes(bytes)
}

/// The first bits of a place, as a number: what decides of two which comes first, nearly always.
pub(crate) fn head(place: &Place) -> u128 {
    u128::from_be_bytes(std::array::from_fn(|at| place.as_bytes()[at]))
}

/// How many first bits two places share.
pub(crate) fn shared_bits(a: &Place, b: &Place) -> usize {
    let mut bits = 0;
    for (a, b) in a.as_bytes().iter().zip(b.as_bytes()) {
        let differing = (a ^ b).leading_zeros() as usize;
        bits += differing;
        if differing < 8 {
            break;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(n: u64) -> Place {
        Place::of(&n.to_le_bytes())
    }

    proptest! {
        #[test]
        fn the_range_is_what_the_prefix_contains(root: u64, other: u64, near in 0..40usize, bits in 0..40usize) {
            let prefix = Prefix::of(&place(root), bits);
            // Of a random place the first bits hardly ever agree.
            let mut bytes = *place(other).as_bytes();
            bytes[..near / 8].copy_from_slice(&place(root).as_bytes()[..near / 8]);
            let other = Place::from_bytes(bytes);
            prop_assert_eq!(prefix.places().contains(&other), prefix.contains(&other));
            prop_assert!(prefix.contains(prefix.first()) && prefix.contains(prefix.places().end()));
        }

        #[test]
        fn what_a_prefix_falls_into_is_all_of_it_once(root: u64, other: u64, bits in 0..20usize, more in 0..9usize) {
            let prefix = Prefix::of(&place(root), bits);
            let parts: Vec<Prefix> = prefix.split(more).collect();
            prop_assert_eq!(parts.len(), 1 << more);
            prop_assert!(parts.is_sorted());
            let mut inside = *place(other).as_bytes();
            inside[..4].copy_from_slice(&place(root).as_bytes()[..4]);
            let inside = Place::from_bytes(inside);
            prop_assert_eq!(parts.iter().filter(|part| part.contains(&inside)).count(), 1);
        }
    }
}
