//! The super-nodes that are up, and a client that asks whichever is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::choice::Choice;
use crate::rpc::{Client, Reply};

/// A connection that nothing was asked on for so long is not used again: super-nodes close theirs
/// after twice as long, which is no failure of theirs.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// A super-node in one of its lives: after a restart it is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Server {
    address: SocketAddr,
    /// When it came up; `None` if it was there from the beginning.
    since: Option<Instant>,
}

/// The super-nodes that are up. Clones are of the same list.
#[derive(Debug, Clone)]
pub(crate) struct Live(Arc<RwLock<Vec<Server>>>);

/// A client that asks a super-node at random, by a connection to each that it keeps.
#[derive(Debug)]
pub(super) struct Rover {
    live: Live,
    /// And when each was used last.
    connections: BTreeMap<Server, (Client, Instant)>,
    choice: Choice,
}

impl Live {
    /// These were there from the beginning.
    pub(crate) fn new(servers: &[SocketAddr]) -> Live {
        let first = |address: &SocketAddr| Server { address: *address, since: None };
        Live(Arc::new(RwLock::new(servers.iter().map(first).collect())))
    }

    /// One has come up.
    pub(crate) fn add(&self, address: SocketAddr) {
        let since = Some(Instant::now());
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(Server { address, since });
    }

    /// One goes down; nobody asks it from now on.
    pub(crate) fn remove(&self, address: SocketAddr) {
        let mut servers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|server| server.address != address);
    }

    /// Whether this one is up, in this life.
    pub(super) fn has(&self, server: Server) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&server)
    }

    fn any(&self, choice: &mut Choice) -> Option<Server> {
        let servers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        servers.get(choice.below(servers.len() as u64) as usize).copied()
    }
}

impl Server {
    /// How long it has been up, if it was not there from the beginning.
    pub(super) fn up(self) -> Option<Duration> {
        self.since.map(|since| since.elapsed())
    }
}

impl Rover {
    /// A client of those that are up.
    pub(super) fn new(live: &Live, choice: Choice) -> Rover {
        Rover { live: live.clone(), connections: BTreeMap::new(), choice }
    }

    /// Whom to ask next.
    pub(super) fn next(&mut self) -> Result<Server> {
        self.live.any(&mut self.choice).context("no super-node is up")
    }

    /// Calls a method there. A connection that failed is not used again.
    pub(super) fn call(
        &mut self,
        server: Server,
        call: impl FnOnce(&mut Client) -> Result<Reply>,
    ) -> Result<Reply> {
        let live = &self.live;
        self.connections.retain(|server, (_, used)| live.has(*server) && used.elapsed() < IDLE_MAX);
        let mut connection = match self.connections.remove(&server) {
            Some((connection, _)) => connection,
            None => Client::connect(server.address)?,
        };
        let reply = call(&mut connection)?;
        self.connections.insert(server, (connection, Instant::now()));
        Ok(reply)
    }

    /// Random choices for what to ask.
    pub(super) fn choice(&mut self) -> &mut Choice {
        &mut self.choice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_came_back_is_another_one() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let live = Live::new(&[address]);
        let mut choice = Choice::seeded(1);
        let before = live.any(&mut choice).unwrap();
        assert_eq!(before.up(), None);
        live.remove(address);
        assert_eq!(live.any(&mut choice), None);
        live.add(address);
        let after = live.any(&mut choice).unwrap();
        assert!(after.up().is_some() && live.has(after) && !live.has(before));
    }
}
