//! Two sides that differ, the questions of one and the answers of the other; and what all of it weighs.

use std::collections::BTreeMap;
use std::ops::Range;

use base::{EntryId, Place, Version};
use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::sketch::SYMBOLS_MAX;
use crate::store::{Digests, Fingerprint};
use crate::wire::{Message, Pull, Pulled, Reply, Request, encode};

fn place(n: u64) -> Place {
    Place::of(&n.to_le_bytes())
}

/// What one side holds: an entry at each place, in some version.
#[derive(Default)]
struct Side {
    held: BTreeMap<Place, Fingerprint>,
    digests: Digests,
}

impl Side {
    fn of(entries: impl IntoIterator<Item = u64>) -> Side {
        let mut side = Side::default();
        entries.into_iter().for_each(|n| side.put(n, 1));
        side
    }

    fn put(&mut self, n: u64, version: u64) {
        let id = EntryId::from_bytes(&[7; EntryId::LEN]);
        self.take(place(n), Fingerprint::new(&place(n), id, Version::new(version), true));
    }

    fn take(&mut self, place: Place, fingerprint: Fingerprint) {
        self.digests.add(&place, fingerprint);
        if let Some(before) = self.held.insert(place, fingerprint) {
            self.digests.subtract(&place, before);
        }
    }

    fn digest(&self, range: &Prefix) -> Digest {
        self.digests.of(range)
    }

    /// As a store would do it.
    fn sketch(&self, range: &Prefix, symbols: usize, left: &mut u64) -> Option<Sketched> {
        if is_kept(range) {
            return self.digests.sketch(range, symbols);
        }
        *left = left.checked_sub(self.digest(range).count)?;
        let mut sketched = Sketched::new(symbols);
        let held = self.held.range(range.places());
        held.for_each(|(place, fingerprint)| sketched.insert(place, *fingerprint));
        Some(sketched)
    }

    fn answers(&self, queries: &[RangeQuery], knows_sketches: bool) -> Vec<RangeAnswer> {
        let mut left = READ_MAX;
        let mut answer = |query: &RangeQuery| {
            let wanted = query.symbols > 0 && knows_sketches;
            let sketched = self.sketch(&query.range, query.after + query.symbols, &mut left);
            match sketched.filter(|_| wanted) {
                Some(Sketched { digest, sketch }) => {
                    RangeAnswer { digest, symbols: sketch.symbols()[query.after..].to_vec() }
                }
                None => RangeAnswer { digest: self.digest(&query.range), symbols: Vec::new() },
            }
        };
        queries.iter().map(&mut answer).collect()
    }

    /// Takes what the other has in some ranges, if it is `wanted`; whether any of it was news.
    fn copy(&mut self, from: &Side, range: &Prefix, wanted: impl Fn(&Fingerprint) -> bool) -> bool {
        let mut news = false;
        for (place, print) in from.held.range(range.places()).filter(|(_, print)| wanted(print)) {
            news |= self.held.get(place) != Some(print);
            self.take(*place, *print);
        }
        news
    }
}

/// What a comparison took.
#[derive(Debug, Default, Clone, Copy)]
struct Cost {
    /// Of all messages, but for the entries.
    bytes: usize,
    turns: usize,
}

impl Cost {
    fn turn(&mut self, request: Request, reply: Reply) {
        let mut out = BytesMut::new();
        self.bytes += encode(&Message::Request(1000, request), &mut out);
        self.bytes += encode(&Message::Reply(1000, reply), &mut out);
        self.turns += 1;
    }

    fn pull(&mut self, ranges: Vec<Prefix>, have: Vec<u64>, want: Vec<u64>) {
        let pulled = Pulled { entries: Vec::new(), next: None };
        self.turn(Request::Pull(Pull { ranges, after: None, have, want }), Reply::Pulled(pulled));
    }
}

/// How the other side behaves.
#[derive(Clone, Copy)]
struct Other {
    knows_sketches: bool,
    /// It has one entry more with each question about symbols, beginning with this.
    changes: Option<u64>,
}

const QUIET: Other = Other { knows_sketches: true, changes: None };

