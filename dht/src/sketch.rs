//! Sketches of sets: from the difference of two, what one set has and the other has not can be read,
//! however much they have in common.
//!
//! Rateless invertible Bloom look-up tables (Yang, Gilad, Alizadeh, "Practical Rateless Set
//! Reconciliation", SIGCOMM 2024, sections 4 and 5): a sketch is a row of *symbols*, each the sum of
//! some items, modulo 2. Every item is in the first, and in the i-th after it with the probability
//! 1 ÷ (1 + i/2). What both sets have cancels out when their symbols are added up; of what is left,
//! a symbol of one item shows it by its check, and taking it out of the others it is in makes more
//! such. The first d × 1.35 symbols, or d × 1.7 where d is small, mostly do for d items; if they do not,
//! the next ones are asked for, and none was in vain.
//!
//! Symbols are added, so that a sketch follows every change, and that of a wider range is the sum of
//! those of its parts.

use std::collections::BTreeSet;

use base::Place;

use crate::prefix::Prefix;

/// Most symbols of a sketch: they tell what differs of some 180 entries. Where more differs, narrower
/// ranges are compared; 16 bytes each, as many as fit into a small frame.
pub const SYMBOLS_MAX: usize = 256;
/// Bytes of a symbol.
pub(crate) const SYMBOL_LEN: usize = 16;

/// How many first bits of its place an item says: with 16 million entries, few share them.
const PLACE_BITS: usize = 32;

/// One state of one entry, as a sketch knows it: enough to ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The first 32 bits of where it lies.
    place: u32,
    /// The mark of its fingerprint.
    mark: u64,
}

impl Item {
    /// The item of an entry at a place.
    pub fn new(place: &Place, mark: u64) -> Item {
        let place = u32::from_be_bytes(std::array::from_fn(|at| place.as_bytes()[at]));
        Item { place, mark }
    }

    /// The mark of its fingerprint.
    pub const fn mark(self) -> u64 {
        self.mark
    }

    /// A narrow range in which it lies.
    pub(crate) fn range(self) -> Prefix {
        let mut first = [0; Place::LEN];
        first[..4].copy_from_slice(&self.place.to_be_bytes());
        Prefix::of(&Place::from_bytes(first), PLACE_BITS)
    }

    /// What stands for it in symbols.
    fn word(self) -> u128 {
        u128::from(self.mark) | u128::from(self.place) << 64 | u128::from(self.check()) << 96
    }

    /// The item a symbol is of, if it is of one alone.
    fn of(symbol: u128) -> Option<Item> {
        let item = Item { place: (symbol >> 64) as u32, mark: symbol as u64 };
        (symbol != 0 && item.word() == symbol).then_some(item)
    }

    /// What the sum of several items has by chance only, once in 2^32: bits of a product of both parts, in
    /// the manner of splitmix64 (Steele, Lea, Flood, 2014).
    fn check(self) -> u32 {
        let mut mixed = self.mark ^ u64::from(self.place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 32) as u32
    }

    /// The symbols it is in, in order; the first always.
    fn positions(self) -> impl Iterator<Item = usize> {
        // Marks are as good as random; a multiplier of good spectrum (Steele, Vigna, 2021) makes more of
        // one.
        let mut state = self.mark | 1;
        let mut next = 0u64;
        std::iter::from_fn(move || {
            let at = next;
            if at >= SYMBOLS_MAX as u64 {
                return None;
            }
            state = state.wrapping_mul(0xda94_2042_e4dd_58b5);
            // That it is in none of those after `at`, up to j, has the probability
            // (at + 1)(at + 2) ÷ (j + 1)(j + 2), by the product of i ÷ (i + 2). So the next is the first j
            // for which that is below a random number from 1 ÷ 2^32 to 1.
            let random = (state >> 32) + 1;
            let least = (((at + 1) * (at + 2)) << 32) / random + 1;
            let root = least.isqrt();
            next = if least - root * root <= root { root - 1 } else { root };
            Some(at as usize)
        })
    }
}

/// The first symbols of a set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch(Vec<u128>);

impl Sketch {
    /// So many symbols of nothing; at most [`SYMBOLS_MAX`].
    pub fn new(symbols: usize) -> Sketch {
        Sketch(vec![0; symbols.min(SYMBOLS_MAX)])
    }

    /// An item comes, or goes.
    pub fn toggle(&mut self, item: Item) {
        let (word, symbols) = (item.word(), self.0.len());
        for at in item.positions().take_while(|at| *at < symbols) {
            self.0[at] ^= word;
        }
    }

    /// Adds a sketch's symbols to those this one has: what is in both is in neither.
    pub fn combine(&mut self, other: &Sketch) {
        self.add(0, &other.0);
    }

    /// Adds symbols, of which the first is the `from`-th.
    pub(crate) fn add(&mut self, from: usize, symbols: &[u128]) {
        let here = self.0.iter_mut().skip(from);
        here.zip(symbols).for_each(|(here, symbol)| *here ^= symbol);
    }

    /// Its symbols.
    pub fn symbols(&self) -> &[u128] {
        &self.0
    }

