//! The small parts of a signed entry: what it is, and which of those in its slot.

/// Which of the entries an author signed for one slot this is. The highest counts. An author's own
/// affair: no clock follows it, and one that begins at the end has no more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Sequence(u64);

/// What the body of a signed entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Whatever the author likes.
    Plain,
    /// A [`Claim`](crate::Claim) of a name.
    Claim,
}

impl Sequence {
    /// Before all others.
    pub const ZERO: Sequence = Sequence(0);

    /// A sequence from its number.
    pub const fn new(number: u64) -> Sequence {
        Sequence(number)
    }

    /// The sequence's number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one after this; the last is followed by itself.
    #[must_use]
    pub const fn next(self) -> Sequence {
        Sequence(self.0.saturating_add(1))
    }

    /// Whether a reader drops an entry of this sequence, given the floor in its author's claim: it is
    /// an old one that somebody brought back after all memory of newer ones was gone.
    pub const fn is_below(self, floor: Sequence) -> bool {
        self.0 < floor.0
    }
}

impl Kind {
    /// The kind's number.
    pub const fn number(self) -> u8 {
        match self {
            Kind::Plain => 0,
            Kind::Claim => 1,
        }
    }

    /// The kind of a number, if there is one.
    pub const fn of(number: u8) -> Option<Kind> {
        match number {
            0 => Some(Kind::Plain),
            1 => Some(Kind::Claim),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back_from_their_numbers() {
        for kind in [Kind::Plain, Kind::Claim] {
            assert_eq!(Kind::of(kind.number()), Some(kind));
        }
        assert_eq!(Kind::of(2), None);
    }

    #[test]
    fn what_is_older_than_the_floor_is_dropped() {
        let floor = Sequence::new(5);
        assert!(Sequence::new(4).is_below(floor));
        assert!(!floor.is_below(floor) && !floor.next().is_below(floor));
        assert!(!Sequence::ZERO.is_below(Sequence::ZERO));
    }
}
