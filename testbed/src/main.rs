//! SCOPE's proofs and measurements, run against real super-nodes on this machine.
//!
//! `cluster` runs several for whoever wants to try something, `air` runs laptops joined by an emulated
//! radio, `interop` runs foreign clients,
//! `drill` does to super-nodes what the world will, `bench` measures them side by side with what
//! they stand on, `sim` runs simulated ones. Every super-node is a child process, on the loopback interface or in network
//! namespaces made for it, and ends with the testbed; only `bench` also has some in its own process.

mod air;
mod bench;
mod checks;
mod choice;
mod cluster;
mod drill;
mod figure;
mod http;
mod interop;
mod interrupt;
mod leash;
mod machine;
mod netns;
mod node;
mod ports;
mod rpc;
mod sim;
mod sip;
mod stats;
mod status;
mod tools;
mod unshared;
mod usage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Proves and measures super-nodes: foreign clients, bad input, load.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run several super-nodes on loopback that form one overlay, until told to stop.
    Cluster(cluster::Request),
    /// Run laptops joined by an emulated radio, from a scenario, until told to stop.
    Air(air::Request),
    /// Draw one of the paper's figures again, measured on the emulated radio.
    Figure {
        /// 8 where values are, 9 requests, 10 session setup, 11 registration, 12 hops apart from load.
        number: u8,
        #[command(flatten)]
        request: figure::Request,
    },
    /// Draw them all, by one run; a quarter of an hour.
    Figures {
        #[command(flatten)]
        request: figure::Request,
    },
    /// Check that every value is at the places closest to it: 11 super-nodes, 200 clients.
    Validate {
        #[command(flatten)]
        request: figure::Request,
    },
    /// Run foreign clients against a super-node.
    Interop {
        /// Which client, or `all`.
        #[arg(required_unless_present = "list")]
        name: Option<String>,
        /// Show the names there are.
        #[arg(long)]
        list: bool,
        /// Repeat the random choices of an earlier run.
        #[arg(long)]
        seed: Option<u64>,
        /// Run the half of a proof that needs namespaces of its own, with this directory.
        #[arg(long, hide = true)]
        inside: Option<PathBuf>,
    },
    /// Treat super-nodes badly: hostile input, a full disk, broken data, kills, networks.
    Drill {
        /// Which drill, or `all`.
        #[arg(required_unless_present = "list")]
        name: Option<String>,
        /// Show the names there are.
        #[arg(long)]
        list: bool,
        /// Repeat the random choices of an earlier run.
        #[arg(long)]
        seed: Option<u64>,
        #[command(flatten)]
        size: drill::Size,
        /// Run the half of a drill that needs namespaces of its own, with this directory.
        #[arg(long, hide = true)]
        inside: Option<PathBuf>,
    },
    /// Measure, side by side with what it is compared to. Wants a release build.
    Bench {
        /// What to measure.
        name: bench::Name,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Keep data here instead of in the system's temporary directory: it has to be the disk
        /// to measure.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Smaller and faster, to try the bench itself; the figures mean nothing.
        #[arg(long)]
        quick: bool,
        /// With `dht`: measure, too, how much large values delay small ones.
        #[arg(long)]
        large: bool,
        /// Put each table into this document, where the markers of its bench stand, and keep the rest
        /// of it: docs/measurements.md.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "quick"])]
        document: Option<PathBuf>,
    },
    /// Simulate an overlay under a virtual clock, from seeds; a failing one replays.
    Sim(sim::SimArgs),
    /// Be what a bench measures in a process of its own.
    #[command(hide = true)]
    BenchPart {
        #[command(subcommand)]
        part: bench::Part,
    },
    /// Become a program that ends with the testbed.
    #[command(name = leash::SUBCOMMAND, hide = true)]
    Leashed {
        parent: i32,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    run(Options::parse().command).unwrap_or_else(|error| {
        eprintln!("testbed: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> Result<ExitCode> {
    let outcome = match command {
        // It may end as a command did that was run in it.
        Command::Air(request) => return air::run(&request),
        Command::Figure { number, request } => figure::figures(&[number], &request),
        Command::Figures { request } => figure::figures(&figure::ALL, &request),
        Command::Validate { request } => figure::validation(&request),
        Command::Cluster(request) => cluster::run(request),
        Command::Interop { list: true, .. } => list(interop::ALL.iter().map(|p| (p.name, p.about))),
        Command::Interop { name, seed, inside, .. } => {
            let (name, seed) = (name.unwrap_or_default(), seed.unwrap_or_else(choice::fresh_seed));
            match inside {
                Some(dir) => interop::run_inside(&name, &dir, seed),
                None => interop::run(&name, seed),
            }
        }
        Command::Drill { list: true, .. } => list(drill::ALL.iter().map(|d| (d.name, d.about))),
        Command::Drill { name, seed, size, inside, .. } => {
            let seed = seed.unwrap_or_else(choice::fresh_seed);
            let (name, request) = (name.unwrap_or_default(), drill::Request { seed, size });
            match inside {
                Some(dir) => drill::run_inside(&name, &dir, &request),
                None => drill::run(&name, &request),
            }
        }
        Command::Bench { name, json, dir, quick, large, document } => {
            let settings = bench::Settings { json, dir, quick, large };
            bench::run(name, &settings, document.as_deref())
        }
        Command::Sim(args) => sim::simulate(&args),
        Command::BenchPart { part } => bench::run_part(part),
        Command::Leashed { parent, program } => leash::become_program(parent, &program),
    };
    outcome.map(|()| ExitCode::SUCCESS)
}

fn list(names: impl Iterator<Item = (&'static str, &'static str)>) -> Result<()> {
    for (name, about) in names {
        println!("{name:15} {about}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Options::command().debug_assert();
    }
}
