//! How two replicas find where they differ: range by range, by digests, narrower and narrower, until few
//! symbols tell what it is.
//!
//! ```text
//! digests of ranges ──► the same: done │ they have nothing: done
//!        ▲                 │ few entries, or mostly news: copy, saying what one has
//!        │                 │ little differs: symbols of their sketches ──► fetch what they tell
//!        └── its 16 parts ◄┘ else               └── they do not tell ◄┘
//! ```
//!
//! With d entries in which they differ it takes some two symbols for each, and the digests of a few
//! ranges on the way. One that does not know sketches is compared with in narrower ranges alone.

mod sketching;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use self::sketching::{Sketching, Told, symbols_for};
use crate::prefix::Prefix;
use crate::sketch::Item;
use crate::store::{Digest, LEAF_BITS, READ_MAX, SKETCH_BITS, Sketched};
use crate::wire::{HAVE_MAX, MESSAGE_SYMBOLS_MAX, RANGES_MAX, RangeAnswer, RangeQuery};

/// By so many bits the parts of a range are narrower than it.
const STEP: usize = 4;
/// A range of so few entries is not divided: their marks take no more than symbols or digests do.
const FEW: u64 = 32;
/// Of a range in which they have much more, all is copied at once if so few marks say what need not be.
const MARKS_MAX: u64 = 512;
/// So many marks take no more than what else tells of one that is missing: its symbols, and asking for it.
const MARKS_FOR_ONE: u64 = 5;
/// Ranges asked for at once.
const AT_ONCE: usize = 64;
/// So many entries differ, at least, where all symbols of a sketch do not tell what.
const UNTOLD: u64 = 160;
/// Entries fetched at once.
const FETCH_MAX: usize = RANGES_MAX;
/// A routine comparison of so many ranges that brings nothing ends; four marks, two symbols, and one entry
/// that was not to be had, counted as a range: the other lacks what this one has, or lies.
const FRUITLESS_MAX: usize = 2048;

const _: () = assert!(AT_ONCE <= RANGES_MAX && (MARKS_MAX as usize) < HAVE_MAX);
const _: () = assert!(crate::sketch::SYMBOLS_MAX <= MESSAGE_SYMBOLS_MAX && FETCH_MAX <= HAVE_MAX);

/// What to ask next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The digests of these ranges.
    Compare(Vec<Prefix>),
    /// Symbols of these ranges.
    Sketch(Vec<RangeQuery>),
    /// These entries, of those that are not here.
    Fetch(Vec<Item>),
    /// What is in these ranges, but for what is here.
    Copy(Vec<Prefix>),
    /// Nothing: all is here.
    Done,
}

/// A comparison under way.
#[derive(Debug)]
pub(crate) struct Reconcile {
    /// Ranges that were not compared, and how much is likely to differ if anything does.
    open: VecDeque<(Prefix, u64)>,
    /// What is being compared.
    compared: Vec<(Prefix, u64)>,
    /// Ranges of which symbols tell, and those whose symbols are being asked for.
    sketches: VecDeque<Sketching>,
    asked: Vec<Sketching>,
    /// What they told.
    found: Vec<Item>,
    /// Ranges to be copied, and how much is here.
    lacking: Vec<(Prefix, u64)>,
    /// Whether the other knows sketches.
    knows_sketches: bool,
    /// Whether to go on however little comes of it.
    thorough: bool,
    /// How many of the ranges it began with were not compared yet: those are no sign that little comes of it.
    unseen: usize,
    fruitless: usize,
}

impl Reconcile {
    /// Compares these ranges, the first ones first.
    pub(crate) fn new(ranges: Vec<Prefix>, thorough: bool) -> Reconcile {
        debug_assert!(ranges.iter().all(|range| range.bits() <= LEAF_BITS));
        Reconcile {
            unseen: ranges.len(),
            open: ranges.into_iter().map(|range| (range, 0)).collect(),
            compared: Vec::new(),
            sketches: VecDeque::new(),
            asked: Vec::new(),
            found: Vec::new(),
            lacking: Vec::new(),
            knows_sketches: true,
            thorough,
            fruitless: 0,
        }
    }

