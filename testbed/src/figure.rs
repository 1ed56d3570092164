//! `testbed figure`, `figures` and `validate`: the paper's experiments on the emulated radio, drawn.
//!
//! ```text
//! command ──► sweep (1 to 8 super-nodes a laptop) ──► Measured ──► draw ──► chart (SVG), samples (CSV)
//!         └─► validate (11 super-nodes, 200 clients) ─────────────┘   └──► facts (JSON)
//! ```

mod chart;
mod counters;
mod draw;
mod facts;
mod paper;
mod processor;
mod progress;
mod samples;
mod sweep;
mod validate;

use std::path::PathBuf;
use std::sync::mpsc::TryRecvError;

use anyhow::{Result, bail, ensure};

use crate::air::{Laptops, Scenario, become_inside, required, shipped};
use crate::interrupt::told_to_stop;
use crate::netns::prepare;
use draw::Figure;
use facts::Facts;
use paper::PER_LAPTOP;
use progress::Progress;
use sweep::{Wanted, sweep};
use validate::validate;

/// All figures there are.
pub(crate) const ALL: [u8; 5] = [8, 9, 10, 11, 12];
/// Samples of each kind at each size.
const SAMPLES: u32 = 200;

/// What all of them are told.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// Where the files go.
    #[arg(long, value_name = "DIR", default_value = "docs/figures")]
    out: PathBuf,
    /// Decides all that is left to chance, instead of the scenarios'.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How often each thing is timed at each size.
    #[arg(long, value_name = "N", default_value_t = SAMPLES, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Run in this process's namespaces.
    #[arg(long, hide = true)]
    inside: bool,
}

/// Draws these figures, by one run for all of them.
pub(crate) fn figures(numbers: &[u8], request: &Request) -> Result<()> {
    let chosen: Vec<Figure> =
        numbers.iter().map(|number| Figure::of(*number)).collect::<Result<_>>()?;
    let (grid, areas) = (load("grid", request)?, load("areas", request)?);
    required(&grid.clone().with_supernodes(1))?;
    if !request.inside {
        become_inside()?;
        return Ok(());
    }
    std::fs::create_dir_all(&request.out)?;
    let mut go_on = in_namespaces()?;
    let sweeps = chosen.iter().any(|figure| figure.is_of_sweep());
    let mut weights = Vec::new();
    if chosen.contains(&Figure::Validation) {
        weights.push(4);
    }
    if sweeps {
        weights.extend(PER_LAPTOP.map(|each| 4 + each as u32));
    }
    let mut progress = Progress::new(weights);
    let mut drawn = Vec::new();
    if chosen.contains(&Figure::Validation) {
        progress.step("validation");
        let mut laptops = Laptops::new(areas.clone(), None)?;
        laptops.start_supernodes(&mut go_on)?;
        let began = processor::Processor::read()?;
        let validation = validate(&laptops, &mut go_on)?;
        let processor = processor::Processor::read()?.percent_since(began);
        laptops.stop()?;
        tell_validation(&validation);
        drawn.push(draw::validation(
            &validation,
            Facts::new(&areas, request, &[(paper::VALIDATION.0, processor)]),
        ));
    }
    if sweeps {
        let wanted = Wanted {
            samples: request.samples as usize,
            values: chosen.iter().any(|figure| figure.wants_values()),
            registrations: chosen.contains(&Figure::Registration),
            calls: chosen.contains(&Figure::Setup),
        };
        let measured = sweep(&grid, wanted, &mut progress, &mut go_on)?;
        let processors: Vec<_> = measured.iter().map(|m| (m.supernodes, m.processor)).collect();
        let facts = Facts::new(&grid, request, &processors);
        drawn.extend(
            chosen.iter().filter_map(|figure| draw::of_sweep(*figure, &measured, facts.clone())),
        );
    }
    for drawn in &drawn {
        let names = drawn.write(&request.out)?;
        println!("{}", names.join(" "));
        drawn.remarks.iter().for_each(|remark| println!("  {remark}"));
    }
    Ok(())
}

/// Checks where values are, and draws nothing.
pub(crate) fn validation(request: &Request) -> Result<()> {
    let areas = load("areas", request)?;
    required(&areas)?;
    if !request.inside {
        become_inside()?;
        return Ok(());
    }
    let mut go_on = in_namespaces()?;
    let mut laptops = Laptops::new(areas, None)?;
    laptops.start_supernodes(&mut go_on)?;
    let validation = validate(&laptops, &mut go_on)?;
    laptops.stop()?;
    tell_validation(&validation);
    let puts = validation.puts;
    ensure!(
        validation.misplaced.is_empty(),
        "{} of {puts} values are misplaced",
        validation.misplaced.len()
    );
    ensure!(
        validation.gets == puts,
        "{} of {puts} gets found another client's value",
        validation.gets
    );
    Ok(())
}

fn load(name: &str, request: &Request) -> Result<Scenario> {
    shipped(name, request.seed)
}

/// Whether it may go on: nobody has told it to stop.
fn in_namespaces() -> Result<impl FnMut() -> Result<()>> {
    prepare()?;
    let stop = told_to_stop()?;
    Ok(move || match stop.try_recv() {
        Err(TryRecvError::Empty) => Ok(()),
        _ => bail!("told to stop; what was not finished is not written"),
    })
}

fn tell_validation(validation: &validate::Validation) {
    for kept in &validation.kept {
        println!(
            "…{}: keeps {} of the clients' values, ought to keep {}",
            kept.name, kept.found, kept.expected
        );
    }
    for misplaced in &validation.misplaced {
        println!("misplaced: {misplaced}");
    }
    let validate::Validation { puts, gets, misplaced, .. } = validation;
    println!(
        "{} of {puts} values are at the three closest places; {gets} of {puts} gets found another client's value",
        puts - misplaced.len()
    );
}
