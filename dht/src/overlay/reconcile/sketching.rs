//! One range of which symbols are asked for until they tell what differs.

use crate::prefix::Prefix;
use crate::sketch::{Item, SYMBOLS_MAX, Sketch};
use crate::store::{Digest, Sketched};
use crate::wire::{RangeAnswer, RangeQuery};

/// Of what is known to differ, at least, so many symbols are asked for at first: some more, for it mostly
/// takes half as many again, and there may be more.
const SPARE: usize = 4;
/// And then, each time, the so-manieth part of those there are: few that are not needed, and few turns.
const MORE: usize = 3;
/// How often a range is begun anew because it changed on the other side meanwhile.
const RESTARTS_MAX: u32 = 1;

/// A range under way.
#[derive(Debug)]
pub(super) struct Sketching {
    pub(super) range: Prefix,
    /// How many entries are in it, here or there.
    pub(super) entries: u64,
    /// The digest here and there when it began.
    digests: Option<[Digest; 2]>,
    /// The symbols here, and added to them those of the other side that have come.
    difference: Sketch,
    received: usize,
    wanted: usize,
    restarts: u32,
}

/// What symbols have told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing yet: there are more.
    Later,
    /// That nothing differs.
    Same,
    /// All that differs, what only this side has included.
    Items(Vec<Item>),
    /// That too much differs for them.
    Untold,
    /// That it takes something else.
    Nothing,
}

/// How many symbols to begin with where so many entries differ at least; `None` if no sketch is so long.
pub(super) fn symbols_for(differing: u64) -> Option<usize> {
    let differing = usize::try_from(differing).ok()?;
    let symbols = differing.checked_add(differing / 2)?.checked_add(SPARE)?;
    (symbols <= SYMBOLS_MAX).then_some(symbols)
}

impl Sketching {
    pub(super) fn new(range: Prefix, entries: u64, symbols: usize) -> Sketching {
        Sketching {
            range,
            entries,
            digests: None,
            difference: Sketch::default(),
            received: 0,
            wanted: symbols.min(SYMBOLS_MAX),
            restarts: 0,
        }
    }

    /// What to ask next.
    pub(super) fn query(&self) -> RangeQuery {
        let symbols = self.wanted.saturating_sub(self.received);
        RangeQuery { range: self.range, after: self.received, symbols }
    }

    /// The answer to [`Sketching::query`], whose length was checked; `mine` is what is here, as far as
    /// symbols go, when it was the first.
    pub(super) fn answered(&mut self, theirs: &RangeAnswer, mine: Option<Sketched>) -> Told {
        if theirs.symbols.is_empty() {
            return Told::Nothing;
        }
        if let Some(mine) = mine {
            self.digests = Some([mine.digest, theirs.digest]);
            self.difference = mine.sketch;
        }
        let Some([here, there]) = self.digests else { return Told::Nothing };
        if here == there {
            return Told::Same;
        }
        if theirs.digest != there {
            // Symbols of different sets do not fit together.
            self.restarts += 1;
            (self.digests, self.received) = (None, 0);
            return if self.restarts <= RESTARTS_MAX { Told::Later } else { Told::Nothing };
        }
        self.difference.add(self.received, &theirs.symbols);
        self.received += theirs.symbols.len();
        match self.difference.decode(self.received) {
            // What differs is hidden: two entries of one item.
            Some(items) if items.is_empty() => Told::Nothing,
            Some(items) => Told::Items(items),
            None if self.received >= SYMBOLS_MAX => Told::Untold,
            None => {
                let more = (self.received / MORE).max(SPARE);
                self.wanted = (self.received + more).min(SYMBOLS_MAX);
                Told::Later
            }
        }
    }
}
