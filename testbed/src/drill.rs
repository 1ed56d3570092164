//! What the world does to super-nodes: hostile input, a disk that fills up, data directories in a
//! bad state, nodes that die, networks that come and go.

mod air;
mod churn;
mod clients;
mod data_dir;
mod disk_full;
mod evening;
mod hostile;
mod lan;
mod namespaces;
mod on_air;
mod overlay;
mod partition;
mod request;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::unshared;

pub(crate) use request::{Request, Size};

/// A drill and what it proves.
pub(crate) struct Drill {
    /// As given on the command line.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Which options of [`Size`] it knows.
    sizes: &'static [&'static str],
    /// Runs it and says how many checks passed.
    run: fn(&Request) -> Result<usize>,
    /// The half of it that runs in namespaces of its own, if it needs them.
    inside: Option<fn(&Path, &Request) -> Result<()>>,
}

/// Every drill there is.
pub(crate) const ALL: [Drill; 12] = [
    Drill {
        name: "hostile",
        about: "bad requests over raw sockets: all answered or ended, nothing lost, memory bounded",
        sizes: &[],
        run: hostile::run,
        inside: None,
    },
    Drill {
        name: "disk-full",
        about: "a disk that fills up: over capacity is said, reads go on, nothing is lost",
        sizes: &[],
        run: disk_full::run,
        inside: Some(disk_full::inside),
    },
    Drill {
        name: "data-dir",
        about: "a port or directory in use, unwritable, corrupt, too new: refused, and untouched",
        sizes: &[],
        run: data_dir::run,
        inside: None,
    },
    Drill {
        name: "overlay",
        about: "three nodes: one killed, then all of them under load; nothing acknowledged is lost",
        sizes: &[],
        run: overlay::run,
        inside: None,
    },
    Drill {
        name: "churn",
        about: "nodes killed and replaced one after another: reads stay right, nothing is lost",
        sizes: &["--minutes", "--nodes", "--entries"],
        run: churn::run,
        inside: None,
    },
    Drill {
        name: "namespaces",
        about: "three networked machines: found by DNS-SD alone, by --join alone, and one all alone",
        sizes: &[],
        run: namespaces::run,
        inside: Some(namespaces::inside),
    },
    Drill {
        name: "partition",
        about: "a network in two halves and whole again: both serve, all is found, nothing is lost",
        sizes: &["--nodes", "--seconds", "--puts", "--removals"],
        run: partition::run,
        inside: Some(partition::inside),
    },
    Drill {
        name: "evening",
        about: "people of What's UP at super-nodes that are killed: all see what a plain model says",
        sizes: &["--people", "--posts", "--seconds"],
        run: evening::run,
        inside: None,
    },
    Drill {
        name: "evening-apart",
        about: "the same in two halls whose network falls apart and is joined again",
        sizes: &["--people", "--posts", "--seconds"],
        run: evening::run_apart,
        inside: Some(evening::inside),
    },
    Drill {
        name: "air",
        about: "an emulated radio: as fast, as late, as lossy as its scenario; routing, an overlay",
        sizes: &[],
        run: air::run,
        inside: Some(air::inside),
    },
    Drill {
        name: "air-halls",
        about: "on the radio, half of the laptops walk away and come back: both halves serve, all is found",
        sizes: &[],
        run: on_air::run_halls,
        inside: Some(on_air::inside_halls),
    },
    Drill {
        name: "air-kills",
        about: "on the radio, super-nodes are killed and replaced: reads stay right, telephones ring",
        sizes: &[],
        run: on_air::run_kills,
        inside: Some(on_air::inside_kills),
    },
];

/// Runs one drill, or all of them; an error names each that failed.
pub(crate) fn run(name: &str, request: &Request) -> Result<()> {
    let chosen: Vec<&Drill> = ALL.iter().filter(|d| name == "all" || name == d.name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = ALL.iter().map(|d| d.name).collect();
        bail!("no drill {name:?}; there are: all, {}", names.join(", "));
    }
    for option in request.size.given() {
        let known = chosen.iter().all(|drill| drill.sizes.contains(&option));
        ensure!(known, "the drill {name} has no {option}");
    }
    let mut failed = Vec::new();
    for drill in chosen {
        println!("{}: {}", drill.name, drill.about);
        match (drill.run)(request).with_context(|| drill.name) {
            Ok(passed) => println!("{}: {passed} checks passed\n", drill.name),
            Err(error) => {
                println!("{error:#}\n");
                failed.push(drill.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

/// The half of a drill that runs in namespaces of its own, with a directory.
pub(crate) fn run_inside(name: &str, dir: &Path, request: &Request) -> Result<()> {
    let drill = ALL.iter().find(|drill| drill.name == name);
    let inside = drill.and_then(|drill| drill.inside).context("no drill that runs inside")?;
    unshared::inside(|dir| inside(dir, request), dir)
}
