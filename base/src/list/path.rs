//! Ways from the root of a list to its nodes, and of its elements.

use std::fmt;

use crate::EntryId;

/// Sets the ways of elements apart from all other uses of BLAKE3 (its key derivation mode).
const CONTEXT: &str = "SCOPE 2026 way of an element in a list";

/// Children of a node: four bits of a hash name one.
pub(super) const BRANCHES: u8 = 16;

/// Most steps below the root. Beyond 256 × 16^8 elements a list is full; and who makes hashes to
/// lengthen one branch needs 256 for each step.
pub const DEPTH_MAX: usize = 8;

/// A node of a list, by the steps that lead to it; or, with [`DEPTH_MAX`] steps, the way of an element.
/// Ordered as a [`super::Walk`] visits: a node before what is below it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// What is behind `len` is zero.
    steps: [u8; DEPTH_MAX],
    len: u8,
}

impl Path {
    /// The root.
    pub const ROOT: Path = Path { steps: [0; DEPTH_MAX], len: 0 };

    /// The whole way of an element of which this is the identity: what stays the same when it is put
    /// again.
    pub fn of_identity(identity: &[u8]) -> Path {
        let hash = blake3::derive_key(CONTEXT, identity);
        let steps = std::array::from_fn(|at| {
            let byte = hash[at / 2];
            if at % 2 == 0 { byte >> 4 } else { byte & 0x0f }
        });
        Path { steps, len: DEPTH_MAX as u8 }
    }

    /// The whole way of an element that is a plain entry.
    pub fn of(id: &EntryId) -> Path {
        Path::of_identity(&id.to_bytes())
    }

    /// A path of these steps, if there is one.
    pub(super) fn from_steps(given: &[u8]) -> Option<Path> {
        let mut steps = [0; DEPTH_MAX];
        steps.get_mut(..given.len())?.copy_from_slice(given);
        let len = u8::try_from(given.len()).ok()?;
        given.iter().all(|step| *step < BRANCHES).then_some(Path { steps, len })
    }

    /// The steps, each below 16.
    pub fn steps(&self) -> &[u8] {
        &self.steps[..self.depth()]
    }

    /// How many steps.
    pub fn depth(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.len == 0
    }

    /// Its first steps, all if there are fewer.
    #[must_use]
    pub fn first(&self, depth: usize) -> Path {
        Path::from_steps(&self.steps()[..depth.min(self.depth())]).unwrap_or(Path::ROOT)
    }

    /// Whether the other leads there or beneath.
    pub fn leads_to(&self, other: &Path) -> bool {
        other.steps().starts_with(self.steps())
    }

    /// One step more, if that is not too deep.
    pub(super) fn child(&self, step: u8) -> Option<Path> {
        Path::from_steps(&[self.steps(), &[step]].concat())
    }

    /// Where it comes from, and by which step; `None` for the root.
    pub(super) fn parent(&self) -> Option<(Path, u8)> {
        let (last, rest) = self.steps().split_last()?;
        Some((Path::from_steps(rest)?, *last))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        self.steps().iter().try_for_each(|step| write!(f, "{step:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_what_is_below_it_and_stands_before_it() {
        let whole = Path::of_identity(b"an element");
        for depth in 0..DEPTH_MAX {
            let (above, below) = (whole.first(depth), whole.first(depth + 1));
            assert!(above.leads_to(&below) && !below.leads_to(&above) && above < below);
            let step = below.steps()[depth];
            assert_eq!(above.child(step), Some(below));
            assert_eq!(below.parent(), Some((above, step)));
        }
        assert_eq!(Path::ROOT.parent(), None);
        assert_eq!((whole.child(0), Path::from_steps(&[16])), (None, None));
    }

    #[test]
    fn ways_spread() {
        let mut counts = [0; BRANCHES as usize];
        for n in 0..1600u32 {
            counts[usize::from(Path::of_identity(&n.to_le_bytes()).steps()[0])] += 1;
        }
        assert!(counts.iter().all(|count| (60..160).contains(count)), "{counts:?}");
    }
}
