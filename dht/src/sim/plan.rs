//! What a simulated run consists of.

use std::time::Duration;

use super::net::Weather;

/// A run: how many nodes, for how long, under what.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Nodes.
    pub nodes: usize,
    /// Clients that put, get and remove all the time, each at any node.
    pub clients: usize,
    /// How often a node crashes, or leaves, and comes back.
    pub interruptions: usize,
    /// How long the clients go on, at least; all interruptions happen in it.
    pub length: Duration,
    /// What the network does meanwhile.
    pub weather: Weather,
}

impl Default for Plan {
    /// Some laptops on a bad Wi-Fi.
    fn default() -> Plan {
        let delay = (Duration::from_millis(1), Duration::from_millis(40));
        Plan {
            nodes: 12,
            clients: 6,
            interruptions: 4,
            length: Duration::from_secs(60),
            weather: Weather { delay, loss: 0.01 },
        }
    }
}
