//! All that are known, and what follows from all of them together: worked out anew only when one comes
//! or goes, as in a crowd something happens to one of hundreds all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Distance, NodeId, Place};

use super::Peer;
use super::detector::NEIGHBOURS;
use super::known::Known;
use super::table::{self, NEAR_MAX};

/// Those known: members, and some of whom others told.
#[derive(Debug)]
pub(super) struct Roster {
    me: Place,
    all: BTreeMap<NodeId, Known>,
    /// How many of them were never met, and how many are connected.
    claims: usize,
    connected: usize,
    /// Those of whom time decides something; some of them may not be so any more.
    uncertain: BTreeSet<NodeId>,
    /// `None` when a member came or went since.
    shape: Option<Arc<Shape>>,
}

/// Where the members are.
#[derive(Debug)]
pub(super) struct Shape {
    /// Everybody.
    pub(super) members: Vec<Arc<Peer>>,
    /// How many of them, at the front and in order, are the closest to this node.
    pub(super) neighbours: usize,
    /// How far the closest members reach that are known in any case; `None` if all are.
    pub(super) near: Option<Distance>,
    /// How many bits a place shares with this node's if its replicas are among those known.
    pub(super) known_bits: usize,
}

impl Roster {
    pub(super) fn new(me: Place) -> Roster {
        let (all, uncertain) = (BTreeMap::new(), BTreeSet::new());
        Roster { me, all, claims: 0, connected: 0, uncertain, shape: None }
    }

    pub(super) fn get(&self, id: &NodeId) -> Option<&Known> {
        self.all.get(id)
    }

    /// To change what is believed of one, not whether it was met or is connected. One that is uncertain from
    /// now on is to be [doubted](Roster::doubt).
    pub(super) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Known> {
        self.all.get_mut(id)
    }

    pub(super) fn contains(&self, id: &NodeId) -> bool {
        self.all.contains_key(id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Known> + Clone {
        self.all.values()
    }

    /// The members.
    pub(super) fn proven(&self) -> impl Iterator<Item = &Known> + Clone {
        self.values().filter(|known| known.proven)
    }

    pub(super) fn connected(&self) -> impl Iterator<Item = &Known> + Clone {
        self.values().filter(|known| known.connected)
    }

    /// How many are connected.
    pub(super) fn connections(&self) -> usize {
        self.connected
    }

    /// One is not connected any more; whether it was.
    pub(super) fn disconnect(&mut self, id: &NodeId) -> bool {
        let Some(known) = self.all.get_mut(id).filter(|known| known.connected) else {
            return false;
        };
        known.connected = false;
        self.connected -= 1;
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

    pub(super) fn insert(&mut self, known: Known) {
        let id = known.peer.id;
        if known.is_uncertain() {
            self.uncertain.insert(id);
        }
        self.count(&known, 1);
        if let Some(before) = self.all.insert(id, known) {
            self.count(&before, -1);
        }
    }

    pub(super) fn remove(&mut self, id: &NodeId) -> Option<Known> {
        let known = self.all.remove(id)?;
        self.uncertain.remove(id);
        self.count(&known, -1);
        Some(known)
    }

    fn count(&mut self, known: &Known, change: isize) {
        if known.proven {
            self.shape = None;
        } else {
            self.claims = self.claims.saturating_add_signed(change);
        }
        if known.connected {
            self.connected = self.connected.saturating_add_signed(change);
        }
    }

    /// Time decides something about it from now on.
    pub(super) fn doubt(&mut self, id: NodeId) {
        self.uncertain.insert(id);
    }

    /// All of whom time decides something.
    pub(super) fn uncertain(&mut self) -> Vec<NodeId> {
        let all = &self.all;
        self.uncertain.retain(|id| all.get(id).is_some_and(Known::is_uncertain));
        self.uncertain.iter().copied().collect()
    }

    /// Where the members are.
    pub(super) fn shape(&mut self) -> Arc<Shape> {
        if let Some(shape) = &self.shape {
            return Arc::clone(shape);
        }
        let shape = Arc::new(self.new_shape());
        self.shape = Some(Arc::clone(&shape));
        shape
    }

    fn new_shape(&self) -> Shape {
        let me = &self.me;
        let mut by_distance: Vec<(Distance, &Arc<Peer>)> =
            self.proven().map(|known| (known.peer.place.distance(me), &known.peer)).collect();
        let near = (by_distance.len() > NEAR_MAX)
            .then(|| by_distance.select_nth_unstable_by_key(NEAR_MAX, |(far, _)| *far).1.0);
        let places = by_distance.iter().take(NEAR_MAX).map(|(_, peer)| &peer.place);
        let known_bits = near.map_or(0, |_| table::known_bits(me, places));
        let neighbours = NEIGHBOURS.min(by_distance.len());
        if neighbours > 0 {
            by_distance.select_nth_unstable_by_key(neighbours - 1, |(far, _)| *far);
            by_distance[..neighbours].sort_unstable_by_key(|(far, _)| *far);
        }
        let members = by_distance.into_iter().map(|(_, peer)| Arc::clone(peer)).collect();
        Shape { members, neighbours, near, known_bits }
    }
}

impl Shape {
    /// The closest members, closest first; and the others.
    pub(super) fn split(&self) -> (&[Arc<Peer>], &[Arc<Peer>]) {
        self.members.split_at(self.neighbours)
    }

    /// Whether a place at this distance is among the closest, all of whom are known.
    pub(super) fn is_near(&self, distance: &Distance) -> bool {
        self.near.is_none_or(|limit| *distance < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::Now;
    use crate::overlay::view::tests::peer;

    fn known(n: u64, proven: bool) -> Known {
        let new = Known::new(peer(n).id, &[], Now::ZERO);
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
        assert_eq!(roster.shape().members.len(), 10);
        roster.doubt(peer(1).id);
        assert_eq!(roster.uncertain().len(), 9, "it is not connected");
    }

    #[test]
    fn the_neighbours_come_first_and_the_near_are_as_many_as_are_always_known() {
        let me = peer(0).place;
        let mut roster = Roster::new(me);
        (1..=400).for_each(|n| roster.insert(known(n, true)));
        let shape = roster.shape();
        let mut all: Vec<Distance> = (1..=400).map(|n| peer(n).place.distance(&me)).collect();
        all.sort_unstable();
        let (near, far) = shape.split();
        let distances: Vec<Distance> = near.iter().map(|p| p.place.distance(&me)).collect();
        assert_eq!(distances, all[..NEIGHBOURS]);
        assert_eq!(near.len() + far.len(), 400);
        assert_eq!(all.iter().filter(|far| shape.is_near(far)).count(), NEAR_MAX);
        roster.remove(&peer(7).id);
        assert_eq!(roster.shape().members.len(), 399, "made anew");
    }
}
