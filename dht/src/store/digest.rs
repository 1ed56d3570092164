//! Digests of what is held in a range of places, kept up to date with every change, so that two
//! replicas find where they differ without looking at what they have in common.
//!
//! The digest of a set is the number of its entries and the sum of their fingerprints: it does not
//! depend on the order in which they came, and adding or taking away one entry is one addition. Kept
//! are the digests of all ranges of [`LEAF_BITS`] bits in which there is something; that of a wider range is
//! their sum. Beside them sketches are kept, of all ranges of [`SKETCH_BITS`] bits, which tell what
//! differs where little does.

use base::{Entry, EntryId, Place, Version};

use crate::prefix::Prefix;
use crate::sketch::{Item, SYMBOLS_MAX, Sketch};

/// Bits of the narrowest ranges that have a digest: with a million entries, some fifteen are in each.
pub const LEAF_BITS: usize = 16;
/// Bits of the narrowest ranges whose sketches are kept: 4 KiB for each, 1 MiB for all. Narrower ones have
/// so few entries that they can be read for it.
pub const SKETCH_BITS: usize = 8;
/// Leaves of a page: those whose places share the first byte.
const PAGE: usize = 1 << (LEAF_BITS - SKETCH_BITS);

/// The digest of a set of entries. Lifetimes are not part of it: they differ by what messages take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// How many entries there are.
    pub count: u64,
    /// Their fingerprints added up, modulo 2^128.
    pub sum: u128,
}

/// What tells one state of one entry from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// The fingerprint of an entry at a place.
    pub fn of(place: &Place, entry: &Entry) -> Fingerprint {
        Fingerprint::new(place, entry.id(), entry.version(), entry.is_live())
    }

    pub(crate) fn new(place: &Place, id: EntryId, version: Version, live: bool) -> Fingerprint {
        let mut bytes = [0; Place::LEN + EntryId::LEN + 9];
        let (head, tail) = bytes.split_at_mut(Place::LEN);
        head.copy_from_slice(place.as_bytes());
        tail[..EntryId::LEN].copy_from_slice(&id.to_bytes());
        tail[EntryId::LEN..][..8].copy_from_slice(&version.number().to_le_bytes());
        tail[EntryId::LEN + 8] = u8::from(live);
        let hash = blake3::hash(&bytes);
        Fingerprint(u128::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at])))
    }

    /// Its first 64 bits: enough to say which entries of a small set one has.
    pub const fn mark(self) -> u64 {
        self.0 as u64
    }
}

/// The digest of a set of entries and its sketch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketched {
    /// The digest.
    pub digest: Digest,
    /// The sketch: as many symbols as were asked for.
    pub sketch: Sketch,
}

impl Sketched {
    /// That of nothing, with so many symbols.
    pub fn new(symbols: usize) -> Sketched {
        Sketched { digest: Digest::default(), sketch: Sketch::new(symbols) }
    }

    /// One entry more.
    pub fn insert(&mut self, place: &Place, fingerprint: Fingerprint) {
        self.digest.insert(fingerprint);
        self.sketch.toggle(Item::new(place, fingerprint.mark()));
    }

    pub(super) fn add(&mut self, other: &Sketched) {
        self.digest.add(other.digest);
        self.sketch.combine(&other.sketch);
    }
}

impl Digest {
    /// Whether it is that of nothing.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The digest with one entry more.
    pub fn insert(&mut self, fingerprint: Fingerprint) {
        self.add(Digest { count: 1, sum: fingerprint.0 });
    }

    pub(super) fn add(&mut self, other: Digest) {
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// The digests of one store, or of a part of it.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    /// By the first byte of their places, in order; those without entries are left out.
    pages: Vec<(u8, Page)>,
}

/// What is kept of the places that share their first byte.
#[derive(Debug)]
struct Page {
    leaves: Box<[Leaf; PAGE]>,
    /// All of them together.
    whole: Leaf,
    sketch: Sketch,
}

/// The digest of a leaf, in less space.
#[derive(Debug, Clone, Copy, Default)]
struct Leaf {
    count: u32,
    sum: [u32; 4],
}

impl Digests {
    /// An entry has come.
    pub(crate) fn add(&mut self, place: &Place, fingerprint: Fingerprint) {
        for part in self.change(place, fingerprint) {
            part.change(|count| count.wrapping_add(1), |sum| sum.wrapping_add(fingerprint.0));
        }
    }

    /// An entry has gone.
    pub(crate) fn subtract(&mut self, place: &Place, fingerprint: Fingerprint) {
        for part in self.change(place, fingerprint) {
            part.change(|count| count.wrapping_sub(1), |sum| sum.wrapping_sub(fingerprint.0));
        }
    }

