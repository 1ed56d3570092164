//! How two replicas find where they differ: range by range, by digests, narrower and narrower.
//!
//! ```text
//! digests of ranges ──► the same: done │ they have nothing: done
//!        ▲                 │ few entries, or mostly news: copy, saying what one has
//!        └── its 16 parts ◄┘ else
//! ```
//!
//! With d entries in which they differ it takes at most d ranges on each level, and there are few
//! levels: what is sent grows with d, and with the logarithm of what they have in common.

use std::collections::VecDeque;

use crate::prefix::Prefix;
use crate::store::{Digest, LEAF_BITS};
use crate::wire::{HAVE_MAX, RANGES_MAX};

/// By so many bits the parts of a range are narrower than it.
const STEP: usize = 4;
/// A range of so few entries is not divided: their marks take no more than the digests of its parts.
const FEW: u64 = 32;
/// Of a range in which they have twice as much, at least, all is copied at once if so few marks say what
/// need not be.
const MARKS_MAX: u64 = 512;
/// Ranges asked for at once.
const AT_ONCE: usize = 64;
/// A routine comparison of so many ranges that brings nothing ends, four marks counted as a range: the
/// other lacks what this one has, or lies.
const FRUITLESS_MAX: usize = 2048;

const _: () = assert!(AT_ONCE <= RANGES_MAX && (MARKS_MAX as usize) < HAVE_MAX);

/// What to ask next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The digests of these ranges.
    Compare(Vec<Prefix>),
    /// What is in these ranges, but for what is here.
    Copy(Vec<Prefix>),
    /// Nothing: all is here.
    Done,
}

/// A comparison under way.
#[derive(Debug)]
pub(crate) struct Reconcile {
    /// Ranges that were not compared.
    open: VecDeque<Prefix>,
    /// What is being compared.
    asked: Vec<Prefix>,
    /// Ranges to be copied, and how much is here.
    lacking: Vec<(Prefix, u64)>,
    /// Whether to go on however little comes of it.
    thorough: bool,
    fruitless: usize,
}

impl Reconcile {
    /// Compares these ranges, the first ones first.
    pub(crate) fn new(ranges: Vec<Prefix>, thorough: bool) -> Reconcile {
        // Deeper ranges have no digests of their own, and next to nothing in them.
        let (deep, open): (Vec<_>, Vec<_>) =
            ranges.into_iter().partition(|range| range.bits() > LEAF_BITS);
        let lacking = deep.into_iter().map(|range| (range, FEW)).collect();
        Reconcile { open: open.into(), asked: Vec::new(), lacking, thorough, fruitless: 0 }
    }

    /// What to ask next.
    pub(crate) fn next(&mut self) -> Step {
        if !self.thorough && self.fruitless >= FRUITLESS_MAX {
            return Step::Done;
        }
        if !self.lacking.is_empty() {
            return Step::Copy(self.some_lacking());
        }
        self.asked = self.open.drain(..self.open.len().min(AT_ONCE)).collect();
        if self.asked.is_empty() {
            return Step::Done;
        }
        self.fruitless += self.asked.len();
        Step::Compare(self.asked.clone())
    }

    /// As many ranges as the marks of what is in them here may be named at once; one in any case.
    fn some_lacking(&mut self) -> Vec<Prefix> {
        let mut marks = 0;
        let fits = |(_, mine): &&(Prefix, u64)| {
            marks += mine;
            marks <= HAVE_MAX as u64
        };
        let count = self.lacking.iter().take(RANGES_MAX).take_while(fits).count().max(1);
        let marks: u64 = self.lacking[..count].iter().map(|(_, mine)| mine).sum();
        self.fruitless += count + usize::try_from(marks).unwrap_or(usize::MAX) / 4;
        let mut ranges: Vec<Prefix> = self.lacking.drain(..count).map(|(range, _)| range).collect();
        ranges.sort();
        ranges
    }

    /// The other's digests of what was asked for; `mine` are those of what is here. Whether the answer
    /// fits the question.
    pub(crate) fn compared(&mut self, theirs: &[Digest], mine: &[Digest]) -> bool {
        let asked = std::mem::take(&mut self.asked);
        if theirs.len() != asked.len() || mine.len() != asked.len() {
            return false;
        }
        for ((range, theirs), mine) in asked.into_iter().zip(theirs).zip(mine) {
            if theirs == mine || theirs.is_empty() {
                continue;
            }
            let mostly_news =
                mine.count <= MARKS_MAX && mine.count.saturating_mul(2) <= theirs.count;
            let few = mine.count.max(theirs.count) <= FEW;
            if range.bits() >= LEAF_BITS || few || mostly_news {
                self.lacking.push((range, mine.count));
            } else {
                self.open.extend(range.split(STEP.min(LEAF_BITS - range.bits())));
            }
        }
        true
    }

