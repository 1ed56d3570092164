//! `testbed sim`: the overlay simulated, seed by seed.

mod churn;
mod claims;
mod hops;
mod log;
mod seeds;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use dht::sim::{Kind, Plan, Weather};

use crate::usage;

/// What to simulate.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SimArgs {
    #[command(subcommand)]
    study: Option<Study>,
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
    #[arg(long, default_value_t = Plan::default().nodes)]
    nodes: usize,
    /// How many of them lie: they acknowledge what they do not keep, hide, show what was removed, and
    /// make up members, versions and digests. Needs --interruptions 0
    #[arg(long, default_value_t = 0)]
    liars: usize,
    /// Clients that put, get and remove all the time
    #[arg(long, default_value_t = Plan::default().clients)]
    clients: usize,
    /// How many interruptions there are
    #[arg(long, default_value_t = Plan::default().interruptions)]
    interruptions: usize,
    /// Of which kinds: crash, leave, lost-disk, lost-disks, split, outage, suspend, wrong-clock,
    /// slow-disk, full-disk, all-down, overlap, quiet; all unless said otherwise
    #[arg(long, value_delimiter = ',', default_values_t = Plan::default().kinds)]
    kinds: Vec<Kind>,
    /// Virtual seconds the clients go on beside what the interruptions take
    #[arg(long, default_value_t = Plan::default().length.as_secs())]
    seconds: u64,
    /// Messages lost, in percent
    #[arg(long, default_value_t = Plan::default().weather.loss * 100.0)]
    loss: f64,
    /// Longest time a message takes, in milliseconds
    #[arg(long, default_value_t = 40)]
    delay_ms: u64,
    /// Print what each node logs, with its number and the virtual time
    #[arg(long)]
    verbose: bool,
}

/// What else to simulate.
#[derive(Debug, Clone, Subcommand)]
enum Study {
    /// Hops and messages of gets, by the size of the overlay
    Hops(hops::HopsArgs),
    /// Nodes that come and go all the time: what is found, and what is lost
    Churn(churn::ChurnArgs),
    /// Many who claim one name at once: one has it, and all others are told
    Claims(claims::ClaimsArgs),
}

impl SimArgs {
    fn plan(&self) -> Result<Plan> {
        if self.nodes == 0 || self.clients == 0 {
            bail!("--nodes and --clients must be at least 1");
        }
        if self.nodes < 2 && self.interruptions > 0 {
            bail!("one node alone cannot be interrupted; give --interruptions 0, or more --nodes");
        }
        if self.liars > 0 && (self.interruptions > 0 || self.nodes < 3 * self.liars) {
            bail!("--liars needs --interruptions 0, and three times as many --nodes at least");
        }
        if !(0.0..=50.0).contains(&self.loss) {
            bail!("--loss is in percent, between 0 and 50");
        }
        let delay = (Duration::from_millis(1), Duration::from_millis(self.delay_ms.max(1)));
        Ok(Plan {
            nodes: self.nodes,
            liars: self.liars,
            clients: self.clients,
            interruptions: self.interruptions,
            kinds: self.kinds.clone(),
            length: Duration::from_secs(self.seconds),
            weather: Weather { delay, loss: self.loss / 100.0, air: None },
        })
    }

    /// What runs one seed again.
    fn again(&self, seed: u64) -> String {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        format!(
            "testbed sim --seed {seed} --nodes {} --liars {} --clients {} --interruptions {} --kinds {} \
             --seconds {} --loss {} --delay-ms {} --verbose",
            self.nodes,
            self.liars,
            self.clients,
            self.interruptions,
            kinds.join(","),
            self.seconds,
            self.loss,
            self.delay_ms,
        )
    }
}

/// Runs the seeds; stops at the first that fails, and says how to run it again.
pub(crate) fn simulate(args: &SimArgs) -> Result<()> {
    if let Some(Study::Churn(args)) = &args.study {
        return churn::run(args);
    }
    if let Some(Study::Hops(args)) = &args.study {
        return hops::run(args);
    }
    if let Some(Study::Claims(args)) = &args.study {
        return claims::run(args);
    }
    let plan = args.plan()?;
    if args.verbose {
        log::print();
    }
    let jobs = seeds::jobs(args.jobs);
    let began = Instant::now();
    let (mut acknowledged, mut unacknowledged, mut checked) = (0, 0, 0);
    let seeds = args.seed..args.seed.saturating_add(args.seeds);
    seeds::run_all(
        seeds,
        jobs,
        |seed| dht::sim::run(seed, &plan),
        |seed, outcome| {
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(failure) => bail!("{failure}\nagain: {}", args.again(seed)),
            };
            acknowledged += outcome.acknowledged;
            unacknowledged += outcome.unacknowledged;
            checked += outcome.checked;
            if args.seeds == 1 {
                println!(
                    "seed {seed}: {} messages in {} virtual s, trace {:016x}",
                    outcome.messages, outcome.seconds, outcome.trace
                );
            }
            Ok(())
        },
    )?;
    println!(
        "{} seeds hold: {acknowledged} operations acknowledged, {unacknowledged} without a quorum, \
         {checked} values checked, in {:.1} s and at most {} MB",
        args.seeds,
        began.elapsed().as_secs_f64(),
        usage::resident("self")?.peak / 1_000_000
    );
    Ok(())
}
