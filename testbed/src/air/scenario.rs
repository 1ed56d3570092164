//! What a scenario file says: the radio, the laptops, where they are and go, and what runs on them.
//!
//! A file becomes a [`Scenario`], which cannot be wrong, or one line that says what to do. The keys
//! and their limits are in `scenario/keys.rs`, and nowhere else.

mod file;
mod keys;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path as FilePath;
use std::time::Duration;

use thiserror::Error;

use super::chance::{Chance, Stream};
use super::medium::Radio;
use super::phy::Phy;
use super::place::Place;
use super::travel::{Travel, Way};
use super::walk::{Path, Region, Walk};
use file::{File, Group, Laptops, Move, Placing};
use keys::in_range;

pub(crate) use file::Routing;

pub(crate) use keys::table;

/// A subnet of addresses 10.77.x.y, of which .0.0 and .255.255 are not to be had, is far larger.
pub(crate) const LAPTOPS_MAX: usize = 250;

/// An experiment.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// What it is called.
    pub(crate) name: String,
    /// Decides everything that is left to chance.
    pub(crate) seed: u64,
    /// How laptops reach those they do not hear.
    pub(crate) routing: Routing,
    /// The radio of all of them.
    pub(crate) radio: Radio,
    /// All of them.
    pub(crate) laptops: Vec<Laptop>,
    ways: Vec<Way>,
}

/// A laptop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Laptop {
    /// No other one has it.
    pub(crate) name: String,
    /// How many super-nodes run on it.
    pub(crate) supernodes: usize,
}

/// Why a file is no scenario.
#[derive(Debug, Error)]
pub(crate) enum Wrong {
    /// It cannot be read.
    #[error("cannot read {0}: {1}; `testbed air --list` names the scenarios that come with it")]
    Unreadable(String, std::io::Error),
    /// It is not TOML, or has a key that there is not, or lacks one.
    #[error("{file}:{line}: {what}; docs/reference/scenario.md has all keys")]
    Shape {
        /// The file.
        file: String,
        /// The line of it.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A value is impossible.
    #[error("{file}: {key}: {what}")]
    Value {
        /// The file.
        file: String,
        /// The key, with the tables it is in.
        key: String,
        /// What is wrong and what to do.
        what: String,
    },
}

/// A value that is impossible: the key, and what to do.
struct Bad(String, String);

type Checked<T> = Result<T, Bad>;

fn bad<T>(key: impl fmt::Display, what: impl fmt::Display) -> Checked<T> {
    Err(Bad(key.to_string(), what.to_string()))
}

impl Scenario {
    /// Reads a file.
    pub(crate) fn load(path: &FilePath, seed: Option<u64>) -> Result<Scenario, Wrong> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Wrong::Unreadable(name.clone(), error))?;
        Scenario::parse(&text, &name, seed)
    }

    /// Reads the text of a file of that name. A seed takes the place of the file's.
    pub(crate) fn parse(text: &str, file: &str, seed: Option<u64>) -> Result<Scenario, Wrong> {
        let parsed: File = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            let what = error.message().trim().replace('\n', "; ");
            Wrong::Shape { file: file.to_owned(), line, what }
        })?;
        Scenario::checked(parsed, seed).map_err(|Bad(key, what)| Wrong::Value {
            file: file.to_owned(),
            key,
            what,
        })
    }

    /// Every laptop with this many super-nodes.
    pub(crate) fn with_supernodes(mut self, number: usize) -> Scenario {
        self.laptops.iter_mut().for_each(|laptop| laptop.supernodes = number);
        self
    }

    /// Whether laptops reach those they do not hear.
    pub(crate) fn routes(&self) -> bool {
        self.routing != Routing::None
    }

    /// Where the laptops are, from the first moment on.
    pub(crate) fn travel(&self) -> Travel {
        Travel::new(self.ways.clone())
    }

    fn checked(file: File, seed: Option<u64>) -> Checked<Scenario> {
        let seed = seed.unwrap_or(file.seed);
        let radio = file.radio.checked()?;
        let (mut laptops, mut ways) = (Vec::new(), Vec::new());
        if file.laptops.is_empty() {
            return bad("laptops", "there are none; add a table [[laptops]]");
        }
        for (number, group) in file.laptops.into_iter().enumerate() {
            let key = format!("laptops[{number}]");
            group.checked(&key, number, Chance::seeded(seed), &mut laptops, &mut ways)?;
        }
        if laptops.len() > LAPTOPS_MAX {
            let what = format!("{} of them in all; at most {LAPTOPS_MAX}", laptops.len());
            return bad("laptops", what);
        }
        for (at, laptop) in laptops.iter().enumerate() {
            if laptops[..at].iter().any(|other| other.name == laptop.name) {
                let what =
                    format!("two are called {:?}; give each table another name", laptop.name);
                return bad("laptops", what);
            }
        }
        Ok(Scenario { name: file.name, seed, routing: file.routing, radio, laptops, ways })
    }
}

