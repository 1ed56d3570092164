//! Putting an element: to the first key on its way that has room.

use crate::{Key, Ttl, Value};

use super::children::{self, Term};
use super::path::DEPTH_MAX;
use super::{Path, Tree};

/// Where an element is, for whoever puts it again or removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// How many steps below the root.
    pub depth: usize,
    /// Until when the nodes on the way there are enrolled at least, in milliseconds of whatever clock
    /// [`Insert::new`] was told.
    pub enrolled_until_ms: u64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InsertStep {
    /// Put this value, with the tag [`super::LAPSES`], where there is room; then say
    /// [`Insert::done`] or [`Insert::full`].
    Enrol {
        /// Under this key.
        key: Key,
        /// The value.
        value: Value,
        /// For so long.
        ttl: Ttl,
    },
    /// Put the element there if it is there already or there is room for one more of
    /// [`crate::limits::LIST_ROOM`]; then say [`Insert::done`] or [`Insert::full`].
    Put(Key),
    /// It is put.
    Seated(Seat),
    /// There is no room on all its way.
    Full,
}

/// An element being put.
///
/// Children are enrolled before anything is put there: what is acknowledged can be found. (An element
/// of the longest ttl may be out of reach in its last seconds, since nothing can be enrolled for
/// longer.)
#[derive(Debug, Clone)]
pub struct Insert {
    tree: Tree,
    way: Path,
    ttl: Ttl,
    now_ms: u64,
    /// Where it is to be put next.
    depth: usize,
    /// Up to which node the way there is enrolled, by this run.
    enrolled: usize,
    /// Where it was, as long as it is looked for there.
    seat: Option<Seat>,
    end: Option<InsertStep>,
}

impl Insert {
    /// Puts the element of this way for `ttl`, where it is already if that is known. `now_ms` is of any
    /// clock that goes forward, the same one as before.
    pub fn new(tree: Tree, way: Path, ttl: Ttl, seat: Option<Seat>, now_ms: u64) -> Insert {
        let depth = seat.map_or(0, |seat| seat.depth.min(DEPTH_MAX));
        Insert { tree, way, ttl, now_ms, depth, enrolled: 0, seat, end: None }
    }

    /// What to do next.
    pub fn step(&self) -> InsertStep {
        if let Some(end) = &self.end {
            return end.clone();
        }
        if self.is_enrolling() {
            let term = Term::for_ttl(self.ttl);
            let key = self.tree.children(&self.way.first(self.enrolled));
            let step = self.way.steps()[self.enrolled];
            return InsertStep::Enrol { key, value: term.entry(step), ttl: term.ttl() };
        }
        InsertStep::Put(self.tree.node(&self.way.first(self.depth)))
    }

    /// That is done.
    pub fn done(&mut self) {
        if self.is_enrolling() {
            self.enrolled += 1;
            return;
        }
        let kept = self.seat.filter(|_| self.enrolled < self.depth);
        let enrolled_until_ms = kept.map_or_else(
            || Term::for_ttl(self.ttl).until(self.now_ms),
            |seat| seat.enrolled_until_ms,
        );
        self.end = Some(InsertStep::Seated(Seat { depth: self.depth, enrolled_until_ms }));
    }

    /// There is no room for that.
    pub fn full(&mut self) {
        if self.is_enrolling() {
            // 16 children never fill a key: somebody else did. It may be another node's turn later.
            self.end = Some(InsertStep::Full);
        } else if self.seat.take().is_some_and(|seat| seat.depth > 0) {
            // It lapsed there, and others took its place. Perhaps there is room above.
            self.depth = 0;
        } else if self.depth < DEPTH_MAX {
            self.depth += 1;
        } else {
            self.end = Some(InsertStep::Full);
        }
    }

    fn is_enrolling(&self) -> bool {
        let lasts = |seat: Seat| children::outlasts(seat.enrolled_until_ms, self.now_ms, self.ttl);
        !self.seat.is_some_and(lasts) && self.enrolled < self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;

    fn insert(seat: Option<Seat>, now_ms: u64) -> Insert {
        let tree = Tree::new(Key::new("a list").unwrap());
        let ttl = Ttl::from_secs(MINUTE).unwrap();
        Insert::new(tree, Path::of_identity(b"e"), ttl, seat, now_ms)
    }

    /// What it does, the keys on its way having no room down to a depth: `p` and `e` with depths.
    fn run(mut insert: Insert, full_above: usize) -> (Vec<String>, InsertStep) {
        let mut steps = Vec::new();
        loop {
            match insert.step() {
                InsertStep::Put(_) => {
                    steps.push(format!("put {}", insert.depth));
                    if insert.depth < full_above { insert.full() } else { insert.done() }
                }
                InsertStep::Enrol { .. } => {
                    steps.push(format!("enrol {}", insert.enrolled));
                    insert.done();
                }
                end => return (steps, end),
            }
        }
    }

    #[test]
    fn an_element_goes_to_the_first_node_with_room_and_the_way_is_enrolled_before() {
        assert_eq!(run(insert(None, 0), 0).0, ["put 0"]);
        let (steps, end) = run(insert(None, 0), 2);
        assert_eq!(steps, ["put 0", "enrol 0", "put 1", "enrol 1", "put 2"]);
        assert!(matches!(end, InsertStep::Seated(Seat { depth: 2, enrolled_until_ms: 256_000 })));
        assert_eq!(run(insert(None, 0), 99).1, InsertStep::Full);
    }

    #[test]
    fn who_knows_its_seat_goes_there_and_enrols_only_when_it_is_time() {
        let seat = Seat { depth: 2, enrolled_until_ms: 90_000 };
        let (steps, end) = run(insert(Some(seat), 0), 0);
        assert_eq!((steps, end), (vec!["put 2".to_owned()], InsertStep::Seated(seat)));
        let (steps, end) = run(insert(Some(seat), 1), 0);
        assert_eq!(steps, ["enrol 0", "enrol 1", "put 2"]);
        assert!(matches!(end, InsertStep::Seated(Seat { depth: 2, enrolled_until_ms: 256_001 })));
    }

    #[test]
    fn who_lost_its_seat_begins_at_the_root() {
        let seat = Seat { depth: 1, enrolled_until_ms: 90_000 };
        let (steps, _) = run(insert(Some(seat), 0), 2);
        assert_eq!(steps, ["put 1", "put 0", "enrol 0", "put 1", "enrol 1", "put 2"]);
    }
}
