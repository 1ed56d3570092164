//! What a simulated run consists of.

use std::time::Duration;

use super::interruption::Kind;
use super::net::Weather;

/// A run: how many nodes, for how long, under what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Nodes.
    pub nodes: usize,
    /// How many of them lie: the last ones. No client asks those.
    pub liars: usize,
    /// Clients that put, get and remove all the time, each at any node.
    pub clients: usize,
    /// How many interruptions there are; the seed chooses which.
    pub interruptions: usize,
    /// Of which kinds.
    pub kinds: Vec<Kind>,
    /// How long the clients go on beside what the interruptions take.
    pub length: Duration,
    /// What the network does meanwhile.
    pub weather: Weather,
}

impl Default for Plan {
    /// Some laptops on a bad Wi-Fi, and whatever happens to laptops.
    fn default() -> Plan {
        let delay = (Duration::from_millis(1), Duration::from_millis(40));
        Plan {
            nodes: 12,
            liars: 0,
            clients: 6,
            interruptions: 4,
            kinds: Kind::ALL.to_vec(),
            length: Duration::from_secs(60),
            weather: Weather { delay, loss: 0.01, air: None },
        }
    }
}
