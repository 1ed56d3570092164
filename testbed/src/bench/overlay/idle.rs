//! What an overlay costs that has nothing to do: memory for each connection, processor time, and
//! what it sends. Each size is measured in a process and a network namespace of its own, where
//! nothing else is counted.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::net::{Keeping, threads};
use crate::leash::leashed;
use crate::tools::require;
use crate::usage::{processor_time, resident};

/// What one overlay costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    nodes: f64,
    /// Resident memory of the whole process, in bytes.
    resident: f64,
    /// Ends of connections: each node's peers, added up.
    ends: f64,
    /// Shares of a core a node takes.
    pub(super) cores: f64,
    /// Datagrams a node sends a second.
    pub(super) datagrams: f64,
    /// Bytes a node sends a second, with IP and UDP headers.
    pub(super) bytes: f64,
}

/// How one is measured.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Request {
    nodes: usize,
    /// How long to leave it alone before, in milliseconds.
    settle_ms: u64,
    /// How long to watch it, in milliseconds.
    watch_ms: u64,
}

/// Measures overlays of these sizes; why not, if it cannot be done here. To be called in the main
/// thread.
pub(super) fn measure(sizes: [usize; 2], quick: bool) -> Result<Result<[Idle; 2], String>> {
    let tools = require("unshare", "util-linux").and_then(|()| require("ip", "iproute2"));
    if let Err(missing) = tools {
        return Ok(Err(missing.to_string()));
    }
    // What happens after nodes have come, such as copying, is over after some seconds.
    let (settle_ms, watch_ms) = if quick { (1000, 2000) } else { (8000, 10_000) };
    let one = |nodes| apart(Request { nodes, settle_ms, watch_ms });
    Ok(Ok([one(sizes[0])?, one(sizes[1])?]))
}

/// Bytes of memory that one more end of a connection takes, from one size to the other.
pub(super) fn bytes_per_end(few: Idle, many: Idle) -> f64 {
    (many.resident - few.resident) / (many.ends - few.ends)
}

/// Measures one in a process of its own.
fn apart(request: Request) -> Result<Idle> {
    let mut command = leashed("unshare");
    command.arg(if rustix::process::geteuid().is_root() { "-n" } else { "-Urn" });
    command.arg(std::env::current_exe()?).args(["bench-part", "idle"]);
    let Request { nodes, settle_ms, watch_ms } = request;
    command.args([nodes as u64, settle_ms, watch_ms].map(|number| number.to_string()));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.spawn().context("cannot start unshare")?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "an idle overlay of {nodes} nodes: {}", output.status);
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name| told[name].as_f64().with_context(|| format!("no {name} in {told}"));
    Ok(Idle {
        nodes: number("nodes")?,
        resident: number("resident")?,
        ends: number("ends")?,
        cores: number("cores")?,
        datagrams: number("datagrams")?,
        bytes: number("bytes")?,
    })
}

/// Is that process.
pub(super) async fn watch(request: Request) -> Result<()> {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    ensure!(up.context("cannot run ip")?.success(), "loopback cannot be set up");
    let Request { nodes, settle_ms, watch_ms } = request;
    let net = threads(nodes, Keeping::InMemory).await?;
    tokio::time::sleep(Duration::from_millis(settle_ms)).await;
    let (began, before) = (Instant::now(), Sent::so_far()?);
    let busy = processor_time("self")?;
    tokio::time::sleep(Duration::from_millis(watch_ms)).await;
    let (passed, after) = (began.elapsed().as_secs_f64(), Sent::so_far()?);
    let busy = processor_time("self")?.saturating_sub(busy).as_secs_f64();
    let each = |total: f64| total / passed / nodes as f64;
    let ends: usize = (0..net.len()).map(|i| net.node(i).status().peers.len()).sum();
    let idle = Idle {
        nodes: nodes as f64,
        resident: resident("self")?.now as f64,
        ends: ends as f64,
        cores: each(busy),
        datagrams: each((after.datagrams - before.datagrams) as f64),
        bytes: each((after.bytes - before.bytes) as f64),
    };
    println!("{}", idle.json());
    net.close().await;
    Ok(())
}

impl Idle {
    fn json(&self) -> Value {
        let Idle { nodes, resident, ends, cores, datagrams, bytes } = self;
        json!({
            "nodes": nodes, "resident": resident, "ends": ends,
            "cores": cores, "datagrams": datagrams, "bytes": bytes,
        })
    }

    /// Connections of which both ends are here.
    pub(super) fn is_complete(&self) -> bool {
        self.ends == self.nodes * (self.nodes - 1.0)
    }
}

/// What was sent in this network namespace.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    /// UDP datagrams.
    datagrams: u64,
    /// Bytes over loopback, with IP headers.
    bytes: u64,
}

impl Sent {
    fn so_far() -> Result<Sent> {
        let read = |path: &str| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
        };
        Sent::parse(&read("/proc/self/net/snmp")?, &read("/proc/self/net/dev")?)
    }

    /// `OutDatagrams` of `Udp:` in net/snmp, and the bytes `lo` transmitted in net/dev.
    fn parse(snmp: &str, dev: &str) -> Result<Sent> {
        let mut udp = snmp.lines().filter_map(|line| line.strip_prefix("Udp: "));
        let (Some(names), Some(values)) = (udp.next(), udp.next()) else {
            bail!("no Udp in net/snmp")
        };
        let mut counts = names.split(' ').zip(values.split(' '));
        let datagrams = counts.find(|(name, _)| *name == "OutDatagrams");
        let lo = dev.lines().find_map(|line| line.trim_start().strip_prefix("lo:"));
        // Eight columns of what was received come first.
        let bytes = lo.and_then(|lo| lo.split_ascii_whitespace().nth(8));
        Ok(Sent {
            datagrams: datagrams.context("no OutDatagrams in net/snmp")?.1.parse()?,
            bytes: bytes.context("no lo in net/dev")?.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_read_from_the_kernels_tables() {
        let snmp = "Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams\n\
                    Udp: 10 0 0 42\nUdpLite: InDatagrams\nUdpLite: 0\n";
        let dev = "Inter-|   Receive  |  Transmit\n face |bytes packets\n\
                   \x20   lo:  900  9 0 0 0 0 0 0  1234 12 0 0 0 0 0 0\n";
        let sent = Sent::parse(snmp, dev).unwrap();
        assert_eq!(sent, Sent { datagrams: 42, bytes: 1234 });
        assert!(Sent::parse("", dev).is_err() && Sent::parse(snmp, "").is_err());
    }
}
