//! All that are known, and what follows from all of them together: worked out anew only when one comes
//! or goes, as in a crowd something happens to one of hundreds all the time.

use std::collections::{BTreeMap, BTreeSet};

use base::{NodeId, Place};

use super::detector::NEIGHBOURS;
use super::known::Known;
use super::subtree::around_bits;
use super::table::{self, NEAR_MAX, Row};
use crate::prefix::{Prefix, head};

/// Of the closest members in a crowd those that may have kept before what this node keeps now, wherever they
/// come from: of an overlay that a twentieth of these come from, the three closest to any place.
const VERY_NEAR: usize = NEAR_MAX / 4;

/// Those known: members, and some of whom others told.
#[derive(Debug)]
pub(super) struct Roster {
    me: Place,
    /// Those connected first. Beside that they come as it happens, but alike for the same events.
    all: Vec<Known>,
    /// The first bits of how far each of them is, in the same order.
    distances: Vec<u128>,
    /// Where each is.
    at: BTreeMap<NodeId, usize>,
    /// How many of them are connected, and how many were never met.
    connected: usize,
    claims: usize,
    /// Those of whom time decides something; some of them may not be so any more.
    uncertain: BTreeSet<NodeId>,
    /// `None` when a member came or went since.
    shape: Option<Shape>,
}

/// How close the members are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    me: u128,
    /// How far the closest members reach that are known in any case; `None` if all are.
    near: Option<u128>,
    /// The same of those from whom all is copied that this node should have.
    very_near: Option<u128>,
    /// How many bits a place shares with this node's if its replicas are among those known.
    pub(super) known_bits: usize,
}

impl Roster {
    pub(super) fn new(me: Place) -> Roster {
        Roster {
            me,
            all: Vec::new(),
            distances: Vec::new(),
            at: BTreeMap::new(),
            connected: 0,
            claims: 0,
            uncertain: BTreeSet::new(),
            shape: None,
        }
    }

    pub(super) fn get(&self, id: &NodeId) -> Option<&Known> {
        self.at.get(id).map(|at| &self.all[*at])
    }

    /// To change what is believed of one, not whether it was met or is connected. One that is uncertain from
    /// now on is to be [doubted](Roster::doubt).
    pub(super) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Known> {
        self.at.get(id).map(|at| &mut self.all[*at])
    }

