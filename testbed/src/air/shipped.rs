//! The scenarios that come with the testbed.

use anyhow::{Context, Result};

use super::scenario::Scenario;

/// One of them.
pub(crate) struct Shipped {
    /// As given on the command line.
    pub(crate) name: &'static str,
    /// Its file.
    pub(crate) text: &'static str,
}

/// All of them.
pub(crate) const ALL: [Shipped; 4] = [
    Shipped { name: "grid", text: include_str!("../../scenarios/grid.toml") },
    Shipped { name: "areas", text: include_str!("../../scenarios/areas.toml") },
    Shipped { name: "halls", text: include_str!("../../scenarios/halls.toml") },
    Shipped { name: "march", text: include_str!("../../scenarios/march.toml") },
];

/// One of them by its name, with another seed if there is one.
pub(crate) fn shipped(name: &str, seed: Option<u64>) -> Result<Scenario> {
    let shipped = ALL.iter().find(|shipped| shipped.name == name);
    let shipped =
        shipped.with_context(|| format!("no scenario {name:?} comes with the testbed"))?;
    Ok(Scenario::parse(shipped.text, name, seed)?)
}

impl Shipped {
    /// One line for people: the file's first.
    pub(crate) fn about(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::air::links::Links;
    use crate::air::scenario::Routing;

    fn load(name: &str) -> Scenario {
        let shipped = ALL.iter().find(|shipped| shipped.name == name).unwrap();
        Scenario::parse(shipped.text, name, None).unwrap()
    }

    /// How many parts the network is in, at a moment.
    fn parts(scenario: &Scenario, second: u64) -> usize {
        let places = scenario.travel().at(Duration::from_secs(second));
        let links = Links::new(&scenario.radio.phy, &places);
        // Well in reach: what routing holds on to.
        let near = |a: usize, b: usize| links.get(a, b).margin_db >= 0.0;
        let mut part: Vec<usize> = (0..places.len()).collect();
        for _ in 0..places.len() {
            for a in 0..places.len() {
                for b in 0..places.len() {
                    if near(a, b) {
                        part[a] = part[a].min(part[b]);
                    }
                }
            }
        }
        part.sort_unstable();
        part.dedup();
        part.len()
    }

    #[test]
    fn every_shipped_scenario_is_one_and_says_what_it_is() {
        for shipped in ALL {
            let scenario = load(shipped.name);
            assert_eq!(scenario.name, shipped.name);
            assert!(shipped.text.starts_with("# ") && shipped.about().len() > 10);
        }
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        assert_eq!(std::fs::read_dir(dir).unwrap().count(), ALL.len(), "all files are listed");
    }

    #[test]
    fn the_grid_is_the_papers() {
        let grid = load("grid");
        assert_eq!((grid.laptops.len(), grid.routing), (9, Routing::None));
        let places = grid.travel().at(Duration::ZERO);
        assert_eq!((places[0].distance(places[1]), places[0].distance(places[3])), (6.0, 6.0));
        assert_eq!(parts(&grid, 0), 1);
        assert_eq!(grid.with_supernodes(8).laptops[4].supernodes, 8);
    }

    #[test]
    fn the_areas_hold_eleven() {
        let areas = load("areas");
        assert_eq!((areas.laptops.len(), parts(&areas, 0)), (11, 1));
    }

    #[test]
    fn the_halls_part_and_meet() {
        let halls = load("halls");
        assert_eq!([0, 60, 180].map(|second| parts(&halls, second)), [1, 2, 1]);
    }

    #[test]
    fn thirty_march_together() {
        let march = load("march");
        assert_eq!(march.laptops.len(), 30);
        let (mut travel, mut last) = (march.travel(), march.travel());
        let start = last.at(Duration::ZERO)[0];
        assert!(travel.at(Duration::from_secs(600))[0].distance(start) > 300.0);
        assert!([0, 100, 300, 600].iter().all(|second| parts(&march, *second) == 1));
    }
}
