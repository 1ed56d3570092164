//! What every request handler is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dht::Dht;

use crate::http::{Budget, Door, Gate, Watching};
use crate::load::Load;
use crate::metrics::Metrics;
use crate::quota::Quota;
use crate::services::Services;
use crate::sip::Sip;

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
    /// Whose request is next.
    pub gate: Gate,
    /// What is left of the memory for requests and replies.
    pub budget: Budget,
    /// How many keys each source watches.
    pub watching: Watching,
    /// What each source may still put.
    pub quota: Arc<Quota>,
    /// Who offers what.
    pub services: Services,
    /// Telephones.
    pub sip: Sip,
    /// Who may come in, if not everybody may.
    pub door: Option<Door>,
    /// The number of the last request.
    requests: AtomicU64,
    /// Whether `/metrics` answers others than this machine.
    pub public_metrics: bool,
}

impl AppState {
    /// The state of a node that has just been opened, in the runtime that serves it.
    pub fn new(
        dht: Dht,
        services: Services,
        sip: Sip,
        name: &str,
        public_metrics: bool,
        door: Option<Door>,
    ) -> AppState {
        let load = Arc::new(Load::new());
        let quota = Arc::new(Quota::new());
        let metrics =
            Metrics::new(dht.clone(), load.clone(), quota.clone(), services.clone(), sip.clone());
        AppState {
            dht,
            name: name.to_owned(),
            load,
            metrics: Arc::new(metrics),
            gate: Gate::new(tokio::runtime::Handle::current().metrics().num_workers()),
            budget: Budget::default(),
            watching: Watching::default(),
            quota,
            services,
            sip,
            door,
            requests: AtomicU64::new(0),
            public_metrics,
        }
    }

    /// A number for a request, to find its traces by.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }
}
