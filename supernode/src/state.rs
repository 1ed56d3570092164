//! What every request handler is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dht::Dht;

use crate::load::Load;
use crate::metrics::Metrics;

/// The node as the HTTP handlers see it.
pub struct AppState {
    /// The overlay.
    pub dht: Dht,
    /// The node's name for people.
    pub name: String,
    /// How busy it is.
    pub load: Arc<Load>,
    /// What it has counted.
    pub metrics: Arc<Metrics>,
    /// The number of the last request.
    requests: AtomicU64,
    /// Whether `/metrics` answers others than this machine.
    pub public_metrics: bool,
}

impl AppState {
    /// The state of a node that has just been opened.
    pub fn new(dht: Dht, name: &str, public_metrics: bool) -> AppState {
        let load = Arc::new(Load::new());
        let metrics = Arc::new(Metrics::new(dht.clone(), Arc::clone(&load)));
        AppState {
            dht,
            name: name.to_owned(),
            load,
            metrics,
            requests: AtomicU64::new(0),
            public_metrics,
        }
    }

    /// A number for a request, to find its traces by.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }
}
