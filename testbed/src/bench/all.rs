//! All benches, one after the other.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::document::Document;
use super::{Bench, Name, Settings};
use crate::tools::Missing;

/// Measures all there is. With a document each table goes to its place there, else to standard output. A
/// bench whose programs are not installed is left out, and said to be; one that fails keeps no other from
/// being measured.
pub(super) fn run(settings: &Settings, document: Option<&Path>) -> Result<()> {
    let benches: Vec<(Name, Bench)> =
        Name::value_variants().iter().filter_map(|name| Some((*name, name.bench()?))).collect();
    let names: Vec<Name> = benches.iter().map(|(name, _)| *name).collect();
    let mut document = match document {
        Some(path) => {
            let places: Vec<String> = names.iter().map(|name| name.text()).collect();
            Some(Document::open(path, &places)?)
        }
        None => None,
    };
    let began = Instant::now();
    let (mut skipped, mut failed) = (Vec::new(), Vec::new());
    for (at, (name, measure)) in benches.iter().enumerate() {
        eprintln!("testbed: {}", progress(&names, at, settings.quick, began.elapsed()));
        match measure(settings) {
            Ok(report) if settings.json => println!("{}", report.json()),
            Ok(report) => match &mut document {
                Some(document) => document.replace(&name.text(), &report.table())?,
                None => println!("{}\n", report.markdown()),
            },
            Err(error) if error.downcast_ref::<Missing>().is_some() => {
                skipped.push(format!("{}: not measured: {error:#}", name.text()));
            }
            Err(error) => failed.push(format!("{}: failed: {error:#}", name.text())),
        }
    }
    for what in skipped.iter().chain(&failed) {
        eprintln!("testbed: {what}");
    }
    if !failed.is_empty() {
        bail!(
            "{} of {} benches failed; what they measured before stands",
            failed.len(),
            names.len()
        );
    }
    Ok(())
}

/// Where it is, and how long it may still take.
fn progress(names: &[Name], at: usize, quick: bool, since: Duration) -> String {
    let left: Duration = names[at..].iter().map(|name| name.lasts(quick)).sum();
    let minutes = left.as_secs().div_ceil(60);
    let bar: String = (0..names.len()).map(|n| if n < at { '#' } else { '.' }).collect();
    format!(
        "[{bar}] {} of {}: {}; {} s so far, some {minutes} min left",
        at + 1,
        names.len(),
        names[at].text(),
        since.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_what_is_left() {
        let names = [Name::Store, Name::Rpc];
        let text = progress(&names, 1, true, Duration::from_secs(7));
        assert!(text.starts_with("[#.] 2 of 2: rpc; 7 s so far, some 1 min left"), "{text}");
    }

    #[test]
    fn the_project_s_document_has_a_place_for_each() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/measurements.md");
        let names = Name::value_variants().iter().filter(|name| name.bench().is_some());
        let places: Vec<String> = names.map(|name| name.text()).collect();
        Document::open(&path, &places).unwrap();
    }
}
