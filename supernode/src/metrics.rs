//! What the node counts, in the text format of Prometheus and OpenMetrics.

mod node;
#[cfg(test)]
mod reference;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use dht::Dht;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::load::Load;
use crate::quota::Quota;
use crate::rpc::METHODS;
use crate::services::Services;
use crate::sip::Sip;
use node::Node;

/// Label sets are fixed beforehand, so that no request can make a new one.
type Labels = [(&'static str, &'static str); 2];
/// What a call to no known method is counted as.
const UNKNOWN: &str = "unknown";

/// The node's counters.
pub struct Metrics {
    registry: Registry,
    /// One for each of [`METHODS`], and one for unknown methods.
    calls: Vec<Calls>,
    connections: Gauge<i64, AtomicI64>,
    connections_closed: Family<[(&'static str, &'static str); 1], Counter>,
    requests_refused: Family<[(&'static str, &'static str); 1], Counter>,
}

struct Calls {
    done: Counter<u64, AtomicU64>,
    faulted: Counter<u64, AtomicU64>,
    seconds: Histogram,
}

impl Metrics {
    /// All counters, at zero; what the node itself counts is read when it is asked for.
    pub fn new(
        dht: Dht,
        load: Arc<Load>,
        quota: Arc<Quota>,
        services: Services,
        sip: Sip,
    ) -> Metrics {
        let mut registry = Registry::with_prefix("scope");
        let counted: Family<Labels, Counter> = Family::default();
        let seconds: Family<[(&'static str, &'static str); 1], Histogram> =
            Family::new_with_constructor(latency_histogram);
        registry.register(
            "rpc_calls",
            "XML-RPC calls answered, by method and result",
            counted.clone(),
        );
        registry.register_with_unit(
            "rpc_duration",
            "Time from a call's last byte to its reply, by method",
            Unit::Seconds,
            seconds.clone(),
        );
        let names = METHODS.iter().map(|method| method.name).chain([UNKNOWN]);
        let calls = names.map(|method| Calls {
            done: counted.get_or_create_owned(&[("method", method), ("result", "done")]),
            faulted: counted.get_or_create_owned(&[("method", method), ("result", "fault")]),
            seconds: seconds.get_or_create_owned(&[("method", method)]),
        });
        let calls = calls.collect();
        let connections = Gauge::default();
        registry.register("http_connections", "HTTP connections open", connections.clone());
        let connections_closed = Family::default();
        registry.register(
            "http_connections_closed",
            "HTTP connections closed to make room, or for want of it, by reason",
            connections_closed.clone(),
        );
        let requests_refused = Family::default();
        registry.register(
            "http_requests_refused",
            "HTTP requests refused before they were looked at, by reason",
            requests_refused.clone(),
        );
        registry.register_collector(Box::new(Node::new(dht, load, quota, services, sip)));
        Metrics { registry, calls, connections, connections_closed, requests_refused }
    }

    /// Counts a call to one of [`METHODS`], or to an unknown one.
    pub fn count_call(&self, method: Option<usize>, faulted: bool, took: Duration) {
        let calls = &self.calls[method.unwrap_or(METHODS.len())];
        if faulted {
            calls.faulted.inc()
        } else {
            calls.done.inc()
        };
        calls.seconds.observe(took.as_secs_f64());
    }

    /// Counts a connection that was closed to make room, or at once for want of it.
    pub fn count_connection_closed(&self, reason: &'static str) {
        self.connections_closed.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a request that was refused before it was looked at.
    pub fn count_refused(&self, reason: &'static str) {
        self.requests_refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// The number of open connections.
    pub fn connections(&self) -> &Gauge<i64, AtomicI64> {
        &self.connections
    }

    /// All counters as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// From a tenth of a millisecond to some 3 s, each bucket twice the one before.
fn latency_histogram() -> Histogram {
    Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(0.0001, 2.0, 16))
}