    pub(super) fn contains(&self, id: &NodeId) -> bool {
        self.at.contains_key(id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Known> + Clone {
        self.all.iter()
    }

    /// The members.
    pub(super) fn proven(&self) -> impl Iterator<Item = &Known> + Clone {
        self.values().filter(|known| known.proven)
    }

    /// The members in the order of their ids.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Known> {
        self.at.values().map(|at| &self.all[*at]).filter(|known| known.proven)
    }

    pub(super) fn connected(&self) -> impl Iterator<Item = &Known> + Clone {
        self.all[..self.connected].iter()
    }

    /// How many are connected.
    pub(super) fn connections(&self) -> usize {
        self.connected
    }

    /// One is not connected any more; whether it was.
    pub(super) fn disconnect(&mut self, id: &NodeId) -> bool {
        let Some(at) = self.at.get(id).copied().filter(|at| *at < self.connected) else {
            return false;
        };
        self.all[at].connected = false;
        self.connected -= 1;
        self.swap(at, self.connected);
        true
    }

    /// How many members there are.
    pub(super) fn members(&self) -> usize {
        self.all.len() - self.claims
    }

    /// How many are known by hearsay alone.
    pub(super) fn claims(&self) -> usize {
        self.claims
    }

    /// In place of what was known of it before.
    pub(super) fn insert(&mut self, known: Known) {
        let (id, connected) = (known.peer.id, known.connected);
        self.remove(&id);
        if known.is_uncertain() {
            self.uncertain.insert(id);
        }
        self.claims += usize::from(!known.proven);
        self.shape = self.shape.filter(|_| !known.proven);
        self.distances.push(head(&known.peer.place) ^ head(&self.me));
        self.all.push(known);
        let at = self.all.len() - 1;
        self.at.insert(id, at);
        if connected {
            self.swap(at, self.connected);
            self.connected += 1;
        }
    }

    pub(super) fn remove(&mut self, id: &NodeId) -> Option<Known> {
        self.disconnect_keeping_word(id);
        let at = self.at.get(id).copied()?;
        self.swap(at, self.all.len() - 1);
        self.at.remove(id);
        self.distances.pop();
        let known = self.all.pop()?;
        self.uncertain.remove(id);
        self.claims -= usize::from(!known.proven);
        self.shape = self.shape.filter(|_| !known.proven);
        Some(known)
    }

    /// Puts one behind those that are connected, though what is known of it still says that it is.
    fn disconnect_keeping_word(&mut self, id: &NodeId) {
        if let Some(at) = self.at.get(id).copied().filter(|at| *at < self.connected) {
            self.connected -= 1;
            self.swap(at, self.connected);
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.all.swap(a, b);
        self.distances.swap(a, b);
        for at in [a, b] {
            self.at.insert(self.all[at].peer.id, at);
        }
    }

    /// Time decides something about it from now on.
    pub(super) fn doubt(&mut self, id: NodeId) {
        self.uncertain.insert(id);
    }

    /// All of whom time decides something.
    pub(super) fn uncertain(&mut self) -> Vec<NodeId> {
        let (all, at) = (&self.all, &self.at);
        self.uncertain.retain(|id| at.get(id).is_some_and(|at| all[*at].is_uncertain()));
        self.uncertain.iter().copied().collect()
    }

    /// How close the members are.
    pub(super) fn shape(&mut self) -> Shape {
        if let Some(shape) = self.shape {
            return shape;
        }
        if self.members() <= NEAR_MAX {
            let shape = Shape { me: head(&self.me), near: None, very_near: None, known_bits: 0 };
            self.shape = Some(shape);
            return shape;
        }
        let mut far: Vec<u128> = self.members_at().map(|(distance, _)| distance).collect();
        let near = (far.len() > NEAR_MAX).then(|| *far.select_nth_unstable(NEAR_MAX).1);
        let known_bits = near.map_or(0, |_| table::known_bits(far.iter().take(NEAR_MAX).copied()));
        let very_near = near.map(|_| *far[..NEAR_MAX].select_nth_unstable(VERY_NEAR).1);
        let shape = Shape { me: head(&self.me), near, very_near, known_bits };
        self.shape = Some(shape);
        shape
    }

    /// The closest members, closest first; and the others.
    pub(super) fn split(&self) -> (Vec<&Known>, Vec<&Known>) {
        let mut near: Vec<(u128, usize)> = self.members_at().collect();
        let neighbours = NEIGHBOURS.min(near.len());
        if neighbours > 0 {
            near.select_nth_unstable(neighbours - 1);
            near[..neighbours].sort_unstable();
        }
        let far = near.split_off(neighbours);
        let known = |(_, at): (u128, usize)| &self.all[at];
        (near.into_iter().map(known).collect(), far.into_iter().map(known).collect())
    }

    /// Whom to forget for a newcomer, if there is one for whom: see [`table::forgettable`].
    pub(super) fn forgettable(&mut self, is_near: bool) -> Option<NodeId> {
        let near = self.shape().near?;
        let row = |(distance, at): (u128, usize)| {
            let Known { connected, since, .. } = self.all[at];
            Row { at, distance, connected, since }
        };
        let at = table::forgettable(self.members_at().map(row), near, is_near)?;
        Some(self.all[at].peer.id)
    }

    /// Where all lies that this node keeps, and all members are that keep something with it and are well.
    pub(super) fn subtree(&self) -> Prefix {
        let well = self.members_at().filter(|(_, at)| self.all[*at].belief.is_well());
        around_bits(self.me, well.map(|(distance, _)| distance.leading_zeros() as usize))
    }

    /// How far each member is, and where.
    fn members_at(&self) -> impl Iterator<Item = (u128, usize)> {
        let distances = self.distances.iter().copied().enumerate();
        let members = distances.filter(|(at, _)| self.all[*at].proven);
        members.map(|(at, distance)| (distance, at))
    }
}

impl Shape {
    /// Whether a place is among the closest, all of whom are known.
    pub(super) fn is_near(&self, place: &Place) -> bool {
        self.near.is_none_or(|limit| head(place) ^ self.me < limit)
    }

    /// Whether a place is among the closest of these.
    pub(super) fn is_very_near(&self, place: &Place) -> bool {
        self.very_near.is_none_or(|limit| head(place) ^ self.me < limit)
    }
}

#[cfg(test)]
mod tests {
    use base::Distance;
    use proptest::prelude::*;

    use super::*;
    use crate::overlay::Now;
    use crate::overlay::view::tests::peer;

    fn known(n: u64, proven: bool) -> Known {
        let new = Known::new(peer(n), [].into(), Now::ZERO);
        Known { proven, connected: proven, ..new }
    }

    #[test]
    fn what_is_counted_is_what_there_is() {
        let mut roster = Roster::new(peer(0).place);
        (1..=20).for_each(|n| roster.insert(known(n, n % 2 == 0)));
        assert_eq!((roster.members(), roster.claims(), roster.connections()), (10, 10, 10));
        assert_eq!(roster.uncertain().len(), 10);
        roster.insert(known(1, true));
        roster.insert(known(2, true));
        roster.remove(&peer(3).id);
        roster.remove(&peer(4).id);
        assert!(roster.remove(&peer(99).id).is_none());
        assert_eq!((roster.members(), roster.claims(), roster.connections()), (10, 8, 10));
        assert!(roster.disconnect(&peer(1).id) && !roster.disconnect(&peer(1).id));
        assert_eq!((roster.connections(), roster.connected().count()), (9, 9));
        assert_eq!(roster.split().0.len() + roster.split().1.len(), 10);
        assert!(roster.in_order().map(|known| known.peer.id).is_sorted());
        roster.doubt(peer(1).id);
        assert_eq!(roster.uncertain().len(), 9, "it is not connected");
    }

    #[test]
    fn the_neighbours_come_first_and_the_near_are_as_many_as_are_always_known() {
        let me = peer(0).place;
        let mut roster = Roster::new(me);
        (1..=400).for_each(|n| roster.insert(known(n, true)));
        let mut all: Vec<Distance> = (1..=400).map(|n| peer(n).place.distance(&me)).collect();
        all.sort_unstable();
        let (near, far) = roster.split();
        let distances: Vec<Distance> = near.iter().map(|k| k.peer.place.distance(&me)).collect();
        assert_eq!(distances, all[..NEIGHBOURS]);
        assert_eq!(near.len() + far.len(), 400);
        let shape = roster.shape();
        let is_near = |n: &u64| shape.is_near(&peer(*n).place);
        assert_eq!((1..=400).filter(is_near).count(), NEAR_MAX);
        (1..=200).for_each(|n| drop(roster.remove(&peer(n).id)));
        assert!((1..=400).all(|n| roster.shape().is_near(&peer(n).place)), "made anew");
    }

    proptest! {
        #[test]
        fn each_is_where_it_is_looked_for(steps in prop::collection::vec((0..24u64, 0..4u8), 0..200)) {
            let mut roster = Roster::new(peer(99).place);
            let mut model: BTreeMap<NodeId, bool> = BTreeMap::new();
            for (n, what) in steps {
                let id = peer(n).id;
                match what {
                    0 => prop_assert_eq!(roster.remove(&id).is_some(), model.remove(&id).is_some()),
                    1 => prop_assert_eq!(roster.disconnect(&id), model.get_mut(&id).is_some_and(std::mem::take)),
                    _ => {
                        roster.insert(known(n, what == 2));
                        model.insert(id, what == 2);
                    }
                }
                for (id, connected) in &model {
                    let known = roster.get(id).unwrap();
                    prop_assert_eq!((known.peer.id, known.connected), (*id, *connected));
                }
                let connected: BTreeSet<NodeId> = roster.connected().map(|k| k.peer.id).collect();
                let expected = model.iter().filter(|(_, connected)| **connected);
                prop_assert_eq!(connected, expected.map(|(id, _)| *id).collect::<BTreeSet<_>>());
                prop_assert_eq!(roster.values().count(), model.len());
            }
        }
    }
}
