//! The air: who sends when, and what arrives. Pure: (event, now) → what happens.
//!
//! Each laptop is a station of IEEE 802.11's distributed coordination function (9.3). It takes the
//! frame at the head of its queue, draws a number of slots, counts them while it senses nobody, and
//! sends.
//!
//! ```text
//!           offer            air free for DIFS            counted down
//!   Idle ──────────► Waiting ────────────────► Counting ──────────────► Sending ──┐
//!    ▲                  ▲     ◄────────────────                                   │
//!    │                  │       somebody sends                                    │
//!    │ queue empty      └───── next frame, or the same again ◄────────────────────┤
//!    └────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Two whose counts end within one slot do not sense each other in time; two that are too far apart
//! never do. Their frames overlap, and one that overlaps arrives only where it is strong enough
//! above each of the others. What arrives in free air is decided by the link's stream of draws.

mod counts;
mod station;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::chance::{Chance, Stream};
use super::frame::{Destination, Frame};
use super::links::Links;
use super::phy::{Phy, Rate};
use super::place::Place;

pub(crate) use counts::Counts;
use station::{Station, Turn};

/// What the scenario says of the radio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Radio {
    /// Timing, rates, range.
    pub(crate) phy: Phy,
    /// The index of the rate of unicast frames; by distance if none.
    pub(crate) rate: Option<usize>,
    /// The index of the rate of broadcast and multicast frames.
    pub(crate) multicast_rate: usize,
    /// How often a unicast frame is sent until it is given up.
    pub(crate) tries: u32,
    /// How many frames wait at a station, at most.
    pub(crate) queue_frames: usize,
    /// Of all frames, how many are lost beside what distance does; from 0 to 1.
    pub(crate) extra_loss: f64,
    /// How much later than the air has it a laptop gets a frame.
    pub(crate) extra_delay: Duration,
}

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// A laptop gets a frame.
    Deliver {
        /// Which laptop.
        to: usize,
        /// When, on the air's clock.
        at: Duration,
        /// The frame.
        frame: Frame,
    },
    /// A frame's first bit was sent: each try of a frame is one.
    Sent {
        /// When, on the air's clock.
        at: Duration,
        /// The frame.
        frame: Frame,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The air that kept a station waiting may be free.
    Free { station: usize, turn: u64 },
    /// A station has counted its slots.
    Counted { station: usize, turn: u64 },
    /// A station's frame has been sent.
    Landed { station: usize },
    /// Its acknowledgement, or the time for it, is over.
    Over { station: usize },
}

/// A frame on the air.
#[derive(Debug)]
struct Transmission {
    from: usize,
    frame: Frame,
    rate: Rate,
    /// Who sent at the same time, for a while.
    overlaps: Vec<usize>,
}

/// The air and all stations.
#[derive(Debug)]
pub(crate) struct Medium {
    radio: Radio,
    chance: Chance,
    links: Links,
    stations: Vec<Station>,
    /// One for each station at most.
    on_air: Vec<Transmission>,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    /// Numbers events, so that those of one moment come in the order they were made.
    made: u64,
    /// What has arrived and is not due yet; all are delayed by the same, so this is in order.
    delayed: VecDeque<(Duration, usize, Frame)>,
    counts: Counts,
}

impl Medium {
    /// Air in which nothing has happened, with stations at these places.
    pub(crate) fn new(radio: Radio, seed: u64, places: &[Place]) -> Medium {
        let stations = places.len();
        Medium {
            radio,
            chance: Chance::seeded(seed),
            links: Links::new(&radio.phy, places),
            stations: (0..stations).map(|_| Station::default()).collect(),
            on_air: Vec::new(),
            events: BinaryHeap::new(),
            made: 0,
            delayed: VecDeque::new(),
            counts: Counts::new(stations),
        }
    }

    /// Takes a frame from a laptop. False if its queue is full: the frame is gone. What was due
    /// before must have been done: [`Medium::advance`].
    pub(crate) fn offer(&mut self, now: Duration, from: usize, frame: Frame) -> bool {
        let counts = &mut self.counts.stations[from];
        counts.offered += 1;
        let station = &mut self.stations[from];
        if station.queue.len() >= self.radio.queue_frames {
            counts.queue_full += 1;
            return false;
        }
        station.queue.push_back(frame);
        if station.turn == Turn::Idle {
            self.contend(now, from);
        }
        true
    }