impl file::Radio {
    fn checked(self) -> Checked<Radio> {
        let range_m = in_range("radio.range_m", self.range_m)?;
        let carrier_sense_m = match self.carrier_sense_m {
            Some(metres) => in_range("radio.carrier_sense_m", metres)?,
            // Energy is sensed farther than bits are understood.
            None => range_m * 1.5,
        };
        let path_loss = in_range("radio.path_loss", self.path_loss)?;
        let phy = Phy { standard: self.standard, range_m, path_loss, carrier_sense_m };
        let rate = |key: &str, mbps: Option<f64>| match mbps {
            None => Ok(None),
            Some(mbps) => match phy.rate_of((mbps * 1000.0) as u32) {
                Some(rate) => Ok(Some(rate)),
                None => {
                    let rates =
                        phy.rates().iter().map(|r| (f64::from(r.kbps) / 1000.0).to_string());
                    let rates = rates.collect::<Vec<_>>().join(", ");
                    bad(key, format!("this radio has no {mbps} Mb/s; it has {rates}"))
                }
            },
        };
        Ok(Radio {
            phy,
            rate: rate("radio.rate_mbps", self.rate_mbps)?,
            multicast_rate: rate("radio.multicast_mbps", self.multicast_mbps)?.unwrap_or(0),
            tries: in_range("radio.tries", f64::from(self.tries))? as u32,
            queue_frames: in_range("radio.queue_frames", f64::from(self.queue_frames))? as usize,
            extra_loss: in_range("radio.loss", self.loss)?,
            extra_delay: Duration::from_secs_f64(
                in_range("radio.delay_ms", self.delay_ms)? / 1000.0,
            ),
        })
    }
}

impl Laptops {
    /// Adds its laptops, and the way of each.
    fn checked(
        self,
        key: &str,
        number: usize,
        chance: Chance,
        laptops: &mut Vec<Laptop>,
        ways: &mut Vec<Way>,
    ) -> Checked<()> {
        let Laptops { name, count, supernodes, place, r#move } = self;
        if name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return bad(
                format!("{key}.name"),
                format!("{name:?}: use lower case letters, digits and hyphens"),
            );
        }
        let count = in_range(&format!("{key}.count"), f64::from(count))? as usize;
        let supernodes = in_range(&format!("{key}.supernodes"), f64::from(supernodes))? as usize;
        let lead = match &r#move {
            Some(Move::Group(group)) => {
                Some(group.lead(&format!("{key}.move.group"), number, chance)?)
            }
            _ => None,
        };
        for member in 0..count {
            let laptop = laptops.len();
            let choice = chance.choice(Stream::Walk(laptop));
            let here = match &place {
                Some(place) => {
                    Some(place.checked(&format!("{key}.place"), member, count, choice)?)
                }
                None => None,
            };
            let key = format!("{key}.move");
            let choice = chance.choice(Stream::Walk(laptop));
            ways.push(match (&r#move, &lead, here) {
                (None, _, Some(here)) => Way::Rest(here),
                (None, _, None) => {
                    return bad(&key, "these neither have a place nor move; add place or move");
                }
                (Some(Move::Waypoint(walk)), _, here) => {
                    Way::Walk(walk.walk(&format!("{key}.waypoint"), here, choice)?)
                }
                (Some(Move::Group(_)), _, Some(_)) => {
                    return bad(&key, "a group is where its path is; take place away");
                }
                (Some(Move::Group(group)), Some(lead), None) => {
                    let key = format!("{key}.group");
                    let radius = in_range(&format!("{key}.radius_m"), group.radius_m)?;
                    let speed = in_range(&format!("{key}.stray_mps"), group.stray_mps)?;
                    let region = Region::Disc { radius };
                    let stray = Walk::new(region, (speed, speed), Duration::ZERO, None, choice);
                    Way::Group(Box::new(lead.clone()), stray)
                }
                (Some(Move::Group(_)), None, None) => return bad(&key, "no group"),
            });
            let name = if count == 1 { name.clone() } else { format!("{name}-{}", member + 1) };
            laptops.push(Laptop { name, supernodes });
        }
        Ok(())
    }
}

