//! What happened on the air.

use std::time::Duration;

/// Of all stations and links.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    /// By station.
    pub(crate) stations: Vec<StationCounts>,
    links: Vec<LinkCounts>,
}

/// Of one station.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StationCounts {
    /// Frames its laptop wanted to send.
    pub(crate) offered: u64,
    /// Of those, gone because its queue was full.
    pub(crate) queue_full: u64,
    /// Of those, unicast ones given up after the last try.
    pub(crate) given_up: u64,
    /// Transmissions, each try being one.
    pub(crate) sent: u64,
    /// Of those, in vain and followed by another.
    pub(crate) retried: u64,
    /// Frames its laptop got.
    pub(crate) received: u64,
    /// How long it was on the air, with the acknowledgements of what it sent.
    pub(crate) air: Duration,
    /// How long it sensed somebody, or was on the air itself.
    pub(crate) busy: Duration,
}

/// Of one direction between two stations: unicast tries, and multicast frames it may hear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LinkCounts {
    /// Frames.
    pub(crate) frames: u64,
    /// Of those, lost to others sent at the same time.
    pub(crate) collided: u64,
    /// Of those, lost to distance and chance.
    pub(crate) faded: u64,
}

impl LinkCounts {
    /// How many arrived.
    pub(crate) const fn arrived(&self) -> u64 {
        self.frames - self.collided - self.faded
    }
}

impl Counts {
    pub(super) fn new(stations: usize) -> Counts {
        Counts {
            stations: vec![StationCounts::default(); stations],
            links: vec![LinkCounts::default(); stations * stations],
        }
    }

    /// A station began a transmission that takes so long.
    pub(super) fn sent(&mut self, station: usize, air: Duration) {
        let counts = &mut self.stations[station];
        counts.sent += 1;
        counts.air += air;
    }

    pub(super) fn link(&mut self, from: usize, to: usize) -> &mut LinkCounts {
        let stations = self.stations.len();
        &mut self.links[from * stations + to]
    }

    /// Of the direction from one station to another.
    pub(crate) fn of_link(&self, from: usize, to: usize) -> LinkCounts {
        self.links[from * self.stations.len() + to]
    }
}
