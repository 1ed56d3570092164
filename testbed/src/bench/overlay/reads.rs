//! Reads of small values in an overlay, from one replica and from a quorum.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use base::Key;
use dht::Dht;

use super::net::{Keeping, Net, Read, SMALL};
use super::pace::{Pace, at_once, one_by_one};

/// What reads came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads {
    pub(super) one: Kind,
    pub(super) quorum: Kind,
}

/// What one kind of read came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Kind {
    pub(super) pace: Pace,
    /// Requests sent to others for one read, one read at a time.
    pub(super) requests: f64,
}

/// Measures both kinds in a new overlay of so many nodes.
pub(super) async fn measure(nodes: usize, keys: usize, turn: Duration) -> Result<Reads> {
    let net = Net::start(nodes, Keeping::InMemory).await?;
    let keys: Arc<[Key]> = net.fill(0, keys, SMALL).await?.into();
    let reads = Reads {
        one: kind(net.own(), &keys, Read::One, turn).await?,
        quorum: kind(net.own(), &keys, Read::Quorum, turn).await?,
    };
    net.close().await;
    Ok(reads)
}

async fn kind(node: &Dht, keys: &Arc<[Key]>, read: Read, turn: Duration) -> Result<Kind> {
    let operation = {
        let (node, keys) = (node.clone(), Arc::clone(keys));
        move |number: u64| {
            let (node, keys) = (node.clone(), Arc::clone(&keys));
            async move {
                let key = &keys[number as usize % keys.len()];
                read.is_right(&node, key, SMALL).await
            }
        }
    };
    // Once around, so that every peer has been spoken with.
    one_by_one(turn / 8, operation.clone()).await?;
    let before = node.meters().requests.get();
    let sequence = one_by_one(turn / 2, operation.clone()).await?;
    let sent = node.meters().requests.get() - before;
    let (rate, wrong) = at_once(turn / 2, operation).await?;
    let requests = sent as f64 / sequence.done as f64;
    let (p50_us, p99_us) = (sequence.p50_us, sequence.p99_us);
    Ok(Kind { pace: Pace { p50_us, p99_us, rate, wrong: wrong + sequence.wrong }, requests })
}
