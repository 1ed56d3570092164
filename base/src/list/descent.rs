//! Going down an element's way, through all nodes at which it may be: for removing it.

use crate::Key;

use super::{Children, DEPTH_MAX, Path, Tree};

/// The nodes on an element's way, from the root down to where nothing is enrolled below.
#[derive(Debug, Clone)]
pub struct Descent {
    tree: Tree,
    way: Path,
    depth: usize,
}

impl Descent {
    /// Begins at the root.
    pub fn new(tree: Tree, way: Path) -> Descent {
        Descent { tree, way, depth: 0 }
    }

    /// The key at which it may be.
    pub fn node(&self) -> Key {
        self.tree.node(&self.way.first(self.depth))
    }

    /// The key that says whether there is more below, if there can be.
    pub fn children(&self) -> Option<Key> {
        (self.depth < DEPTH_MAX).then(|| self.tree.children(&self.way.first(self.depth)))
    }

    /// Goes down, if there is something; whether there was.
    pub fn go_down(&mut self, children: Children) -> bool {
        let is_there = self.depth < DEPTH_MAX && children.has(self.way.steps()[self.depth]);
        self.depth += usize::from(is_there);
        is_there
    }
}
