//! Nine super-nodes with their values on disk, at ten calls a second: what part of a registration and of a
//! session's setup the overlay has, beside a bare put and a bare get at the same node in the same run. The
//! super-nodes time themselves (`/metrics`); load is one phone, one thing after another.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::NO_LIMIT;
use super::setup::delays;
use crate::bench::Settings;
use crate::bench::report::{Floor, Report};
use crate::choice::{Choice, fresh_seed};
use crate::cluster::{Cluster, Shape};
use crate::http::get;
use crate::rpc::Client;

const NODES: usize = 9;
const METRICS_LIMIT: Duration = Duration::from_secs(5);

/// How often something was, and how long it took in all.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Times {
    count: f64,
    seconds: f64,
}

impl Times {
    /// Of one of a node's histograms.
    fn read(http: SocketAddr, name: &str) -> Result<Times> {
        let answer = get(http, "/metrics", METRICS_LIMIT)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        Times::parse(&text, name).with_context(|| format!("no histogram {name} in /metrics"))
    }

    fn parse(text: &str, name: &str) -> Option<Times> {
        let value = |suffix: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(suffix))?;
            line.trim().parse::<f64>().ok()
        };
        Some(Times { count: value("_count ")?, seconds: value("_sum ")? })
    }

    /// The mean of what came since, in milliseconds.
    fn mean_ms_since(self, before: Times) -> Result<f64> {
        ensure!(self.count > before.count, "nothing was timed");
        Ok((self.seconds - before.seconds) / (self.count - before.count) * 1e3)
    }
}

/// The mean of what one of a node's histograms was told while something was done.
fn mean_ms(
    http: SocketAddr,
    names: &[&str],
    work: impl FnOnce() -> Result<()>,
) -> Result<Vec<f64>> {
    let read = || names.iter().map(|name| Times::read(http, name)).collect::<Result<Vec<_>>>();
    let before = read()?;
    work()?;
    let after = read()?;
    after.iter().zip(before).map(|(after, before)| after.mean_ms_since(before)).collect()
}

pub(super) fn measure(report: &mut Report, settings: &Settings, dir: &Path) -> Result<()> {
    let samples = if settings.quick { 20 } else { 300 };
    let nodes = dir.join("nodes");
    std::fs::create_dir_all(&nodes)?;
    let shape = Shape { nodes: NODES, data: Some(nodes), base_http: None };
    let mut choice = Choice::seeded(fresh_seed());
    // One person registers and is called ten times a second.
    let mut cluster = Cluster::new(&shape, &mut choice)?.with("--sip-rate", NO_LIMIT);
    cluster.start()?;
    let (callee, caller) = (cluster.node(0)?, cluster.node(NODES - 1)?);
    let sip = |node: &crate::node::Node| node.sip().context("the super-node takes no SIP");
    let (callee_sip, caller_sip) = (sip(callee)?, sip(caller)?);
    // In turns within one run: bare values, calls, bare values again.
    let mut bare = (Vec::new(), Vec::new());
    let mut measure_bare = || -> Result<()> {
        let mut client = Client::connect(callee.http())?;
        let puts = mean_ms(callee.http(), &["scope_dht_put_duration_seconds"], || {
            (0..samples / 2).try_for_each(|number| {
                let value = [b'v'; 200];
                std::thread::sleep(Duration::from_millis(20));
                client.put(&format!("bare {number}"), &value)?.value().map(|_| ())
            })
        })?;
        let mut client = Client::connect(caller.http())?;
        let gets = mean_ms(caller.http(), &["scope_dht_get_duration_seconds"], || {
            (0..samples / 2).try_for_each(|number| {
                std::thread::sleep(Duration::from_millis(20));
                client.get(&format!("bare {number}")).map(|_| ())
            })
        })?;
        bare.0.extend(puts);
        bare.1.extend(gets);
        Ok(())
    };
    measure_bare()?;
    let registration =
        ["scope_sip_registration_delay_seconds", "scope_sip_registration_overlay_seconds"];
    let setup = ["scope_sip_setup_delay_seconds", "scope_sip_setup_overlay_seconds"];
    let (mut times, mut found) = (Vec::new(), None);
    let registered = mean_ms(callee.http(), &registration, || {
        times = mean_ms(caller.http(), &setup, || {
            found = Some(delays(callee_sip, caller_sip, samples)?);
            Ok(())
        })?;
        Ok(())
    })?;
    measure_bare()?;
    cluster.stop()?;
    let delays = found.context("no delays")?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (put, got) = (mean(&bare.0), mean(&bare.1));
    let [(whole, part), (setup, setup_part)] =
        [&registered, &times].map(|means| (means[0], means[1]));
    let mut add = |what: &str, value, unit, floor| {
        report.add(format!("{NODES} nodes: {what}"), value, unit, floor);
    };
    add("a bare durable put", put, "ms", Floor::None);
    add("the overlay's part of registration", part, "ms", Floor::None);
    add("that ÷ a bare put", part / put, "×", Floor::AtMost(1.2));
    add("its share of registration (paper: 19.8 %)", part / whole * 100.0, "%", Floor::None);
    add("a bare get", got, "ms", Floor::None);
    add("the overlay's part of session setup", setup_part, "ms", Floor::None);
    add("that ÷ a bare get", setup_part / got, "×", Floor::AtMost(1.5));
    add("its share of session setup (paper: 32.1 %)", setup_part / setup * 100.0, "%", Floor::None);
    add("registration delay at the phone, p50", delays.registration_ms()?, "ms", Floor::None);
    add("session setup delay at the phone, p50", delays.setup_ms()?, "ms", Floor::None);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_s_count_and_sum_are_read() {
        let text = "# TYPE x_seconds histogram\nx_seconds_sum 1.5\nx_seconds_count 3\n\
                    x_seconds_bucket{le=\"1\"} 3\n";
        let times = Times::parse(text, "x_seconds").unwrap();
        assert_eq!(times, Times { count: 3.0, seconds: 1.5 });
        assert_eq!(Times::parse(text, "y_seconds"), None);
        let later = Times { count: 5.0, seconds: 1.51 };
        assert!((later.mean_ms_since(times).unwrap() - 5.0).abs() < 1e-9);
        assert!(times.mean_ms_since(times).is_err());
    }
}
