//! The JSON interface: what a node tells of itself, the registry of services, and names.

pub mod door;
pub mod names;
#[cfg(test)]
mod reference;
pub mod refusals;
pub mod registrations;
pub mod services;
pub mod session;

use dht::{Health, PeerStatus, Phase};
use serde::Serialize;

use crate::state::AppState;

/// The answer of `/api/v1/status`: public, and so without anything about clients.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// The node's id, a libp2p peer id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The version of the program.
    pub version: &'static str,
    /// The other super-nodes it knows to be in the overlay.
    pub peers: Vec<Peer>,
    /// How many super-nodes keep what is put now.
    pub replicas: usize,
    /// `looking` for others, `filling` up with what it should hold, or `serving`.
    pub phase: &'static str,
    /// Values it holds.
    pub entries: u64,
    /// Bytes it holds, as quotas count them.
    pub bytes: u64,
    /// Keys it watches for those who wait here.
    pub watches: u64,
    /// The services it offers.
    pub services: Vec<String>,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// How busy it is.
    pub load: LoadStatus,
}

/// Another super-node.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Peer {
    /// Its id.
    pub id: String,
    /// Where it was reached, `IP:PORT`, if it was.
    pub address: Option<String>,
    /// `well`, or `suspect` when it left a question unanswered.
    pub health: &'static str,
    /// Milliseconds since it was last heard.
    pub silent_ms: u64,
    /// The median time of its latest answers to reads, in microseconds, if there were any.
    pub latency_p50_us: Option<u64>,
    /// The 99th percentile of them.
    pub latency_p99_us: Option<u64>,
}

impl From<PeerStatus> for Peer {
    fn from(peer: PeerStatus) -> Peer {
        Peer {
            id: peer.id.to_string(),
            address: peer.address.map(|address| address.to_string()),
            health: match peer.health {
                Health::Well => "well",
                Health::Suspect => "suspect",
            },
            silent_ms: whole(peer.silent_for.as_millis()),
            latency_p50_us: peer.latency_p50.map(|latency| whole(latency.as_micros())),
            latency_p99_us: peer.latency_p99.map(|latency| whole(latency.as_micros())),
        }
    }
}

fn whole(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How busy a node is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Load"))]
pub struct LoadStatus {
    /// Requests per second over the last minute.
    pub requests_per_second: f64,
    /// Requests in work.
    pub in_flight: usize,
}

/// What `GET /api/v1/status` answers.
pub fn status(state: &AppState) -> Status {
    let dht::Status { totals, peers, replicas, phase, watches, leases: _, names: _ } =
        state.dht.status();
    Status {
        id: state.dht.id().to_string(),
        name: state.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        peers: peers.into_iter().map(Peer::from).collect(),
        replicas,
        phase: match phase {
            Phase::Looking => "looking",
            Phase::Filling => "filling",
            Phase::Serving => "serving",
        },
        entries: totals.live,
        bytes: totals.bytes,
        watches,
        services: state.services.own().iter().map(ToString::to_string).collect(),
        uptime_s: state.load.uptime_s(),
        load: LoadStatus {
            requests_per_second: state.load.requests_per_second(),
            in_flight: state.load.in_flight(),
        },
    }
}

/// A field of a URL's query.
fn field(query: &str, name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(query.as_bytes());
    fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_peer_is_told_in_whole_units_and_nothing_is_made_up() {
        let id = "12D3KooW9pP4Seg3kZYhySpuVjn1RPdQBsUFZKiFxGMGQN5MeL6A";
        let mut peer = PeerStatus {
            id: id.parse().unwrap(),
            address: Some("192.0.2.1:5850".parse().unwrap()),
            health: Health::Suspect,
            silent_for: Duration::from_micros(1_234_567),
            latency_p50: Some(Duration::from_nanos(250_900)),
            latency_p99: Some(Duration::from_millis(3)),
        };
        assert_eq!(
            serde_json::to_value(Peer::from(peer.clone())).unwrap(),
            serde_json::json!({
                "id": id, "address": "192.0.2.1:5850", "health": "suspect", "silent_ms": 1234,
                "latency_p50_us": 250, "latency_p99_us": 3000
            })
        );
        (peer.address, peer.health, peer.latency_p50) = (None, Health::Well, None);
        let told = Peer::from(peer);
        assert_eq!((told.address, told.health, told.latency_p50_us), (None, "well", None));
    }
}
