//! `docs/reference/metrics.md`, made from what a fresh node tells.

use std::fmt::Write;
use std::sync::Arc;

use dht::{Dht, Options, Storage};

use super::Metrics;
use crate::config::assert_page;
use crate::load::Load;
use crate::quota::Quota;
use crate::services::Services;
use crate::sip::Sip;

const INTRODUCTION: &str = "\
# Metrics

Generated from what a node tells at `/metrics`; a test keeps it so. The format is OpenMetrics text,
which Prometheus reads. Only this machine may ask, unless the node runs with `--public-metrics`.
Counters start at 0 with the node; in the text their names end in `_total`. Labels: `method` is one
of the methods of [XML-RPC](xml-rpc.md), or `unknown`; `result` is `done` or `fault`; `reason` is
`too large`, `too slow`, `broken`, `another site`, `busy`, `no memory`, `no session` or `too many
tries` for requests, and for connections `idle`, closed for another, or `too many`; `class` is `hour`,
`day` or `week`, the longest ttl of what was refused; `hops` is from 0, for what was here, to 7; `health`
is `well`, or `suspect` for who left a question unanswered.

| name | type | meaning |
|---|---|---|
";

async fn fresh() -> Metrics {
    let dht = Dht::open(Options::local(Storage::Memory)).await.unwrap();
    let services = Services::new(dht.clone()).unwrap();
    let any_port = "127.0.0.1:0".parse().unwrap();
    let sip = Sip::bind(any_port, 0, dht.clone(), services.clone()).await.unwrap();
    let (load, quota) = (Arc::new(Load::new()), Arc::new(Quota::new()));
    let metrics = Metrics::new(dht, load, quota, services, sip);
    metrics.count_refused("too large");
    metrics.count_connection_closed("idle");
    metrics
}

#[tokio::test]
async fn the_reference_page_is_what_a_node_tells() {
    let text = fresh().await.text();
    let described = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    let mut page = INTRODUCTION.to_owned();
    for line in described {
        let (name, help) = line.split_once(' ').unwrap();
        let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")));
        let _ = writeln!(page, "| `{name}` | {} | {help} |", kind.unwrap());
    }
    assert_page("metrics.md", &page);
}

#[tokio::test]
async fn a_call_is_counted_under_its_method_and_result() {
    let metrics = fresh().await;
    metrics.count_call(Some(0), false, std::time::Duration::from_millis(1));
    metrics.count_call(None, true, std::time::Duration::from_millis(1));
    let text = metrics.text();
    let counted = |line: &str| assert!(text.contains(line), "{line} in\n{text}");
    counted("scope_rpc_calls_total{method=\"scope.put\",result=\"done\"} 1");
    counted("scope_rpc_calls_total{method=\"unknown\",result=\"fault\"} 1");
    counted("scope_rpc_duration_seconds_count{method=\"scope.put\"} 1");
    counted("scope_dht_put_duration_seconds_bucket{le=\"+Inf\"} 0");
    counted("scope_dht_hops_total{hops=\"7\"} 0");
    counted("scope_dht_peers{health=\"suspect\"} 0");
    assert!(text.ends_with("# EOF\n"));
}
