//! `testbed sim claims`: many who claim one name at once.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use dht::sim::{Contenders, Plan, Weather, contend};

use super::{log, seeds};

/// Who claims, and under what.
#[derive(Debug, Clone, Args)]
pub(super) struct ClaimsArgs {
    /// The first seed, or the only one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many seeds at a time, each in a thread of its own; 0 for as many as there are cores
    #[arg(long, default_value_t = 0)]
    jobs: usize,
    /// Nodes
    #[arg(long, default_value_t = 50)]
    nodes: usize,
    /// Claimants
    #[arg(long, default_value_t = 50)]
    claimants: usize,
    /// How often the network is torn, or nodes come and go, while they claim; 0 for a stable membership
    #[arg(long, default_value_t = 0)]
    interruptions: usize,
    /// Messages lost, in percent
    #[arg(long, default_value_t = Plan::default().weather.loss * 100.0)]
    loss: f64,
    /// Print what each node logs, with its number and the virtual time
    #[arg(long)]
    verbose: bool,
}

/// Runs the seeds; stops at the first that fails, and says how to run it again.
pub(super) fn run(args: &ClaimsArgs) -> Result<()> {
    if args.nodes < 4 || args.claimants < 2 {
        bail!("--nodes must be at least 4, and --claimants 2");
    }
    if !(0.0..=50.0).contains(&args.loss) {
        bail!("--loss is in percent, between 0 and 50");
    }
    if args.verbose {
        log::print();
    }
    let contenders = Contenders {
        nodes: args.nodes,
        claimants: args.claimants,
        interruptions: args.interruptions,
        weather: Weather { loss: args.loss / 100.0, ..Plan::default().weather },
    };
    let began = Instant::now();
    let mut after = Vec::new();
    let range = args.seed..args.seed.saturating_add(args.seeds);
    let contend = |seed| contend(seed, &contenders);
    seeds::run_all(range, seeds::jobs(args.jobs), contend, |seed, ran| match ran {
        Ok(decided) => {
            after.push(decided.after);
            Ok(())
        }
        Err(failure) => bail!("{failure}\nagain: {}", args.again(seed)),
    })?;
    after.sort_unstable();
    let at = |part: usize| after.get((after.len() * part / 100).min(after.len().saturating_sub(1)));
    let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
    println!(
        "{} seeds hold: one of {} has the name and all others are told; the first confirmed after \
         {:.1} s (median), {:.1} s (99 %), {:.1} s (at most), in {:.1} s",
        args.seeds,
        args.claimants,
        seconds(at(50)),
        seconds(at(99)),
        seconds(after.last()),
        began.elapsed().as_secs_f64(),
    );
    Ok(())
}

impl ClaimsArgs {
    /// What runs one seed again.
    fn again(&self, seed: u64) -> String {
        format!(
            "testbed sim claims --seed {seed} --nodes {} --claimants {} --interruptions {} --loss {} \
             --verbose",
            self.nodes, self.claimants, self.interruptions, self.loss
        )
    }
}