    /// The digest of a range, at most [`LEAF_BITS`] bits deep; deeper ones have that of their leaf.
    pub(crate) fn of(&self, prefix: &Prefix) -> Digest {
        let leaf = |place: &Place| (place.as_bytes()[0], usize::from(place.as_bytes()[1]));
        let ((first, from), (last, to)) = (leaf(prefix.first()), leaf(prefix.places().end()));
        let begin = self.pages.partition_point(|(page, _)| *page < first);
        let mut digest = Digest::default();
        for (byte, page) in self.pages[begin..].iter().take_while(|(byte, _)| *byte <= last) {
            let from = if *byte == first { from } else { 0 };
            let to = if *byte == last { to } else { PAGE - 1 };
            if (from, to) == (0, PAGE - 1) {
                digest.add(page.whole.digest());
            } else {
                page.leaves[from..=to].iter().for_each(|leaf| digest.add(leaf.digest()));
            }
        }
        digest
    }

    /// The digest of a range, and so many symbols of its sketch; `None` if it is more than
    /// [`SKETCH_BITS`] bits deep.
    pub(crate) fn sketch(&self, prefix: &Prefix, symbols: usize) -> Option<Sketched> {
        if prefix.bits() > SKETCH_BITS {
            return None;
        }
        let mut sketch = Sketch::new(symbols);
        let (first, last) = (prefix.first().as_bytes()[0], prefix.places().end().as_bytes()[0]);
        let pages = self.pages.iter().filter(|(byte, _)| (first..=last).contains(byte));
        pages.for_each(|(_, page)| sketch.combine(&page.sketch));
        Some(Sketched { digest: self.of(prefix), sketch })
    }

    /// Changes the sketch of a page, as an entry comes or goes; the sums to be changed: of its leaf, and of
    /// all.
    fn change(&mut self, place: &Place, fingerprint: Fingerprint) -> [&mut Leaf; 2] {
        let [byte, leaf, ..] = *place.as_bytes();
        let at = match self.pages.binary_search_by_key(&byte, |(byte, _)| *byte) {
            Ok(at) => at,
            Err(at) => {
                let leaves = Box::new([Leaf::default(); PAGE]);
                let sketch = Sketch::new(SYMBOLS_MAX);
                self.pages.insert(at, (byte, Page { leaves, whole: Leaf::default(), sketch }));
                at
            }
        };
        let Page { leaves, whole, sketch } = &mut self.pages[at].1;
        sketch.toggle(Item::new(place, fingerprint.mark()));
        [&mut leaves[usize::from(leaf)], whole]
    }
}

impl Leaf {
    fn digest(&self) -> Digest {
        let sum = self.sum.iter().rev().fold(0, |sum, part| sum << 32 | u128::from(*part));
        Digest { count: self.count.into(), sum }
    }

    fn change(&mut self, count: impl Fn(u32) -> u32, sum: impl Fn(u128) -> u128) {
        self.count = count(self.count);
        let sum = sum(self.digest().sum);
        self.sum = std::array::from_fn(|at| (sum >> (32 * at)) as u32);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(n: u64) -> Place {
        Place::of(&n.to_le_bytes())
    }

    fn fingerprint(n: u64, version: u64) -> Fingerprint {
        let id = EntryId::from_bytes(&[7; EntryId::LEN]);
        Fingerprint::new(&place(n), id, Version::new(version), true)
    }

    proptest! {
        #[test]
        fn a_digest_is_that_of_what_is_there_whatever_was_before(
            there in prop::collection::btree_set(0..500u64, 0..60),
            gone in prop::collection::btree_set(500..1000u64, 0..60),
            bits in 0..=LEAF_BITS,
            at in 0..500u64,
        ) {
            let mut digests = Digests::default();
            gone.iter().for_each(|n| digests.add(&place(*n), fingerprint(*n, 1)));
            there.iter().for_each(|n| digests.add(&place(*n), fingerprint(*n, 2)));
            gone.iter().for_each(|n| digests.subtract(&place(*n), fingerprint(*n, 1)));
            let prefix = Prefix::of(&place(at), bits);
            let mut expected = Digest::default();
            for n in there.iter().filter(|n| prefix.contains(&place(**n))) {
                expected.insert(fingerprint(*n, 2));
            }
            prop_assert_eq!(digests.of(&prefix), expected);
            let mut sketched = Sketched::new(SYMBOLS_MAX);
            for n in there.iter().filter(|n| prefix.contains(&place(**n))) {
                sketched.insert(&place(*n), fingerprint(*n, 2));
            }
            let is_kept = bits <= SKETCH_BITS;
            prop_assert_eq!(digests.sketch(&prefix, SYMBOLS_MAX), is_kept.then_some(sketched));
        }
    }

    #[test]
    fn another_version_and_a_removal_have_another_fingerprint() {
        let id = EntryId::from_bytes(&[7; EntryId::LEN]);
        let of = |version, live| Fingerprint::new(&place(1), id, Version::new(version), live);
        assert_ne!(of(1, true), of(2, true));
        assert_ne!(of(1, true), of(1, false));
        assert_ne!(of(1, true).mark(), of(1, false).mark());
    }
}
