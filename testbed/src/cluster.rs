//! Real super-nodes on this machine that form one overlay, torn down whatever happens.

mod command;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::checks::within;
use crate::choice::Choice;
use crate::node::{ANY_PORT, Data, Launch, Node, Starting};
use crate::ports::free_address;
use crate::status::status;

pub(crate) use command::{Request, run};

/// How long all of them may take to serve together: seconds for a few, more for dozens on the few
/// cores of one machine.
const SERVING_LIMIT: Duration = Duration::from_secs(60);

/// What a cluster consists of.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// How many super-nodes.
    pub(crate) nodes: usize,
    /// The directory for their data directories; in memory if none.
    pub(crate) data: Option<PathBuf>,
    /// The first one's HTTP port, the others' following; free ones if none.
    pub(crate) base_http: Option<u16>,
}

/// Super-nodes that know each other. They keep their addresses and data when started again.
#[derive(Debug)]
pub(crate) struct Cluster {
    shape: Shape,
    launches: Vec<Launch>,
    /// `None` is one that is down.
    nodes: Vec<Option<Node>>,
}

impl Shape {
    /// How one is started, with a name that no other one had.
    fn launch(&self, number: usize, name: &str, address: SocketAddr) -> Result<Launch> {
        let data = match &self.data {
            Some(dir) => Data::Dir(dir.join(name)),
            None => Data::Ephemeral,
        };
        let http = match self.base_http {
            Some(base) => {
                let port = u16::try_from(number).ok().and_then(|n| base.checked_add(n));
                format!("127.0.0.1:{}", port.context("no port is left below 65536")?)
            }
            None => ANY_PORT.to_owned(),
        };
        Ok(Launch::local(&data, &http).with("--name", name).with("--p2p", &address.to_string()))
    }
}

/// The name of a super-node, by its number.
pub(crate) fn name(number: usize) -> String {
    format!("node-{number}")
}

impl Cluster {
    /// A cluster of which nothing runs yet.
    pub(crate) fn new(shape: &Shape, choice: &mut Choice) -> Result<Cluster> {
        let nodes = shape.nodes;
        ensure!(nodes > 0, "a cluster has at least one node");
        let mut addresses: Vec<SocketAddr> = Vec::new();
        while addresses.len() < nodes {
            let address = free_address(choice)?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let launch = |(number, address): (usize, &SocketAddr)| {
            // All join the first, and the first the second: should it be started again, it may be
            // the one that has to find the others.
            let first = if number == 0 { addresses.get(1) } else { addresses.first() };
            Ok(shape.launch(number, &name(number), *address)?.joining(first.copied()))
        };
        let launches = addresses.iter().enumerate().map(launch).collect::<Result<_>>()?;
        let nodes = (0..nodes).map(|_| None).collect();
        Ok(Cluster { shape: shape.clone(), launches, nodes })
    }

    /// The same, each node with one more option.
    pub(crate) fn with(mut self, option: &str, value: &str) -> Cluster {
        let launches = self.launches.into_iter();
        self.launches = launches.map(|launch| launch.with(option, value)).collect();
        self
    }

    /// A cluster that serves.
    pub(crate) fn serving(shape: &Shape, choice: &mut Choice) -> Result<Cluster> {
        let mut cluster = Cluster::new(shape, choice)?;
        cluster.start()?;
        Ok(cluster)
    }

    /// Starts those that are down, and waits until all serve together.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.launch()?;
        self.settle()
    }

    /// Starts one that is down where it was, with what it has; some of those that run it joins.
    pub(crate) fn restart(&mut self, number: usize) -> Result<&Node> {
        /// One may die, too, before it has answered.
        const JOINED: usize = 2;
        ensure!(self.nodes[number].is_none(), "{} is not down", name(number));
        let others: Vec<_> = self.running().map(|(_, node)| node.p2p()).take(JOINED).collect();
        let launch = self.launches[number].clone().joining(others);
        let node = Starting::new(&launch)?.ready_within(SERVING_LIMIT);
        self.launches[number] = launch;
        Ok(self.nodes[number].insert(node.with_context(|| name(number))?))
    }

