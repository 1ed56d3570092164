//! Three machines on a cable: network namespaces on a bridge, with one super-node in each. They
//! find each other by DNS-SD alone, or by `--join` alone; one without a network says that it is
//! alone. Nothing leaves the namespaces, which end with the drill.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Request;
use super::lan::{Lan, Side};
use crate::checks::{Checks, within};
use crate::netns::prepare;
use crate::node::{Data, Launch, Node};
use crate::rpc::Client;
use crate::status::status;
use crate::tools::require;
use crate::unshared::rerun;

const NODES: u8 = 3;

/// Until they have found each other: a few questions by multicast, sent seconds apart.
const FIND_LIMIT: Duration = Duration::from_secs(20);
/// Until a node that finds nobody says so.
const ALONE_LIMIT: Duration = Duration::from_secs(15);

/// Where a super-node listens for others when nothing says otherwise.
const P2P_PORT: u16 = 5850;

/// Runs the drill in namespaces.
pub(super) fn run(request: &Request) -> Result<usize> {
    require("ip", "iproute2")?;
    require("nsenter", "util-linux")?;
    rerun(["drill", "namespaces"], "nm", &request.arguments())
}

/// The drill itself.
pub(super) fn inside(_dir: &Path, _: &Request) -> Result<()> {
    prepare()?;
    let lan = Lan::new(Side::Left)?;
    let mut checks = Checks::default();
    checks.check("three machines find each other by DNS-SD alone", || {
        find_each_other(&lan, |launch, _| launch)
    });
    checks.check("three machines find each other by --join alone", || {
        find_each_other(&lan, |launch, others| {
            let launch = launch.without_discovery();
            launch.joining(others.first().map(|host| SocketAddr::new(*host, P2P_PORT)))
        })
    });
    checks.check("a machine without a network says that it is alone, and why", || alone(&lan));
    checks.finish().map(|_| ())
}

/// Starts a node on each of three new machines, with what `options` makes of the defaults and the
/// addresses of those started before.
fn find_each_other(
    lan: &Lan,
    options: impl Fn(Launch, &[std::net::IpAddr]) -> Launch,
) -> Result<()> {
    let began = Instant::now();
    let mut addresses = Vec::new();
    let mut machines = Vec::new();
    for number in 1..=NODES {
        let host = lan.connected_host(number)?;
        let launch = Launch::new(&Data::Ephemeral).with("--name", &format!("host-{number}"));
        let launch = options(launch, &addresses).through(host.enter());
        let node = Node::launch(&launch).with_context(|| format!("host-{number}"))?;
        ensure!(
            node.http().ip() == host.address(),
            "the ready line says http={}, which is not {}",
            node.http(),
            host.address()
        );
        addresses.push(host.address());
        machines.push((node, host));
    }
    for (node, host) in &mut machines {
        let mut seen = String::new();
        let left = FIND_LIMIT.saturating_sub(began.elapsed());
        let found = within(left, || {
            let status = status(node.http())?;
            seen = format!("{} peers, phase {:?}", status.peers.len(), status.phase);
            Ok(status.serves_with(usize::from(NODES) - 1))
        })?;
        let (address, log) = (host.address(), node.log());
        ensure!(found, "{address} has {seen} after {FIND_LIMIT:?}; its log ends:\n{log}");
    }
    println!("        after {:.1} s", began.elapsed().as_secs_f64());
    let (first, last) = (&machines[0].0, &machines[machines.len() - 1].0);
    Client::connect(first.http())?.put("key", b"put at the first")?.value()?;
    let got = Client::connect(last.http())?.get("key")?;
    ensure!(got == [b"put at the first"], "{got:?} was got at the last");
    // In turn, so that each leaves before its machine goes.
    machines.into_iter().try_for_each(|(node, _host)| node.stop())
}

fn alone(lan: &Lan) -> Result<()> {
    let host = lan.lone_host()?;
    let mut node = Node::launch(&Launch::new(&Data::Ephemeral).through(host.enter()))?;
    let mut why = None;
    within(ALONE_LIMIT, || {
        why = reason(&node.log());
        Ok(why.is_some())
    })?;
    let Some(why) = why else {
        bail!("it does not say so within {ALONE_LIMIT:?}; its log ends:\n{}", node.log());
    };
    println!("        it says: {why}");
    let names_it = ["network", "interface"].iter().any(|word| why.contains(word));
    ensure!(names_it, "that is not the reason: {why}");
    node.stop()
}

/// What follows "is alone:" in a log.
fn reason(log: &str) -> Option<String> {
    let (_, after) = log.split_once("is alone:")?;
    let (line, _) = after.split_once('\n')?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_rest_of_the_line() {
        let log = "INFO serving\nWARN this super-node is alone: there is no network\nINFO more\n";
        assert_eq!(reason(log).as_deref(), Some("there is no network"));
        assert_eq!(reason("WARN this super-node is alone: there is"), None, "half a line");
        assert_eq!(reason("INFO serving\n"), None);
    }
}
