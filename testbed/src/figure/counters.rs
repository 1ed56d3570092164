//! What all super-nodes have counted, added up (`/metrics`).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::air::Laptops;
use crate::http::get;

const LIMIT: Duration = Duration::from_secs(10);

/// What a super-node is to somebody on its own laptop, whom it tells everything.
pub(super) fn on_loopback(http: SocketAddr) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, http.port()).into()
}

/// Samples by their names, with labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counters(BTreeMap<String, f64>);

impl Counters {
    /// Of all super-nodes on the air.
    pub(super) fn read(laptops: &Laptops) -> Result<Counters> {
        let mut all = Counters::default();
        for (number, node) in laptops.supernodes() {
            let http = on_loopback(node.http());
            let answer = laptops.on(number, || get(http, "/metrics", LIMIT))?;
            ensure!(answer.status == 200, "HTTP status {} to /metrics", answer.status);
            all.add(&String::from_utf8_lossy(&answer.body));
        }
        Ok(all)
    }

    fn add(&mut self, text: &str) {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        for (name, value) in samples.filter_map(|line| line.rsplit_once(' ')) {
            if let Ok(value) = value.parse::<f64>() {
                *self.0.entry(name.to_owned()).or_default() += value;
            }
        }
    }

    /// What came since.
    pub(super) fn since(&self, before: &Counters) -> Counters {
        let earlier = |name: &String| before.0.get(name).copied().unwrap_or(0.0);
        Counters(self.0.iter().map(|(name, now)| (name.clone(), now - earlier(name))).collect())
    }

    /// The mean of a histogram of seconds, in milliseconds.
    pub(super) fn mean_ms(&self, histogram: &str) -> Result<f64> {
        let count = self.0.get(&format!("{histogram}_count")).copied().unwrap_or(0.0);
        let sum = self.0.get(&format!("{histogram}_sum")).copied().unwrap_or(0.0);
        ensure!(count > 0.0, "no super-node has timed anything in {histogram}");
        Ok(sum / count * 1e3)
    }

    /// Of operations by their hops: how many there are on average.
    pub(super) fn mean_hops(&self) -> Result<f64> {
        let (mut operations, mut hops) = (0.0, 0.0);
        for (name, count) in &self.0 {
            let label = name.strip_prefix("scope_dht_hops").and_then(|rest| rest.split('"').nth(1));
            if let Some(of) = label.and_then(|label| label.parse::<f64>().ok()) {
                operations += count;
                hops += of * count;
            }
        }
        ensure!(operations > 0.0, "no super-node has counted hops");
        Ok(hops / operations)
    }

    /// A counter, whatever its labels.
    pub(super) fn total(&self, counter: &str) -> Result<f64> {
        let of = |name: &&String| {
            let rest = name.strip_prefix(counter).map(|rest| rest.trim_start_matches("_total"));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        let names: Vec<_> = self.0.keys().filter(of).collect();
        ensure!(!names.is_empty(), "no super-node counts {counter}");
        names.iter().map(|name| self.0.get(*name).copied().context("a counter")).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "# TYPE scope_dht_hops counter\nscope_dht_hops_total{hops=\"0\"} 2\n\
                       scope_dht_hops_total{hops=\"1\"} 6\nscope_dht_requests_total 10\n\
                       x_seconds_sum 0.3\nx_seconds_count 3\nx_seconds_bucket{le=\"1\"} 3\n";

    #[test]
    fn counts_of_several_are_added_up_and_earlier_ones_taken_off() {
        let (mut before, mut after) = (Counters::default(), Counters::default());
        before.add(ONE);
        after.add(ONE);
        after.add(ONE);
        after.add("scope_dht_hops_total{hops=\"2\"} 2\n");
        assert!((after.mean_ms("x_seconds").unwrap() - 100.0).abs() < 1e-9);
        let since = after.since(&before);
        assert_eq!(since.total("scope_dht_requests").unwrap(), 10.0);
        assert_eq!(since.total("scope_dht_hops").unwrap(), 10.0);
        assert_eq!(since.mean_hops().unwrap(), 1.0);
        assert!(since.total("scope_dht").is_err() && since.mean_ms("y").is_err());
    }
}
