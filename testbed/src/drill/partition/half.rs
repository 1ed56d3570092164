//! One half of the network: its machines, with a super-node on each.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::crew::Crew;
use crate::checks::within;
use crate::drill::lan::{Host, Lan};
use crate::node::{Data, Launch, Node};
use crate::status::status;

/// One half.
pub(super) struct Half {
    /// Its clients.
    pub(super) crew: Crew,
    // Nodes before their machines: in that order they are dropped.
    nodes: Vec<Node>,
    _hosts: Vec<Host>,
}

impl Half {
    /// Starts so many super-nodes, each on a machine of its own, as anybody would: they find each
    /// other by DNS-SD.
    pub(super) fn start(name: &'static str, lan: &Lan, count: u8, dir: &Path) -> Result<Half> {
        let (mut nodes, mut hosts) = (Vec::new(), Vec::new());
        for number in 1..=count {
            let host = lan.connected_host(number)?;
            let called = format!("{name}-{number}");
            let launch = Launch::new(&Data::Dir(dir.join(&called))).with("--name", &called);
            nodes.push(Node::launch(&launch.through(host.enter())).context(called)?);
            hosts.push(host);
        }
        let http = nodes.iter().map(Node::http).collect();
        Ok(Half { crew: Crew { name, http }, nodes, _hosts: hosts })
    }

    /// Waits until each node serves with so many others.
    pub(super) fn wait_for(&mut self, others: usize, deadline: Instant) -> Result<()> {
        for node in &mut self.nodes {
            let mut seen = String::new();
            let left = deadline.saturating_duration_since(Instant::now());
            let serves = within(left, || {
                let status = status(node.http())?;
                seen =
                    format!("{} of {others} peers, phase {:?}", status.peers.len(), status.phase);
                Ok(status.serves_with(others))
            })?;
            if !serves {
                bail!("{} has {seen}; its log ends:\n{}", node.http(), node.log());
            }
        }
        Ok(())
    }

    /// Whether a node here lists one of the other half.
    pub(super) fn lists_any_of(&self, other: &Half) -> Result<bool> {
        let theirs: Vec<&str> = other.nodes.iter().map(Node::id).collect();
        for node in &self.nodes {
            if status(node.http())?.peers.iter().any(|peer| theirs.contains(&peer.as_str())) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks its nodes to stop.
    pub(super) fn stop(self) -> Result<()> {
        let Half { nodes, _hosts, .. } = self;
        Node::stop_all(nodes)
    }
}