impl Group {
    /// Where the whole group goes.
    fn lead(&self, key: &str, number: usize, chance: Chance) -> Checked<Way> {
        match (&self.path, &self.waypoint) {
            (Some(path), None) => checked_path(&format!("{key}.path"), path).map(Way::Path),
            (None, Some(walk)) => {
                let choice = chance.choice(Stream::Group(number));
                walk.walk(&format!("{key}.waypoint"), None, choice).map(Way::Walk)
            }
            _ => bad(key, "give it either a path or a waypoint"),
        }
    }
}

fn checked_path(key: &str, points: &[(f64, f64, f64)]) -> Checked<Path> {
    let mut path: Vec<(Duration, Place)> = Vec::new();
    for (number, (at_s, x, y)) in points.iter().enumerate() {
        let key = format!("{key}[{number}]");
        let at = Duration::from_secs_f64(in_range(&format!("{key}.at_s"), *at_s)?);
        if path.last().is_some_and(|(before, _)| *before >= at) {
            return bad(key, "its time is not after that of the one before; sort them");
        }
        let x = in_range(&format!("{key}.x_m"), *x)?;
        path.push((at, Place { x, y: in_range(&format!("{key}.y_m"), *y)? }));
    }
    if path.is_empty() { bad(key, "it is empty; give it [seconds, x, y]") } else { Ok(Path(path)) }
}

impl file::Waypoint {
    fn walk(
        &self,
        key: &str,
        start: Option<Place>,
        choice: crate::choice::Choice,
    ) -> Checked<Walk> {
        let region = self.area.checked(key)?;
        let (slow, fast) = self.speed_mps;
        let speed = format!("{key}.speed_mps");
        let (slow, fast) = (in_range(&speed, slow)?, in_range(&speed, fast)?);
        if slow > fast {
            return bad(speed, format!("from {slow} to {fast}: write the lower one first"));
        }
        let rest = Duration::from_secs_f64(in_range(&format!("{key}.pause_s"), self.pause_s)?);
        Ok(Walk::new(region, (slow, fast), rest, start, choice))
    }
}

impl file::Area {
    fn checked(&self, key: &str) -> Checked<Region> {
        let corner = Place {
            x: in_range(&format!("{key}.area.x_m"), self.x_m)?,
            y: in_range(&format!("{key}.area.y_m"), self.y_m)?,
        };
        let width = in_range(&format!("{key}.area.width_m"), self.width_m)?;
        let height = in_range(&format!("{key}.area.height_m"), self.height_m)?;
        Ok(Region::Rectangle { corner, width, height })
    }
}

impl Placing {
    /// Where a member is.
    fn checked(
        &self,
        key: &str,
        member: usize,
        count: usize,
        mut choice: crate::choice::Choice,
    ) -> Checked<Place> {
        match self {
            Placing::Grid(grid) => {
                let key = format!("{key}.grid");
                let columns =
                    in_range(&format!("{key}.columns"), f64::from(grid.columns))? as usize;
                let spacing = in_range(&format!("{key}.spacing_m"), grid.spacing_m)?;
                let corner = Place {
                    x: in_range(&format!("{key}.x_m"), grid.x_m)?,
                    y: in_range(&format!("{key}.y_m"), grid.y_m)?,
                };
                let (column, row) = ((member % columns) as f64, (member / columns) as f64);
                Ok(corner + Place { x: column * spacing, y: row * spacing })
            }
            Placing::Points(points) => {
                let key = format!("{key}.points");
                if points.len() != count {
                    return bad(key, format!("{} points for {count} laptops", points.len()));
                }
                let (x, y) = points[member];
                let x = in_range(&format!("{key}[{member}].x_m"), x)?;
                Ok(Place { x, y: in_range(&format!("{key}[{member}].y_m"), y)? })
            }
            Placing::Random(random) => {
                Ok(random.area.checked(&format!("{key}.random"))?.any(&mut choice))
            }
        }
    }
}
