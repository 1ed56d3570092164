//! Lists that are too long for one key: a tree of keys, in the manner of ReDiR (RFC 7374).
//!
//! ```text
//! root: the list's own key, at most 256 values ──── its children's key: which of 16 there are
//! ├─ child 0: a key made of (list, 0), at most 256 ─ its children's key
//! │  ├─ child 0.0 …
//! ├─ …
//! └─ child f
//! ```
//!
//! An element goes to the first key with room on its way: the root, then the child that the first four
//! bits of its hash name, and so on. Whoever puts beneath a key enrols the child there, so that it is
//! found for as long as something lives below it, whatever becomes of the keys above.
//!
//! The rules here are state machines: they say which key to ask next, and are told the answer.
//! [`Insert`] puts, [`Descent`] removes, [`Walk`] reads page by page, up to a [`Placemark`]. Whoever
//! drives them does the asking, and decides what an element is: it only has to have a [`Path`].

mod children;
mod descent;
mod element;
mod insert;
mod path;
mod placemark;
#[cfg(test)]
mod tests;
mod walk;

pub use children::{Children, LAPSES};
pub use descent::Descent;
pub use element::Element;
pub use insert::{Insert, InsertStep, Seat};
pub use path::{DEPTH_MAX, Path};
pub use placemark::{NotAPlacemark, Placemark};
pub use walk::{Item, ListPage, Walk, WalkAsk};

use crate::{Key, Place};

/// Sets the keys of lists apart from all other uses of BLAKE3 (its key derivation mode).
const NODE: &str = "SCOPE 2026 node of a list";
const CHILDREN: &str = "SCOPE 2026 children of a node of a list";

/// The keys of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tree {
    root: Key,
    /// Which list it is: the place of its root, in a service's key space or not.
    place: Place,
}

impl Tree {
    /// The list whose root is this key.
    pub fn new(root: Key) -> Tree {
        let place = root.place();
        Tree { root, place }
    }

    /// The list's own key.
    pub fn root(&self) -> &Key {
        &self.root
    }

    /// The key that holds the elements of a node: the root's own for the empty path, else BLAKE3 (key
    /// derivation) over the root's place and the path, a byte for each step.
    pub fn node(&self, path: &Path) -> Key {
        if path.is_root() { self.root.clone() } else { self.derived(NODE, path) }
    }

    /// The key that says which children a node has.
    pub fn children(&self, path: &Path) -> Key {
        self.derived(CHILDREN, path)
    }

    fn derived(&self, context: &str, path: &Path) -> Key {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(self.place.as_bytes()).update(path.steps());
        Key::of_hash(*hasher.finalize().as_bytes())
    }
}
