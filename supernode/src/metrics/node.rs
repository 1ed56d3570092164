//! What the node itself counts and knows, read when it is asked for.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use base::TtlClass;
use dht::{Dht, Health, Histogram, Meters, Status};
use p2psip::server;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::load::Load;
use crate::quota::Quota;
use crate::services::{Counts, Services};
use crate::sip::Sip;

/// The labels of [`Meters::hops`].
const HOPS: [&str; Meters::HOPS] = ["0", "1", "2", "3", "4", "5", "6", "7"];

/// Reads the overlay's and the store's counts.
pub(super) struct Node {
    dht: Dht,
    load: Arc<Load>,
    quota: Arc<Quota>,
    services: Services,
    sip: Sip,
}

impl Node {
    pub(super) fn new(
        dht: Dht,
        load: Arc<Load>,
        quota: Arc<Quota>,
        services: Services,
        sip: Sip,
    ) -> Node {
        Node { dht, load, quota, services, sip }
    }
}

impl Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.dht.id()).finish_non_exhaustive()
    }
}

impl Collector for Node {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.dht.status();
        let mut page = Page(encoder);
        operations(&mut page, self.dht.meters())?;
        overlay(&mut page, self.dht.meters())?;
        members(&mut page, &status)?;
        store(&mut page, &status)?;
        quotas(&mut page, &self.quota)?;
        registry(&mut page, self.services.counts())?;
        telephones(&mut page, &self.sip)?;
        page.gauge("requests_in_flight", "Requests in work", self.load.in_flight() as u64)?;
        page.gauge("uptime_seconds", "Seconds since the start", self.load.uptime_s())
    }
}

/// What was asked of this node, and how it went.
fn operations(page: &mut Page<'_>, meters: &Meters) -> fmt::Result {
    page.counter("dht_puts", "Puts asked of this node", meters.puts.get())?;
    page.counter("dht_gets", "Gets asked of this node", meters.gets.get())?;
    page.counter("dht_removes", "Removals asked of this node", meters.removes.get())?;
    let help = "Operations that found no quorum";
    page.counter("dht_no_quorum", help, meters.no_quorum.get())?;
    let help = "Time from a put to its acknowledgement";
    page.histogram("dht_put_duration", help, &meters.put_time)?;
    let help = "Time from asking for a page of values to having it";
    page.histogram("dht_get_duration", help, &meters.get_time)?;
    let help = "Operations by the hops of their longest way, 7 standing for more too";
    let mut family = page.0.encode_descriptor("dht_hops", help, None, MetricType::Counter)?;
    for (label, count) in HOPS.iter().zip(&meters.hops) {
        ConstCounter::new(count.get()).encode(family.encode_family(&[("hops", *label)])?)?;
    }
    Ok(())
}

/// What went between the super-nodes for that.
fn overlay(page: &mut Page<'_>, meters: &Meters) -> fmt::Result {
    let counts = [
        ("requests", "Requests sent to other super-nodes", &meters.requests),
        ("served", "Requests of other super-nodes answered", &meters.served),
        ("hedges", "Reads asked of one more replica, an answer being overdue", &meters.hedges),
        (
            "stale_retries",
            "Writes tried again because a replica held a newer version",
            &meters.stale_retries,
        ),
        ("retries", "Operations begun anew, too few replicas having answered", &meters.retries),
        (
            "read_repairs",
            "Copies sent to replicas that a read found to lack them",
            &meters.read_repairs,
        ),
        (
            "ranges_compared",
            "Ranges whose digests were compared with another super-node's",
            &meters.ranges_compared,
        ),
        (
            "symbols_compared",
            "Symbols of sketches asked of another super-node to find what differs in a range",
            &meters.symbols_compared,
        ),
        (
            "entries_pulled",
            "Entries copied here because this node came to keep them",
            &meters.entries_pulled,
        ),
        (
            "entries_handed_over",
            "Entries handed over to others on leaving",
            &meters.entries_handed_over,
        ),
        ("watches", "Waits for a key to change", &meters.watches),
        ("changes_told", "Messages telling others of changes here", &meters.changes_told),
        (
            "over_quota",
            "Entries refused because the super-node that sent them sends too much",
            &meters.over_quota,
        ),
        ("suspicions", "Super-nodes suspected to be gone", &meters.suspicions),
        ("departures", "Super-nodes held to be gone", &meters.departures),
        ("malformed", "Frames and replies that made no sense", &meters.malformed),
    ];
    for (name, help, count) in counts {
        page.counter(&format!("dht_{name}"), help, count.get())?;
    }
    Ok(())
}

/// Who is there now.
fn members(page: &mut Page<'_>, status: &Status) -> fmt::Result {
    let help = "Other super-nodes in the overlay, by health";
    let mut family = page.0.encode_descriptor("dht_peers", help, None, MetricType::Gauge)?;
    for (label, health) in [("well", Health::Well), ("suspect", Health::Suspect)] {
        let count = status.peers.iter().filter(|peer| peer.health == health).count();
        let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        gauge.encode(family.encode_family(&[("health", label)])?)?;
    }
    let help = "Super-nodes that keep what is put now";
    page.gauge("dht_replicas", help, status.replicas as u64)?;
    let help = "Names claimed that this node is a replica of";
    page.gauge("dht_names", help, status.names)
}