    /// Starts another one, elsewhere and with nothing, in place of one that is down. `life` tells
    /// it from those that had the place before.
    pub(crate) fn replace(
        &mut self,
        number: usize,
        life: usize,
        choice: &mut Choice,
    ) -> Result<&Node> {
        let newcomer = format!("{}-{life}", name(number));
        self.launches[number] = self.shape.launch(number, &newcomer, free_address(choice)?)?;
        self.restart(number)
    }

    /// Waits until every one that runs is in the overlay with all others that run, and holds what
    /// it should.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.wait_until_serving(|| Ok(()))
    }

    /// Starts those that are down.
    fn launch(&mut self) -> Result<()> {
        let began = Instant::now();
        let down = |nodes: &[Option<Node>]| nodes.iter().position(Option::is_none);
        let Some(first) = down(&self.nodes) else { return Ok(()) };
        // Whom the others join comes first.
        self.nodes[first] = Some(Node::launch(&self.launches[first]).with_context(|| name(first))?);
        let mut starting = Vec::new();
        for (number, launch) in self.launches.iter().enumerate() {
            if self.nodes[number].is_none() {
                starting.push((number, Starting::new(launch)?));
            }
        }
        for (number, starting) in starting {
            let left = SERVING_LIMIT.saturating_sub(began.elapsed());
            self.nodes[number] = Some(starting.ready_within(left).with_context(|| name(number))?);
        }
        Ok(())
    }

    /// Waits until every one that runs is in the overlay with all others that run, and holds what
    /// it should. `go_on` may end the wait.
    fn wait_until_serving(&mut self, mut go_on: impl FnMut() -> Result<()>) -> Result<()> {
        let deadline = Instant::now() + SERVING_LIMIT;
        let others = self.running().count() - 1;
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let Some(node) = node else { continue };
            let mut seen = String::new();
            let left = deadline.saturating_duration_since(Instant::now());
            let serves = within(left, || {
                go_on()?;
                ensure!(node.is_running()?, "it has ended; its log ends:\n{}", node.log());
                let status = status(node.http())?;
                seen =
                    format!("{} of {others} peers, phase {:?}", status.peers.len(), status.phase);
                Ok(status.serves_with(others))
            });
            if !serves.with_context(|| name(number))? {
                let (name, http) = (name(number), node.http());
                let log = node.log();
                bail!(
                    "{name} (http={http}) has {seen} after {SERVING_LIMIT:?}; its log ends:\n{log}"
                );
            }
        }
        Ok(())
    }

    /// Those that run, with their numbers.
    pub(crate) fn running(&self) -> impl Iterator<Item = (usize, &Node)> {
        let numbered = self.nodes.iter().enumerate();
        numbered.filter_map(|(number, node)| Some((number, node.as_ref()?)))
    }

    /// Where those that run serve HTTP.
    pub(crate) fn http(&self) -> Vec<SocketAddr> {
        self.running().map(|(_, node)| node.http()).collect()
    }

    /// One that runs.
    pub(crate) fn node(&self, number: usize) -> Result<&Node> {
        self.nodes[number].as_ref().with_context(|| format!("{} is down", name(number)))
    }

    /// Kills one without a warning.
    pub(crate) fn kill9(&mut self, number: usize) -> Result<()> {
        self.nodes[number].take().with_context(|| format!("{} is down", name(number)))?.kill9()
    }

    /// Kills all without a warning, in the same moment.
    pub(crate) fn kill9_all(&mut self) -> Result<()> {
        Node::kill9_all(self.nodes.iter_mut().filter_map(Option::take))
    }

    /// Asks all to stop; an error unless each does so well.
    pub(crate) fn stop(mut self) -> Result<()> {
        Node::stop_all(self.nodes.iter_mut().filter_map(Option::take))
    }
}
