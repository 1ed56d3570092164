//! Whether large values delay small ones on their way between the same two nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use base::limits::VALUE_MAX;

use super::net::{Keeping, Net, Read, SMALL};
use super::pace::{Sequence, one_by_one};

/// With as many nodes besides the reader as there are replicas, every key that is not the reader's
/// own is at the same three.
const NODES: usize = 4;
const SMALL_KEYS: usize = 50;
const LARGE_KEYS: usize = 8;

/// Small reads by themselves and beside large ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Large {
    pub(super) alone: Sequence,
    pub(super) beside: Sequence,
    /// Large values read a second meanwhile.
    pub(super) large_rate: f64,
}

/// Measures both, half the turn each.
pub(super) async fn measure(turn: Duration) -> Result<Large> {
    let net = Net::start(NODES, Keeping::InMemory).await?;
    let small: Arc<[_]> = net.fill(0, SMALL_KEYS, SMALL).await?.into();
    let large = net.fill(1_000_000, LARGE_KEYS, VALUE_MAX).await?;
    let node = net.own().clone();
    let read = {
        let node = node.clone();
        move |number: u64| {
            let (node, keys) = (node.clone(), Arc::clone(&small));
            async move {
                let key = &keys[number as usize % keys.len()];
                Read::One.is_right(&node, key, SMALL).await
            }
        }
    };
    one_by_one(turn / 8, read.clone()).await?;
    let alone = one_by_one(turn / 2, read.clone()).await?;
    let (began, count) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&count);
    let reading_large = tokio::spawn(async move {
        for key in large.iter().cycle() {
            let right = Read::One.is_right(&node, key, VALUE_MAX).await;
            counter.fetch_add(u64::from(right), Ordering::Relaxed);
            // So that it can be ended even if nothing ever has to be waited for.
            tokio::task::yield_now().await;
        }
    });
    let beside = one_by_one(turn / 2, read).await?;
    reading_large.abort();
    let large_rate = count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    net.close().await;
    Ok(Large { alone, beside, large_rate })
}