    /// What to ask next.
    pub(crate) fn next(&mut self) -> Step {
        if !self.thorough && self.fruitless >= FRUITLESS_MAX {
            return Step::Done;
        }
        if !self.lacking.is_empty() {
            return Step::Copy(self.some_lacking());
        }
        if self.found.len() >= FETCH_MAX || (!self.found.is_empty() && self.sketches.is_empty()) {
            let mut items: Vec<Item> =
                self.found.drain(..self.found.len().min(FETCH_MAX)).collect();
            items.sort();
            self.fruitless += items.len();
            return Step::Fetch(items);
        }
        if !self.sketches.is_empty() {
            return Step::Sketch(self.some_symbols());
        }
        self.compared = self.open.drain(..self.open.len().min(AT_ONCE)).collect();
        if self.compared.is_empty() {
            return Step::Done;
        }
        let first = self.compared.len().min(self.unseen);
        self.unseen -= first;
        self.fruitless += self.compared.len() - first;
        Step::Compare(self.compared.iter().map(|(range, _)| *range).collect())
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

    /// Symbols of as many ranges as fit into one message, and are made of as many entries as may be read
    /// for it; of one in any case.
    fn some_symbols(&mut self) -> Vec<RangeQuery> {
        let (mut symbols, mut read) = (0, 0);
        let fits = |sketching: &&Sketching| {
            symbols += sketching.query().symbols;
            read += if is_kept(&sketching.range) { 0 } else { sketching.entries };
            symbols <= MESSAGE_SYMBOLS_MAX && read <= READ_MAX
        };
        let count = self.sketches.iter().take(AT_ONCE).take_while(fits).count().max(1);
        self.asked = self.sketches.drain(..count).collect();
        let queries: Vec<RangeQuery> = self.asked.iter().map(Sketching::query).collect();
        self.fruitless += queries.iter().map(|query| query.symbols).sum::<usize>() / 2;
        queries
    }

    /// The other's digests of what was asked for; `mine` are those of what is here. Whether the answer
    /// fits the question.
    pub(crate) fn compared(&mut self, theirs: &[RangeAnswer], mine: &[Digest]) -> bool {
        let compared = std::mem::take(&mut self.compared);
        if theirs.len() != compared.len() || mine.len() != compared.len() {
            return false;
        }
        for ((range, theirs), mine) in compared.into_iter().zip(theirs).zip(mine) {
            self.judge(range, &theirs.digest, mine);
        }
        true
    }

    fn judge(&mut self, (range, likely): (Prefix, u64), theirs: &Digest, mine: &Digest) {
        if theirs == mine || theirs.is_empty() {
            return;
        }
        let entries = mine.count.max(theirs.count);
        let news = theirs.count.saturating_sub(mine.count);
        let mostly_news =
            mine.count <= MARKS_MAX && mine.count <= news.saturating_mul(MARKS_FOR_ONE);
        if entries <= FEW || mostly_news {
            self.lacking.push((range, mine.count));
            return;
        }
        let can_be_sketched = self.knows_sketches && (is_kept(&range) || entries <= READ_MAX);
        match symbols_for(mine.count.abs_diff(theirs.count).max(likely)) {
            Some(symbols) if can_be_sketched => {
                self.sketches.push_back(Sketching::new(range, entries, symbols));
            }
            _ => self.narrow(range, mine.count, 0),
        }
    }

    /// Symbols cannot tell what differs in a range, of which so much is known.
    fn narrow(&mut self, range: Prefix, mine: u64, differing: u64) {
        if range.bits() >= LEAF_BITS {
            self.lacking.push((range, mine));
            return;
        }
        let step = STEP.min(LEAF_BITS - range.bits());
        self.open.extend(range.split(step).map(|part| (part, differing >> step)));
    }

    /// The other's symbols of what was asked for; `mine` is what is here, where the first of them were.
    /// Whether the answer fits the question.
    pub(crate) fn sketched(
        &mut self,
        theirs: &[RangeAnswer],
        mine: impl IntoIterator<Item = Option<Sketched>>,
    ) -> bool {
        let asked = std::mem::take(&mut self.asked);
        if theirs.len() != asked.len() {
            return false;
        }
        let mut mine = mine.into_iter();
        for (mut sketching, theirs) in asked.into_iter().zip(theirs) {
            let (symbols, wanted) = (theirs.symbols.len(), sketching.query().symbols);
            if symbols != wanted && symbols != 0 {
                return false;
            }
            let is_kept = is_kept(&sketching.range);
            // One that knows sketches has those of wide ranges.
            self.knows_sketches &= symbols > 0 || !is_kept;
            match sketching.answered(theirs, mine.next().flatten()) {
                Told::Same => {}
                Told::Items(items) => self.found.extend(items),
                Told::Later => self.sketches.push_back(sketching),
                Told::Untold => self.narrow(sketching.range, sketching.entries, UNTOLD),
                Told::Nothing => self.narrow(sketching.range, sketching.entries, 0),
            }
        }
        true
    }

    /// Something new was copied.
    pub(crate) fn brought_news(&mut self) {
        self.fruitless = 0;
    }
}

/// Whether the sketch of a range is kept, so that nothing need be read for it.
pub(crate) fn is_kept(range: &Prefix) -> bool {
    range.bits() <= SKETCH_BITS
}
