//! The overlay, side by side with what it stands on and with its peer: UDP between two processes,
//! OpenDHT, the database. Only one of them is there at a time, and each is new in each round.

mod cold;
mod durable;
mod floor;
mod idle;
mod large;
mod net;
mod opendht;
mod pace;
mod reads;
mod tell;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

use super::Settings;
use super::report::Report;
use durable::Durable;
use floor::Echo;
use opendht::{Figures, OpenDht};
use pace::Pace;
use reads::Reads;

/// What is measured in a process of its own.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub(crate) enum Part {
    /// Sends back datagrams.
    Echo,
    /// Watches an overlay that has nothing to do, in a network namespace of its own.
    Idle(idle::Request),
}

/// How much is measured.
struct Scale {
    /// Nodes of the smaller and the larger overlay.
    sizes: [usize; 2],
    keys: usize,
    newcomers: usize,
    newcomers_keys: usize,
}

/// One round: each side once.
#[derive(Debug)]
struct Round {
    udp: Pace,
    few: Reads,
    many: Reads,
    durable: Durable,
    opendht: Option<Figures>,
}

impl Scale {
    fn of(settings: &Settings) -> Scale {
        match settings.quick {
            true => Scale { sizes: [5, 9], keys: 50, newcomers: 2, newcomers_keys: 10 },
            false => Scale { sizes: [9, 72], keys: 400, newcomers: 10, newcomers_keys: 50 },
        }
    }
}

/// Measures all of it.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    let scale = Scale::of(settings);
    let runtime = runtime()?;
    let mut report = Report::new("The overlay: 100-byte values, a thread per node");
    let opendht = match settings.quick {
        true => Err("a quick run leaves it out"),
        false => OpenDht::compile()?,
    };
    let mut rounds = Vec::new();
    for number in 1..=settings.rounds() {
        eprintln!("testbed: round {number} of {}", settings.rounds());
        rounds.push(round(&runtime, &scale, opendht.as_ref().ok(), settings)?);
    }
    tell::rounds(&mut report, &rounds, scale.sizes);
    if let Err(why) = opendht {
        report.note(format!("OpenDHT: not measured: {why}."));
    }
    eprintln!("testbed: idle overlays");
    match idle::measure(scale.sizes, settings.quick)? {
        Ok(idle) => tell::idle(&mut report, idle, scale.sizes),
        Err(why) => report.note(format!("Idle overlays: not measured: {why}.")),
    }
    eprintln!("testbed: newcomers");
    let newcomers = cold::measure(scale.sizes[1], scale.newcomers, scale.newcomers_keys);
    tell::cold(&mut report, &runtime.block_on(newcomers).context("newcomers")?, scale.sizes[1]);
    if settings.large {
        eprintln!("testbed: large values");
        let large =
            runtime.block_on(large::measure(settings.turn() * 2)).context("large values")?;
        tell::large(&mut report, &large);
    }
    Ok(report)
}

/// Is one of the parts.
pub(super) fn run_part(part: Part) -> Result<()> {
    match part {
        Part::Echo => runtime()?.block_on(floor::serve()),
        Part::Idle(request) => runtime()?.block_on(idle::watch(request)),
    }
}

fn round(
    runtime: &Runtime,
    scale: &Scale,
    opendht: Option<&OpenDht>,
    settings: &Settings,
) -> Result<Round> {
    let (turn, keys, [few, many]) = (settings.turn(), scale.keys, scale.sizes);
    let udp = {
        let echo = Echo::start()?;
        runtime.block_on(echo.pace(turn)).context("UDP")?
    };
    let reads = |nodes| {
        runtime
            .block_on(reads::measure(nodes, keys, turn))
            .with_context(|| format!("{nodes} nodes"))
    };
    let (few, many) = (reads(few)?, reads(many)?);
    let opendht = opendht.map(|opendht| opendht.measure(scale.sizes[1], keys, turn)).transpose()?;
    let dir = settings.temp_dir()?;
    let durable = runtime.block_on(durable::measure(dir.path(), turn)).context("durable puts")?;
    Ok(Round { udp, few, many, durable, opendht })
}

/// As a daemon has it on the two cores the targets are stated for, and the same on both sides.
fn runtime() -> Result<Runtime> {
    const WORKERS: usize = 2;
    Ok(Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?)
}
