//! Measurements. Each figure is taken in one run side by side with what it is compared to, in
//! interleaved rounds, and the middle one of the rounds is told: a ratio holds on a busy machine
//! where an absolute time does not. Nothing here fails for being slow; the table says so.

mod alerts;
mod all;
mod document;
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
mod whatsup;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use document::Document;
use report::Report;
use tempfile::TempDir;

pub(crate) use overlay::Part;

/// Measures something.
type Bench = fn(&Settings) -> Result<Report>;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Name {
    /// XML-RPC against the same server's /healthz, 16 keep-alive connections.
    Rpc,
    /// Durable puts through the handle against the database's own rate.
    Store,
    /// A million entries: time to start, memory, size.
    Start,
    /// How soon a watched change arrives, and what leases weigh.
    Watch,
    /// How soon those who follow a community are told of what is shared there.
    Alerts,
    /// What a lookup of a service costs, in a large overlay and of ten thousand providers.
    Services,
    /// Signed entries checked in a second, against the library that checks them.
    Signed,
    /// How one client's flood delays others, at a super-node alone and at one of three.
    Flood,
    /// SIP against Kamailio, at one super-node and at nine; some minutes.
    Sip,
    /// What's UP at nine super-nodes: profiles, feeds, search, files; some minutes.
    Whatsup,
    /// The overlay against UDP, OpenDHT and the database: up to 72 nodes, some minutes.
    Dht,
    /// All of these; half an hour.
    All,
}

impl Name {
    /// What measures it; all together have none of their own.
    fn bench(self) -> Option<Bench> {
        Some(match self {
            Name::Rpc => rpc::measure,
            Name::Store => store::measure,
            Name::Start => start::measure,
            Name::Watch => watch::measure,
            Name::Alerts => alerts::measure,
            Name::Services => services::measure,
            Name::Signed => signed::measure,
            Name::Flood => flood::measure,
            Name::Sip => sip::measure,
            Name::Whatsup => whatsup::measure,
            Name::Dht => overlay::measure,
            Name::All => return None,
        })
    }

    /// As it is written on the command line.
    fn text(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// How long it takes on two cores, roughly.
    const fn lasts(self, quick: bool) -> Duration {
        let (quick_s, full_s) = match self {
            Name::Rpc => (10, 150),
            Name::Store => (5, 30),
            Name::Start => (10, 100),
            Name::Watch => (5, 30),
            Name::Alerts => (40, 100),
            Name::Services => (10, 40),
            Name::Signed => (5, 30),
            Name::Flood => (10, 120),
            Name::Sip => (60, 400),
            Name::Whatsup => (25, 250),
            Name::Dht => (30, 600),
            Name::All => (210, 1850),
        };
        Duration::from_secs(if quick { quick_s } else { full_s })
    }
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

/// Measures and prints; or, if there is a document, puts the tables there.
pub(crate) fn run(name: Name, settings: &Settings, document: Option<&Path>) -> Result<()> {
    if cfg!(debug_assertions) {
        eprintln!("testbed: a debug build; measure with `cargo run --release -p testbed`");
    }
    let Some(measure) = name.bench() else { return all::run(settings, document) };
    let document = document.map(|path| Document::open(path, &[name.text()])).transpose()?;
    let report = measure(settings)?;
    match document {
        Some(mut document) => document.replace(&name.text(), &report.table())?,
        None => println!("{}", if settings.json { report.json() } else { report.markdown() }),
    }
    Ok(())
}

/// Is a part of a bench that needs a process of its own.
pub(crate) fn run_part(part: Part) -> Result<()> {
    overlay::run_part(part)
}
