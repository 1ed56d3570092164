//! How this node finds others: by asking on the networks it is in, and at the addresses that
//! `--join` names. Whom it finds it hands to [`Dht::join`]; what they then do is the overlay's.
//!
//! ```text
//! Discovery ── search ─┬─ mdns ── announcement ── dialling     multicast DNS, DNS-SD
//!                      │      └─ tag                           the like, if there is a passphrase
//!                      ├─ contacts ── backoff                  whom to try, and when
//!                      └─ solitude                             alone, and why that may be
//! ```
//!
//! One task, `search`, owns all that changes; the others are plain functions and state machines.

mod announcement;
mod backoff;
mod contacts;
mod dialling;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod mdns;
mod plan;
mod search;
mod solitude;
mod tag;

use std::net::SocketAddr;

use dht::Dht;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::info;

pub(crate) use announcement::host_name_of;
pub use plan::Plan;
use search::Search;

/// The search for others, until it is stopped.
#[derive(Debug)]
pub struct Discovery {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Discovery {
    /// Begins to look for others, and to be found: also by telephones, which reach this node at `sip`.
    pub fn start(plan: Plan, dht: Dht, sip: SocketAddr) -> Discovery {
        if plan.is_out_of_reach() {
            info!(
                "not looking for super-nodes on this network: none could reach this one, for its \
                --p2p address is a loopback address"
            );
        }
        let (stop, stopped) = oneshot::channel();
        let task =
            tokio::spawn(async move { Search::new(dht, plan, sip).await.run(stopped).await });
        Discovery { stop, task }
    }

    /// Ends the search, and says goodbye to those who heard of this node by multicast.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
