//! Ways through space: a place for each moment, from a seed. However often and whenever one asks,
//! the way is the same.

use std::f64::consts::TAU;
use std::time::Duration;

use super::place::Place;
use crate::choice::Choice;

/// Where a walk may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Region {
    /// From a corner, so wide and so high.
    Rectangle { corner: Place, width: f64, height: f64 },
    /// Around the origin.
    Disc { radius: f64 },
}

impl Region {
    /// Any place in it, each as likely as any other.
    pub(crate) fn any(self, choice: &mut Choice) -> Place {
        let (a, b) = (share(choice), share(choice));
        match self {
            Region::Rectangle { corner, width, height } => {
                corner + Place { x: a * width, y: b * height }
            }
            Region::Disc { radius } => {
                let (distance, angle) = (radius * a.sqrt(), b * TAU);
                Place { x: distance * angle.cos(), y: distance * angle.sin() }
            }
        }
    }
}

/// From 0 to 1.
fn share(choice: &mut Choice) -> f64 {
    const STEPS: u64 = 1 << 32;
    choice.below(STEPS) as f64 / STEPS as f64
}

/// Random waypoints: straight to a random place at a random speed, a rest there, and on.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    region: Region,
    /// Metres in a second, from and to.
    speed: (f64, f64),
    rest: Duration,
    choice: Choice,
    from: Place,
    to: Place,
    began: Duration,
    arrives: Duration,
}

impl Walk {
    /// A walk that begins at a place; without one, anywhere in its region.
    pub(crate) fn new(
        region: Region,
        speed: (f64, f64),
        rest: Duration,
        start: Option<Place>,
        mut choice: Choice,
    ) -> Walk {
        let from = start.unwrap_or_else(|| region.any(&mut choice));
        // Its first leg is a rest, cut short so that not all set out together.
        let arrives = rest.mul_f64(share(&mut choice));
        let mut walk =
            Walk { region, speed, rest, choice, from, to: from, began: Duration::ZERO, arrives };
        walk.rest = Duration::ZERO;
        walk.next_leg();
        walk.rest = rest;
        walk.began = arrives;
        walk
    }

    /// Where it is; moments must not go backwards.
    pub(crate) fn at(&mut self, now: Duration) -> Place {
        while now >= self.arrives.saturating_add(self.rest) {
            self.next_leg();
        }
        let way = (self.arrives - self.began).as_secs_f64();
        let gone = now.saturating_sub(self.began).as_secs_f64();
        self.from.towards(self.to, if way > 0.0 { (gone / way).min(1.0) } else { 1.0 })
    }

    fn next_leg(&mut self) {
        /// A leg takes this long at least, so that a region without extent is no endless loop.
        const SHORTEST: Duration = Duration::from_millis(10);
        self.from = self.to;
        self.began = self.arrives + self.rest;
        self.to = self.region.any(&mut self.choice);
        let (slow, fast) = self.speed;
        let speed = slow + (fast - slow) * share(&mut self.choice);
        let way = Duration::from_secs_f64(self.from.distance(self.to) / speed);
        self.arrives = self.began + way.max(SHORTEST);
    }
}

/// A way along given places, each at its moment; before the first and after the last one rests.
#[derive(Debug, Clone)]
pub(crate) struct Path(pub(crate) Vec<(Duration, Place)>);

impl Path {
    /// Where it is.
    pub(crate) fn at(&self, now: Duration) -> Place {
        let next = self.0.partition_point(|(when, _)| *when <= now);
        match (next.checked_sub(1).and_then(|last| self.0.get(last)), self.0.get(next)) {
            (Some((began, from)), Some((arrives, to))) => {
                let share = (now - *began).as_secs_f64() / (*arrives - *began).as_secs_f64();
                from.towards(*to, share)
            }
            (Some((_, place)), None) | (None, Some((_, place))) => *place,
            (None, None) => Place::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIELD: Region =
        Region::Rectangle { corner: Place { x: 10.0, y: 20.0 }, width: 30.0, height: 5.0 };

    fn walk(seed: u64) -> Walk {
        Walk::new(FIELD, (0.5, 1.5), Duration::from_secs(4), None, Choice::seeded(seed))
    }

    #[test]
    fn a_walk_is_the_same_however_often_one_looks() {
        let (mut often, mut seldom) = (walk(1), walk(1));
        for tick in 0..6000 {
            let now = Duration::from_millis(tick * 100);
            let place = often.at(now);
            if tick % 70 == 0 {
                assert_eq!(place, seldom.at(now), "at {now:?}");
            }
        }
        assert_ne!(walk(1).at(Duration::from_secs(50)), walk(2).at(Duration::from_secs(50)));
    }

    #[test]
    fn a_path_goes_from_place_to_place_and_rests_at_the_ends() {
        let place = |x| Place { x, y: 0.0 };
        let at = Duration::from_secs;
        let path = Path(vec![(at(10), place(0.0)), (at(20), place(10.0)), (at(30), place(10.0))]);
        let seen = [0, 10, 15, 20, 25, 99].map(|s| path.at(at(s)).x);
        assert_eq!(seen, [0.0, 0.0, 5.0, 10.0, 10.0, 10.0]);
    }

    proptest! {
        #[test]
        fn a_walk_stays_in_its_region_and_within_its_speed(seed: u64, step_ms in 1u64..5000) {
            let mut walk = walk(seed);
            let mut last = walk.at(Duration::ZERO);
            for tick in 1..200 {
                let place = walk.at(Duration::from_millis(tick * step_ms));
                prop_assert!((10.0..=40.0).contains(&place.x) && (20.0..=25.0).contains(&place.y));
                let gone = last.distance(place);
                prop_assert!(gone <= 1.5 * step_ms as f64 / 1000.0 + 1e-6, "{gone} m");
                last = place;
            }
        }

        #[test]
        fn a_disc_keeps_its_radius(seed: u64) {
            let place = Region::Disc { radius: 3.0 }.any(&mut Choice::seeded(seed));
            prop_assert!(place.distance(Place::default()) <= 3.0);
        }

        #[test]
        fn a_walk_without_room_still_ends(seed: u64) {
            let region = Region::Disc { radius: 0.0 };
            let mut walk =
                Walk::new(region, (1.0, 1.0), Duration::ZERO, None, Choice::seeded(seed));
            prop_assert_eq!(walk.at(Duration::from_secs(60)), Place::default());
        }
    }
}