    /// What the first `symbols` are made of, in order; `None` if they do not tell.
    ///
    /// Symbols of a liar are read like others: of each comes at most one item, and what is read is what
    /// makes up exactly these symbols.
    pub fn decode(&self, symbols: usize) -> Option<Vec<Item>> {
        let mut left: Vec<u128> = self.0.iter().take(symbols).copied().collect();
        let symbols = left.len();
        let mut items = BTreeSet::new();
        let mut open: Vec<usize> = (0..symbols).collect();
        while let Some(at) = open.pop() {
            let Some(item) = Item::of(left[at]) else { continue };
            if !item.positions().any(|position| position == at) {
                continue;
            }
            // One that comes twice would come for ever.
            if items.len() >= symbols || !items.insert(item) {
                return None;
            }
            let word = item.word();
            for position in item.positions().take_while(|position| *position < symbols) {
                left[position] ^= word;
                open.push(position);
            }
        }
        left.iter().all(|symbol| *symbol == 0).then(|| items.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(n: u64) -> Item {
        let hash = blake3::hash(&n.to_le_bytes());
        let mark = u64::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at]));
        Item::new(&Place::of(&n.to_le_bytes()), mark)
    }

    fn sketch(items: impl IntoIterator<Item = u64>, symbols: usize) -> Sketch {
        let mut sketch = Sketch::new(symbols);
        items.into_iter().for_each(|n| sketch.toggle(item(n)));
        sketch
    }

    fn sorted(items: impl IntoIterator<Item = u64>) -> Vec<Item> {
        let items: BTreeSet<Item> = items.into_iter().map(item).collect();
        items.into_iter().collect()
    }

    proptest! {
        #[test]
        fn what_differs_is_read_from_the_difference(
            common in 0..2000u64,
            mine in prop::collection::btree_set(10_000..11_000u64, 0..60),
            theirs in prop::collection::btree_set(20_000..21_000u64, 0..60),
        ) {
            let mut difference = sketch((0..common).chain(mine.clone()), SYMBOLS_MAX);
            difference.combine(&sketch((0..common).chain(theirs.clone()), SYMBOLS_MAX));
            let expected = sorted(mine.into_iter().chain(theirs));
            prop_assert_eq!(difference.decode(SYMBOLS_MAX), Some(expected.clone()));
            for symbols in 1..SYMBOLS_MAX {
                let read = difference.decode(symbols);
                prop_assert!(read.is_none_or(|read| read == expected), "too few tell nothing else");
            }
        }

        #[test]
        fn an_item_that_came_and_went_leaves_nothing(n: u64, others in prop::collection::btree_set(0..500u64, 0..20)) {
            let mut changed = sketch(others.clone(), SYMBOLS_MAX);
            changed.toggle(item(n));
            changed.toggle(item(n));
            prop_assert_eq!(changed, sketch(others, SYMBOLS_MAX));
        }

        #[test]
        fn fewer_symbols_are_the_first_of_more(items in prop::collection::btree_set(0..500u64, 0..50), symbols in 0..SYMBOLS_MAX) {
            let (some, all) = (sketch(items.clone(), symbols), sketch(items, SYMBOLS_MAX));
            prop_assert_eq!(some.symbols(), &all.symbols()[..symbols]);
        }

        #[test]
        fn symbols_of_a_liar_are_read_to_an_end(
            noise in prop::collection::vec(any::<u128>(), 0..40),
            words in prop::collection::vec((0..30u64, 0..SYMBOLS_MAX), 0..300),
        ) {
            // Items wherever they do not belong look like what is to be taken out, again and again.
            let mut symbols = vec![0; SYMBOLS_MAX];
            words.iter().for_each(|(n, at)| symbols[*at] ^= item(*n).word());
            noise.iter().enumerate().for_each(|(at, noise)| symbols[at * 6] ^= noise);
            let mut liar = Sketch::new(SYMBOLS_MAX);
            liar.add(0, &symbols);
            if let Some(read) = liar.decode(SYMBOLS_MAX) {
                let mut again = Sketch::new(SYMBOLS_MAX);
                read.iter().for_each(|item| again.toggle(*item));
                prop_assert_eq!(again, liar);
            }
        }
    }

    #[test]
    fn an_item_is_in_the_first_symbol_and_in_later_ones_ever_more_seldom() {
        let mut counts = vec![0u32; SYMBOLS_MAX];
        const ITEMS: u32 = 20_000;
        for n in 0..ITEMS.into() {
            let mut last = None;
            for at in item(n).positions() {
                assert!(last < Some(at));
                counts[at] += 1;
                last = Some(at);
            }
        }
        for (at, count) in counts.into_iter().enumerate() {
            let expected = f64::from(ITEMS) / (1.0 + at as f64 / 2.0);
            let off = (f64::from(count) - expected).abs();
            assert!(off < 6.0 * expected.sqrt() + 1.0, "{at}: {count}, not {expected}");
        }
    }

    #[test]
    fn few_more_symbols_than_items_are_needed() {
        for (items, most) in [(1u64, 1.0), (3, 2.0), (10, 1.9), (50, 1.65), (150, 1.55)] {
            let needed = |turn: u64| {
                let sketch = sketch((0..items).map(|n| turn * 1000 + n), SYMBOLS_MAX);
                let enough = (1..=SYMBOLS_MAX).find(|symbols| sketch.decode(*symbols).is_some());
                enough.unwrap_or(2 * SYMBOLS_MAX)
            };
            let mean = (0..100).map(needed).sum::<usize>() as f64 / 100.0 / items as f64;
            println!("{items}: {mean}");
            assert!(mean <= most, "{items} items take {mean} symbols each");
        }
    }

    #[test]
    fn what_looks_like_one_item_where_it_cannot_be_is_none() {
        let stray = (0..).map(item).find(|item| item.positions().all(|at| at != 5));
        let mut liar = Sketch::new(8);
        liar.add(5, &[stray.expect("most are not in the fifth").word()]);
        assert_eq!(liar.decode(8), None);
    }
}
