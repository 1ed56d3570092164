//! The overlay simulated: many nodes in one thread, under a virtual clock, from a seed.
//!
//! The nodes are whole ones: the very code that runs over libp2p, on a network (`net`) that delays, loses and
//! reorders messages as the seed says, with stores whose commits take time and that outlive their
//! node's crashes. Time is tokio's, paused: it jumps to whatever happens next. The same seed gives
//! the same run, message by message.
//!
//! ```text
//! plan (seed) ─► world: clients ──────────► check: what they may be told
//!                  │    disturb ──────────►        (interruption: what happens, as data)
//!                  ▼
//!                nodes: machine (clocks), disk, Dht ─► link ─► net
//! ```

mod census;
mod check;
mod churn;
mod claims;
mod clients;
mod disk;
mod disturb;
mod interruption;
mod liar;
mod link;
mod log;
mod machine;
mod net;
mod nodes;
mod outcome;
mod plan;
mod scale;
#[cfg(test)]
mod storm;
mod world;

pub use churn::{Churn, ChurnReport, expected_loss, study};
pub use claims::{Contenders, Decided, contend};
pub use interruption::Kind;
pub use log::virtual_time;
pub use net::{Air, Weather};
pub use outcome::{Failure, Outcome};
pub use plan::Plan;
pub use scale::{Distance, distance};
pub use world::run;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn holds(seed: u64, plan: &Plan) -> Outcome {
        run(seed, plan).unwrap_or_else(|failure| panic!("{failure}"))
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let plan = Plan { nodes: 6, length: Duration::from_secs(20), ..Plan::default() };
        let first = holds(7, &plan);
        assert_eq!(holds(7, &plan), first);
        assert_ne!(holds(8, &plan).trace, first.trace);
    }

    #[test]
    fn what_was_acknowledged_holds_through_crashes_and_loss() {
        let plan = Plan { kinds: vec![Kind::Crash, Kind::Leave], ..Plan::default() };
        for seed in 0..2 {
            let outcome = holds(seed, &plan);
            assert!(outcome.acknowledged > 500 && outcome.checked > 500, "{outcome:?}");
        }
    }

    #[test]
    fn each_kind_of_interruption_is_survived() {
        for (seed, kind) in (0..).zip(Kind::ALL) {
            let plan = Plan {
                kinds: vec![kind],
                interruptions: 1,
                length: Duration::from_secs(10),
                ..Plan::default()
            };
            let outcome = holds(seed, &plan);
            assert!(outcome.checked > 100, "{kind}: {outcome:?}");
        }
    }

    #[test]
    fn one_that_lies_makes_nobody_else_lie() {
        for seed in 0..3 {
            let plan = Plan {
                nodes: 6,
                liars: 1,
                interruptions: 0,
                length: Duration::from_secs(30),
                ..Plan::default()
            };
            let outcome = holds(seed, &plan);
            assert!(outcome.acknowledged > 300 && outcome.checked > 300, "{outcome:?}");
        }
    }

    #[test]
    fn one_that_lies_brings_nothing_back_that_was_put_again_for_a_shorter_time() {
        let plan = Plan { nodes: 9, liars: 1, interruptions: 0, ..Plan::default() };
        holds(30, &plan);
    }

    #[test]
    fn a_failure_says_what_happened_and_who_holds_what() {
        let weather = Weather { loss: 0.5, ..Plan::default().weather };
        let plan = Plan { nodes: 4, weather, ..Plan::default() };
        let failed = (0..10).find_map(|seed| run(seed, &plan).err());
        let failure = failed.expect("half of all messages are lost");
        assert!(failure.to_string().starts_with(&format!("seed {}: after ", failure.seed)));
    }
}
