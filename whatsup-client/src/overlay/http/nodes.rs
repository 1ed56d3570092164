//! Which super-node is asked: the one that answered last, then the others in their order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::exchange::{Exchange, Failure};
use crate::node_url::NodeUrl;
use crate::overlay::OverlayError;

/// How often all are asked, while one of them is there and only busy.
const ROUNDS: usize = 4;
/// Longest that is waited for one that is busy, whatever it says.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The super-nodes.
pub(super) struct Nodes {
    nodes: Vec<NodeUrl>,
    exchange: Exchange,
    /// The one that works.
    first: AtomicUsize,
}

impl Nodes {
    pub(super) fn new(nodes: Vec<NodeUrl>, passphrase: Option<&str>) -> Nodes {
        Nodes::by(Exchange::new(passphrase), nodes)
    }

    /// These, by one's own means of exchange.
    pub(super) const fn by(exchange: Exchange, nodes: Vec<NodeUrl>) -> Nodes {
        Nodes { nodes, exchange, first: AtomicUsize::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The one that is asked first.
    pub(super) fn first(&self) -> Option<String> {
        self.nodes.get(self.first.load(Ordering::Relaxed)).map(NodeUrl::to_string)
    }

    /// Another than this one is to be asked next.
    pub(super) fn leave(&self, node: usize) {
        let next = (node + 1) % self.nodes.len().max(1);
        let _ = self.first.compare_exchange(node, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Posts a body to one that takes it and may wait so long before it answers; which one did, and what
    /// `read` makes of its answer. An answer that it makes nothing of is as none.
    ///
    /// # Errors
    /// [`OverlayError::Refused`] as soon as one refuses; else what became of them all, if none did it.
    pub(super) async fn ask<T>(
        &self,
        path: &'static str,
        body: Bytes,
        wait: Duration,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<(usize, T), OverlayError> {
        let mut round = 1;
        loop {
            let first = self.first.load(Ordering::Relaxed);
            let mut failures = Vec::with_capacity(self.nodes.len());
            for step in 0..self.nodes.len() {
                let at = (first + step) % self.nodes.len();
                let node = &self.nodes[at];
                let asked = self.exchange.post(node, path, body.clone(), wait).await;
                let failure = match asked {
                    Ok(reply) => match read(&reply) {
                        Some(answer) => {
                            self.first.store(at, Ordering::Relaxed);
                            return Ok((at, answer));
                        }
                        None => Failure::Lost("it does not answer as a super-node does".to_owned()),
                    },
                    Err(Failure::Refused(refusal)) => return Err(refusal.into()),
                    Err(failure) => failure,
                };
                failures.push((node.to_string(), failure));
            }
            let busy = failures.iter().filter_map(|(_, failure)| match failure {
                Failure::Busy(wait) => Some(*wait),
                _ => None,
            });
            match busy.min() {
                Some(wait) if round < ROUNDS => sleep(wait.min(WAIT_MAX)).await,
                _ => return Err(sum(failures)),
            }
            round += 1;
        }
    }
}

/// What it means that none did it: what one of them could mend says more than that others are not there.
fn sum(mut failures: Vec<(String, Failure)>) -> OverlayError {
    let rank = |failure: &Failure| match failure {
        Failure::Locked(_) => 0,
        Failure::Said(_) => 1,
        _ => 2,
    };
    failures.sort_by_key(|(_, failure)| rank(failure));
    if let Some((_, failure)) = failures.first() {
        match failure {
            Failure::Locked(why) => return OverlayError::Locked(why.clone()),
            Failure::Said(refusal) => return refusal.clone().into(),
            _ => {}
        }
    }
    OverlayError::NoNode(failures.into_iter().map(|(node, why)| (node, why.to_string())).collect())
}