/// What is held here.
fn store(page: &mut Page<'_>, status: &Status) -> fmt::Result {
    let totals = &status.totals;
    page.counter("store_commits", "Commits to disk", totals.commits)?;
    page.counter(
        "store_committed_operations",
        "Operations the commits were made of",
        totals.committed_operations,
    )?;
    let commit_time = ConstCounter::new(totals.commit_micros as f64 / 1e6);
    commit_time.encode(page.0.encode_descriptor(
        "store_commit_duration",
        "Time spent in commits",
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?)?;
    page.gauge("store_entries", "Values held", totals.live)?;
    page.gauge("store_tombstones", "Removals remembered", totals.tombstones)?;
    page.gauge("store_bytes", "Bytes held, as quotas count them", totals.bytes)
}

/// What this node advertises.
fn registry(page: &mut Page<'_>, counts: Counts) -> fmt::Result {
    let help = "Contacts of services this node advertises";
    page.gauge("services_advertised", help, counts.advertised as u64)?;
    page.gauge("services_known", "Services there are", counts.services as u64)?;
    let help = "Advertisements put, the first time or again";
    page.counter("services_renewals", help, counts.renewals)?;
    let help = "Advertisements that could not be put, and were tried again";
    page.counter("services_renewals_failed", help, counts.failures)
}

/// SIP at this node.
fn telephones(page: &mut Page<'_>, sip: &Sip) -> fmt::Result {
    let (server, counts) = (sip.server(), sip.server().metrics());
    let help = "Requests that came by SIP, without repetitions";
    page.counter("sip_requests", help, counts.requests())?;
    page.counter("sip_responses", "Responses that came by SIP", counts.responses())?;
    let help = "What came to the port of SIP and was no message, or not in form";
    page.counter("sip_malformed", help, counts.malformed())?;
    page.counter("sip_registrations", "REGISTERs that were granted", counts.registrations())?;
    page.counter("sip_lookups", "Questions of where somebody is", counts.lookups())?;
    let help = "SIP requests refused because there were too many";
    page.counter("sip_refused", help, counts.refused())?;
    page.counter("sip_forwarded", "SIP requests passed on, each branch", counts.forwarded())?;
    let help = "SIP messages that could not be sent";
    page.counter("sip_unsent", help, counts.unsent())?;
    let help = "SIP requests that have no final response yet, or may be repeated";
    page.gauge("sip_transactions", help, server.transactions() as u64)?;
    let help = "Bindings that were accepted here and are looked after";
    page.gauge("sip_bindings", help, sip.locations().count() as u64)?;
    let help = "Time from a REGISTER to its answer";
    page.delays("sip_registration_delay", help, counts.registration_delay())?;
    let help = "The overlay's part of a registration's time";
    page.delays("sip_registration_overlay", help, counts.registration_location())?;
    let help = "Time from an INVITE to the first sign of whom it is for";
    page.delays("sip_setup_delay", help, counts.setup_delay())?;
    let help = "The overlay's part of a session's setup time";
    page.delays("sip_setup_overlay", help, counts.setup_location())
}

/// What was refused to those who put too much.
fn quotas(page: &mut Page<'_>, quota: &Quota) -> fmt::Result {
    let help = "Puts and removals refused because their source had put its share, by class of ttl";
    let mut family = page.0.encode_descriptor("quota_refused", help, None, MetricType::Counter)?;
    for class in TtlClass::ALL {
        let counter = ConstCounter::new(quota.refused(class));
        counter.encode(family.encode_family(&[("class", class.name())])?)?;
    }
    Ok(())
}

/// The text being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = ConstCounter::new(value);
        metric.encode(self.0.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        metric.encode(self.0.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        // The encoder adds the buckets up.
        let edge = |edge: Option<Duration>| edge.map_or(f64::INFINITY, |edge| edge.as_secs_f64());
        let buckets: Vec<(f64, u64)> =
            histogram.buckets().map(|(upper, count)| (edge(upper), count)).collect();
        self.buckets(name, help, histogram.sum().as_secs_f64(), &buckets)
    }

    fn delays(&mut self, name: &str, help: &str, delays: &server::Histogram) -> fmt::Result {
        let edges = server::BOUNDS_US.map(|us| us as f64 / 1e6).into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = edges.zip(delays.buckets()).collect();
        self.buckets(name, help, delays.sum_us() as f64 / 1e6, &buckets)
    }

    fn buckets(&mut self, name: &str, help: &str, sum: f64, buckets: &[(f64, u64)]) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        let unit = Some(&Unit::Seconds);
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, count, buckets, None)
    }
}
