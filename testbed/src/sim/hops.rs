//! `testbed sim hops`: how far a key is, by the size of the overlay.

use anyhow::{Result, bail};
use clap::Args;
use dht::sim::{Distance, distance};
use serde_json::json;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub(super) struct HopsArgs {
    /// Nodes of each overlay
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1000])]
    nodes: Vec<usize>,
    /// Keys put and read in each
    #[arg(long, default_value_t = 500)]
    gets: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Measures overlays of each size, and prints what gets took.
pub(super) fn run(args: &HopsArgs) -> Result<()> {
    if args.nodes.contains(&0) || args.gets == 0 {
        bail!("--nodes and --gets must be at least 1");
    }
    if !args.json {
        println!(
            "| nodes | connections (most) | known | lost | settled | right | hops (most) | requests | dials |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
    }
    let mut wrong = 0;
    for nodes in &args.nodes {
        let distance = distance(args.seed, *nodes, args.gets);
        wrong += distance.gets - distance.right;
        println!("{}", if args.json { as_json(&distance) } else { row(&distance) });
    }
    if wrong > 0 {
        bail!("{wrong} gets did not find what was put");
    }
    Ok(())
}

fn row(distance: &Distance) -> String {
    let Distance { nodes, connections, known, lost, settled, gets, right, hops, requests, dials } =
        distance;
    format!(
        "| {nodes} | {:.0} ({}) | {known:.0} | {lost} | {:.0} s | {right} of {gets} | {:.2} ({}) | {requests:.2} | {dials:.2} |",
        connections.0,
        connections.1,
        settled.as_secs_f64(),
        hops.0,
        hops.1
    )
}

fn as_json(distance: &Distance) -> String {
    let Distance { nodes, connections, known, lost, settled, gets, right, hops, requests, dials } =
        distance;
    json!({
        "nodes": nodes, "connections_mean": connections.0, "connections_max": connections.1,
        "known_mean": known, "lost": lost,
        "settled_s": settled.as_secs_f64(), "gets": gets, "right": right, "hops_mean": hops.0, "hops_max": hops.1,
        "requests_per_get": requests, "dials_per_get": dials,
    })
    .to_string()
}
