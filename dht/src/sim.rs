//! The overlay simulated: many nodes in one thread, under a virtual clock, from a seed.
//!
//! The nodes are whole ones: the very code that runs over libp2p, on a network (`net`) that delays, loses and
//! reorders messages as the seed says, with stores whose commits take time and that outlive their
//! node's crashes. Time is tokio's, paused: it jumps to whatever happens next. The same seed gives
//! the same run, message by message.
//!
//! ```text
//! plan (seed) ─► world: starts, crashes and restarts nodes ─► checks what clients are told
//!                  │                                             against what was acknowledged
//!                  └─► net: SimLink of every node
//! ```

mod check;
mod disk;
mod net;
mod plan;
mod world;

pub use net::Weather;
pub use plan::Plan;
pub use world::{Failure, Outcome, run};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let plan = Plan { nodes: 6, length: Duration::from_secs(20), ..Plan::default() };
        let first = run(7, &plan).unwrap();
        assert_eq!(run(7, &plan).unwrap(), first);
        assert_ne!(run(8, &plan).unwrap().trace, first.trace);
    }

    #[test]
    fn what_was_acknowledged_holds_through_crashes_and_loss() {
        for seed in 0..4 {
            let outcome = run(seed, &Plan::default()).unwrap_or_else(|failure| panic!("{failure}"));
            assert!(outcome.acknowledged > 500 && outcome.checked > 500, "{outcome:?}");
        }
    }
}
