//! How the radio is doing at a moment, for people and programs.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::device::ip_address;
use super::links::Links;
use super::medium::Counts;
use super::phy::Phy;
use super::place::Place;
use super::scenario::Scenario;
use super::urgency::Urgency;

/// A laptop gets a frame later than the air had it by this before it counts as late: less than a
/// program waits for its turn on a busy machine.
const LATE: Duration = Duration::from_millis(2);

/// A long frame.
const LONG: usize = 1000;

/// How far the loop is behind the air's clock, which goes on whether the machine keeps up or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lateness {
    /// Frames given to laptops.
    pub(crate) delivered: u64,
    /// Of those, late by more than 2 ms.
    pub(crate) late: u64,
    /// The latest.
    pub(crate) most: Duration,
    /// Frames that a laptop did not take, its interface being down.
    pub(crate) refused: u64,
}

/// All there is to know.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// When, on the air's clock.
    pub(crate) at: Duration,
    /// Where the laptops are.
    pub(crate) places: Vec<Place>,
    /// Who hears whom.
    pub(crate) links: Links,
    /// What has happened so far.
    pub(crate) counts: Counts,
    /// How late.
    pub(crate) lateness: Lateness,
    /// Whether others on this machine could hold it up.
    pub(crate) urgency: Urgency,
    /// What the radio's thread has used of a processor.
    pub(crate) processor: Duration,
    /// Frames that are missing in the record.
    pub(crate) unrecorded: u64,
}

impl Lateness {
    pub(super) fn delivered(&mut self, late: Duration, taken: bool) {
        self.delivered += 1;
        self.late += u64::from(late > LATE);
        self.most = self.most.max(late);
        self.refused += u64::from(!taken);
    }
}

impl Snapshot {
    /// Which laptops hear one: more of its long frames at the lowest rate arrive than are lost.
    fn heard_by(&self, phy: &Phy, from: usize) -> impl Iterator<Item = usize> {
        let others = (0..self.places.len()).filter(move |to| *to != from);
        let lost =
            move |to: &usize| phy.loss(self.links.get(from, *to).margin_db, phy.rates()[0], LONG);
        others.filter(move |to| lost(to) < 0.5)
    }

    /// The air that all laptops have used since an earlier moment, in percent of a channel.
    pub(crate) fn air_percent_since(&self, before: &Snapshot) -> f64 {
        let used = |snapshot: &Snapshot| -> Duration {
            snapshot.counts.stations.iter().map(|station| station.air).sum()
        };
        let time = self.at.saturating_sub(before.at).as_secs_f64().max(1e-9);
        100.0 * used(self).saturating_sub(used(before)).as_secs_f64() / time
    }

    /// A share of the time so far, in percent.
    fn percent(&self, time: Duration) -> f64 {
        100.0 * time.as_secs_f64() / self.at.as_secs_f64().max(1e-9)
    }

    /// The air that all laptops have used since they began, in percent of a channel: more than 100 if
    /// some are out of each other's sense.
    pub(crate) fn air_percent(&self) -> f64 {
        self.percent(self.counts.stations.iter().map(|station| station.air).sum())
    }

    /// A table.
    pub(crate) fn table(&self, scenario: &Scenario) -> String {
        let mut table = format!(
            "{:12} {:12} {:>16}  {:>6} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7}  hears\n",
            "laptop",
            "address",
            "at (m)",
            "air %",
            "busy %",
            "sent",
            "got",
            "again",
            "lost",
            "full"
        );
        for (number, laptop) in scenario.laptops.iter().enumerate() {
            let counts = self.counts.stations[number];
            let row = format!(
                "{:12} {:12} {:>16}  {:>6.2} {:>6.2} {:>7} {:>7} {:>7} {:>7} {:>7}  {}",
                laptop.name,
                ip_address(number).to_string(),
                self.places[number].to_string(),
                self.percent(counts.air),
                self.percent(counts.busy),
                counts.sent,
                counts.received,
                counts.retried,
                counts.given_up,
                counts.queue_full,
                self.hears(scenario, number)
            );
            table.push_str(row.trim_end());
            table.push('\n');
        }
        let Lateness { delivered, late, most, refused } = self.lateness;
        // Writing to a string does not fail.
        let _ = write!(
            table,
            "after {:.1} s: {:.2} % of the air used; of {delivered} frames {late} came more than \
             {} ms late, at most {:.1} ms; {refused} refused; radio at {:.1} % of a processor, {}",
            self.at.as_secs_f64(),
            self.air_percent(),
            LATE.as_millis(),
            most.as_secs_f64() * 1e3,
            self.percent(self.processor),
            self.urgency,
        );
        if self.unrecorded > 0 {
            let _ = write!(table, "; {} frames not recorded", self.unrecorded);
        }
        table
    }

    /// Whom a laptop hears, with the rates.
    fn hears(&self, scenario: &Scenario, number: usize) -> String {
        /// So many fit on a line.
        const SHOWN: usize = 6;
        let mbps = |to| mbps(&scenario.radio.phy, &self.links, number, to);
        let all: Vec<_> = self.heard_by(&scenario.radio.phy, number).collect();
        let name = |to: &usize| format!("{}@{}", scenario.laptops[*to].name, mbps(*to));
        let mut shown: Vec<String> = all.iter().take(SHOWN).map(name).collect();
        if all.len() > SHOWN {
            shown.push(format!("and {} more", all.len() - SHOWN));
        }
        shown.join(" ")
    }

    /// The same and more, for programs.
    pub(crate) fn json(&self, scenario: &Scenario) -> Value {
        let laptops = scenario.laptops.iter().enumerate().map(|(number, laptop)| {
            let (counts, place) = (self.counts.stations[number], self.places[number]);
            let hears = self.heard_by(&scenario.radio.phy, number).map(|to| {
                let link = self.counts.of_link(number, to);
                json!({
                    "laptop": scenario.laptops[to].name,
                    "margin_db": self.links.get(number, to).margin_db,
                    "mbps": mbps(&scenario.radio.phy, &self.links, number, to),
                    "frames": link.frames,
                    "collided": link.collided,
                    "faded": link.faded,
                })
            });
            json!({
                "name": laptop.name,
                "address": ip_address(number).to_string(),
                "x_m": place.x,
                "y_m": place.y,
                "hears": hears.collect::<Vec<_>>(),
                "air_s": counts.air.as_secs_f64(),
                "busy_s": counts.busy.as_secs_f64(),
                "offered": counts.offered,
                "sent": counts.sent,
                "received": counts.received,
                "retried": counts.retried,
                "given_up": counts.given_up,
                "queue_full": counts.queue_full,
            })
        });
        json!({
            "scenario": scenario.name,
            "seed": scenario.seed,
            "seconds": self.at.as_secs_f64(),
            "air_percent": self.air_percent(),
            "delivered": self.lateness.delivered,
            "late": self.lateness.late,
            "latest_ms": self.lateness.most.as_secs_f64() * 1e3,
            "refused": self.lateness.refused,
            "urgency": self.urgency.to_string(),
            "processor_s": self.processor.as_secs_f64(),
            "unrecorded": self.unrecorded,
            "laptops": laptops.collect::<Vec<_>>(),
        })
    }
}

/// The rate between two.
fn mbps(phy: &Phy, links: &Links, from: usize, to: usize) -> f64 {
    f64::from(phy.rates()[links.get(from, to).rate].kbps) / 1000.0
}