/// Makes `mine` have all that `theirs` has.
fn run(
    mine: &mut Side,
    theirs: &mut Side,
    ranges: Vec<Prefix>,
    thorough: bool,
    mut other: Other,
) -> Cost {
    let mut reconcile = Reconcile::new(ranges, thorough);
    let mut cost = Cost::default();
    loop {
        match reconcile.next() {
            Step::Done => return cost,
            Step::Compare(ranges) => {
                let queries: Vec<_> = ranges.iter().copied().map(RangeQuery::digest).collect();
                let answers = theirs.answers(&queries, other.knows_sketches);
                let here: Vec<Digest> = ranges.iter().map(|range| mine.digest(range)).collect();
                assert!(reconcile.compared(&answers, &here));
                cost.turn(Request::Digests(queries), Reply::Digests(answers));
            }
            Step::Sketch(queries) => {
                let answers = theirs.answers(&queries, other.knows_sketches);
                let mut left = READ_MAX;
                let mut first = |query: &RangeQuery| match query.after {
                    0 => mine.sketch(&query.range, SYMBOLS_MAX, &mut left),
                    _ => None,
                };
                let here: Vec<_> = queries.iter().map(&mut first).collect();
                assert!(reconcile.sketched(&answers, here));
                cost.turn(Request::Digests(queries), Reply::Digests(answers));
                if let Some(next) = &mut other.changes {
                    theirs.put(*next, 1);
                    *next += 1;
                }
            }
            Step::Fetch(items) => {
                let is_here = |item: &Item| {
                    let mut held = mine.held.range(item.range().places());
                    held.any(|(_, print)| print.mark() == item.mark())
                };
                let items: Vec<Item> = items.into_iter().filter(|item| !is_here(item)).collect();
                let mut ranges: Vec<Prefix> = items.iter().map(|item| item.range()).collect();
                ranges.dedup();
                assert_in_order(&ranges);
                let want: Vec<u64> = items.iter().map(|item| item.mark()).collect();
                for range in &ranges {
                    if mine.copy(theirs, range, |print| want.contains(&print.mark())) {
                        reconcile.brought_news();
                    }
                }
                if !want.is_empty() {
                    cost.pull(ranges, Vec::new(), want);
                }
            }
            Step::Copy(ranges) => {
                assert_in_order(&ranges);
                let held = ranges.iter().flat_map(|range| mine.held.range(range.places()));
                let have = held.map(|(_, print)| print.mark()).take(HAVE_MAX).collect();
                for range in &ranges {
                    if mine.copy(theirs, range, |_| true) {
                        reconcile.brought_news();
                    }
                }
                cost.pull(ranges, have, Vec::new());
            }
        }
    }
}

fn assert_in_order(ranges: &[Prefix]) {
    assert!(ranges.windows(2).all(|pair| pair[0].places().end() < pair[1].first()));
}

