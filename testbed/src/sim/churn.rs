//! `testbed sim churn`: what nodes that come and go do to what is stored.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use dht::sim::{Churn, ChurnReport, Plan, Weather, study};
use serde_json::json;

use crate::usage;

/// What to study.
#[derive(Debug, Clone, Args)]
pub(super) struct ChurnArgs {
    /// The seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Nodes, always so many: for each that departs another comes
    #[arg(long, default_value_t = 100)]
    nodes: usize,
    /// Half of all nodes stay for less than so many seconds
    #[arg(long, default_value_t = 600)]
    median_session_s: u64,
    /// For how many virtual seconds
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Keys put again every minute, and as many put only once
    #[arg(long, default_value_t = 200)]
    keys: usize,
    /// Clients that read keys from random nodes, five times a second
    #[arg(long, default_value_t = 10)]
    clients: usize,
    /// Messages lost, in percent
    #[arg(long, default_value_t = 1.0)]
    loss: f64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the study and prints what it found.
pub(super) fn run(args: &ChurnArgs) -> Result<()> {
    if args.nodes < 4 || args.median_session_s == 0 || args.seconds == 0 || args.keys == 0 {
        bail!("--nodes must be at least 4; --median-session-s, --seconds and --keys at least 1");
    }
    if !(0.0..=50.0).contains(&args.loss) {
        bail!("--loss is in percent, between 0 and 50");
    }
    let churn = Churn {
        nodes: args.nodes,
        median_session: Duration::from_secs(args.median_session_s),
        length: Duration::from_secs(args.seconds),
        keys: args.keys,
        clients: args.clients,
        weather: Weather { loss: args.loss / 100.0, ..Plan::default().weather },
    };
    let began = Instant::now();
    let report = study(args.seed, &churn);
    let (seconds, peak) = (began.elapsed().as_secs_f64(), usage::resident("self")?.peak);
    if args.json {
        println!("{:#}", as_json(args, &report, seconds, peak));
    } else {
        print_table(args, &report, seconds, peak);
    }
    Ok(())
}

fn part(of: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { of as f64 / all as f64 }
}

fn print_table(args: &ChurnArgs, report: &ChurnReport, seconds: f64, peak: u64) {
    let percent = |of, all| format!("{:.3} % of {all}", part(of, all) * 100.0);
    let gets = report.refreshed_gets + report.once_gets;
    println!("nodes                               {}", args.nodes);
    println!("median session                      {} s", args.median_session_s);
    println!("virtual time                        {} s", args.seconds);
    println!("departures                          {}", report.departures);
    println!(
        "gets right, keys put every minute   {}",
        percent(report.refreshed_right, report.refreshed_gets)
    );
    println!(
        "gets right, keys put once           {}",
        percent(report.once_right, report.once_gets)
    );
    println!("lookups right                       {}", percent(report.lookups_right, gets));
    println!(
        "until all copies are there again    {:.1} s (mean of {})",
        report.repair_s, report.repairs
    );
    println!("keys put once that were lost        {}", percent(report.once_lost, report.once));
    println!(
        "what three replicas must lose       {:.3} % (independent, at that repair time)",
        report.expected_loss * 100.0
    );
    println!("messages                            {}", report.messages);
    println!("run in                              {seconds:.1} s, {} MB", peak / 1_000_000);
}

fn as_json(args: &ChurnArgs, report: &ChurnReport, seconds: f64, peak: u64) -> serde_json::Value {
    let gets = report.refreshed_gets + report.once_gets;
    json!({
        "seed": args.seed,
        "nodes": args.nodes,
        "median_session_s": args.median_session_s,
        "seconds": args.seconds,
        "departures": report.departures,
        "refreshed": {
            "gets": report.refreshed_gets,
            "right": part(report.refreshed_right, report.refreshed_gets),
        },
        "once": {
            "gets": report.once_gets,
            "right": part(report.once_right, report.once_gets),
            "lost": part(report.once_lost, report.once),
            "expected_loss": report.expected_loss,
        },
        "lookups_right": part(report.lookups_right, gets),
        "repair_s": report.repair_s,
        "repairs": report.repairs,
        "messages": report.messages,
        "run_s": seconds,
        "peak_bytes": peak,
    })
}
