//! Which parts of the space a node can ask nobody in, where not everybody can be known.
//!
//! The space is divided into parts as large as the one around this node whose members it all knows. Whoever
//! lies in a part knows that part likewise, so with a connection into each, any key is one hop and a
//! dial away.

use base::Place;

use crate::prefix::Prefix;

/// Parts told apart, at most: there are not more connections.
const BITS_MAX: usize = 7;

/// The parts, and which of them are covered.
#[derive(Debug, Clone)]
pub(super) struct Gaps {
    bits: usize,
    covered: u128,
}

impl Gaps {
    /// What these leave open, to a node that knows everybody who shares so many bits with it.
    pub(super) fn between<'a>(
        me: &Place,
        known_bits: usize,
        connected: impl Iterator<Item = &'a Place>,
    ) -> Gaps {
        let mut gaps = Gaps { bits: known_bits.min(BITS_MAX), covered: 0 };
        gaps.cover(me);
        connected.for_each(|place| gaps.cover(place));
        gaps
    }

    /// Whether a place lies in a gap; from now on its part is covered.
    pub(super) fn fill(&mut self, place: &Place) -> bool {
        let before = self.covered;
        self.cover(place);
        self.covered != before
    }

    /// The gaps.
    pub(super) fn open(&self) -> Vec<Prefix> {
        let parts = (0..1u16 << self.bits).filter(|part| self.covered >> part & 1 == 0);
        let first = |part: u16| {
            let mut bytes = [0; Place::LEN];
            bytes[0] = (part << (8 - self.bits)) as u8;
            Place::from_bytes(bytes)
        };
        parts.map(|part| Prefix::of(&first(part), self.bits)).collect()
    }

    fn cover(&mut self, place: &Place) {
        let part = u16::from(place.as_bytes()[0]) >> (8 - self.bits);
        self.covered |= 1 << part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(first: u8) -> Place {
        let mut bytes = [0x5a; Place::LEN];
        bytes[0] = first;
        Place::from_bytes(bytes)
    }

    #[test]
    fn a_part_is_covered_by_anyone_in_it() {
        let mut gaps = Gaps::between(&at(0b0000_0000), 2, [at(0b0111_0000)].iter());
        let open: Vec<u8> = gaps.open().iter().map(|gap| gap.first().as_bytes()[0]).collect();
        assert_eq!(open, [0b1000_0000, 0b1100_0000]);
        assert!(gaps.open()[0].contains(&at(0b1011_1111)) && gaps.open()[0].bits() == 2);
        assert!(!gaps.fill(&at(0b0100_0000)));
        assert!(gaps.fill(&at(0b1010_0000)) && !gaps.fill(&at(0b1000_0001)));
        assert_eq!(gaps.open().len(), 1);
    }

    #[test]
    fn who_knows_everybody_has_no_gaps_and_nobody_more_than_connections() {
        assert!(Gaps::between(&at(7), 0, [].iter()).open().is_empty());
        assert_eq!(Gaps::between(&at(7), 200, [].iter()).open().len(), 127);
    }
}
