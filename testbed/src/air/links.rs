//! Who hears whom: what the places of all laptops make of the radio.

use super::phy::Phy;
use super::place::Place;

/// A link from one laptop to another. It is the same both ways.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Link {
    /// The signal, above what the lowest rate needs, in dB.
    pub(crate) margin_db: f64,
    /// Whether frames may arrive.
    pub(crate) heard: bool,
    /// Whether one waits for the other's transmissions to end.
    pub(crate) sensed: bool,
    /// The index of the rate of unicast frames.
    pub(crate) rate: usize,
}

/// All links at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    stations: usize,
    links: Vec<Link>,
}

impl Links {
    /// The links between laptops at these places.
    pub(crate) fn new(phy: &Phy, places: &[Place]) -> Links {
        let link = |from: &Place, to: &Place| {
            let distance = from.distance(*to);
            let margin_db = phy.margin_db(distance);
            Link {
                margin_db,
                heard: phy.hears(margin_db),
                sensed: distance <= phy.carrier_sense_m,
                rate: phy.best_rate(margin_db),
            }
        };
        let links = places.iter().flat_map(|from| places.iter().map(move |to| link(from, to)));
        Links { stations: places.len(), links: links.collect() }
    }

    /// From one to another.
    pub(crate) fn get(&self, from: usize, to: usize) -> &Link {
        &self.links[from * self.stations + to]
    }
}
