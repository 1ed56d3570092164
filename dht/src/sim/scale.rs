//! How far a key is, by the size of the overlay: hops and messages of gets.
//!
//! The nodes come one after the other, each through any that is there, as at an event; whom they meet,
//! know and keep a connection to is their own doing.

use std::time::Duration;

use base::{Key, SecretTag, Ttl, Value};
use futures::future::join_all;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use super::census::Census;
use super::net::{Net, Weather};
use super::nodes::{SimNode, node_key};
use crate::{Dht, Meters, PageRequest};

/// Keys put, and read at once.
const AT_ONCE: usize = 100;
/// Until what has met has settled down, at most: some questions to neighbours, the last of which are far
/// apart.
const SETTLED: Duration = Duration::from_secs(300);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_secs(1);
/// Until guests have gone and everything is quiet.
const CALM: Duration = Duration::from_secs(25);

/// What gets took in an overlay of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Distance {
    /// Nodes.
    pub nodes: usize,
    /// Connections of a node: on average, and at most.
    pub connections: (f64, usize),
    /// Members a node knows, on average.
    pub known: f64,
    /// Nodes that do not know all of their eight closest.
    pub lost: usize,
    /// Virtual time from the first start until all knew them, and none looked around any more.
    pub settled: Duration,
    /// Gets, and those of them that found the value.
    pub gets: usize,
    /// Of these.
    pub right: usize,
    /// Hops of a get, a new dial counted as two: on average, and at most.
    pub hops: (f64, usize),
    /// Requests, and connections made, for a get.
    pub requests: f64,
    /// The same.
    pub dials: f64,
}

/// Measures an overlay of so many nodes by so many gets.
///
/// # Panics
/// If the operating system refuses what the runtime needs.
pub fn distance(seed: u64, nodes: usize, gets: usize) -> Distance {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    LocalSet::new().block_on(&runtime, Overlay::new(seed, nodes).measure(gets))
}

struct Overlay {
    net: Net,
    nodes: Vec<SimNode>,
    rng: fastrand::Rng,
}

impl Drop for Overlay {
    fn drop(&mut self) {
        self.net.dismantle();
    }
}

impl Overlay {
    fn new(seed: u64, count: usize) -> Overlay {
        let mut rng = fastrand::Rng::with_seed(seed);
        let delay = (Duration::from_millis(1), Duration::from_millis(5));
        let net = Net::new(rng.u64(..), Weather { delay, loss: 0.0, air: None });
        let began = Instant::now();
        let node = |n| SimNode::new(n, node_key(seed, n as u64), rng.u64(..), began);
        let nodes = (0..count).map(node).collect();
        Overlay { net, nodes, rng }
    }

    async fn measure(mut self, gets: usize) -> Distance {
        let began = Instant::now();
        self.populate().await;
        let populated = Instant::now();
        while self.is_looking() && populated.elapsed() < SETTLED {
            sleep(LOOK).await;
        }
        let settled = began.elapsed();
        sleep(CALM).await;
        let keys: Vec<Key> = (0..gets).filter_map(|n| Key::new(format!("key {n}")).ok()).collect();
        for keys in keys.chunks(AT_ONCE) {
            let puts: Vec<_> = keys.iter().map(|key| (self.any(), key.clone())).collect();
            join_all(puts.into_iter().map(|(dht, key)| put(dht, key))).await;
        }
        sleep(CALM).await;
        let (before, (requests, dials)) = (self.hops(), self.net.counts());
        let mut right = 0;
        for keys in keys.chunks(AT_ONCE) {
            let asked: Vec<_> = keys.iter().map(|key| (self.any(), key.clone())).collect();
            let found = join_all(asked.into_iter().map(|(dht, key)| get(dht, key))).await;
            right += found.into_iter().filter(|found| *found).count();
        }
        let (after, (requests_then, dials_then)) = (self.hops(), self.net.counts());
        let by_hops: Vec<u64> = after.iter().zip(before).map(|(after, b)| after - b).collect();
        let counted = by_hops.iter().sum::<u64>().max(1) as f64;
        let total: u64 = by_hops.iter().enumerate().map(|(hops, count)| hops as u64 * count).sum();
        let most = by_hops.iter().rposition(|count| *count > 0).unwrap_or(0);
        let connections: Vec<usize> =
            self.nodes.iter().map(|node| self.net.connections(&node.id)).collect();
        let known: usize = self.dhts().map(|dht| dht.status().peers.len()).sum();
        let census = Census::of(&self.nodes);
        let is_lost = |node: &&SimNode| !node.knows_neighbours(&self.nodes, &census);
        let each = |total: usize| total as f64 / self.nodes.len() as f64;
        let per_get = |count: u64| count as f64 / gets as f64;
        Distance {
            nodes: self.nodes.len(),
            connections: (
                each(connections.iter().sum()),
                connections.iter().copied().max().unwrap_or(0),
            ),
            known: each(known),
            lost: self.nodes.iter().filter(is_lost).count(),
            settled,
            gets,
            right,
            hops: (total as f64 / counted, most),
            requests: per_get(requests_then - requests),
            dials: per_get(dials_then - dials),
        }
    }

    /// Starts the nodes, one after the other; each joins through any that is there.
    async fn populate(&mut self) {
        for n in 0..self.nodes.len() {
            let seed = self.rng.u64(..);
            self.nodes[n].start(&self.net, seed, n == 0);
            let through = self.rng.usize(..n.max(1));
            let address = self.net.address(&self.nodes[through].id).filter(|_| n > 0);
            if let (Some(address), Some(dht)) = (address, self.nodes[n].dht.clone()) {
                // Whoever is not let in finds no key later.
                let _ = dht.join(address).instrument(self.nodes[n].span()).await;
            }
        }
    }

    /// Whether some have not found those closest to them yet.
    fn is_looking(&self) -> bool {
        let census = Census::of(&self.nodes);
        self.dhts().any(|dht| !dht.view().is_settled())
            || self.nodes.iter().any(|node| !node.knows_neighbours(&self.nodes, &census))
    }

    fn dhts(&self) -> impl Iterator<Item = &Dht> {
        self.nodes.iter().filter_map(|node| node.dht.as_ref())
    }

    fn any(&mut self) -> Dht {
        let n = self.rng.usize(..self.nodes.len());
        self.nodes[n].dht.clone().expect("all have been started")
    }

    fn hops(&self) -> [u64; Meters::HOPS] {
        let mut all = [0; Meters::HOPS];
        for dht in self.dhts() {
            all.iter_mut().zip(&dht.meters().hops).for_each(|(all, count)| *all += count.get());
        }
        all
    }
}

async fn put(dht: Dht, key: Key) {
    let value = Value::new("value").expect("short");
    // One that was not taken is one that is not found.
    let _ = dht.put(&key, value, SecretTag::NONE, Ttl::MAX).await;
}

async fn get(dht: Dht, key: Key) -> bool {
    dht.get(&key, PageRequest::ALL).await.is_ok_and(|page| !page.values.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_all_know_all_a_key_is_one_hop_away() {
        let distance = distance(1, 20, 40);
        assert_eq!((distance.right, distance.hops.1), (40, 1), "{distance:?}");
        assert!(distance.requests < 2.5, "{distance:?}");
    }
}
