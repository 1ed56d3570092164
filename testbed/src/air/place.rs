//! Where something is, in metres, on a plane.

/// A point.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Place {
    /// To the right.
    pub(crate) x: f64,
    /// Up.
    pub(crate) y: f64,
}

impl Place {
    /// How far it is from here to there, in metres.
    pub(crate) fn distance(self, other: Place) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// What lies `share` of the way from here to there; all of it is 1.
    pub(crate) fn towards(self, other: Place, share: f64) -> Place {
        Place { x: self.x + (other.x - self.x) * share, y: self.y + (other.y - self.y) * share }
    }
}

impl std::ops::Add for Place {
    type Output = Place;

    fn add(self, other: Place) -> Place {
        Place { x: self.x + other.x, y: self.y + other.y }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:.1}, {:.1})", self.x, self.y)
    }
}
