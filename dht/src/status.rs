//! How a node is doing, for people and for metrics.

use std::net::SocketAddr;
use std::time::Duration;

use base::NodeId;

use crate::store::Totals;

/// How a node is doing.
#[derive(Debug, Clone)]
pub struct Status {
    /// Counts over what it holds.
    pub totals: Totals,
    /// The other super-nodes it knows to be in the overlay.
    pub peers: Vec<PeerStatus>,
    /// How many super-nodes keep what is put now: 3, fewer if fewer exist.
    pub replicas: usize,
    /// Places this node watches for those who wait here.
    pub watches: u64,
    /// Leases replicas have granted it for that.
    pub leases: u64,
    /// Names that are claimed here, as one of their replicas.
    pub names: u64,
    /// What is being done to hold all that it should.
    pub phase: Phase,
}

/// Whether a node holds all that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It looks for others: it does not know yet whether it is alone.
    Looking,
    /// It copies what it should hold from others.
    Filling,
    /// It holds what it should.
    Serving,
}

/// Another super-node, as this one sees it.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Who.
    pub id: NodeId,
    /// Where it was reached.
    pub address: Option<SocketAddr>,
    /// How it is.
    pub health: Health,
    /// Since it was last heard.
    pub silent_for: Duration,
    /// The median of its latest answers to reads; `None` before the first.
    pub latency_p50: Option<Duration>,
    /// The 99th percentile of them.
    pub latency_p99: Option<Duration>,
}

/// How another super-node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// It left a question unanswered; it still counts, until it was silent for some seconds.
    Suspect,
}
