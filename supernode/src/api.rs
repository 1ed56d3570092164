//! The JSON interface.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::state::AppState;

/// The answer of `/api/v1/status`: public, and so without anything about clients.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The node's id, a libp2p peer id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The version of the program.
    pub version: &'static str,
    /// The super-nodes it is connected with.
    pub peers: Vec<Peer>,
    /// Values it holds.
    pub entries: u64,
    /// Bytes it holds, as quotas count them.
    pub bytes: u64,
    /// The services it offers.
    pub services: Vec<String>,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// How busy it is.
    pub load: LoadStatus,
}

/// Another super-node.
#[derive(Debug, Serialize)]
pub struct Peer {
    /// Its id.
    pub id: String,
}

/// How busy a node is.
#[derive(Debug, Serialize)]
pub struct LoadStatus {
    /// Requests per second over the last minute.
    pub requests_per_second: f64,
    /// Requests in work.
    pub in_flight: usize,
}

/// `GET /api/v1/status`.
pub async fn status(State(state): State<Arc<AppState>>) -> Json<Status> {
    let totals = state.dht.status().totals;
    Json(Status {
        id: state.dht.id().to_string(),
        name: state.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        peers: Vec::new(),
        entries: totals.live,
        bytes: totals.bytes,
        services: Vec::new(),
        uptime_s: state.load.uptime_s(),
        load: LoadStatus {
            requests_per_second: state.load.requests_per_second(),
            in_flight: state.load.in_flight(),
        },
    })
}