fn everything() -> Vec<Prefix> {
    vec![Prefix::everything()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_that_the_other_has_in_the_ranges_is_here_in_the_end(
        common in 0..3000u64,
        mine in prop::collection::btree_set(100_000..101_000u64, 0..250),
        theirs in prop::collection::btree_set(200_000..201_000u64, 0..250),
        changed in 0..300u64,
        bits in 0..=LEAF_BITS,
        at: u64,
        knows_sketches: bool,
        changes in prop::option::of(Just(300_000)),
    ) {
        let mut mine = Side::of((0..common).chain(mine));
        let mut theirs = Side::of((0..common).chain(theirs));
        (0..changed.min(common)).for_each(|n| theirs.put(n, 2));
        let expected = theirs.held.clone();
        let range = Prefix::of(&place(at), bits);
        let other = Other { knows_sketches, changes };
        run(&mut mine, &mut theirs, vec![range], true, other);
        for (place, fingerprint) in expected.range(range.places()) {
            prop_assert_eq!(mine.held.get(place), Some(fingerprint));
        }
    }

    #[test]
    fn symbols_of_a_liar_end_in_narrower_ranges(noise in prop::collection::vec(any::<u128>(), 1..50)) {
        let mine = Side::of(0..2000);
        let mut reconcile = Reconcile::new(everything(), true);
        let mut noise = noise.into_iter().cycle();
        let mut turns = 0;
        loop {
            let lie = |query: &RangeQuery, noise: &mut dyn Iterator<Item = u128>| RangeAnswer {
                digest: Digest { sum: 1, ..mine.digest(&query.range) },
                symbols: noise.take(query.symbols).collect(),
            };
            match reconcile.next() {
                Step::Done => break,
                Step::Compare(ranges) => {
                    let answers: Vec<_> = ranges
                        .iter()
                        .map(|range| lie(&RangeQuery::digest(*range), &mut noise))
                        .collect();
                    let here: Vec<_> = ranges.iter().map(|range| mine.digest(range)).collect();
                    prop_assert!(reconcile.compared(&answers, &here));
                }
                Step::Sketch(queries) => {
                    let answers: Vec<_> =
                        queries.iter().map(|query| lie(query, &mut noise)).collect();
                    let here = queries.iter().map(|query| {
                        (query.after == 0)
                            .then(|| mine.sketch(&query.range, SYMBOLS_MAX, &mut u64::MAX.clone()))
                            .flatten()
                    });
                    prop_assert!(reconcile.sketched(&answers, here));
                }
                Step::Fetch(_) | Step::Copy(_) => {}
            }
            turns += 1;
            // Every question is about a part of the space that was not settled yet.
            prop_assert!(turns < 200_000);
        }
    }
}

/// What it takes to mend so many entries that differ of 100,000, with sketches and without.
fn costs(
    differing: usize,
    differ: impl Fn(&mut Side, Range<u64>),
    sides: &mut [Side; 3],
) -> [Cost; 2] {
    let [theirs, with, without] = sides;
    let first = theirs.held.len() as u64;
    differ(theirs, first..first + differing as u64);
    let knowing = run(with, theirs, everything(), true, QUIET);
    let narrowing = Other { knows_sketches: false, ..QUIET };
    let narrowing = run(without, theirs, everything(), true, narrowing);
    assert!(with.held == theirs.held && without.held == theirs.held);
    [knowing, narrowing]
}

/// `cargo test -p dht reconcile -- --nocapture` shows the figures.
#[test]
fn what_it_takes_grows_with_the_difference_alone() {
    let mut sides = [(); 3].map(|()| Side::of(0..88_889));
    println!("lacking: bytes with sketches, for each, turns │ without: bytes, for each");
    let new = |theirs: &mut Side, range: Range<u64>| range.for_each(|n| theirs.put(n, 1));
    for lacking in [10_000, 1000, 100, 10, 1, 0] {
        let [with, without] = costs(lacking, new, &mut sides);
        let each = |cost: Cost| cost.bytes / lacking.max(1);
        let (less, more) = (each(with), each(without));
        println!("{lacking}: {} {less} {} │ {} {more}", with.bytes, with.turns, without.bytes);
        // Six or seven words of 64 bits for each, and some more on the way to it.
        assert!(with.bytes <= 300 + lacking * 56, "{with:?}");
        assert!(with.turns <= 80, "{with:?}");
    }
    assert_eq!(sides[0].held.len(), 100_000);
    println!("changed: the same");
    let newer = |theirs: &mut Side, range: Range<u64>| {
        let changed = range.end - range.start;
        (0..changed).for_each(|n| theirs.put(n, 20_000 - changed));
    };
    for changed in [10_000, 1000, 100, 10, 1] {
        let [with, without] = costs(changed, newer, &mut sides);
        let each = |cost: Cost| cost.bytes / changed;
        let (less, more) = (each(with), each(without));
        println!("{changed}: {} {less} {} │ {} {more}", with.bytes, with.turns, without.bytes);
        // Two states of each entry; and a sketch in vain where more differs than counts show.
        assert!(with.bytes <= 300 + 4096 + changed * 112, "{with:?}");
    }
}

#[test]
fn one_that_gives_nothing_new_is_not_compared_with_for_ever() {
    let mut mine = Side::of(0..50_000);
    let mut half = Side::of(0..25_000);
    for knows_sketches in [true, false] {
        let other = Other { knows_sketches, ..QUIET };
        // It ends between two questions, which may be long.
        let bound = (4 * FRUITLESS_MAX + HAVE_MAX) * 8;
        assert!(run(&mut mine, &mut half, everything(), false, other).bytes < bound);
        assert!(run(&mut mine, &mut half, everything(), true, other).bytes > bound);
    }
}

#[test]
fn all_ranges_are_compared_once_if_nothing_differs_in_most() {
    let (mut mine, mut theirs) = (Side::of(0..10_000), Side::of(0..10_000));
    theirs.put((0..10_000).max_by_key(|n| place(*n)).unwrap(), 2);
    // More than what a comparison may be without news.
    let ranges: Vec<Prefix> =
        Prefix::everything().split(8).flat_map(|range| range.split(4)).collect();
    assert!(ranges.len() > FRUITLESS_MAX);
    run(&mut mine, &mut theirs, ranges, false, QUIET);
    assert_eq!(mine.held, theirs.held);
}

#[test]
fn one_that_does_not_know_sketches_is_asked_for_symbols_once() {
    let (mut mine, mut theirs) = (Side::of(0..5000), Side::of(100..5100));
    let mut reconcile = Reconcile::new(everything(), true);
    let ask = |reconcile: &mut Reconcile| match reconcile.next() {
        Step::Sketch(queries) => {
            let answers = theirs.answers(&queries, false);
            assert!(reconcile.sketched(&answers, queries.iter().map(|_| None)));
            true
        }
        _ => false,
    };
    assert!(matches!(reconcile.next(), Step::Compare(_)));
    let (there, here) = (theirs.digest(&everything()[0]), mine.digest(&everything()[0]));
    let there = RangeAnswer { digest: there, symbols: Vec::new() };
    assert!(reconcile.compared(&[there], &[here]));
    assert!(ask(&mut reconcile));
    assert!(!reconcile.knows_sketches && !ask(&mut reconcile));
    let other = Other { knows_sketches: false, ..QUIET };
    run(&mut mine, &mut theirs, everything(), true, other);
    assert_eq!(mine.held.len(), 5100);
}

#[test]
fn an_answer_that_does_not_fit_is_not_used() {
    let mut reconcile = Reconcile::new(everything(), true);
    assert!(matches!(reconcile.next(), Step::Compare(_)));
    assert!(!reconcile.compared(&[], &[Digest::default()]));
    let mine = Side::of(0..1000);
    let mut reconcile = Reconcile::new(everything(), true);
    assert!(matches!(reconcile.next(), Step::Compare(_)));
    let digest = Digest { count: 1000, sum: 1 };
    let answer = RangeAnswer { digest, symbols: Vec::new() };
    assert!(reconcile.compared(&[answer], &[mine.digest(&everything()[0])]));
    let Step::Sketch(queries) = reconcile.next() else { panic!("it has a sketch") };
    let symbols = vec![0; queries[0].symbols + 1];
    assert!(!reconcile.sketched(&[RangeAnswer { digest, symbols }], [None]));
}