    /// Something new was copied.
    pub(crate) fn brought_news(&mut self) {
        self.fruitless = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use base::Place;
    use proptest::prelude::*;

    use super::*;

    fn place(n: u64) -> Place {
        Place::of(&n.to_le_bytes())
    }

    fn digest(held: &BTreeSet<Place>, range: &Prefix) -> Digest {
        // Leaves are as deep as it goes.
        let range = Prefix::of(range.first(), range.bits().min(LEAF_BITS));
        held.range(range.places()).fold(Digest::default(), |digest, place| Digest {
            count: digest.count + 1,
            sum: digest
                .sum
                .wrapping_add(u128::from_be_bytes(std::array::from_fn(|at| place.as_bytes()[at]))),
        })
    }

    /// Makes `mine` have all that `theirs` has; how many digests and marks that took.
    fn run(
        mine: &mut BTreeSet<Place>,
        theirs: &BTreeSet<Place>,
        ranges: Vec<Prefix>,
        thorough: bool,
    ) -> usize {
        let mut reconcile = Reconcile::new(ranges, thorough);
        let mut cost = 0;
        loop {
            match reconcile.next() {
                Step::Done => return cost,
                Step::Compare(ranges) => {
                    cost += ranges.len();
                    let of = |held: &BTreeSet<Place>| -> Vec<Digest> {
                        ranges.iter().map(|range| digest(held, range)).collect()
                    };
                    assert!(reconcile.compared(&of(theirs), &of(mine)));
                }
                Step::Copy(ranges) => {
                    assert!(ranges.windows(2).all(|pair| pair[0].places().end() < pair[1].first()));
                    for range in ranges {
                        cost += 1 + mine.range(range.places()).count();
                        let before = mine.len();
                        mine.extend(theirs.range(range.places()));
                        if mine.len() > before {
                            reconcile.brought_news();
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn all_that_the_other_has_in_the_ranges_is_here_in_the_end(
            common in 0..3000u64,
            mine in prop::collection::btree_set(100_000..101_000u64, 0..50),
            theirs in prop::collection::btree_set(200_000..201_000u64, 0..50),
            bits in 0..20usize,
            at: u64,
        ) {
            let held = |own: BTreeSet<u64>| (0..common).chain(own).map(place).collect::<BTreeSet<_>>();
            let (mut mine, theirs) = (held(mine), held(theirs));
            let range = Prefix::of(&place(at), bits);
            run(&mut mine, &theirs, vec![range], true);
            prop_assert!(theirs.range(range.places()).all(|place| mine.contains(place)));
        }
    }

    #[test]
    fn what_it_takes_grows_with_the_difference_not_with_what_is_common() {
        let all: BTreeSet<Place> = (0..100_000).map(place).collect();
        let costs = [0usize, 1, 10, 100, 1000].map(|lacking| {
            let mut mine: BTreeSet<Place> = (lacking as u64..100_000).map(place).collect();
            let cost = run(&mut mine, &all, vec![Prefix::everything()], true);
            assert_eq!(mine, all);
            cost
        });
        assert_eq!(costs[0], 1);
        for (cost, lacking) in costs.iter().zip([0, 1, 10, 100, 1000]) {
            assert!(*cost <= 1 + lacking * 80, "{costs:?}");
        }
    }

    #[test]
    fn one_that_gives_nothing_new_is_not_compared_with_for_ever() {
        let mut mine: BTreeSet<Place> = (0..100_000).map(place).collect();
        let half: BTreeSet<Place> = (0..50_000).map(place).collect();
        let everything = || vec![Prefix::everything()];
        // It ends between two questions, which may be long.
        let bound = 4 * FRUITLESS_MAX + HAVE_MAX;
        assert!(run(&mut mine, &half, everything(), false) < bound);
        assert!(run(&mut mine, &half, everything(), true) > bound);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_not_used() {
        let mut reconcile = Reconcile::new(vec![Prefix::everything()], true);
        assert!(matches!(reconcile.next(), Step::Compare(_)));
        assert!(!reconcile.compared(&[], &[Digest::default()]));
    }
}
