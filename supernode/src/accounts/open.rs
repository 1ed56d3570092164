//! Names that were found open while this node was alone. Pure.

use std::collections::HashSet;
use std::num::NonZeroU64;

use p2psip::location::Aor;

/// Names that are remembered, 30 B each; when there are more all are asked for again.
const NAMES_MAX: usize = 32_768;

/// Names that nobody had put a record for. Who can put one is this node alone, as long as the stamp is the
/// same: it says so ([`Open::changed`]).
#[derive(Debug, Default)]
pub(super) struct Open {
    stamp: Option<NonZeroU64>,
    /// By hash: so long that no two names have the same.
    names: HashSet<[u8; 16]>,
    changes: u64,
}

impl Open {
    /// Whether a name is known to be open.
    pub(super) fn has(&self, name: &Aor, stamp: NonZeroU64) -> bool {
        self.stamp == Some(stamp) && self.names.contains(&hash(name))
    }

    /// Names a state of what this node has put, for [`Open::note`].
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// A name was found open, by who asked for the stamp and the changes before it looked.
    pub(super) fn note(&mut self, name: &Aor, stamp: NonZeroU64, changes: u64) {
        if self.changes != changes {
            return;
        }
        if self.stamp != Some(stamp) || self.names.len() >= NAMES_MAX {
            (self.stamp, self.names) = (Some(stamp), HashSet::new());
        }
        self.names.insert(hash(name));
    }

    /// Something is put, or was: nothing counts that was found before.
    pub(super) fn changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
        self.names = HashSet::new();
    }
}

fn hash(name: &Aor) -> [u8; 16] {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(name.as_str().as_bytes()).as_bytes()[..16]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aor(number: usize) -> Aor {
        Aor::of_user(&format!("a{number}")).unwrap()
    }

    fn stamp(number: u64) -> NonZeroU64 {
        NonZeroU64::new(number).unwrap()
    }

    #[test]
    fn what_was_open_is_until_somebody_can_have_changed_it() {
        let mut open = Open::default();
        assert!(!open.has(&aor(1), stamp(1)));
        open.note(&aor(1), stamp(1), open.changes());
        assert!(open.has(&aor(1), stamp(1)) && !open.has(&aor(2), stamp(1)));
        assert!(!open.has(&aor(1), stamp(2)), "somebody else was there");
        let before = open.changes();
        open.changed();
        assert!(!open.has(&aor(1), stamp(1)), "this node has put something");
        open.note(&aor(1), stamp(1), before);
        assert!(!open.has(&aor(1), stamp(1)), "it was found before");
        open.note(&aor(1), stamp(1), open.changes());
        open.note(&aor(2), stamp(3), open.changes());
        assert!(open.has(&aor(2), stamp(3)) && !open.has(&aor(1), stamp(3)));
    }

    #[test]
    fn it_never_grows_above_its_bound() {
        let mut open = Open::default();
        for number in 0..=NAMES_MAX {
            open.note(&aor(number), stamp(1), 0);
            assert!(open.names.len() <= NAMES_MAX);
        }
        assert!(open.has(&aor(NAMES_MAX), stamp(1)) && !open.has(&aor(0), stamp(1)));
    }
}
