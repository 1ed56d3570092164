//! [`Halls`]: two halls with a super-node on each of their machines, and the cable between them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::checks::within;
use crate::drill::lan::{Cable, Host, Lan, Side};
use crate::node::{Data, Launch, Node};
use crate::status::status;

/// Until all know each other: dozens of daemons share the cores of one machine.
const MEET_LIMIT: Duration = Duration::from_secs(90);

/// The halls.
pub(super) struct Halls {
    // Nodes before their machines: in that order they are dropped.
    nodes: [Vec<Node>; 2],
    _hosts: Vec<Host>,
    cable: Cable,
}

impl Halls {
    /// Starts so many super-nodes, half of them in each hall; they find each other by DNS-SD.
    pub(super) fn open(count: usize, dir: &Path) -> Result<Halls> {
        let lans = [Lan::new(Side::Left)?, Lan::new(Side::Right)?];
        let cable = Cable::between(&lans[0], &lans[1])?;
        let (mut nodes, mut hosts) = ([Vec::new(), Vec::new()], Vec::new());
        for number in 0..count {
            let (hall, name) = (number % 2, format!("hall-{}", number + 1));
            let host = lans[hall].connected_host(u8::try_from(number / 2 + 1)?)?;
            let launch = Launch::new(&Data::Dir(dir.join(&name))).with("--name", &name);
            nodes[hall].push(Node::launch(&launch.through(host.enter())).context(name)?);
            hosts.push(host);
        }
        let mut halls = Halls { nodes, _hosts: hosts, cable };
        halls.meet()?;
        Ok(halls)
    }

    /// Where the super-nodes of each hall serve HTTP.
    pub(super) fn http(&self) -> [Vec<SocketAddr>; 2] {
        self.nodes.each_ref().map(|hall| hall.iter().map(Node::http).collect())
    }

    /// Between the halls.
    pub(super) const fn cable(&self) -> &Cable {
        &self.cable
    }

    /// Waits until every super-node serves with all others.
    pub(super) fn meet(&mut self) -> Result<()> {
        let others = self.nodes.iter().map(Vec::len).sum::<usize>() - 1;
        let deadline = Instant::now() + MEET_LIMIT;
        for node in self.nodes.iter().flatten() {
            let left = deadline.saturating_duration_since(Instant::now());
            let met = within(left, || Ok(status(node.http())?.serves_with(others)))?;
            ensure!(met, "{} does not serve with {others} others", node.http());
        }
        Ok(())
    }

    /// Asks all to stop.
    pub(super) fn close(self) -> Result<()> {
        let Halls { nodes, .. } = self;
        Node::stop_all(nodes.into_iter().flatten())
    }
}
