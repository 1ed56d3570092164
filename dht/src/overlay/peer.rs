//! Another super-node, as those who ask it something hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::{NodeId, Place};

use super::Now;
use super::latency::Latencies;

/// When a super-node was last heard: set by the link with everything that comes, read by the
/// failure detector. Any traffic is life.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// It is heard now, so many milliseconds after the node's start.
    pub(crate) fn beat(&self, now: Duration) {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.0.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Now {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A super-node. One for as long as it is connected.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Who it is.
    pub(crate) id: NodeId,
    /// Where it lies.
    pub(crate) place: Place,
    pub(crate) pulse: Pulse,
    /// How long its answers to reads took.
    pub(crate) latencies: Latencies,
}

impl Peer {
    /// A peer that nothing is known of.
    pub(crate) fn new(id: NodeId, pulse: Pulse) -> Peer {
        Peer { id, place: id.place(), pulse, latencies: Latencies::default() }
    }
}