    /// When the next thing happens, if anything does.
    pub(crate) fn next(&self) -> Option<Duration> {
        let event = self.events.peek().map(|Reverse((at, ..))| *at);
        let delayed = self.delayed.front().map(|(at, ..)| *at);
        event.into_iter().chain(delayed).min()
    }

    /// Lets all happen that does until `now`, each at its own time.
    pub(crate) fn advance(&mut self, now: Duration, actions: &mut Vec<Action>) {
        while let Some(&Reverse((at, _, event))) = self.events.peek()
            && at <= now
        {
            self.events.pop();
            match event {
                Event::Free { station, turn } => self.free(at, station, turn),
                Event::Counted { station, turn } => self.counted(at, station, turn, actions),
                Event::Landed { station } => self.landed(at, station, actions),
                Event::Over { station } => self.over(at, station),
            }
        }
        while let Some((at, ..)) = self.delayed.front()
            && *at <= now
        {
            let Some((at, to, frame)) = self.delayed.pop_front() else { break };
            actions.push(Action::Deliver { to, at, frame });
        }
    }

    /// The laptops are here now.
    pub(crate) fn place(&mut self, places: &[Place]) {
        self.links = Links::new(&self.radio.phy, places);
    }

    /// Who hears whom now.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// What has happened so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    fn after(&mut self, at: Duration, event: Event) {
        self.made += 1;
        self.events.push(Reverse((at, self.made, event)));
    }

    /// Draws slots for the frame at the head of a station's queue.
    fn contend(&mut self, now: Duration, number: usize) {
        let station = &mut self.stations[number];
        let window = self.radio.phy.window(station.tries);
        let draw = self.chance.draw(Stream::Backoff(number), station.backoffs);
        station.backoffs += 1;
        // From 0 to `window`.
        let slots = (draw * f64::from(window + 1)) as u32;
        self.wait(now, number, slots);
    }

    /// A station counts slots as soon as the air it senses is free.
    fn wait(&mut self, now: Duration, number: usize, slots: u32) {
        let station = &mut self.stations[number];
        station.turns += 1;
        let turn = station.turns;
        if station.busy_until > now {
            station.turn = Turn::Waiting { slots };
            let free = station.busy_until;
            self.after(free, Event::Free { station: number, turn });
        } else {
            let from = now + self.radio.phy.difs();
            station.turn = Turn::Counting { from, slots };
            let done = from + self.radio.phy.slot() * slots;
            self.after(done, Event::Counted { station: number, turn });
        }
    }

    fn free(&mut self, now: Duration, number: usize, turn: u64) {
        let station = &self.stations[number];
        if let Turn::Waiting { slots } = station.turn
            && station.turns == turn
        {
            self.wait(now, number, slots);
        }
    }

    fn counted(&mut self, now: Duration, number: usize, turn: u64, actions: &mut Vec<Action>) {
        let station = &mut self.stations[number];
        if station.turns != turn || !matches!(station.turn, Turn::Counting { .. }) {
            return;
        }
        let Some(frame) = station.queue.front().cloned() else { return };
        station.turn = Turn::Sending;
        let rate = self.rate(number, &frame);
        let lands = now + self.radio.phy.air(rate, frame.len());
        let over = match frame.to() {
            Destination::All => lands,
            // Whether it comes or not, it is waited for.
            _ => lands + self.radio.phy.ack(rate),
        };
        self.counts.sent(number, over - now);
        let mut overlaps = Vec::new();
        for other in &mut self.on_air {
            other.overlaps.push(number);
            overlaps.push(other.from);
        }
        self.hold_back_others(now, number, over);
        self.after(lands, Event::Landed { station: number });
        self.after(over, Event::Over { station: number });
        actions.push(Action::Sent { at: now, frame: frame.clone() });
        self.on_air.push(Transmission { from: number, frame, rate, overlaps });
    }

    /// At which rate a station sends a frame.
    fn rate(&self, from: usize, frame: &Frame) -> Rate {
        let rate = match frame.to() {
            Destination::All => self.radio.multicast_rate,
            Destination::Nobody => self.radio.rate.unwrap_or(0),
            Destination::Station(to) => self.radio.rate.unwrap_or_else(|| {
                // A step down after two failures each, as drivers do.
                let down = self.stations[from].tries / 2;
                self.links.get(from, to).rate.saturating_sub(down as usize)
            }),
        };
        self.radio.phy.rates()[rate]
    }

    /// All who sense a transmission wait, except for those about to send within the slot.
    fn hold_back_others(&mut self, now: Duration, sender: usize, until: Duration) {
        let slot = self.radio.phy.slot();
        for number in 0..self.stations.len() {
            if !self.links.get(sender, number).sensed && number != sender {
                continue;
            }
            let station = &mut self.stations[number];
            let busy_from = station.busy_until.max(now);
            if until > busy_from {
                self.counts.stations[number].busy += until - busy_from;
                station.busy_until = until;
            }
            if let Turn::Counting { from, slots } = station.turn
                && number != sender
                && from + slot * slots >= now + slot
            {
                let counted = now.saturating_sub(from).as_nanos() / slot.as_nanos();
                // It is below `slots`, or its count would be over.
                let left = slots.saturating_sub(u32::try_from(counted).unwrap_or(u32::MAX));
                self.wait(now, number, left);
            }
        }
    }

    /// Decides who has got a frame whose last bit was sent.
    fn landed(&mut self, now: Duration, from: usize, actions: &mut Vec<Action>) {
        let Some(at) = self.on_air.iter().position(|sent| sent.from == from) else { return };
        let sent = self.on_air.swap_remove(at);
        match sent.frame.to() {
            Destination::Station(to) => {
                let arrived = self.arrives(&sent, to);
                self.stations[from].arrived = arrived;
                if arrived {
                    self.deliver(now, to, &sent.frame, actions);
                }
            }
            Destination::All => {
                for to in (0..self.stations.len()).filter(|to| *to != from) {
                    if self.links.get(from, to).heard && self.arrives(&sent, to) {
                        self.deliver(now, to, &sent.frame, actions);
                    }
                }
                self.stations[from].arrived = true;
            }
            Destination::Nobody => self.stations[from].arrived = false,
        }
    }

    /// Whether a frame arrives somewhere; it counts as one of the link.
    fn arrives(&mut self, sent: &Transmission, to: usize) -> bool {
        let phy = &self.radio.phy;
        let margin = self.links.get(sent.from, to).margin_db;
        let drowned = sent.overlaps.iter().any(|other| {
            let other_db = self.links.get(*other, to).margin_db;
            *other == to || !phy.captures(margin, other_db, sent.rate)
        });
        let lost = phy.loss(margin, sent.rate, sent.frame.len());
        let lost = 1.0 - (1.0 - lost) * (1.0 - self.radio.extra_loss);
        let counts = self.counts.link(sent.from, to);
        let draw = self.chance.draw(Stream::Link(sent.from, to), counts.frames);
        counts.frames += 1;
        if drowned {
            counts.collided += 1;
        } else if draw < lost {
            counts.faded += 1;
        }
        !drowned && draw >= lost
    }

    fn deliver(&mut self, now: Duration, to: usize, frame: &Frame, actions: &mut Vec<Action>) {
        self.counts.stations[to].received += 1;
        let (at, frame) = (now + self.radio.extra_delay, frame.clone());
        if self.radio.extra_delay.is_zero() {
            actions.push(Action::Deliver { to, at, frame });
        } else {
            self.delayed.push_back((at, to, frame));
        }
    }

    /// A station's frame is done, or is sent again.
    fn over(&mut self, now: Duration, number: usize) {
        let station = &mut self.stations[number];
        station.tries += 1;
        let given_up = !station.arrived && station.tries >= self.radio.tries;
        if station.arrived || given_up {
            station.queue.pop_front();
            station.tries = 0;
        } else {
            self.counts.stations[number].retried += 1;
        }
        self.counts.stations[number].given_up += u64::from(given_up);
        if self.stations[number].queue.is_empty() {
            self.stations[number].turn = Turn::Idle;
        } else {
            self.contend(now, number);
        }
    }
}
