//! `testbed sim`: the overlay simulated, seed by seed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use dht::sim::{Plan, Weather, run};

/// What to simulate.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimArgs {
    /// The first seed, or the only one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Nodes
    #[arg(long, default_value_t = Plan::default().nodes)]
    nodes: usize,
    /// Clients that put, get and remove all the time
    #[arg(long, default_value_t = Plan::default().clients)]
    clients: usize,
    /// How often a node crashes or leaves, and comes back
    #[arg(long, default_value_t = Plan::default().interruptions)]
    interruptions: usize,
    /// Virtual seconds the clients go on
    #[arg(long, default_value_t = Plan::default().length.as_secs())]
    seconds: u64,
    /// Messages lost, in percent
    #[arg(long, default_value_t = Plan::default().weather.loss * 100.0)]
    loss: f64,
    /// Longest time a message takes, in milliseconds
    #[arg(long, default_value_t = 40)]
    delay_ms: u64,
    /// Print what each node says of itself
    #[arg(long)]
    verbose: bool,
}

/// Runs the seeds; stops at the first that fails, and says how to run it again.
pub(crate) fn simulate(args: &SimArgs) -> Result<()> {
    if args.nodes == 0 || args.clients == 0 {
        bail!("--nodes and --clients must be at least 1");
    }
    if !(0.0..=50.0).contains(&args.loss) {
        bail!("--loss is in percent, between 0 and 50");
    }
    if args.verbose {
        tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().init();
    }
    let delay = (Duration::from_millis(1), Duration::from_millis(args.delay_ms.max(1)));
    let plan = Plan {
        nodes: args.nodes,
        clients: args.clients,
        interruptions: args.interruptions,
        length: Duration::from_secs(args.seconds),
        weather: Weather { delay, loss: args.loss / 100.0 },
    };
    let began = Instant::now();
    let (mut acknowledged, mut unacknowledged, mut checked) = (0, 0, 0);
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        let outcome = match run(seed, &plan) {
            Ok(outcome) => outcome,
            Err(failure) => bail!(
                "{failure}\nagain: testbed sim --seed {seed} --nodes {} --clients {} --interruptions {} \
                 --seconds {} --loss {} --delay-ms {} --verbose",
                args.nodes,
                args.clients,
                args.interruptions,
                args.seconds,
                args.loss,
                args.delay_ms
            ),
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
    }
    println!(
        "{} seeds hold: {acknowledged} operations acknowledged, {unacknowledged} without a quorum, \
         {checked} values checked, in {:.1} s",
        args.seeds,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
