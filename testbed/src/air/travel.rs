//! Where all laptops are at a moment.

use std::time::Duration;

use super::place::Place;
use super::walk::{Path, Walk};

/// The way of one laptop, or of a group's middle.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// It stays.
    Rest(Place),
    /// Along given places.
    Path(Path),
    /// Random waypoints.
    Walk(Walk),
    /// Around where its group is: reference point group mobility (Hong, Gerla, Pei and Chiang, 1999).
    Group(Box<Way>, Walk),
}

impl Way {
    fn at(&mut self, now: Duration) -> Place {
        match self {
            Way::Rest(place) => *place,
            Way::Path(path) => path.at(now),
            Way::Walk(walk) => walk.at(now),
            Way::Group(middle, stray) => middle.at(now) + stray.at(now),
        }
    }

    fn rests(&self) -> bool {
        matches!(self, Way::Rest(_))
    }
}

/// The ways of all laptops.
#[derive(Debug, Clone)]
pub(crate) struct Travel(Vec<Way>);

impl Travel {
    pub(super) fn new(ways: Vec<Way>) -> Travel {
        Travel(ways)
    }

    /// Where they are; moments must not go backwards.
    pub(crate) fn at(&mut self, now: Duration) -> Vec<Place> {
        self.0.iter_mut().map(|way| way.at(now)).collect()
    }

    /// Whether none ever moves.
    pub(crate) fn rests(&self) -> bool {
        self.0.iter().all(Way::rests)
    }
}
