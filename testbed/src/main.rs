//! SCOPE's proofs and measurements, run against real super-nodes on this machine.
//!
//! `interop` runs foreign clients, `drill` does to a super-node what the world will, `bench`
//! measures it side by side with what it stands on. Every super-node is a child process on the
//! loopback interface and ends with the testbed.

mod bench;
mod checks;
mod choice;
mod drill;
mod http;
mod interop;
mod leash;

mod node;
mod rpc;
mod sim;
mod stats;
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
    },
    /// Treat a super-node badly: hostile input, a full disk, broken data directories.
    Drill {
        /// Which drill, or `all`.
        #[arg(required_unless_present = "list")]
        name: Option<String>,
        /// Show the names there are.
        #[arg(long)]
        list: bool,
        /// Run on this data directory, inside of what `disk-full` prepared.
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
    },
    /// Simulate an overlay under a virtual clock, from seeds; a failing one replays.
    Sim(sim::SimArgs),
    /// Become a program that ends with the testbed.
    #[command(name = leash::SUBCOMMAND, hide = true)]
    Leashed {
        parent: i32,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let Err(error) = run(Options::parse().command) else { return ExitCode::SUCCESS };
    eprintln!("testbed: {error:#}");
    ExitCode::FAILURE
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Interop { list: true, .. } => list(interop::ALL.iter().map(|p| (p.name, p.about))),
        Command::Interop { name, seed, .. } => {
            let seed = seed.unwrap_or_else(choice::fresh_seed);
            interop::run(&name.unwrap_or_default(), seed)
        }
        Command::Drill { list: true, .. } => list(drill::ALL.iter().map(|d| (d.name, d.about))),
        Command::Drill { inside: Some(dir), .. } => drill::inside_of_small_disk(&dir),
        Command::Drill { name, .. } => drill::run(&name.unwrap_or_default()),
        Command::Bench { name, json, dir, quick } => {
            bench::run(name, &bench::Settings { json, dir, quick })
        }
        Command::Sim(args) => sim::simulate(&args),
        Command::Leashed { parent, program } => leash::become_program(parent, &program),
    }
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
