//! Reading a list page by page: each node's elements, then those below it.

use std::collections::BTreeSet;

use crate::{EntryId, Key};

use super::placemark::Stage;
use super::{Children, DEPTH_MAX, Path, Placemark, Tree};

/// Reads after which a page that has something is given out.
const READS: usize = 4;
/// Reads after which a page is given out although nothing was found: keys that only seem to lead on must
/// not keep a reader for ever.
const READS_MAX: usize = 32;

/// Something that a node holds.
pub trait Item {
    /// Which entry of its key it is; a key's items come in this order.
    fn id(&self) -> EntryId;

    /// The way it goes, whole: at a node that is not on it, it is not part of the list.
    fn way(&self) -> Path {
        Path::of(&self.id())
    }
}

/// What to read next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkAsk {
    /// Elements under a key; then say [`Walk::elements`].
    Elements {
        /// The key.
        key: Key,
        /// Only what comes after this.
        after: Option<EntryId>,
        /// At most so many.
        max: usize,
    },
    /// All entries under a key; then say [`Walk::children`].
    Children(Key),
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage<T> {
    /// The elements. It may be none although there are more.
    pub items: Vec<T>,
    /// Where the next page begins; `None` when that is all.
    pub next: Option<Placemark>,
    /// How many reads it took.
    pub reads: usize,
}

/// A page being read.
///
/// What stays in the list while its pages are read is on one of them, whatever comes and goes
/// meanwhile. What is at two nodes is once on a page, but may be on two pages.
#[derive(Debug)]
pub struct Walk<T> {
    tree: Tree,
    at: Placemark,
    wanted: usize,
    items: Vec<T>,
    seen: BTreeSet<EntryId>,
    /// Of the nodes on the way to where it is, as far as they were read for this page.
    known: [Option<Children>; DEPTH_MAX],
    reads: usize,
    next: Option<WalkAsk>,
    ended: bool,
}

impl<T: Item> Walk<T> {
    /// A page of at most `max` elements, at least 1, from a placemark on, or from the beginning.
    pub fn new(tree: Tree, from: Option<Placemark>, max: usize) -> Walk<T> {
        let mut walk = Walk {
            tree,
            at: from.unwrap_or(Placemark::START),
            wanted: max.max(1),
            items: Vec::new(),
            seen: BTreeSet::new(),
            known: [None; DEPTH_MAX],
            reads: 0,
            next: None,
            ended: false,
        };
        walk.advance();
        walk
    }

    /// What to read next; `None` when the page is complete.
    pub fn ask(&self) -> Option<&WalkAsk> {
        self.next.as_ref()
    }

    /// What was found, in the order of ids, and whether there is more at that key.
    pub fn elements(&mut self, found: Vec<T>, more: bool) {
        let path = self.at.path;
        let mut full = false;
        for item in found {
            if self.items.len() >= self.wanted {
                full = true;
                break;
            }
            self.at.stage = Stage::Elements(Some(item.id()));
            if path.leads_to(&item.way()) && self.seen.insert(item.id()) {
                self.items.push(item);
            }
        }
        if !more && !full {
            self.at.stage = Stage::Children(0);
        }
        self.advance();
    }

    /// Which children there are.
    pub fn children(&mut self, children: Children) {
        if let Some(known) = self.known.get_mut(self.at.path.depth()) {
            *known = Some(children);
        }
        self.advance();
    }

    /// The page, once [`Walk::ask`] says nothing more.
    pub fn page(self) -> ListPage<T> {
        let next = (!self.ended).then_some(self.at);
        ListPage { items: self.items, next, reads: self.reads }
    }

    /// Goes as far as it can without reading.
    fn advance(&mut self) {
        self.next = None;
        loop {
            let Placemark { path, stage } = self.at;
            match stage {
                Stage::Elements(after) => {
                    let max = self.wanted - self.items.len();
                    if max > 0 {
                        let key = self.tree.node(&path);
                        self.read(WalkAsk::Elements { key, after, max });
                    }
                    return;
                }
                Stage::Children(from) => {
                    let deepest = Some(Some(Children::default()));
                    let known = self.known.get(path.depth()).copied().or(deepest).flatten();
                    let Some(children) = known else {
                        let key = self.tree.children(&path);
                        self.read(WalkAsk::Children(key));
                        return;
                    };
                    let child = children.next(from).and_then(|step| path.child(step));
                    self.at = match (child, path.parent()) {
                        (Some(child), _) => {
                            self.forget_below(child.depth());
                            Placemark { path: child, stage: Stage::Elements(None) }
                        }
                        (None, Some((parent, step))) => {
                            Placemark { path: parent, stage: Stage::Children(step + 1) }
                        }
                        (None, None) => {
                            self.ended = true;
                            return;
                        }
                    };
                }
            }
        }
    }

    /// Asks for that, if the page may take one more read.
    fn read(&mut self, ask: WalkAsk) {
        let most = if self.items.is_empty() { READS_MAX } else { READS };
        if self.reads < most {
            self.reads += 1;
            self.next = Some(ask);
        }
    }

    fn forget_below(&mut self, depth: usize) {
        self.known.iter_mut().skip(depth).for_each(|known| *known = None);
    }
}
