//! An overlay on one radio channel, and a disturbance of it: does the overlay come to rest again, or does
//! what it does about the disturbance keep the channel full for ever?

use std::time::Duration;

use futures::future::join_all;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use super::net::{Air, Net, Weather};
use super::nodes::{SimNode, node_key, unrest};

/// As many as there are in a small hall.
const NODES: usize = 40;
/// What 54 Mb/s carry: a message with its acknowledgements, and 25 of them for a connection.
const AIR: Air =
    Air { message: Duration::from_micros(500), handshake: 40, queue: Duration::from_millis(1500) };
/// Somebody else uses nearly all of it.
const JAMMED: Air = Air { message: Duration::from_millis(40), ..AIR };
/// How long they may take to be at rest again.
const REST: Duration = Duration::from_secs(60);
/// The part of the channel they may use then.
const IDLE: f64 = 0.15;

struct Hall {
    net: Net,
    nodes: Vec<SimNode>,
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.net.dismantle();
    }
}

impl Hall {
    /// All start at once, and all join the first.
    async fn fill(seed: u64) -> Hall {
        let began = Instant::now();
        let delay = (Duration::from_micros(200), Duration::from_millis(2));
        let net = Net::new(seed, Weather { delay, loss: 0.0, air: Some(AIR) });
        let node = |n| SimNode::new(n, node_key(seed, n as u64), n as u64, began);
        let mut nodes: Vec<SimNode> = (0..NODES).map(node).collect();
        for (n, node) in nodes.iter_mut().enumerate() {
            node.start(&net, seed + n as u64, n == 0);
        }
        let first = net.address(&nodes[0].id).unwrap();
        let join = nodes[1..].iter().map(|node| {
            let (dht, span) = (node.dht.clone().unwrap(), node.span());
            async move { drop(dht.join(first).instrument(span).await) }
        });
        join_all(join).await;
        Hall { net, nodes }
    }

    fn total(&self, count: impl Fn(&crate::Meters) -> u64) -> u64 {
        self.nodes.iter().filter_map(|node| node.dht.as_ref()).map(|dht| count(dht.meters())).sum()
    }

    /// Waits until all know all, and holds them to using little of the air then.
    async fn comes_to_rest(&self, seed: u64) {
        let began = Instant::now();
        while let Some(why) = unrest(&self.nodes) {
            let requests = self.total(|meters| meters.requests.get());
            let gone = self.total(|meters| meters.departures.get());
            assert!(
                began.elapsed() < REST,
                "seed {seed}: {why}; {requests} requests, {gone} departures"
            );
            sleep(Duration::from_millis(250)).await;
        }
        sleep(Duration::from_secs(10)).await;
        let (before, suspicions) =
            (self.net.air_used(), self.total(|meters| meters.suspicions.get()));
        let watched = Duration::from_secs(20);
        sleep(watched).await;
        let used = (self.net.air_used() - before).as_secs_f64() / watched.as_secs_f64();
        let suspicions = self.total(|meters| meters.suspicions.get()) - suspicions;
        assert!(used < IDLE && suspicions == 0, "seed {seed}: {used}, {suspicions} suspicions");
    }
}

fn hall(seed: u64, jam: Option<Duration>) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let hall = Hall::fill(seed).await;
        hall.comes_to_rest(seed).await;
        let Some(jam) = jam else { return };
        hall.net.set_air(JAMMED);
        sleep(jam).await;
        hall.net.set_air(AIR);
        hall.comes_to_rest(seed).await;
    });
}

#[test]
fn those_that_come_at_once_come_to_rest() {
    (0..3).for_each(|seed| hall(seed, None));
}

#[test]
fn a_jammed_channel_leaves_no_storm_behind() {
    (0..3).for_each(|seed| hall(seed, Some(Duration::from_secs(8))));
}
