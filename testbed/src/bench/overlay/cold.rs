//! A newcomer: how long after its start it gives right answers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base::Key;
use dht::{Dht, Options, Storage};

use super::net::{Keeping, Net, Read, SMALL};

/// Far beyond the target; a newcomer that takes longer never will.
const LIMIT: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// What newcomers came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Cold {
    /// Seconds from opening the node to the last of its first right answers.
    pub(super) took_s: Vec<f64>,
    /// Answers before that which were wrong, not just late: "nothing there".
    pub(super) wrong: u64,
}

/// Has newcomers, one after another, join an overlay of so many nodes and read so many keys.
pub(super) async fn measure(nodes: usize, newcomers: usize, keys: usize) -> Result<Cold> {
    let net = Net::start(nodes, Keeping::InMemory).await?;
    let keys = net.fill(0, keys, SMALL).await?;
    let mut cold = Cold::default();
    for _ in 0..newcomers {
        let began = Instant::now();
        let node = Dht::open(Options::local(Storage::Memory)).await?;
        node.join(net.entrance()).await?;
        for key in &keys {
            cold.wrong += until_right(&node, key, began).await?;
        }
        cold.took_s.push(began.elapsed().as_secs_f64());
        node.leave().await;
        node.close().await;
        net.settle().await.context("after a newcomer left")?;
    }
    net.close().await;
    Ok(cold)
}

/// Asks until the answer is right; how often it was wrong before.
async fn until_right(node: &Dht, key: &Key, began: Instant) -> Result<u64> {
    let mut wrong = 0;
    loop {
        match Read::Quorum.ask(node, key, SMALL).await {
            Ok(true) => return Ok(wrong),
            Ok(false) => wrong += 1,
            // No quorum yet, which is no answer.
            Err(_) => {}
        }
        ensure!(began.elapsed() < LIMIT, "no right answer within {LIMIT:?}");
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
