//! What is counted of the entries held: always in step with them.

use base::Place;

use super::super::Totals;
use super::super::digest::{Digests, Fingerprint};
use super::Held;

/// Counts and digests of a shelf.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) totals: Totals,
    pub(super) digests: Digests,
}

impl Counts {
    /// An entry has come.
    pub(super) fn add(&mut self, place: &Place, held: &Held) {
        *self.counter(held) += 1;
        self.totals.bytes += held.cost() as u64;
        self.digests.add(place, fingerprint(place, held));
    }

    /// An entry has gone.
    pub(super) fn subtract(&mut self, place: &Place, held: &Held) {
        *self.counter(held) -= 1;
        self.totals.bytes -= held.cost() as u64;
        self.digests.subtract(place, fingerprint(place, held));
    }

    /// How many entries there are.
    pub(super) fn entries(&self) -> usize {
        usize::try_from(self.totals.live + self.totals.tombstones).unwrap_or(usize::MAX)
    }

    fn counter(&mut self, held: &Held) -> &mut u64 {
        if held.is_live() { &mut self.totals.live } else { &mut self.totals.tombstones }
    }
}

/// The fingerprint of an entry held at a place.
pub(super) fn fingerprint(place: &Place, held: &Held) -> Fingerprint {
    Fingerprint::new(place, held.id, held.version, held.is_live())
}
