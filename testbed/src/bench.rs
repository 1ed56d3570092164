//! Measurements. Each figure is taken in one run side by side with what it is compared to, in
//! interleaved rounds, and the middle one of the rounds is told: a ratio holds on a busy machine
//! where an absolute time does not. Nothing here fails for being slow; the table says so.

mod flood;
mod load;
mod overlay;
mod report;
mod rows;
mod rpc;
mod services;
mod signed;
mod sip;
mod start;
mod store;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

pub(crate) use overlay::Part;

/// What can be measured.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Name {
    /// XML-RPC against the same server's /healthz, 16 keep-alive connections.
    Rpc,
    /// Durable puts through the handle against the database's own rate.
    Store,
    /// A million entries: time to start, memory, size.
    Start,
    /// How soon a watched change arrives, and what leases weigh.
    Watch,
    /// What a lookup of a service costs, in a large overlay and of ten thousand providers.
    Services,
    /// Signed entries checked in a second, against the library that checks them.
    Signed,
    /// How one client's flood delays others, at a super-node alone and at one of three.
    Flood,
    /// SIP against Kamailio, at one super-node and at nine; some minutes.
    Sip,
    /// The overlay against UDP, OpenDHT and the database: up to 72 nodes, some minutes.
    Dht,
}

/// How to measure.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Print JSON instead of a table.
    pub(crate) json: bool,
    /// Where to keep data; the system's temporary directory if nowhere.
    pub(crate) dir: Option<PathBuf>,
    /// Smaller and faster, to try the bench itself.
    pub(crate) quick: bool,
    /// Also how much large values delay small ones.
    pub(crate) large: bool,
}

impl Settings {
    /// Rounds of which the middle one is told.
    const fn rounds(&self) -> usize {
        if self.quick { 1 } else { 5 }
    }

    /// How long one side of a round takes.
    const fn turn(&self) -> Duration {
        Duration::from_millis(if self.quick { 300 } else { 2000 })
    }

    /// Entries of a full super-node.
    const fn entries(&self) -> u64 {
        if self.quick { 20_000 } else { 1_000_000 }
    }

    /// A directory on the disk to measure, gone afterwards.
    fn temp_dir(&self) -> Result<TempDir> {
        match &self.dir {
            Some(dir) => TempDir::new_in(dir),
            None => TempDir::new(),
        }
        .context("cannot make a temporary directory")
    }
}

/// Measures and prints.
pub(crate) fn run(name: Name, settings: &Settings) -> Result<()> {
    if cfg!(debug_assertions) {
        eprintln!("testbed: a debug build; measure with `cargo run --release -p testbed`");
    }
    let report = match name {
        Name::Rpc => rpc::measure(settings)?,
        Name::Store => store::measure(settings)?,
        Name::Start => start::measure(settings)?,
        Name::Watch => watch::measure(settings)?,
        Name::Services => services::measure(settings)?,
        Name::Signed => signed::measure(settings)?,
        Name::Flood => flood::measure(settings)?,
        Name::Sip => sip::measure(settings)?,
        Name::Dht => overlay::measure(settings)?,
    };
    println!("{}", if settings.json { report.json() } else { report.markdown() });
    Ok(())
}

/// Is a part of a bench that needs a process of its own.
pub(crate) fn run_part(part: Part) -> Result<()> {
    overlay::run_part(part)
}
